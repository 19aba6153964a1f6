"""What every handler of the engine is given.

Owns nothing: the engine makes the parts and keeps them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_tasks.clock import Clock

if TYPE_CHECKING:
    from jupyter_tasks.models import BuildInfo
    from jupyter_tasks.server.preview_origin import PreviewOrigin
    from jupyter_tasks.tasks.api import TasksApi

__all__ = ["Context"]


@dataclass(frozen=True, slots=True)
class Context:
    """The tasks service, who we are, and what the engine can be asked beside tasks."""

    tasks: TasksApi
    info: Callable[[], BuildInfo]
    handover: Callable[[], None]
    clock: Clock
    origin: PreviewOrigin | None = None
    doctor: Callable[[], Awaitable[Mapping[str, object]]] | None = None
