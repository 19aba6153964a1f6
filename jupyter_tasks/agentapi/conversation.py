"""A conversation with a coding agent, whatever it speaks.

Owns the ``Conversation`` protocol and its ``Listener``; ``terminal`` implements it over a PTY. Not where messages are
kept, nor how they are served.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from jupyter_tasks.agentapi.messages import Attention, Message
from jupyter_tasks.agentapi.signals import Evidence, State

__all__ = ["Conversation", "Listener", "Listeners", "Origin", "Status"]

Status = Literal["running", "stable"]
Origin = Literal["user", "prompt"]


class Listener(Protocol):
    """Is told what changed, at once and synchronously: it must neither block nor raise."""

    def on_message(self, message: Message) -> None:
        """A message is new, or the last one has grown."""

    def on_status(self, status: Status) -> None:
        """AgentAPI's status changed."""

    def on_evidence(self, evidence: Evidence) -> None:
        """What the agent does, or how we know it, changed."""

    def on_attention(self, attention: Attention | None) -> None:
        """The agent waits for the user, or no longer does."""

    def on_ready(self) -> None:
        """The agent takes input (once)."""

    def on_prompt_sent(self) -> None:
        """The initial prompt was given (once)."""

    def on_error(self, text: str) -> None:
        """Something went wrong that nobody awaits: one sentence."""


class Conversation(Protocol):
    """One agent, one conversation."""

    @property
    def messages(self) -> Sequence[Message]:
        """All messages; ids are indexes. What is handed out does not change later."""

    @property
    def status(self) -> Status:
        """ "stable" when the agent waits for the user."""

    @property
    def state(self) -> Evidence:
        """What the agent does."""

    @property
    def attention(self) -> Attention | None:
        """What the agent waits for, besides the next message."""

    @property
    def ready(self) -> bool:
        """Whether the agent takes input (latched)."""

    def screen(self) -> str:
        """The agent's screen as text; "" for an agent without one."""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell ``listener`` as well; call what is returned to end it."""

    async def run(self) -> None:
        """Keep the conversation going until cancelled."""

    async def send(
        self, text: str, *, key: str, origin: Origin = "user", taken: Callable[[], None] | None = None
    ) -> None:
        """Give the agent a message; returns when it reacted. Sends are queued in order while the agent works.

        What names an option of a question is the answer to it (``answer``), and no message.
        Cancelling the caller withdraws a message that has not begun. The same ``key`` again is the same message.
        ``taken`` is called in the very moment in which it becomes a message, without a pause before the listeners are
        told; never for an answer. It must neither block nor raise.

        Raises: InvalidInput (empty or too long), AgentBusy (32 are waiting), AgentError (it ended, or did not react).
        """

    async def answer(self, option: str, question: str | None = None) -> None:
        """Choose an option of what the agent asks (``attention.options``), by id or label; returns when it is gone.

        ``question`` is the id of the ``attention`` that is meant; without it, whatever is asked now.
        The same answer again, when the question is gone, does nothing.

        Raises: InvalidInput (not offered), AgentError (nothing is asked, or it was not taken), Conflict (``question``
            is no longer asked), LinkError.
        """

    async def raw(self, data: bytes, key: str) -> None:
        """Type these bytes now, whatever the agent does; not recorded as a message. Raises: AgentError, LinkError."""

    async def interrupt(self) -> bool:
        """Stop the agent's turn; False when none was running (then nothing is typed)."""

    def report(self, state: State, message: str, uri: str) -> None:
        """The agent reported its state itself (``coder_report_task``)."""

    def closed(self, exit_code: int | None) -> None:
        """The agent's program has ended (None: how is not known)."""

    def checkpoint(self) -> Mapping[str, object]:
        """What a successor needs besides the messages, as JSON; store it together with them."""


class Listeners:
    """A ``Listener`` that tells several, in the order they subscribed."""

    def __init__(self, *listeners: Listener) -> None:
        self._all: tuple[Listener, ...] = listeners

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell this one as well; the returned call ends it."""
        self._all = (*self._all, listener)

        def remove() -> None:
            self._all = tuple(other for other in self._all if other is not listener)

        return remove

    def on_message(self, message: Message) -> None:
        for listener in self._all:
            listener.on_message(message)

    def on_status(self, status: Status) -> None:
        for listener in self._all:
            listener.on_status(status)

    def on_evidence(self, evidence: Evidence) -> None:
        for listener in self._all:
            listener.on_evidence(evidence)

    def on_attention(self, attention: Attention | None) -> None:
        for listener in self._all:
            listener.on_attention(attention)

    def on_ready(self) -> None:
        for listener in self._all:
            listener.on_ready()

    def on_prompt_sent(self) -> None:
        for listener in self._all:
            listener.on_prompt_sent()

    def on_error(self, text: str) -> None:
        for listener in self._all:
            listener.on_error(text)
