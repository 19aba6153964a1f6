"""AgentAPI's event stream: a subscriber first gets what is, then what changes.

Owns the events, their replay and the bounded queue of each subscriber; not HTTP.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime

import anyio

from jupyter_tasks.agentapi.conversation import Conversation, Status
from jupyter_tasks.agentapi.messages import Attention, Message
from jupyter_tasks.agentapi.signals import Evidence
from jupyter_tasks.clock import Clock, wait_for

__all__ = ["MAX_ERRORS", "MAX_QUEUE", "EventFeed", "rfc3339"]

MAX_QUEUE = 1_024
"""Events waiting for one subscriber; one more and it is dropped: it reconnects and gets everything anew."""
MAX_QUEUE_BYTES = 8 << 20
"""The same in bytes: every update of a message carries its whole text."""
MAX_ERRORS = 100
KEEPALIVE = 15.0
_SCREEN_EVERY = 0.1
_GO_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def rfc3339(moment: datetime) -> str:
    """The time as Go writes it: UTC as Z, no trailing zeros."""
    text = moment.isoformat()
    if "." in text:
        seconds, _, rest = text.partition(".")
        digits = rest[:6].rstrip("0")
        text = seconds + (f".{digits}" if digits else "") + rest[6:]
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def _frame(event: str, data: dict[str, object]) -> bytes:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_GO_ESCAPES)
    return f"event: {event}\ndata: {text}\n\n".encode("utf-8", "replace")


class EventFeed:
    """A ``Listener`` of one conversation that keeps its errors and feeds subscribers."""

    def __init__(self, conversation: Conversation, agent_type: str, clock: Clock) -> None:
        self._conversation, self._agent_type, self._clock = conversation, agent_type, clock
        self._errors: deque[bytes] = deque(maxlen=MAX_ERRORS)
        self._queues: set[_Queue] = set()

    async def events(self) -> AsyncIterator[bytes]:
        """Frames of /events: all messages, the status, stored errors; then what changes. Ends when too slow."""
        queue = _Queue([*map(self._message, self._conversation.messages), self._status(), *self._errors])
        self._queues.add(queue)
        try:
            while True:
                frame = await queue.next(self._clock, KEEPALIVE)
                if frame is None:
                    return
                yield frame
        finally:
            self._queues.discard(queue)

    async def screens(self) -> AsyncIterator[bytes]:
        """Frames of /internal/screen: the screen, and again whenever it has changed."""
        shown: str | None = None
        silent = 0.0
        while True:
            screen = self._conversation.screen()
            if screen != shown:
                shown, silent = screen, 0.0
                yield _frame("screen", {"screen": screen.rstrip()})
            elif silent >= KEEPALIVE:
                silent = 0.0
                yield b": keep-alive\n\n"
            await self._clock.sleep(_SCREEN_EVERY)
            silent += _SCREEN_EVERY

    def close(self) -> None:
        """End all streams."""
        for queue in tuple(self._queues):
            queue.end()

    # ---------------------------------------------------------------- Listener

    def on_message(self, message: Message) -> None:
        self._tell(self._message(message))

    def on_status(self, status: Status) -> None:
        self._tell(self._status())

    def on_evidence(self, evidence: Evidence) -> None:
        if evidence.source == "exit" and evidence.state == "failure":
            self.on_error(evidence.text)

    def on_attention(self, attention: Attention | None) -> None:
        """AgentAPI has no word for it."""

    def on_ready(self) -> None:
        """AgentAPI has no word for it."""

    def on_prompt_sent(self) -> None:
        """AgentAPI has no word for it."""

    def on_error(self, text: str) -> None:
        body: dict[str, object] = {"level": "error", "message": text, "time": rfc3339(self._clock.now())}
        frame = _frame("agent_error", body)
        self._errors.append(frame)
        self._tell(frame)

    def _tell(self, frame: bytes) -> None:
        for queue in tuple(self._queues):
            if not queue.put(frame):
                self._queues.discard(queue)

    def _message(self, message: Message) -> bytes:
        return _frame(
            "message_update",
            {"id": message.id, "message": message.text, "role": message.role, "time": rfc3339(message.time)},
        )

    def _status(self) -> bytes:
        return _frame("status_change", {"agent_type": self._agent_type, "status": self._conversation.status})


class _Queue:
    """What waits for one subscriber: its replay, which may be long, and up to ``MAX_QUEUE`` events."""

    def __init__(self, replay: list[bytes]) -> None:
        self._replay = deque(replay)
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._event = anyio.Event()
        self._ended = False

    def put(self, frame: bytes) -> bool:
        if len(self._waiting) >= MAX_QUEUE or self._size + len(frame) > MAX_QUEUE_BYTES:
            self.end()
            return False
        self._waiting.append(frame)
        self._size += len(frame)
        self._event.set()
        return True

    def end(self) -> None:
        self._ended = True
        self._event.set()

    async def next(self, clock: Clock, silence: float) -> bytes | None:
        """The next frame, a comment after ``silence`` seconds, None at the end."""
        if self._replay:
            return self._replay.popleft()
        if not self._waiting and not self._ended:
            self._event = anyio.Event()
            await wait_for(self._event, silence, clock)
        if self._waiting:
            frame = self._waiting.popleft()
            self._size -= len(frame)
            return frame
        return None if self._ended else b": keep-alive\n\n"
