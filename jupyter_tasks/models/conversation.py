"""The conversation with an agent, as messages made of parts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Union

from pydantic import Field

from jupyter_tasks.models.base import Wire

__all__ = [
    "DiffPart",
    "Message",
    "MessagesResponse",
    "Part",
    "PermissionOption",
    "PermissionPart",
    "PlanEntry",
    "PlanPart",
    "QuestionPart",
    "TextPart",
    "ToolCallPart",
]


class TextPart(Wire):
    """Words. Markdown when the agent speaks ACP, plain text from a terminal."""

    type: Literal["text"] = "text"
    text: str


class ToolCallPart(Wire):
    """A tool that the agent used. ``kind`` and ``status`` are ACP's words."""

    type: Literal["tool_call"] = "tool_call"
    id: str
    title: str
    kind: str = "other"  # read edit delete move search execute think fetch switch_mode other
    status: str = "pending"  # pending in_progress completed failed
    locations: list[str] = Field(default_factory=list)
    output: str | None = None


class DiffPart(Wire):
    """A file that a tool changed; ``old_text`` null: new file."""

    type: Literal["diff"] = "diff"
    path: str
    old_text: str | None = None
    new_text: str


class PlanEntry(Wire):
    """One step of a plan."""

    content: str
    priority: str = "medium"
    status: str = "pending"  # pending in_progress completed


class PlanPart(Wire):
    """What the agent means to do."""

    type: Literal["plan"] = "plan"
    entries: list[PlanEntry]


class PermissionOption(Wire):
    """One answer that can be given. ``kind``: allow_once allow_always reject_once reject_always, "" where unknown."""

    id: str
    label: str
    kind: str = ""


class PermissionPart(Wire):
    """The agent asks whether it may."""

    type: Literal["permission"] = "permission"
    id: str
    text: str
    options: list[PermissionOption] = Field(default_factory=list)
    answer: str | None = None


class QuestionPart(Wire):
    """The agent asks something else."""

    type: Literal["question"] = "question"
    id: str
    text: str
    options: list[PermissionOption] = Field(default_factory=list)
    answer: str | None = None


Part = Annotated[
    Union[TextPart, ToolCallPart, DiffPart, PlanPart, PermissionPart, QuestionPart],  # noqa: UP007
    Field(discriminator="type"),
]


class Message(Wire):
    """One turn of the conversation. ``id`` counts from 0 and never changes; an agent's last message may still grow."""

    id: int
    role: Literal["user", "agent"]
    time: datetime
    parts: list[Part]

    @property
    def text(self) -> str:
        """The words alone, as AgentAPI's ``content`` has them."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


class MessagesResponse(Wire):
    """GET …/messages."""

    messages: list[Message]
