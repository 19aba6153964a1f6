"""A terminal agent in a few lines, for tests that turn the clock by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from jupyter_tasks.agentapi.emulator import new_emulator
from jupyter_tasks.agentapi.formats import format_for
from jupyter_tasks.agentapi.messages import Attention, Message
from jupyter_tasks.agentapi.signals import Evidence
from jupyter_tasks.agentapi.terminal import TerminalConversation
from jupyter_tasks.testing.clock import FakeClock

PASTE = re.compile(rb"x\x08\x1b\[200~(.*)\x1b\[201~", re.DOTALL)


class Heard:
    """A ``Listener`` that writes everything down."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.status: list[str] = []
        self.evidence: list[Evidence] = []
        self.attention: list[Attention | None] = []
        self.words: list[str] = []
        self.errors: list[str] = []

    def on_message(self, message: Message) -> None:
        self.messages.append(message)

    def on_status(self, status: str) -> None:
        self.status.append(status)

    def on_evidence(self, evidence: Evidence) -> None:
        self.evidence.append(evidence)

    def on_attention(self, attention: Attention | None) -> None:
        self.attention.append(attention)

    def on_ready(self) -> None:
        self.words.append("ready")

    def on_prompt_sent(self) -> None:
        self.words.append("prompt sent")

    def on_error(self, text: str) -> None:
        self.errors.append(text)


class Agent:
    """Line based: shows "> ", echoes what is pasted, answers on Enter with ``answer``; remembers write keys."""

    def __init__(self, answer: Callable[[str], str | None] = lambda text: f"You said {text}.") -> None:
        self.answer = answer
        self.echo = True
        self.reacts = True
        self.typed = ""
        self.taken: list[str] = []
        self.writes: list[bytes] = []
        self.keys: set[str] = set()
        self.conversation: TerminalConversation | None = None
        self.recording = bytearray()

    def show(self, text: str) -> None:
        """The agent prints this."""
        data = text.replace("\n", "\r\n").encode()
        self.recording += data
        assert self.conversation is not None
        self.conversation.feed(data)

    async def write(self, data: bytes, key: str) -> bool:
        if key in self.keys:
            return False
        self.keys.add(key)
        self.writes.append(data)
        pasted = PASTE.fullmatch(data)
        if pasted:
            self.typed += pasted[1].decode()
            if self.echo:
                self.show(pasted[1].decode())
        elif data == b"\r" and self.typed and self.reacts:
            self.taken.append(self.typed)
            text, self.typed = self.typed, ""
            answer = self.answer(text)
            self.show("\n")
            if answer is not None:
                self.show(f"{answer}\n> ")
        await anyio.lowlevel.checkpoint()
        return True


@asynccontextmanager
async def talking(agent: Agent, clock: FakeClock, *, kind: str = "custom", rows: int = 40, **options: Any):  # type: ignore[no-untyped-def]
    """A conversation with ``agent`` that runs: (conversation, what was heard)."""
    heard = Heard()
    conversation = TerminalConversation(format_for(kind), new_emulator(80, rows), clock, agent.write, heard, **options)
    agent.conversation = conversation
    async with anyio.create_task_group() as group:
        group.start_soon(conversation.run)
        yield conversation, heard
        group.cancel_scope.cancel()


def texts(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """(role, text) of each."""
    return [(message.role, message.text) for message in messages]
