"""What a talk writes down, transaction by transaction: an engine may be killed between any two of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio
import anyio.lowlevel
import pytest
from journals import journal_in
from sqlalchemy import Connection
from stored_tasks import stored_task
from traitlets.config import Config

from jupyter_tasks.agentapi.conversation import Conversation
from jupyter_tasks.agentapi.messages import Message, Text
from jupyter_tasks.agentapi.signals import Evidence
from jupyter_tasks.clock import Clock
from jupyter_tasks.config import TasksEngine
from jupyter_tasks.errors import LinkError, StoreReadOnly
from jupyter_tasks.server.engine_parts import make_house
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.event_rows import events_after
from jupyter_tasks.store.journal import Change, Journal
from jupyter_tasks.store.talk_rows import add_input, latest_app_status, messages_of, undelivered_inputs
from jupyter_tasks.tasks.bundle import bundle_of
from jupyter_tasks.tasks.talk import Talk
from jupyter_tasks.tasks.transcript import FLUSH_EVERY, Transcript
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.link_events import AgentAPIRegistered
from jupyter_tasks.workspaces.link_tape import TapeReading

pytestmark = pytest.mark.anyio
T = TypeVar("T")
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
TEXT = "use teal"
REGISTERED = AgentAPIRegistered(
    seq=1,
    terminal="1",
    agent_type="custom",
    port=1,
    initial_prompt="",
    term_width=80,
    term_height=24,
    argv=("agent",),
    transport="pty",
)


def found(connection: Connection) -> tuple[int, int]:
    """What an engine that starts now would find: the user's messages, and inputs that are still to be given."""
    said = [row for row in messages_of(connection, "t1") if row.role == "user"]
    return len(said), len(undelivered_inputs(connection, "t1"))


class Watched(Journal):
    """A journal that keeps what each transaction leaves."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self.left: list[tuple[int, int]] = []
        self.full = False
        """Whether the disk is full, which the very last step finds out."""

    async def change(self, work: Callable[[Change], T]) -> T:
        def watched(change: Change) -> T:
            result = work(change)
            if self.full:
                raise StoreReadOnly("The disk is full.")
            self.left.append(found(change.connection))
            return result

        return await super().change(watched)


class LineAgent:
    """The link to a workspace whose agent shows "> ", echoes what is pasted and answers on Enter.

    ``keys`` are those of what was typed; ``entered`` is the screen as each Enter found it.
    """

    def __init__(self, *keys: str) -> None:
        self.send, self.chunks = anyio.create_memory_object_stream[bytes](100)
        self.keys = set(keys)
        self.entered: list[str] = []
        self.screen: Callable[[], str] = str
        self.send.send_nowait(b"> ")

    @asynccontextmanager
    async def read_terminal(self, terminal: str, offset: int, *, follow: bool) -> AsyncIterator[Any]:
        yield TapeReading(offset=0, head=0, closed=False, exit=None, cols=80, rows=24, problem="", chunks=self.chunks)

    async def write_terminal(self, terminal: str, data: bytes, key: str) -> bool:
        """See ``Link.write_terminal``."""
        if key in self.keys:
            return True
        self.keys.add(key)
        if data == b"\r":
            self.entered.append(self.screen())
        self.send.send_nowait(b"\r\nDone.\r\n> " if data == b"\r" else TEXT.encode())
        return False


class CutOff(LineAgent):
    """Cannot be reached at first; ``typed`` are the keys in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = 0
        self.reached = False
        self.typed: list[str] = []

    async def write_terminal(self, terminal: str, data: bytes, key: str) -> bool:
        if not self.reached:
            self.refused += 1
            raise LinkError("There is no way to it.")
        self.typed.append(key)
        return await super().write_terminal(terminal, data, key)


@asynccontextmanager
async def talking(
    journal: Watched, agent: LineAgent, registered: AgentAPIRegistered = REGISTERED
) -> AsyncIterator[Talk]:
    """The talk with an agent that takes input, and says nothing any more."""
    house = make_house(journal, TasksEngine(provisioners={}), Config(), journal.clock)
    await journal.change(stored_task(1, NOW, transition="start", status="succeeded"))
    bundle = await journal.read(lambda connection: bundle_of(connection, "t1"))
    assert bundle is not None
    talk = Talk(bundle, house, cast("Link", agent))
    agent.screen = lambda: talk.conversation.screen() if talk.conversation is not None else ""
    talk.register(registered)
    async with agent.send, agent.chunks, anyio.create_task_group() as group:
        group.start_soon(talk.run)
        await until(lambda: talk.conversation is not None and talk.conversation.ready)
        await anyio.sleep(4 * FLUSH_EVERY)  # the conversation has written what it had, and waits
        await journal.change(lambda change: add_input(change.connection, "t1", "k", TEXT, NOW))
        journal.left.clear()
        talk.open_gate()
        yield talk
        group.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 -- a store tells nobody
            await anyio.sleep(0.01)


@pytest.fixture
async def journal(places: Path) -> AsyncIterator[Watched]:
    async with journal_in(places, Watched) as journal:
        yield journal


@pytest.mark.slow
async def test_an_input_and_its_message_are_written_together(journal: Watched) -> None:
    """The conversation's own writing comes first here: nothing else was said for a while."""
    async with talking(journal, LineAgent()):
        await until(lambda: (1, 0) in journal.left)
    assert set(journal.left) <= {(0, 1), (1, 0)}, "a kill between two transactions would lose a message or repeat it"


@pytest.mark.slow
async def test_enter_follows_when_the_agent_shows_what_was_typed(journal: Watched) -> None:
    agent = LineAgent()
    async with talking(journal, agent):
        await until(lambda: (1, 0) in journal.left)
    assert agent.entered == [f"> {TEXT}"]


@pytest.mark.slow
async def test_what_was_typed_before_a_restart_is_not_typed_again(journal: Watched) -> None:
    agent = LineAgent("input-1/text", "input-1/enter/0")
    async with talking(journal, agent):
        await until(lambda: (1, 0) in journal.left)
    assert agent.keys == {"input-1/text", "input-1/enter/0"}


@pytest.mark.slow
async def test_nothing_overtakes_a_prompt_that_did_not_get_through(journal: Watched) -> None:
    agent = CutOff()
    async with talking(journal, agent, replace(REGISTERED, initial_prompt="given")) as talk:
        for _ in range(100):
            talk.look()
            await anyio.lowlevel.checkpoint()
        await until(lambda: agent.refused > 1)
        assert agent.refused == 2, "it is tried again after a pause"
        agent.reached = True
        await until(lambda: "input-1/enter/0" in agent.keys)
    assert [key.partition("/")[0] for key in agent.typed] == ["prompt-b1", "prompt-b1", "input-1", "input-1"]


class Silent:
    """A conversation in which nothing is asked."""

    attention = None

    def checkpoint(self) -> dict[str, object]:
        return {}


def told(connection: Connection) -> tuple[str | None, list[str], list[str]]:
    """What the agent does; what is said; and the states of the events that tell of it."""
    said = latest_app_status(connection, "t1")
    texts = [row.parts[0]["text"] for row in messages_of(connection, "t1")]
    events = events_after(connection, 0, task_id="t1", limit=100)
    return (
        None if said is None else said.state,
        texts,
        [event.data["state"] for event in events if event.type == "task"],
    )


@pytest.mark.slow
async def test_what_could_not_be_written_is_written_and_told_later(journal: Watched) -> None:
    house = make_house(journal, TasksEngine(provisioners={}), Config(), journal.clock)
    await journal.change(stored_task(1, NOW, transition="start", status="succeeded"))
    bundle = await journal.read(lambda connection: bundle_of(connection, "t1"))
    assert bundle is not None
    transcript, silent = Transcript("t1", bundle.build.id, house), cast("Conversation", Silent())
    journal.full = True
    transcript.evidence(Evidence("idle", "stability", NOW))
    transcript.message(Message(0, "agent", NOW, (Text("one"),)))
    async with anyio.create_task_group() as group:
        group.start_soon(transcript.flush, silent)
        await anyio.lowlevel.checkpoint()
        transcript.message(Message(0, "agent", NOW, (Text("one and two"),)))
        group.start_soon(transcript.flush, silent)
    assert (await journal.read(told))[0] is None
    journal.full = False
    await transcript.flush(silent)
    assert await journal.read(told) == ("idle", ["one and two"], ["idle"])
