"""Real agent CLIs on a PTY of ours, without a sandbox: configured to ask nothing, with the scripted LLM behind them.

For what is about reading and typing alone (``agentapi``); whole tasks are in ``test_real_tasks``.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio

from jupyter_tasks.agentapi.emulator import Emulator, new_emulator
from jupyter_tasks.agentapi.formats import Format, format_for
from jupyter_tasks.agentapi.messages import Attention, Message
from jupyter_tasks.agentapi.signals import Evidence
from jupyter_tasks.agentapi.terminal import TerminalConversation
from jupyter_tasks.clock import SystemClock
from jupyter_tasks.testing.agent_clis import AgentClis
from jupyter_tasks.testing.scripted_llm import ScriptedLlm

MCP = Path(__file__).parent / "mcp_report.py"


class Told:
    """A ``Listener`` that writes down what matters."""

    def __init__(self) -> None:
        self.evidence: list[Evidence] = []
        self.attention: list[Attention | None] = []
        self.errors: list[str] = []

    def on_message(self, message: Message) -> None: ...

    def on_status(self, status: str) -> None: ...

    def on_evidence(self, evidence: Evidence) -> None:
        self.evidence.append(evidence)

    def on_attention(self, attention: Attention | None) -> None:
        self.attention.append(attention)

    def on_ready(self) -> None: ...

    def on_prompt_sent(self) -> None: ...

    def on_error(self, text: str) -> None:
        self.errors.append(text)

    @property
    def states(self) -> list[tuple[str, str]]:
        """(state, source) as they followed one another."""
        found = [(evidence.state, evidence.source) for evidence in self.evidence]
        return [pair for at, pair in enumerate(found) if at == 0 or found[at - 1] != pair]


class Mute:
    """An emulator that does not hear program status."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._emulator, name)

    def take_signals(self) -> list[str]:
        self._emulator.take_signals()
        return []


class Program:
    """A program on a PTY, recorded, with keyed writes, as a workspace agent holds it."""

    def __init__(self, argv: Sequence[str], cwd: Path, env: dict[str, str], size: tuple[int, int]) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=env,
        )
        os.close(slave)
        os.set_blocking(self.master, False)
        self.keys: set[str] = set()
        self.tape: list[tuple[float, str, bytes]] = []
        """(seconds since the start, key of what was typed or "" for what was drawn, the bytes)."""
        self._started = time.monotonic()

    async def write(self, data: bytes, key: str) -> bool:
        if key in self.keys:
            return False
        self.keys.add(key)
        self._note(key, data)
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
                data = os.read(self.master, 65536)
            except OSError:
                data = b""
            if not data:
                conversation.closed(await anyio.to_thread.run_sync(self.process.wait))
                return
            self._note("", data)
            conversation.feed(data)

    def _note(self, key: str, data: bytes) -> None:
        self.tape.append((round(time.monotonic() - self._started, 3), key, data))

    def end(self) -> None:
        """Kill it, with what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.master)


class Desk:
    """A home directory and a project for one agent, with every dialog of its start answered."""

    def __init__(self, root: Path, clis: AgentClis, llm: ScriptedLlm) -> None:
        self.home, self.project, self.reports = root / "home", root / "project", root / "reports.jsonl"
        self.home.mkdir()
        self.project.mkdir()
        self.clis, self.llm = clis, llm
        self.env = {
            "HOME": str(self.home),
            "PATH": clis.path,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "MCP_REPORT_LOG": str(self.reports),
        }

    def reported(self) -> list[dict[str, Any]]:
        """What the agent told through MCP."""
        return [json.loads(line) for line in self.reports.read_text().splitlines()] if self.reports.exists() else []

    def command(self, kind: str, *flags: str, ask: bool = False) -> list[str]:
        """The command of ``kind``, which asks for permission, or never does."""
        if kind == "codex":
            return self.codex(*flags, ask=ask)
        if kind == "opencode":
            return self.opencode(*flags, ask=ask)
        mode = "default" if ask else "bypassPermissions"
        return self.claude("--permission-mode", mode, "--allowedTools", "mcp__coder__coder_report_task", *flags)

    def claude(self, *flags: str, key: str = "a key") -> list[str]:
        """Claude Code's command, configured."""
        self.env |= {
            "ANTHROPIC_BASE_URL": self.llm.url,
            "ANTHROPIC_AUTH_TOKEN": key,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
            "CLAUDE_CODE_SANDBOXED": "1",
            "IS_SANDBOX": "1",
            "CLAUDE_CODE_MAX_RETRIES": "1",
        }
        server = {"type": "stdio", "command": sys.executable, "args": [str(MCP)], "env": {}}
        settings = {"hasCompletedOnboarding": True, "mcpServers": {"coder": server}}
        (self.home / ".claude.json").write_text(json.dumps(settings))
        (self.home / ".claude").mkdir(exist_ok=True)
        (self.home / ".claude" / "settings.json").write_text('{"skipDangerousModePermissionPrompt": true}')
        return [str(self.clis.command("claude")), *flags]

    def codex(self, *flags: str, ask: bool = False, key: str = "a key") -> list[str]:
        """Codex's command, configured."""
        approval, sandbox = ("on-request", "read-only") if ask else ("never", "danger-full-access")
        self.env["SCRIPTED_API_KEY"] = key
        (self.home / ".codex").mkdir(exist_ok=True)
        (self.home / ".codex" / "config.toml").write_text(
            f"""model = "gpt-5.5"
model_provider = "scripted"
approval_policy = "{approval}"
sandbox_mode = "{sandbox}"
check_for_update_on_startup = false
[analytics]
enabled = false
[feedback]
enabled = false
[features]
plugins = false
apps = false
daemon_auto_start = false
[notice.model_migrations]
"gpt-5.5" = "gpt-6-sol"
[model_providers.scripted]
name = "Scripted"
base_url = "{self.llm.url}/v1"
wire_api = "responses"
env_key = "SCRIPTED_API_KEY"
[projects."{self.project}"]
trust_level = "trusted"
[mcp_servers.coder]
command = "{sys.executable}"
args = ["{MCP}"]
env = {{ MCP_REPORT_LOG = "{self.reports}" }}
"""
        )
        return [str(self.clis.directory / "codex"), *flags]

    def opencode(self, *flags: str, ask: bool = False, key: str = "a key") -> list[str]:
        """OpenCode's command, configured."""
        self.env |= {
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        }
        rule = "ask" if ask else "allow"
        settings = {
            "autoupdate": False,
            "model": "anthropic/scripted",
            "small_model": "anthropic/scripted",
            "enabled_providers": ["anthropic"],
            "provider": {
                "anthropic": {
                    "options": {"baseURL": f"{self.llm.url}/v1", "apiKey": key},
                    "models": {"scripted": {}},
                }
            },
            "permission": {"edit": rule, "bash": rule},
            "mcp": {"coder": {"type": "local", "command": [sys.executable, str(MCP)], "enabled": True}},
        }
        directory = self.home / ".config" / "opencode"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "opencode.json").write_text(json.dumps(settings))
        return [str(self.clis.command("opencode")), *flags]


@asynccontextmanager
async def running(
    desk: Desk,
    kind: str | Format,
    argv: Sequence[str],
    *,
    size: tuple[int, int] = (80, 1000),
    mute: bool = False,
    **options: Any,
) -> AsyncIterator[tuple[TerminalConversation, Told, Program]]:
    """The agent runs and is talked with; ``mute``: what it says of its state by OSC 7501 is not heard."""
    program, told = Program(argv, desk.project, desk.env, size), Told()
    format = format_for(kind) if isinstance(kind, str) else kind  # noqa: A001
    emulator = Mute(new_emulator(*size)) if mute else new_emulator(*size)
    conversation = TerminalConversation(format, emulator, SystemClock(), program.write, told, **options)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(conversation.run)
            group.start_soon(program.read_into, conversation)
            with anyio.fail_after(180):
                yield conversation, told, program
            group.cancel_scope.cancel()
    finally:
        program.end()


async def until(holds: Callable[[], object]) -> None:
    """Wait for it; the deadline is the caller's."""
    while not holds():  # noqa: ASYNC110
        await anyio.sleep(0.01)


async def rest(conversation: TerminalConversation) -> None:
    """Wait until the agent waits for its user, and has said something."""
    await until(lambda: conversation.status == "stable" and conversation.messages[-1].role == "agent")


def texts(conversation: TerminalConversation) -> list[tuple[str, str]]:
    """(role, text) of each message."""
    return [(message.role, message.text) for message in conversation.messages]
