"""``Conversation`` over an agent's terminal.

Owns the order of things: looking at the screen, the agent's readiness, when it takes input. The bytes are fed by
whoever holds the link; ``pace`` says when to look, ``transcript`` makes the messages, ``delivery`` types, ``board``
tells the state (which ``signals`` weighs), ``formats`` knows each agent.

How a reply is found: the screen as it was before a message was typed is the anchor; the reply is what the screen shows
after it (``diff``), without the user's echo and the input box. It is looked at only when bytes arrived, and once more
when it has been still long enough: an idle agent costs nothing.

After a restart of the engine: build it with the stored messages and ``checkpoint()``, then feed the recording from
where it begins. Up to the checkpoint's offset it only draws (nothing is answered, told or typed), the anchor is taken
again where it was taken; then it goes on. Where the recording no longer holds the anchor, or there is no checkpoint
(another process of the agent: a resume), restored messages are left alone and the next message begins anew.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import anyio

from jupyter_tasks.agentapi.answering import Answering, choice
from jupyter_tasks.agentapi.board import Board
from jupyter_tasks.agentapi.checkpoint import NO_ANCHOR, restored
from jupyter_tasks.agentapi.conversation import Listener, Listeners, Origin, Status
from jupyter_tasks.agentapi.delivery import Delivery, Write, put
from jupyter_tasks.agentapi.diff import trim_end
from jupyter_tasks.agentapi.emulator import Emulator
from jupyter_tasks.agentapi.formats.base import Format
from jupyter_tasks.agentapi.messages import Attention, Message
from jupyter_tasks.agentapi.pace import READY_TIMEOUT, STABILITY, Pace
from jupyter_tasks.agentapi.pulse import Pulse
from jupyter_tasks.agentapi.signals import Evidence, State
from jupyter_tasks.agentapi.transcript import Anchor, Transcript, last_words
from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import AgentError, TasksError

__all__ = ["AGENT_ENDED", "TerminalConversation"]

AGENT_ENDED = "agent_ended"
"""Code of the error for what an agent that has ended did not take: another run of it may."""
_MAX_REPLIES = 64
_BETWEEN_KEYS = 0.2  # seconds: two ESC at once are read as one key
_KEY_SEEN_WITHIN = 2.0  # seconds that an agent which stands still may need for it; OpenCode forgets it after five


class TerminalConversation:
    """See ``Conversation`` and this module's docstring.

    Args:
        format: the agent's.
        emulator: a fresh one, of the terminal's size.
        clock: time.
        write: writes to the terminal; False when that key was written before. Bounded in time by its owner.
        listener: is told what changes.
        messages: restored ones.
        initial_prompt: given once, with the key "prompt", as soon as the agent takes input.
        prompt_sent: it was given before; it never is again.
        checkpoint: of the predecessor in this same run of the agent.
        offset: where in the recording the first ``feed`` begins.
        ready_timeout: seconds after which an agent that never looks ready is driven all the same.
        stability: seconds without a change after which the screen counts as still.
    """

    def __init__(
        self,
        format: Format,  # noqa: A002 -- the house's word
        emulator: Emulator,
        clock: Clock,
        write: Write,
        listener: Listener,
        *,
        messages: Sequence[Message] = (),
        initial_prompt: str | None = None,
        prompt_sent: bool = False,
        checkpoint: Mapping[str, object] | None = None,
        offset: int = 0,
        ready_timeout: float = READY_TIMEOUT,
        stability: float = STABILITY,
    ) -> None:
        self._format, self._emulator, self._clock, self._write = format, emulator, clock, write
        self._listeners = Listeners(listener)
        self._pulse = Pulse(clock)
        self._board = Board(format, emulator, clock, self._listeners)
        self._signals = self._board.signals
        self._delivery = Delivery(self, write, self._pulse, clock, format.settle, format.lead)
        self._answering = Answering(lambda: self.attention, emulator.rows, write, self._pulse, clock, format.answer)
        self._pace = Pace(clock, still=format.still, ready_timeout=ready_timeout, stability=stability)
        self.changes = 0
        self._offset = offset
        self._live_from, self._anchor_at, self._ready, frozen = restored(checkpoint, offset)
        self._transcript = Transcript(format, messages, frozen)
        if checkpoint is None:
            self._transcript.freeze()
        self._pending: tuple[Anchor, int, datetime] | None = None
        self._lines: list[str] = []
        self._cursor = emulator.cursor
        self._typing = self._closed = self._crashed = self._forced = False
        self._replies: deque[tuple[bytes, str]] = deque()
        if initial_prompt and initial_prompt.strip() and not prompt_sent:
            self._delivery.add(initial_prompt, "prompt", "prompt")

    # ---------------------------------------------------------------- what is known

    @property
    def messages(self) -> Sequence[Message]:
        return self._transcript.messages

    @property
    def status(self) -> Status:
        return self._board.status

    @property
    def state(self) -> Evidence:
        return self._board.evidence

    @property
    def attention(self) -> Attention | None:
        return self._board.attention

    @property
    def ready(self) -> bool:
        return self._ready

    def screen(self) -> str:
        return "\n".join(trim_end(self._emulator.rows()))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        return self._listeners.add(listener)

    def checkpoint(self) -> Mapping[str, object]:
        return {
            "v": 1,
            "offset": max(self._offset, self._live_from),
            "anchor_at": self._anchor_at,
            "ready": self._ready,
            "frozen": self._transcript.frozen,
        }

    @property
    def _live(self) -> bool:
        """Whether what was known before is drawn again, so that what comes is new."""
        return self._offset >= self._live_from

    # ---------------------------------------------------------------- what is heard

    def feed(self, data: bytes) -> None:
        """The terminal's next bytes, in order and without gaps."""
        while data and not self._closed:
            stops = [at - self._offset for at in (self._anchor_at, self._live_from) if at > self._offset]
            piece, data = (data[: min(stops)], data[min(stops) :]) if stops else (data, b"")
            self._emulator.feed(piece)
            self._offset += len(piece)
            self._after_feed()

    def _after_feed(self) -> None:
        if self._offset == self._anchor_at:
            self._transcript.anchor(self._transcript.anchor_of(self._emulator.lines()))
            self._signals.turn()
        replies, heard = self._emulator.take_replies(), self._emulator.take_signals()
        for payload in heard:
            self._signals.program_status(payload)
        self._board.look_at_title()
        if not self._live:
            return
        if replies and self._offset > self._live_from and len(self._replies) < _MAX_REPLIES:
            self._replies.append((replies, f"reply/{self._offset}"))
            self._pulse.beat()
        if self._pace.fed():
            self._pulse.beat()
        self._decide()

    def report(self, state: State, message: str, uri: str = "") -> None:
        """See ``Conversation``."""
        self._signals.report(state, message, uri)
        self._decide()
        self._pulse.beat()

    def closed(self, exit_code: int | None) -> None:
        """See ``Conversation``."""
        if self._closed:
            return
        self._closed, self._crashed = True, exit_code != 0 or not self._ready
        self._snapshot()
        self._signals.exited(exit_code, last_words(self._emulator.rows(), began=self._ready))
        self._delivery.end(
            AgentError(
                "The agent has ended: it takes no message.",
                hint="Resume the task to start it again.",
                code=AGENT_ENDED,
            )
        )
        self._decide()

    def caught_up(self) -> None:
        """All that is recorded was fed. Where the checkpoint promised more (a recording was lost), go on from here."""
        self._live_from = min(self._live_from, self._offset)
        self._pace.ask()
        self._pulse.beat()

    def resize(self, cols: int, rows: int) -> None:
        """The terminal has another size. The agent draws anew, so the message so far is left as it is."""
        if (cols, rows) == self._emulator.size:
            return
        self._snapshot()
        self._emulator.resize(cols, rows)
        self._transcript.freeze()

    # ---------------------------------------------------------------- what is said

    async def send(
        self, text: str, *, key: str, origin: Origin = "user", taken: Callable[[], None] | None = None
    ) -> None:
        """See ``Conversation``."""
        if choice(self.attention, text) is not None:
            await self._answering.answer(text)
            return
        await self._delivery.send(text, key, origin, taken)

    async def answer(self, option: str, question: str | None = None) -> None:
        """See ``Conversation``."""
        await self._answering.answer(option, question)

    async def raw(self, data: bytes, key: str) -> None:
        """See ``Conversation``."""
        if self._closed:
            raise AgentError("The agent has ended: it takes no keys.", hint="Resume the task to start it again.")
        await put(self._write, data, key, self._clock)

    async def interrupt(self) -> bool:
        """See ``Conversation``."""
        if self._closed or not self._ready or self.state.at_rest:
            return False
        name, seen = f"interrupt/{uuid.uuid4().hex}", self.changes
        for number, key in enumerate(self._format.interrupt):
            if number:
                await self._clock.sleep(_BETWEEN_KEYS)
                await self._pulse.until(partial(self._has_changed, seen), _KEY_SEEN_WITHIN)
            seen = self.changes
            await self.raw(key, f"{name}/{number}")
        return True

    def _has_changed(self, since: int) -> bool:
        return self.changes != since

    # ---------------------------------------------------------------- keeping it going

    async def run(self) -> None:
        """See ``Conversation``."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch)
            group.start_soon(self._delivery.run)
            group.start_soon(self._answer)

    async def _watch(self) -> None:
        while True:
            asked = self._clock.monotonic()
            self._tick()
            await self._pulse.wait(self._next_moment(asked))

    async def _answer(self) -> None:
        while True:
            await self._pulse.until(lambda: bool(self._replies), None)
            data, key = self._replies.popleft()
            try:
                await self._write(data, key)
            except TasksError as error:  # the agent can do without an answer
                self._listeners.on_error(f"The agent's terminal was not answered: {error.message}")

    def _next_moment(self, asked: float) -> float | None:
        """When there is something to decide that was not yet at the moment ``asked``; None: never.

        ``asked`` lies before the last look: what falls due while that is taken is due still.
        """
        if self._closed or not self._live:
            return None
        still = self._pace.moments(asked, ready=self._ready)
        moments = [self._signals.next_change(asked), self._board.next_change(asked), *still]
        return min((moment for moment in moments if moment is not None), default=None)

    def _tick(self) -> None:
        if self._closed or not self._live:
            return
        if self._pace.look_due():
            self._snapshot()
        if not self._ready and self._pace.overdue():
            self._forced = True
            self._listeners.on_error("The agent's screen is not one we know: it is driven all the same.")
            self._become_ready()
        if not self._ready and self._lies_still():
            self._become_ready()
        if self._pace.stable():
            self._signals.observe("stability", "idle")
        self._decide()

    def _snapshot(self) -> None:
        """Look at the screen: is it another one, does it show readiness, what does it add to the message?"""
        self._pace.looked()
        lines, cursor = self._emulator.lines(), self._emulator.cursor
        if lines != self._lines or cursor != self._cursor:
            self._cursor = cursor
            self.changes += 1
            self._pulse.beat()
        if lines == self._lines and not self._crashed:
            return
        self._lines = lines
        self._pace.changed()
        self._signals.observe("stability", "working")
        rows = self._emulator.rows()
        self._board.look_at_rows(rows)
        if not self._ready and self._format.ready(rows):
            self._become_ready()
        message = None
        if not self._typing and (self._ready or self._crashed or not self._format.noisy_start):
            width = self._emulator.size[0]
            message = self._transcript.look(lines, self._clock.now(), width, crashed=self._crashed)
        if message is not None:
            self._listeners.on_message(message)

    def _lies_still(self) -> bool:
        """Whether a program that draws no input box seems to wait for one."""
        return self._pace.lies_still() and any(row.strip() for row in self._emulator.rows())

    def _become_ready(self) -> None:
        self._ready = True
        self._listeners.on_ready()
        self._pulse.beat()

    def _decide(self) -> None:
        """Weigh the evidence again and tell what changed: what was said before that it is said and done."""
        if not self._live:
            return
        board = self._board
        evidence = board.weigh(self._ready)
        if self._ready and board.says_last_words(evidence, self._pace.fed_at):
            return
        if board.is_news(evidence) and evidence.state != "working" and self._pace.dirty:
            self._snapshot()
            evidence = board.weigh(self._ready)
        if not self._ready and evidence.source == "osc7501" and board.signals.decide().at_rest:
            self._become_ready()
            evidence = board.weigh(self._ready)
        if board.tell(evidence, busy=self._typing or self._delivery.busy, closed=self._closed):
            self._pulse.beat()

    # ---------------------------------------------------------------- what ``delivery`` asks (its ``Target``)

    def takes_input(self) -> bool:
        """Whether a message may be typed now. An agent that was never seen to rest is driven after its timeout."""
        if self._closed or not self._ready or not self._live:
            return False
        if self.state.state == "blocked":
            return self.state.kind == "question" or (self.state.kind == "auth" and self._shows_box())
        return self.state.at_rest or (self._forced and self._anchor_at == NO_ANCHOR)

    def _shows_box(self) -> bool:
        """Whether there is an input box, and nothing is asked in its place."""
        return not (self.attention and self.attention.options) and self._format.ready(self._emulator.rows())

    def working(self) -> bool:
        """Whether a source stronger than the screen says that the agent works."""
        return self.state.state == "working" and self.state.source in ("osc7501", "title", "acp")

    def begin(self) -> None:
        """Typing begins: the screen as it is becomes the anchor if the agent takes the message."""
        self._snapshot()
        self._pending = (self._transcript.anchor_of(self._lines), self._offset, self._clock.now())
        self._typing = True
        self._decide()

    def enter(self) -> None:
        """Enter comes next."""
        self._snapshot()
        self._signals.turn()
        self._pace.stir()
        self._decide()

    def commit(self, text: str, origin: Origin) -> None:
        """The agent reacted."""
        assert self._pending is not None  # noqa: S101 -- begin() comes first
        anchor, self._anchor_at, began = self._pending
        self._pending, self._typing = None, False
        self._listeners.on_message(self._transcript.said(text, began, anchor))
        if origin == "prompt":
            self._listeners.on_prompt_sent()
        self._lines = []  # look again: the reaction belongs to the reply
        self._snapshot()

    def abandon(self) -> None:
        """The agent did not react."""
        self._pending, self._typing = None, False
        self._listeners.on_error("The agent did not take the message.")
        self._decide()
