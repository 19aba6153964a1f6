"""Tasks as text and as escaped HTML: what a plain console, an exported notebook and a saved output show.

Pure functions of wire values. Everything a workspace or a user wrote is escaped; no prompt, message, parameter or
secret is in what describes a task, because outputs are committed with notebooks. No script, inline styles only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

from jupyter_tasks.notebook.amounts import money, tokens

if TYPE_CHECKING:
    from jupyter_tasks import models

__all__ = [
    "COLORS",
    "ago",
    "clean",
    "grid_html",
    "grid_text",
    "logs_text",
    "messages_text",
    "part_text",
    "stat_words",
    "task_html",
    "task_row",
    "task_text",
    "usage_text",
]

COLORS: Mapping[str, str] = {
    "Starting": "#1976d2",
    "Working": "#1976d2",
    "Needs you": "#b26a00",
    "Ready to review": "#2e7d32",
    "Idle": "#616161",
    "Paused": "#616161",
    "Failed": "#c62828",
    "Deleted": "#616161",
}
"""The dot before each summary word."""

_KEPT = "\t\n\u200d"  # the joiner of composed emoji
_BOX = "border:1px solid #9e9e9e;border-radius:6px;padding:8px 12px;max-width:48em;font-family:sans-serif"


def clean(text: str) -> str:
    """``text`` without control characters (but tab and newline), so that hostile bytes cannot drive a terminal."""
    return "".join(char if char.isprintable() or char in _KEPT else "\ufffd" for char in text)


def ago(then: datetime | None, now: datetime) -> str:
    """How long ago, in words; never negative, because clocks jump."""
    if then is None:
        return ""
    seconds = max(0, int((now - then).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now" if seconds < 5 else f"{seconds} s ago"


def stat_words(files: int, additions: int, deletions: int) -> str:
    """A diff in one phrase."""
    if not files:
        return "no files changed"
    return f"{files} file{'' if files == 1 else 's'} changed, +{additions} \u2212{deletions}"


# ---------------------------------------------------------------- one task


def task_text(task: models.Task, *, summary: str = "", stat: str = "") -> str:
    """One line: name, summary word, why, changed files."""
    parts = [f"{clean(task.display_name or task.name)} ({task.name})", summary or task.summary.value]
    if task.queue_position is not None:
        parts.append(f"place {task.queue_position} in the queue")
    if task.reason:
        parts.append(clean(task.reason))
    if task.isolation is not None and task.isolation.kind == "none":
        parts.append("not isolated")
    if stat:
        parts.append(stat)
    return "Task " + " · ".join(parts)


def task_html(task: models.Task, *, summary: str = "", stat: str = "") -> str:
    """The static summary of a task: name, state, template, changed files. All escaped."""
    word = summary or task.summary.value
    notes = [escape(clean(task.template_display_name or task.template_name))]
    if task.isolation is not None and task.isolation.kind == "none":
        notes.append("not isolated")
    if task.reason:
        notes.append(escape(clean(task.reason)))
    if stat:
        notes.append(escape(stat))
    dot = f'<span style="color:{COLORS.get(word, "#616161")}" aria-hidden="true">●</span>'
    return (
        f'<div style="{_BOX}"><strong>{escape(clean(task.display_name or task.name))}</strong> '
        f'<span style="white-space:nowrap">{dot} {escape(word)}</span>'
        f'<div style="opacity:.75;font-size:90%">{" · ".join(notes)}</div></div>'
    )


# ---------------------------------------------------------------- tables


def task_row(task: models.Task, now: datetime) -> tuple[str, ...]:
    """Coder's default columns of a list: name, status, state, state changed, message."""
    state = task.current_state
    return (
        task.name,
        task.status.value,
        state.state.value if state else "",
        ago(state.timestamp if state else task.updated_at, now),
        clean(state.message if state else task.reason or "").replace("\n", " ")[:120],
    )


def grid_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in columns, as ``jupyter tasks list`` prints it."""
    lines = [[*(h.upper() for h in head)], *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def grid_html(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The same as an HTML table, escaped."""
    top = "".join(f'<th scope="col" style="text-align:left">{escape(h)}</th>' for h in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


# ---------------------------------------------------------------- conversation, logs, usage


def part_text(part: models.Part) -> str:
    """One part of a message as text."""
    if part.type == "text":
        return part.text
    if part.type == "tool_call":
        places = f" ({', '.join(part.locations)})" if part.locations else ""
        return f"[{part.status}] {part.title}{places}"
    if part.type == "diff":
        return f"[{'new file' if part.old_text is None else 'changed'}] {part.path}"
    if part.type == "plan":
        marks = {"completed": "x", "in_progress": ">"}
        return "\n".join(f"[{marks.get(entry.status, ' ')}] {entry.content}" for entry in part.entries)
    options = f" [{' / '.join(option.label for option in part.options)}]" if part.options else ""
    return f"? {part.text}{options}" + (f" → {part.answer}" if part.answer else "")


def messages_text(messages: Iterable[models.Message]) -> str:
    """A conversation, one paragraph a turn."""
    turns = []
    for message in messages:
        who = "you" if message.role == "user" else "agent"
        text = clean("\n".join(part_text(part) for part in message.parts)).rstrip()
        turns.append(f"{who}: " + text.replace("\n", "\n" + " " * (len(who) + 2)))
    return "\n".join(turns) or "No messages yet."


def logs_text(entries: Iterable[models.TaskLogEntry]) -> str:
    """Log entries, one a line: source (or type) and content."""
    return "\n".join(f"{e.source or e.type.value}: {clean(e.content).rstrip()}" for e in entries) or "No logs yet."


def usage_text(usage: models.UsageResponse) -> str:
    """The pool in a sentence, then what to be warned of."""
    until = usage.period.end.date().isoformat()
    lines = [f"Agent Workspace Builds: {usage.actual:,} of {usage.included:,} used until {until}."]
    if usage.limit is not None:
        lines[0] += f" Limit: {usage.limit:,} ({usage.enforcement})."
    if usage.max_active:
        lines.append(f"Active tasks: {usage.active} of {usage.max_active}.")
    spent = [part for part in (tokens(usage.tokens), money(usage.cost)) if part]
    if spent:
        lines.append(f"Tokens: {' · '.join(spent)}.")
    return "\n".join([*lines, *(clean(w) for w in usage.warnings)])
