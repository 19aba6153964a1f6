"""What the wire formats of the scripted LLM have in common: a request and a reply without any vendor's words in them.

Owns the neutral dataclasses and the telling of what a person typed from what an agent adds by itself. One file per
vendor's format reads the one and writes the other.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = [
    "Advertised",
    "Asked",
    "Call",
    "Event",
    "Reply",
    "Turns",
    "Wire",
    "arguments",
    "blocks",
    "pieces",
    "typed",
    "uid",
]

_ADDED = re.compile(
    r"\s*(<(system-reminder|environment_context|user_instructions|INSTRUCTIONS|permissions|skills|plugins|apps|context"
    r"|collaboration_mode|local-command|command-|turn_aborted)|# AGENTS\.md|\[Request interrupted)"
)
"""How text begins that an agent adds to the user's messages by itself."""


@dataclass(frozen=True)
class Advertised:
    """A tool that a request offers to the model."""

    name: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    custom: bool = False
    """It takes plain text and no JSON (Codex's ``apply_patch`` and ``exec``)."""
    javascript: bool = False
    """It runs JavaScript that calls all other tools (Codex's "code mode")."""
    namespace: str = ""


@dataclass(frozen=True)
class Asked:
    """One request: what the person typed so far, and how often the model has used tools since the last of it."""

    model: str
    stream: bool
    tools: Mapping[str, Advertised]
    prompts: Sequence[str]
    rounds: int
    schema: Mapping[str, Any] | None = None
    """What the answer must look like, where JSON is asked for (titles, judges)."""

    @property
    def prompt(self) -> str:
        """What the person typed last."""
        return self.prompts[-1] if self.prompts else ""


@dataclass(frozen=True)
class Call:
    """A call of a tool, by the agent's own name for it. ``text`` is the input of a custom tool."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    namespace: str = ""
    search: bool = False
    """It only looks for a tool that was not listed: a detour, not a step of the script."""


@dataclass(frozen=True)
class Reply:
    """What the model says: words, calls, and the tokens it claims to have used."""

    text: str
    calls: Sequence[Call]
    tokens_in: int
    tokens_out: int
    chunk: int = 16
    """Characters in one piece of a stream."""


Event = tuple[str, Any]
"""(name, data) of one server-sent event; the name is "" where the format has none, data is JSON or "[DONE]"."""


class Wire(Protocol):
    """One vendor's format."""

    @property
    def suffix(self) -> str:
        """How the path of its requests ends."""

    def read(self, body: Mapping[str, Any]) -> Asked:
        """The request."""

    def whole(self, reply: Reply, model: str) -> dict[str, Any]:
        """The answer in one piece."""

    def events(self, reply: Reply, model: str) -> Iterator[Event]:
        """The same as a stream."""

    def error(self, status: int, kind: str, message: str) -> dict[str, Any]:
        """A refusal as this vendor words it."""


class Turns:
    """Gathers a request's messages: what was typed, and the tool rounds since."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.rounds = 0

    def user(self, texts: Sequence[str]) -> None:
        """A message of the user's; what the agent put into it by itself is left out."""
        words = typed(texts)
        if words:
            self.prompts.append(words)
            self.rounds = 0

    def tool(self) -> None:
        """The model used tools (several at once are one round)."""
        self.rounds += 1


def typed(texts: Sequence[str]) -> str:
    """Of a message's parts, those that a person typed."""
    return "\n".join(text for text in texts if text.strip() and not _ADDED.match(text))


def blocks(content: object) -> list[Mapping[str, Any]]:
    """A message's content as a list of parts, whatever it is."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def pieces(text: str, size: int) -> Iterator[str]:
    """``text`` cut into pieces of at most ``size`` characters."""
    for at in range(0, len(text), size):
        yield text[at : at + size]


def uid(prefix: str) -> str:
    """An id as vendors make them."""
    return prefix + uuid.uuid4().hex[:24]


def arguments(call: Call) -> str:
    """A call's arguments as JSON text."""
    return json.dumps(dict(call.args))
