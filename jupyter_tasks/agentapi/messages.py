"""A conversation's messages and their typed parts, for terminal and ACP agents alike.

Owns the dataclasses; how they look on the wire is ``jupyter_tasks.models``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Union

__all__ = [
    "Attention",
    "Diff",
    "Message",
    "Option",
    "Part",
    "Permission",
    "Plan",
    "PlanEntry",
    "Question",
    "Role",
    "Text",
    "ToolCall",
]

Role = Literal["user", "agent"]


@dataclass(frozen=True)
class Text:
    """Words: markdown when the agent speaks ACP, plain text from a terminal."""

    text: str


@dataclass(frozen=True)
class ToolCall:
    """A tool that the agent used. ``kind`` and ``status`` are ACP's words."""

    id: str
    title: str
    kind: str = "other"
    status: str = "pending"
    locations: tuple[str, ...] = ()
    output: str | None = None


@dataclass(frozen=True)
class Diff:
    """A file that a tool changed; ``old`` is None for a new one."""

    path: str
    old: str | None
    new: str


@dataclass(frozen=True)
class PlanEntry:
    """One step of a plan."""

    content: str
    priority: str = "medium"
    status: str = "pending"


@dataclass(frozen=True)
class Plan:
    """What the agent means to do."""

    entries: tuple[PlanEntry, ...]


@dataclass(frozen=True)
class Option:
    """One answer. ``id``: from a terminal the key to press, from ACP the option's own; ``kind`` says what it does."""

    id: str
    label: str
    kind: str = ""


@dataclass(frozen=True)
class Permission:
    """The agent asks whether it may."""

    id: str
    text: str
    options: tuple[Option, ...] = ()
    answer: str | None = None


@dataclass(frozen=True)
class Question:
    """The agent asks something else."""

    id: str
    text: str
    options: tuple[Option, ...] = ()
    answer: str | None = None


Part = Union[Text, ToolCall, Diff, Plan, Permission, Question]  # noqa: UP007 -- needed at run time on 3.10


@dataclass(frozen=True)
class Message:
    """One turn. ``id`` counts from 0; only the last message may still grow, and only if it is the agent's."""

    id: int
    role: Role
    time: datetime
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The words alone: AgentAPI's ``content``."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True)
class Attention:
    """The agent waits for the user. ``options`` is empty where only free text (or the terminal) will do."""

    kind: Literal["permission", "question", "auth", "budget"]
    text: str
    options: tuple[Option, ...]
    since: datetime

    @property
    def id(self) -> str:
        """Names this question among all that the agent ever asks: the same words asked again are another one."""
        asked = (self.kind, self.text, [(each.id, each.label) for each in self.options], self.since.isoformat())
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
