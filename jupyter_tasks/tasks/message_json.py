"""Messages between the three shapes they have: the conversation's values, the store's rows, the wire's JSON.

Owns the conversion. The JSON of a part is ``models.Part``'s own, so a stored message is served as it is.
"""

from __future__ import annotations

from typing import Any

from jupyter_tasks import models
from jupyter_tasks.agentapi import messages as talk
from jupyter_tasks.store.talk_rows import MessageRow

__all__ = ["attention", "message", "row"]


def row(message: talk.Message) -> MessageRow:
    """As the store keeps it."""
    return MessageRow(
        id=message.id, role=message.role, time=message.time, parts=[_part(part) for part in message.parts]
    )


def message(row: MessageRow) -> talk.Message:
    """As the conversation had it. Parts of a kind that this version does not know are left out."""
    parts = tuple(found for found in map(_value, row.parts) if found is not None)
    return talk.Message(id=row.id, role="user" if row.role == "user" else "agent", time=row.time, parts=parts)


def attention(value: talk.Attention | None) -> Any:
    """What the agent waits for, as ``models.Attention``'s JSON."""
    if value is None:
        return None
    options = [models.PermissionOption(id=each.id, label=each.label, kind=each.kind) for each in value.options]
    made = models.Attention(kind=value.kind, text=value.text, options=options, since=value.since, id=value.id)
    return made.model_dump(mode="json")


def _part(part: talk.Part) -> dict[str, Any]:
    match part:
        case talk.Text():
            return {"type": "text", "text": part.text}
        case talk.ToolCall():
            return {
                "type": "tool_call",
                "id": part.id,
                "title": part.title,
                "kind": part.kind,
                "status": part.status,
                "locations": list(part.locations),
                "output": part.output,
            }
        case talk.Diff():
            return {"type": "diff", "path": part.path, "old_text": part.old, "new_text": part.new}
        case talk.Plan():
            entries = [{"content": e.content, "priority": e.priority, "status": e.status} for e in part.entries]
            return {"type": "plan", "entries": entries}
        case talk.Permission() | talk.Question():
            return {
                "type": "permission" if isinstance(part, talk.Permission) else "question",
                "id": part.id,
                "text": part.text,
                "options": [{"id": o.id, "label": o.label, "kind": o.kind} for o in part.options],
                "answer": part.answer,
            }


def _value(part: dict[str, Any]) -> talk.Part | None:
    match part["type"]:
        case "text":
            return talk.Text(part["text"])
        case "tool_call":
            return talk.ToolCall(
                part["id"], part["title"], part["kind"], part["status"], tuple(part["locations"]), part["output"]
            )
        case "diff":
            return talk.Diff(part["path"], part["old_text"], part["new_text"])
        case "plan":
            return talk.Plan(tuple(talk.PlanEntry(**entry) for entry in part["entries"]))
        case "permission" | "question":
            options = tuple(talk.Option(**option) for option in part["options"])
            kind = talk.Permission if part["type"] == "permission" else talk.Question
            return kind(part["id"], part["text"], options, part["answer"])
    return None
