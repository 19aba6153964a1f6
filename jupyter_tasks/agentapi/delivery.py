"""Types messages into a terminal, one after the other, and sees to it that the agent took them.

Owns the queue of what is to be typed, and the typing: paste, wait for the echo, Enter until the agent reacts. Not when
the agent takes input, nor what becomes a message: its ``Target`` says so.

Every write has a key of its own that follows from the message's, so that a repeated delivery types nothing twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from jupyter_tasks.agentapi.conversation import Origin
from jupyter_tasks.agentapi.pulse import Pulse
from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import AgentBusy, AgentError, InvalidInput, LinkLost, TasksError

__all__ = ["MAX_MESSAGE", "MAX_QUEUE", "Delivery", "Target", "Write", "put"]

MAX_QUEUE = 32
MAX_MESSAGE = 1024 * 1024
"""Characters."""
_CHUNK = 64 * 1024
_SPACE = " \t\n\r\f\v"
ECHO_TIMEOUT = 2.0
ENTERS = 5
"""How often Enter is typed, until the agent reacts."""
ENTER_AGAIN = 3.0
_LINK_TRIES = 30
_REMEMBERED = 256
_PASTE_ON, _PASTE_OFF = b"\x1b[200~", b"\x1b[201~"
_WAKE = b"x\x08"  # keeps Claude Code from echoing the beginning of the paste
_TYPABLE = {code: None for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n"}


class Write(Protocol):
    """Writes to the agent's terminal: (data, idempotency key) -> False when that key had been written before."""

    async def __call__(self, data: bytes, key: str, /) -> bool: ...


class Target(Protocol):
    """The terminal and the conversation, as the typing sees them."""

    changes: int
    """How often the screen's text or its cursor has changed."""

    def takes_input(self) -> bool:
        """Whether a message may be typed now."""

    def working(self) -> bool:
        """Whether the agent says that it works."""

    def begin(self) -> None:
        """Typing begins: remember the screen."""

    def enter(self) -> None:
        """Enter comes next: whatever the agent says from here on is about this message."""

    def commit(self, text: str, origin: Origin) -> None:
        """The agent reacted: it is a message now."""

    def abandon(self) -> None:
        """It did not: forget it."""


@dataclass(eq=False)
class _Item:
    text: str
    key: str
    origin: Origin
    done: anyio.Event = field(default_factory=anyio.Event)
    error: TasksError | None = None
    begun: bool = False
    entered: bool = False
    """Enter was typed, and it is no message yet."""
    waiters: int = 0
    taken: Callable[[], None] | None = None


class Delivery:
    """The queue and its one typist."""

    def __init__(
        self, target: Target, write: Write, pulse: Pulse, clock: Clock, settle: float, lead: Callable[[str], str]
    ) -> None:
        self._target, self._write, self._pulse, self._clock = target, write, pulse, clock
        self._settle, self._lead = settle, lead
        self._queue: deque[_Item] = deque()
        self._finished: deque[str] = deque(maxlen=_REMEMBERED)
        self._over: TasksError | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is typed or waits to be."""
        return bool(self._queue)

    def add(self, text: str, key: str, origin: Origin) -> None:
        """Queue a message that nobody awaits."""
        self._queue.append(_Item(_typable(text), key, origin, waiters=1))

    async def send(self, text: str, key: str, origin: Origin, taken: Callable[[], None] | None = None) -> None:
        """See ``Conversation.send``."""
        text = _typable(text)
        if key in self._finished:
            return
        if self._over is not None:
            raise self._over
        item = next((waiting for waiting in self._queue if waiting.key == key), None)
        if item is None:
            if len(self._queue) >= MAX_QUEUE:
                raise AgentBusy(
                    f"{MAX_QUEUE} messages wait for the agent already.", hint="Wait until it has taken one."
                )
            item = _Item(text, key, origin, taken=taken)
            self._queue.append(item)
            self._pulse.beat()
        item.waiters += 1
        try:
            await item.done.wait()
        finally:
            item.waiters -= 1
            if not item.waiters and not item.begun and item in self._queue:
                self._queue.remove(item)
                self._pulse.beat()
        if item.error is not None:
            raise item.error

    def end(self, error: TasksError) -> None:
        """Nothing will be typed any more: what waits, and what comes, fails with ``error``.

        A message whose Enter was typed counts as taken: that the agent ended is its reaction.
        """
        self._over = error
        for item in tuple(self._queue):
            if item.entered:
                self._commit(item)
            elif not item.begun:
                self._finish(item, error)
        self._pulse.beat()

    async def run(self) -> None:
        """Type what is queued, until cancelled."""
        while True:
            await self._pulse.until(lambda: bool(self._queue) and self._target.takes_input(), None)
            item = self._queue[0]
            item.begun = True
            try:
                await self._type(item)
            except TasksError as error:
                self._target.abandon()
                self._finish(item, error)
            else:
                self._finish(item, None)
            self._pulse.beat()

    def _finish(self, item: _Item, error: TasksError | None) -> None:
        if item in self._queue:
            self._queue.remove(item)
        if error is None:
            self._finished.append(item.key)
        item.error = item.error or error
        item.done.set()

    async def _type(self, item: _Item) -> None:
        target = self._target
        target.begin()
        await self._paste(item)
        if self._over is not None:
            raise self._over
        await self._press_enter(item)
        self._commit(item)

    def _commit(self, item: _Item) -> None:
        if item.entered:
            item.entered = False
            if item.taken is not None:
                item.taken()
            self._target.commit(item.text, item.origin)

    async def _paste(self, item: _Item) -> None:
        before = self._target.changes
        text = (self._lead(item.text) + item.text).encode()
        new = await put(self._write, _WAKE + _PASTE_ON + text + _PASTE_OFF, f"{item.key}/text", self._clock)
        if not new:
            return  # typed before the engine was restarted
        end = self._clock.monotonic() + ECHO_TIMEOUT
        if not await self._redrawn(before, ECHO_TIMEOUT):
            return  # an agent that echoes nothing
        while self._over is None and (left := end - self._clock.monotonic()) > 0:
            if not await self._redrawn(self._target.changes, min(self._settle, left)):
                return

    async def _press_enter(self, item: _Item) -> None:
        self._target.enter()
        for tries in range(ENTERS):
            before = self._target.changes
            item.entered = True
            new = await put(self._write, b"\r", f"{item.key}/enter/{tries}", self._clock)
            if not new and not tries:
                return  # typed before the engine was restarted
            if await self._changed(before, ENTER_AGAIN):
                return
        raise AgentError(
            "The agent did not react to the message: failed to wait for processing to start.",
            hint="Open its terminal to see what it waits for.",
        )

    async def _redrawn(self, before: int, seconds: float) -> bool:
        return await self._pulse.until(lambda: self._target.changes != before or self._over is not None, seconds)

    async def _changed(self, before: int, seconds: float) -> bool:
        target = self._target
        return await self._pulse.until(
            lambda: target.changes != before or target.working() or self._over is not None, seconds
        )


async def put(write: Write, data: bytes, key: str, clock: Clock) -> bool:
    """Write ``data`` in pieces, each with its own key; once more where the link was lost for a while.

    Returns: whether the last piece was new. Raises: what ``write`` raises, LinkLost after 30 tries a second apart.
    """
    new = True
    for at in range(0, max(len(data), 1), _CHUNK):
        piece_key = key if len(data) <= _CHUNK else f"{key}/{at // _CHUNK}"
        for tries in range(_LINK_TRIES + 1):
            try:
                new = await write(data[at : at + _CHUNK], piece_key)
                break
            except LinkLost:
                if tries == _LINK_TRIES:
                    raise
                await clock.sleep(1.0)
    return new


def _typable(text: str) -> str:
    """The message as it is typed: line feeds only, nothing that could end the paste, no blank ends.

    Raises: InvalidInput when nothing is left, or too much.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_TYPABLE).strip(_SPACE)
    if not text:
        raise InvalidInput("message must not be empty", hint="Write what the agent should do.")
    if len(text) > MAX_MESSAGE:
        raise InvalidInput(
            f"The message has {len(text)} characters; {MAX_MESSAGE} are possible.",
            hint="Put it into a file and name the file.",
        )
    return text
