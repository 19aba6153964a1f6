"""The engine itself, and its events."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from jupyter_tasks.models.base import Wire
from jupyter_tasks.models.words import EventType

__all__ = ["BuildInfo", "Event"]


class BuildInfo(Wire):
    """GET /buildinfo: who answers. ``mode`` "process" or "inprocess"."""

    version: str
    wire: int
    wire_oldest: int
    pid: int
    started_at: datetime
    mode: str
    owner_id: str
    owner_name: str
    last_event_id: int = 0


class Event(Wire):
    """One event. On SSE: ``id`` and ``event`` are the frame's fields, the rest is its data."""

    id: int
    type: EventType
    task_id: str | None = None
    time: datetime
    data: dict[str, object] = Field(default_factory=dict)
