"""Server-sent events: bytes in, frames out; and when to come back after a break.

Owns the parser (bounded, for any split of the bytes) and ``Follow``, the state of one reader of the events stream:
the last id it saw, how long to wait before it tries again, when to give up. No I/O here: the clients do that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jupyter_tasks.errors import EngineUnavailable, LinkLost, TasksError, VersionMismatch

if TYPE_CHECKING:
    from jupyter_tasks import models

__all__ = ["Follow", "Frame", "Parser"]

_LONGEST = 16 * 1024 * 1024  # characters of one frame: a message may hold a whole file
_SILENCE = 45.0  # seconds: three heartbeats
_GIVE_UP = 60.0
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as it came. ``id`` is None where the frame had none."""

    event: str
    data: str
    id: str | None = None


class Parser:
    """The grammar of the HTML standard, "Parsing an event stream", less ``retry``; an id belongs to its frame alone."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # of the line that is not whole yet
        self._data: list[str] = []
        self._event = ""
        self._id: str | None = None
        self._size = 0
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that ``chunk`` completes.

        Raises: LinkLost when a frame is longer than anything the engine sends.
        """
        if self._after_cr and chunk:  # CR and LF of one line end came in two chunks
            chunk = chunk[1:] if chunk.startswith(b"\n") else chunk
            self._after_cr = False
        self._after_cr = chunk.endswith(b"\r")
        *whole, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        if whole:
            whole[0] = b"".join((*self._rest, whole[0]))
            self._rest = []
        frames = [frame for line in whole if (frame := self._line(line.decode("utf-8", "replace")))]
        self._rest.append(rest)
        if self._size + sum(map(len, self._rest)) > _LONGEST:
            raise LinkLost("An event is longer than the engine may send.", hint="Restart the engine, then try again.")
        return frames

    def _line(self, line: str) -> Frame | None:
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        self._size += len(value)
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _end(self) -> Frame | None:
        frame = Frame(self._event or "message", "\n".join(self._data), self._id) if self._data else None
        self._data, self._event, self._id, self._size = [], "", None, 0
        return frame


@dataclass(slots=True)
class Follow:
    """One reader of the events stream, across reconnects.

    ``after`` is the id of the last event that was handed out. Iterating ``fed`` gives events, and None for a sign of
    life without one. ``deadline`` (monotonic seconds) shortens the patience, for a reader that must be back by then.
    """

    after: int
    deadline: float | None = None
    now: Callable[[], float] = time.monotonic
    _parser: Parser = field(default_factory=Parser)
    failures: int = 0
    """In a row; above 0 the next try is a reconnect."""
    _lost_since: float | None = None
    _opened: float = 0.0

    def headers(self) -> dict[str, str]:
        """What the request says, as a new connection begins."""
        self._parser = Parser()
        self._opened = self.now()
        return {"Accept": "text/event-stream", "Last-Event-ID": str(self.after), "Cache-Control": "no-cache"}

    def patience(self) -> float:
        """Seconds of silence after which the connection counts as lost."""
        if self.deadline is None:
            return _SILENCE
        return min(_SILENCE, max(0.01, self.deadline - self.now()))

    def fed(self, chunk: bytes) -> Iterator[models.Event | None]:
        """The events in ``chunk``, each once and in order; None when it held nothing but a heartbeat."""
        self._lost_since = None
        any_event = False
        for frame in self._parser.feed(chunk):
            event = _event(frame)
            if event is not None and event.id > self.after:
                self.after = event.id
                any_event = True
                yield event
        if not any_event:
            yield None

    def failed(self, error: TasksError) -> float:
        """Seconds to wait before the next try after ``error``.

        Raises: ``error`` where trying again is no use; EngineUnavailable after a minute without any answer.
        """
        if isinstance(error, VersionMismatch) or not isinstance(error, EngineUnavailable | LinkLost):
            raise error
        now = self.now()
        if self.deadline is not None and now >= self.deadline:
            return 0.0
        if self._lost_since is None:
            self._lost_since = now
        if now - self._lost_since > _GIVE_UP:
            raise EngineUnavailable(
                f"The engine has not answered for {_GIVE_UP:.0f} s.",
                detail=error.message,
                hint="`jupyter tasks doctor` says why; the task itself goes on.",
            ) from error
        # only a connection that lasted makes the next delay short again: a far end that closes at once is not hammered
        self.failures = 1 if now - self._opened > _LONGEST_DELAY else self.failures + 1
        return min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(self.failures - 1, 10))


def _event(frame: Frame) -> models.Event | None:
    """The event in a frame; None for a kind that a later version invented."""
    from jupyter_tasks import models

    if frame.id is None or frame.event not in models.EventType.__members__:
        return None
    try:
        return models.Event.model_validate({**json.loads(frame.data), "id": int(frame.id), "type": frame.event})
    except (ValueError, TypeError):
        raise VersionMismatch(
            f"An event of kind {frame.event} is not what this version of Jupyter Tasks understands.",
            hint="Install the same version of jupyter-tasks here and where the engine runs, then restart the kernel.",
        ) from None
