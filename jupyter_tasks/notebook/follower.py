"""Keeps every card of a kernel up to date: one daemon thread, one stream of events, no matter how many cards.

Owns who is told what and how often: at most four times a second a card, always the last truth. Fetches what an event
says has changed, reads everything again after a break, and ends its thread when there are no cards. Cards are held
weakly. Also runs what cards ask for (``submit``), so that a click never waits for the kernel's main thread and never
holds it up. Not how a card looks (``widgets``).
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from jupyter_tasks.clock import Clock, SystemClock
from jupyter_tasks.errors import NotFound, TasksError

if TYPE_CHECKING:
    import anyio
    from anyio.abc import TaskGroup

    from jupyter_tasks import models
    from jupyter_tasks.notebook.client import AsyncClient

__all__ = ["Card", "Change", "Follower"]

PACE = 0.25  # seconds between two updates of one card
_LONGEST_QUEUE = 64  # jobs of cards that wait or run
_PARALLEL = 4  # cards fetched at once
_LOOK_ROUND = 2.0  # seconds between two looks whether cards are left
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0
_logger = logging.getLogger(__name__)

Job = Callable[["AsyncClient"], Awaitable[None]]


def _nothing() -> None:
    """Nobody is there to be woken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is new about a task; None: not that. ``problem`` "" takes an earlier problem back."""

    task: models.Task | None = None
    messages: tuple[models.Message, ...] | None = None
    diff: models.DiffResponse | None = None
    deleted: bool = False
    problem: str | None = None


class Card(Protocol):
    """Something that shows a task. ``show`` is called in the follower's thread and must not block."""

    task_id: str

    def show(self, change: Change) -> None:
        """Take in what is new."""


@dataclass(slots=True)
class _Followed:
    card: weakref.ref[Card]
    task_id: str
    stale: set[str] = field(default_factory=lambda: {"task", "messages"})  # what must be fetched
    changed: bool = True
    messages: dict[int, models.Message] | None = None
    diff_of: tuple[object, ...] = ()
    next_due: float = 0.0
    busy: bool = False
    failures: int = 0  # in a row


class Follower:
    """The one follower of a kernel.

    Args:
        connect: makes the client that the thread uses.
        clock: time, for the pace.
    """

    def __init__(self, connect: Callable[[], AsyncClient], clock: Clock | None = None) -> None:
        self._connect = connect
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cards: dict[int, _Followed] = {}
        self._jobs: deque[Job] = deque()
        self._running = 0
        self._closed = False
        self._wake: Callable[[], None] = _nothing

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None

    def add(self, card: Card) -> None:
        """Keep ``card`` up to date until it is collected, removed or its task deleted."""
        key = id(card)
        with self._lock:
            self._closed = False
            self._cards[key] = _Followed(weakref.ref(card, lambda _: self._drop(key)), card.task_id)
            self._start()
        self._wake()

    def remove(self, card: Card) -> None:
        """Leave ``card`` alone from now on."""
        self._drop(id(card))

    def submit(self, job: Job) -> bool:
        """Run ``job`` soon, in the follower's thread. It handles its own errors. False: too many wait already."""
        with self._lock:
            if len(self._jobs) + self._running >= _LONGEST_QUEUE:
                return False
            self._closed = False
            self._jobs.append(job)
            self._start()
        self._wake()
        return True

    def close(self) -> None:
        """Forget every card and end the thread; it may be used again."""
        with self._lock:
            self._cards.clear()
            self._jobs.clear()
            self._closed = True
        self._wake()

    # ------------------------------------------------------------ the thread

    def _start(self) -> None:
        """With the lock held: make sure that the thread runs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="jupyter-tasks-follower", daemon=True)
            self._thread.start()

    def _drop(self, key: int) -> None:
        # no lock: this may be called by the garbage collector while this very thread holds it
        self._cards.pop(key, None)

    def _run(self) -> None:
        import anyio

        try:
            anyio.run(self._main)
        except Exception:
            _logger.exception("Cards of Jupyter Tasks are no longer kept up to date.")
        finally:
            with self._lock:
                if self._thread is threading.current_thread():  # else a successor has begun
                    self._thread, self._wake = None, _nothing

    async def _main(self) -> None:
        import asyncio

        import anyio

        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(woken.set)
            except RuntimeError:  # the loop has just ended; whoever wakes us has made sure that another thread starts
                _logger.debug("The follower had ended already.")

        self._wake = wake
        async with self._connect() as client:
            limit = anyio.CapacityLimiter(_PARALLEL)
            while not self._finished():
                async with anyio.create_task_group() as group:
                    group.start_soon(self._read, client)
                    while self._busy_or_followed():
                        wait = self._begin(group, client, limit)
                        with anyio.move_on_after(wait):
                            await woken.wait()
                        woken.clear()
                    group.cancel_scope.cancel()

    def _busy_or_followed(self) -> bool:
        with self._lock:
            return bool(not self._closed and (self._cards or self._jobs or self._running))

    def _finished(self) -> bool:
        """Nothing is left to do. Says so under the lock, so that whoever comes after it starts another thread."""
        with self._lock:
            if not self._closed and (self._cards or self._jobs):
                return False
            self._thread, self._wake = None, _nothing
            return True

    def _begin(self, group: TaskGroup, client: AsyncClient, limit: anyio.CapacityLimiter) -> float:
        """Start the jobs, and the updates that are due. Returns the seconds until the next is."""
        with self._lock:
            jobs = list(self._jobs)
            self._jobs.clear()
            self._running += len(jobs)
            cards = list(self._cards.values())
        for job in jobs:
            group.start_soon(self._do, job, client)
        now, wait = self._clock.monotonic(), _LOOK_ROUND
        for followed in cards:
            if not followed.changed or followed.busy:
                continue
            if followed.next_due <= now:
                followed.busy, followed.changed = True, False
                group.start_soon(self._update, followed, client, limit)
            else:
                wait = min(wait, followed.next_due - now)
        return wait

    async def _do(self, job: Job, client: AsyncClient) -> None:
        try:
            await job(client)
        finally:
            with self._lock:
                self._running -= 1
            self._wake()

    # ------------------------------------------------------------ events in

    async def _read(self, client: AsyncClient) -> None:
        """Follow the events for ever; after a break begin anew with the whole truth."""
        delay = _FIRST_DELAY
        while True:
            try:
                after = (await client.buildinfo()).last_event_id
                self._mark_all_stale()
                async with aclosing(client.events(after=after)) as events:  # type: ignore[type-var]
                    async for event in events:
                        delay = _FIRST_DELAY
                        self._note(event)
            except TasksError as error:
                self._tell_all(Change(problem=str(error)))
            await self._clock.sleep(delay)
            delay = min(_LONGEST_DELAY, 2 * delay)

    def _note(self, event: models.Event) -> None:
        for followed in list(self._cards.values()):
            if followed.task_id != event.task_id:
                continue
            if event.type == "task":
                followed.stale.add("task")
            elif event.type == "message":
                self._note_message(followed, event)
            else:
                continue
            followed.changed = True
            self._wake()

    @staticmethod
    def _note_message(followed: _Followed, event: models.Event) -> None:
        from pydantic import ValidationError

        from jupyter_tasks.models import Message

        if followed.messages is None:
            followed.stale.add("messages")
            return
        try:
            message = Message.model_validate(event.data.get("message"))
        except ValidationError:  # only a hint, or of a later version
            followed.stale.add("messages")
        else:
            followed.messages[message.id] = message

    def _mark_all_stale(self) -> None:
        for followed in list(self._cards.values()):
            followed.stale |= {"task", "messages"}
            followed.changed = True
        self._wake()

    # ------------------------------------------------------------ changes out

    async def _update(self, followed: _Followed, client: AsyncClient, limit: anyio.CapacityLimiter) -> None:
        try:
            async with limit:
                change = await self._fetch(followed, client)
        except NotFound:
            self._tell(followed, Change(deleted=True, problem=""))
            card = followed.card()
            if card is not None:
                self.remove(card)
        except TasksError as error:
            followed.stale |= {"task", "messages"}
            followed.changed = True  # no event comes again that has been heard
            followed.failures += 1
            self._tell(followed, Change(problem=str(error)))
        else:
            followed.failures = 0
            self._tell(followed, change)
        finally:
            rest = min(_LONGEST_DELAY, PACE * 4.0 ** min(followed.failures, 4))
            followed.next_due = self._clock.monotonic() + rest  # from when it was shown: fetching takes its time
            followed.busy = False
            self._wake()

    async def _fetch(self, followed: _Followed, client: AsyncClient) -> Change:
        """Everything that is stale, and the diff once the agent has come to rest."""
        stale, followed.stale = followed.stale, set()
        task = await client.get(followed.task_id) if "task" in stale else None
        if "messages" in stale:
            followed.messages = None  # one that comes meanwhile may not be among them: then they are fetched once more
            followed.messages = {m.id: m for m in await client.messages(followed.task_id)}
        messages = tuple(m for _, m in sorted((followed.messages or {}).items()))
        diff = None
        if task is not None and task.capabilities.diff and task.summary.value not in {"Starting", "Working"}:
            moment = (task.summary, task.since, len(messages))
            if moment != followed.diff_of:
                diff = await client.diff(followed.task_id)
                followed.diff_of = moment
        return Change(task=task, messages=messages, diff=diff, problem="")

    def _tell_all(self, change: Change) -> None:
        for followed in list(self._cards.values()):
            self._tell(followed, change)

    def _tell(self, followed: _Followed, change: Change) -> None:
        card = followed.card()
        if card is None:
            return
        try:
            card.show(change)
        except Exception:
            _logger.exception("A card of a task could not be updated; it is left alone.")
            self.remove(card)
