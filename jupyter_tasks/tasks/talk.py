"""The talk with one task's agent: from its terminal into the store, and from the user to its terminal.

Owns the order of what the agent is given: the prompt first, once and only when everything is ready, then the user's
inputs as they were acknowledged. What is written down is ``transcript``'s, the algorithm ``agentapi``'s.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import cast

import anyio
import anyio.to_thread
from anyio.abc import ByteStream
from sqlalchemy import Connection

from jupyter_tasks.agentapi.conversation import Status
from jupyter_tasks.agentapi.emulator import new_emulator
from jupyter_tasks.agentapi.formats import agent_type, format_for
from jupyter_tasks.agentapi.messages import Attention, Message
from jupyter_tasks.agentapi.signals import Evidence, State
from jupyter_tasks.agentapi.terminal import AGENT_ENDED, TerminalConversation
from jupyter_tasks.errors import AgentError, LinkError, TasksError
from jupyter_tasks.store.talk_rows import (
    AppStatusRow,
    ConversationRow,
    MessageRow,
    conversation_of,
    latest_app_status,
    messages_of,
    undelivered_inputs,
)
from jupyter_tasks.store.task_rows import task_by_id
from jupyter_tasks.tasks import message_json
from jupyter_tasks.tasks.bundle import TaskBundle
from jupyter_tasks.tasks.house import House
from jupyter_tasks.tasks.transcript import Transcript
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.link_events import AgentAPIRegistered

__all__ = ["Talk"]

_log = logging.getLogger(__name__)

RETRY_EVERY = 0.5
AGAIN_AFTER = 0.05

_emulators = anyio.CapacityLimiter(1)


class Talk:
    """One build's conversation. ``run`` lives in the session's task group."""

    def __init__(self, bundle: TaskBundle, house: House, link: Link) -> None:
        self._task_id = bundle.task.id
        self._build_id = bundle.build.id
        self._house = house
        self._link = link
        self._registered: AgentAPIRegistered | None = None
        self._conversation: TerminalConversation | None = None
        self._transcript = Transcript(self._task_id, self._build_id, house)
        self._open = False
        self._look = anyio.Event()
        self._began = anyio.Event()
        self._reported = False
        self._rest = anyio.Event()

    # ------------------------------------------------------------ what the session tells

    def register(self, event: AgentAPIRegistered) -> None:
        """``agentapi`` runs inside, on this terminal."""
        if self._registered is None or self._registered.terminal != event.terminal:
            self._registered = event
            self._began.set()

    def open_gate(self) -> None:
        """Scripts have run and apps are healthy: the prompt may be given."""
        self._open = True
        self.look()

    def look(self) -> None:
        """There may be something to give to the agent."""
        self._look.set()

    def report(self, state: State, message: str, uri: str) -> None:
        """The agent reported its state itself."""
        if self._conversation is not None:
            self._conversation.report(state, message, uri)

    # ------------------------------------------------------------ what others ask

    @property
    def conversation(self) -> TerminalConversation | None:
        """The conversation, once the agent has been started."""
        return self._conversation

    @property
    def terminal(self) -> str | None:
        """Id of the agent's terminal, once it is known."""
        return None if self._registered is None else self._registered.terminal

    async def rest(self) -> None:
        """Return when the agent comes to rest (again)."""
        await self._rest.wait()
        self._rest = anyio.Event()

    async def interrupt(self) -> bool:
        """Stop the turn that runs; False when none did. Raises: AgentError, LinkError."""
        return self._conversation is not None and await self._conversation.interrupt()

    async def answer(self, option: str, question: str | None = None) -> None:
        """Choose an option of what the agent asks, by its id or label; returns when the question is gone.

        ``question`` is the id of what is meant; without it, whatever is asked now.
        The same answer again, when the question is gone, does nothing.

        Raises: InvalidInput (not offered), AgentError (nothing is asked, or it was not taken), Conflict (``question``
            is no longer asked), LinkError.
        """
        if self._conversation is None:
            raise AgentError("The agent has not been started: it asks nothing.", hint="Wait until the task is active.")
        await self._conversation.answer(option, question)

    @asynccontextmanager
    async def connect_api(self) -> AsyncIterator[ByteStream]:
        """A connection to the AgentAPI of this conversation. Raises: AgentError before it runs."""
        import socket

        from anyio.abc import SocketStream

        near, far = socket.socketpair()
        async with await SocketStream.from_socket(near) as ours, anyio.create_task_group() as group:
            group.start_soon(self.serve_api, await SocketStream.from_socket(far))
            yield ours
            group.cancel_scope.cancel()

    async def serve_api(self, stream: ByteStream) -> None:
        """Serve AgentAPI's HTTP on a connection until its client has enough."""
        from jupyter_tasks.agentapi.api import AgentApi
        from jupyter_tasks.agentapi.http11 import serve_connection

        conversation = self._conversation
        if conversation is None or self._registered is None:
            await stream.aclose()
            return
        app = AgentApi(conversation, agent_type=self._registered.agent_type, upload=self._upload)
        async with app:
            await serve_connection(stream, app)

    async def _upload(self, name: str, data: bytes) -> str:
        """Put a file that came through AgentAPI into the workspace; returns its path inside."""
        from jupyter_tasks.tasks.uploads import upload

        return await upload(self._link, name, data)

    # ------------------------------------------------------------ listening (agentapi.Listener)

    def on_message(self, message: Message) -> None:
        self._transcript.message(message)

    def on_status(self, status: Status) -> None:
        self.look()

    def on_evidence(self, evidence: Evidence) -> None:
        if evidence.at_rest and evidence.source != "exit" and self._prompt_waits():
            evidence = replace(evidence, state="working")  # it rests because it has not been told yet
        self._transcript.evidence(evidence)
        if evidence.at_rest:
            self._rest.set()

    def _prompt_waits(self) -> bool:
        return (
            not self._transcript.prompt_sent and self._registered is not None and bool(self._registered.initial_prompt)
        )

    def on_attention(self, attention: Attention | None) -> None:
        self._transcript.touch()

    def on_ready(self) -> None:
        self._transcript.touch()
        self.look()

    def on_prompt_sent(self) -> None:
        self._transcript.prompt_sent = True
        self._transcript.touch()

    def on_error(self, text: str) -> None:
        _log.info("task %s: %s", self._task_id, text)

    # ------------------------------------------------------------ keeping it going

    async def run(self) -> None:
        """Wait for the agent, then talk with it until cancelled."""
        await self._began.wait()
        registered = self._registered
        assert registered is not None  # noqa: S101 - set together with the event
        offset = await self._begins_at(registered)
        conversation = await self._restore(registered, offset)
        self._conversation = conversation
        self.look()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(conversation.run, name=f"conversation {self._task_id}")
                group.start_soon(self._read, conversation, registered, offset, name=f"terminal {self._task_id}")
                group.start_soon(self._transcript.run, conversation, name=f"transcript {self._task_id}")
                group.start_soon(self._deliver, conversation, name=f"inputs {self._task_id}")
        finally:
            with anyio.CancelScope(shield=True):
                await self._transcript.flush(conversation)

    async def _begins_at(self, registered: AgentAPIRegistered) -> int:
        """Where the recording begins: at 0, or later where it was cut."""
        while True:
            try:
                async with self._link.read_terminal(registered.terminal, 0, follow=False) as reading:
                    return reading.offset
            except LinkError as error:
                _log.info("task %s: terminal: %s", self._task_id, error.message)
            await self._house.clock.sleep(RETRY_EVERY)

    async def _restore(self, registered: AgentAPIRegistered, offset: int) -> TerminalConversation:
        def load(connection: Connection) -> tuple[Sequence[MessageRow], ConversationRow | None, AppStatusRow | None]:
            return (
                messages_of(connection, self._task_id),
                conversation_of(connection, self._task_id),
                latest_app_status(connection, self._task_id),
            )

        rows, talk, said = await self._house.journal.read(load)
        self._transcript.said = said if said is not None and said.build_id == self._build_id else None
        self._transcript.prompt_sent = talk is not None and talk.prompt_sent
        same_run = talk is not None and talk.build_id == self._build_id
        size = registered.term_width, registered.term_height
        # in a thread: the first one of an engine imports and parses for a quarter of a second
        emulator = await anyio.to_thread.run_sync(new_emulator, *size, limiter=_emulators)
        return TerminalConversation(
            format_for(agent_type(registered.agent_type, registered.argv)),
            emulator,
            self._house.clock,
            self._write,
            self,
            messages=[message_json.message(row) for row in rows],
            prompt_sent=True,
            checkpoint=talk.checkpoint if talk is not None and same_run else None,
            offset=offset,
            ready_timeout=self._house.ready_timeout,
        )

    async def _write(self, data: bytes, key: str, /) -> bool:
        assert self._registered is not None  # noqa: S101 - writes come from a conversation
        return not await self._link.write_terminal(self._registered.terminal, data, key)

    async def _read(self, conversation: TerminalConversation, registered: AgentAPIRegistered, offset: int) -> None:
        """Feed the terminal's bytes, over every loss of the link, until the agent's program has ended."""
        while True:
            pause = AGAIN_AFTER
            try:
                async with self._link.read_terminal(registered.terminal, offset, follow=True) as reading:
                    offset = reading.offset
                    behind = offset < reading.head
                    if not behind:
                        self._caught_up(conversation)
                    async for chunk in reading.chunks:
                        conversation.feed(chunk)
                        offset += len(chunk)
                        if behind and offset >= reading.head:
                            behind = False
                            self._caught_up(conversation)
                    if reading.closed and offset >= reading.head:
                        conversation.closed(reading.exit)
                        return
            except LinkError as error:
                _log.info("task %s: terminal: %s", self._task_id, error.message)
                pause = RETRY_EVERY
            await self._house.clock.sleep(pause)

    def _caught_up(self, conversation: TerminalConversation) -> None:
        """All that is recorded was heard; what the agent reported itself before a restart of ours still holds."""
        conversation.caught_up()
        said, self._reported = (None, True) if self._reported else (self._transcript.said, True)
        if said is not None and said.source == "report":
            conversation.report(cast("State", said.state), said.message, said.uri)

    # ------------------------------------------------------------ to the agent

    async def _deliver(self, conversation: TerminalConversation) -> None:
        while True:
            self._look = anyio.Event()
            if self._open and conversation.ready:
                try:
                    await self._give_prompt(conversation)
                    await self._give_inputs(conversation)
                except LinkError as error:
                    _log.info("task %s: not given: %s", self._task_id, error.message)
                    await self._house.clock.sleep(RETRY_EVERY)
                    continue
            await self._look.wait()

    async def _give_prompt(self, conversation: TerminalConversation) -> None:
        if not self._prompt_waits():
            return
        row = await self._house.journal.read(lambda connection: task_by_id(connection, self._task_id))
        if row is None:
            return
        try:
            await conversation.send(row.prompt, key=f"prompt-{self._build_id}", origin="prompt")
        except AgentError as error:
            await self._house.log(self._task_id, self._build_id, "agent", f"The prompt was not taken: {error}", "error")
            self._transcript.prompt_sent = error.code != AGENT_ENDED

    async def _give_inputs(self, conversation: TerminalConversation) -> None:
        for row in await self._house.journal.read(lambda connection: undelivered_inputs(connection, self._task_id)):
            failure: str | None = None
            settle = partial(self._transcript.settle, row.id)
            try:
                await conversation.send(row.text, key=f"input-{row.id}", taken=settle)
            except LinkError:
                raise
            except TasksError as error:
                if error.code == AGENT_ENDED:
                    return  # it was acknowledged: the agent of the next start gets it
                failure = str(error)
                await self._house.log(
                    self._task_id, self._build_id, "agent", f"A message was not taken: {error}", "error"
                )
            settle(failure)  # also an answer and a refusal, which make no message
            await self._transcript.flush(conversation)
