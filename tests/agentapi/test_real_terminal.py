"""Conversations with real programs on real terminals, in real time: the offline agent and the scripted one."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from agent_on_screen import Heard, texts

from jupyter_tasks.agentapi.emulator import new_emulator
from jupyter_tasks.agentapi.formats import format_for
from jupyter_tasks.agentapi.terminal import TerminalConversation
from jupyter_tasks.clock import SystemClock

pytestmark = pytest.mark.anyio


class Program:
    """A program on a PTY, recorded, with keyed writes, as a workspace agent holds it."""

    def __init__(self, argv: list[str], cwd: Path, rows: int) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm-256color"},
        )
        os.close(slave)
        os.set_blocking(self.master, False)
        self.keys: set[str] = set()
        self.recording = bytearray()

    async def write(self, data: bytes, key: str) -> bool:
        if key in self.keys:
            return False
        self.keys.add(key)
        while data:
            try:
                data = data[os.write(self.master, data) :]
            except BlockingIOError:
                await anyio.wait_writable(self.master)
        return True

    async def read_into(self, conversation: TerminalConversation) -> None:
        while True:
            await anyio.wait_readable(self.master)
            try:
                data = os.read(self.master, 4096)
            except OSError:
                data = b""
            if not data:
                conversation.closed(await anyio.to_thread.run_sync(self.process.wait))
                return
            self.recording += data
            conversation.feed(data)


@asynccontextmanager
async def running(argv: list[str], cwd: Path, *, rows: int = 24, **options: Any) -> AsyncIterator[Any]:
    """(conversation, heard, program)."""
    program, heard = Program(argv, cwd, rows), Heard()
    conversation = TerminalConversation(
        format_for("custom"), new_emulator(80, rows), SystemClock(), program.write, heard, **options
    )
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(conversation.run)
            group.start_soon(program.read_into, conversation)
            with anyio.fail_after(50):
                yield conversation, heard, program
            group.cancel_scope.cancel()
    finally:
        program.process.kill()
        program.process.wait()
        os.close(program.master)


async def until(holds: Any) -> None:
    while not holds():  # noqa: ASYNC110 -- the deadline is the caller's
        await anyio.sleep(0.01)


OFFLINE = [sys.executable, "-m", "jupyter_tasks.agent.offline"]


@pytest.mark.slow
async def test_the_main_job_with_the_offline_agent(tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text(":root {\n  --primary: #2563eb;\n}\n")
    prompt = "change the primary color theme to purple"
    async with running(OFFLINE, tmp_path, initial_prompt=prompt) as (conversation, heard, program):
        await until(lambda: len(conversation.messages) > 2 and conversation.status == "stable")
        assert "#7c3aed" in (tmp_path / "style.css").read_text()
        greeting, asked, answer = texts(conversation.messages)
        assert greeting[1].startswith("I am the offline agent")
        assert asked == ("user", prompt)
        assert answer[1].startswith("* Looking for the theme's colours …")
        assert answer[1].endswith("Changed the primary color theme to purple: 1 line in 1 file.")
        assert ">" not in answer[1]
        assert conversation.state.source == "osc7501"
        assert heard.words == ["ready", "prompt sent"]
        long = "document the project structure\n" + "\n".join(f"background {n}" for n in range(10_000))
        await conversation.send(long, key="second")
        await until(lambda: conversation.status == "stable" and conversation.messages[-1].role == "agent")
        assert texts(conversation.messages)[3][1] == long
        assert conversation.messages[-1].text.endswith("Wrote STRUCTURE.md: 1 file in 1 directory.")
        assert not await conversation.interrupt()
        before, checkpoint = conversation.messages, conversation.checkpoint()
        again = TerminalConversation(
            format_for("custom"), new_emulator(80, 24), SystemClock(), program.write, Heard(),
            messages=before, initial_prompt=prompt, prompt_sent=True, checkpoint=checkpoint,
        )  # fmt: skip
        async with anyio.create_task_group() as group:
            group.start_soon(again.run)
            again.feed(bytes(program.recording))
            await until(lambda: again.status == "stable")
            await anyio.sleep(0.2)
            group.cancel_scope.cancel()
        assert texts(again.messages) == texts(before)


async def test_interrupting_the_offline_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "style.css").write_text(":root {\n  --primary: #2563eb;\n}\n")
    argv = ["env", "JUPYTER_TASKS_OFFLINE_DELAY=60", *OFFLINE]
    async with running(argv, tmp_path) as (conversation, _, _):
        await conversation.send("theme to red", key="k")
        await until(lambda: "Looking for" in conversation.messages[-1].text)
        assert conversation.state.text == "Looking for the theme's colours"
        assert await conversation.interrupt()
        await until(lambda: conversation.status == "stable")
        assert "Interrupted" in conversation.messages[-1].text


@pytest.mark.slow
async def test_a_scripted_agent_with_stability_alone(tmp_path: Path) -> None:
    script = [
        {"response": "Hello, what shall I do?"},
        {"expect": "say hi", "think_ms": 600, "response": "hi\nthere"},
        {"expect": "long", "response": "\n".join(str(n) for n in range(100))},
        {"expect": "crash", "response": "Traceback: it broke", "exit": 3},
    ]
    (tmp_path / "script.json").write_text(json.dumps(script))
    argv = [sys.executable, "-m", "jupyter_tasks.testing.scripted_agent", "script.json"]
    async with running(argv, tmp_path, stability=0.4) as (conversation, heard, _):
        # an agent that the machine lets stand still is taken for one that rests, until it goes on
        def rests_after(word: str) -> bool:
            return conversation.status == "stable" and conversation.messages[-1].text.split("\n")[-1] == word

        await conversation.send("say hi", key="1")
        assert conversation.status == "running"
        await until(lambda: rests_after("there"))
        assert texts(conversation.messages) == [
            ("agent", "Hello, what shall I do?"),
            ("user", "say hi"),
            ("agent", "hi\nthere"),
        ]
        await conversation.send("long", key="2")
        await until(lambda: rests_after("99"))
        assert conversation.messages[-1].text == "\n".join(str(n) for n in range(100))
        await conversation.send("crash", key="3")
        await until(lambda: conversation.state.source == "exit")
        assert conversation.state.state == "failure"
        assert conversation.messages[-1].text == "Traceback: it broke"
        assert heard.errors == []
