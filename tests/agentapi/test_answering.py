"""Answering what an agent's menu asks: the right key, once, and only for the question that was meant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from typing import Any

import anyio
import pytest
from agent_on_screen import Agent, talking

from jupyter_tasks.agentapi.answering import choice
from jupyter_tasks.agentapi.messages import Attention, Option
from jupyter_tasks.errors import AgentError, Conflict, InvalidInput
from jupyter_tasks.testing.clock import FakeClock

pytestmark = pytest.mark.anyio

MENU = "Run rm?\n❯ 1. Yes\n  2. Yes, and don't ask again\n  3. No\n"
BLOCKED = "\x1b]7501;state=blocked:kind=permission:msg=cnVuIHJt\x1b\\"
WORKING, IDLE = "\x1b]7501;state=working\x1b\\", "\x1b]7501;state=idle\x1b\\"
CLEAR = "\x1b[2J\x1b[H"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Asking(Agent):
    """Answers keys with ``on_key``."""

    on_key: Callable[[bytes], None] = staticmethod(lambda data: None)

    async def write(self, data: bytes, key: str) -> bool:
        new = await super().write(data, key)
        if new:
            self.on_key(data)
        return new


async def asked(agent: Agent, clock: FakeClock) -> None:
    agent.show(f"hi\n> {IDLE}")
    await clock.advance(1)
    agent.show(f"{CLEAR}{MENU}{BLOCKED}")
    await clock.advance(0.2)


async def outcome(work: Awaitable[Any], into: list[object]) -> None:
    try:
        await work
        into.append("done")
    except (AgentError, Conflict, InvalidInput) as error:
        into.append(error)


def keys(agent: Agent) -> list[bytes]:
    return [data for data in agent.writes if not data.startswith(b"\x1b")]


async def test_the_digit_is_typed_once_and_the_question_is_gone(clock: FakeClock) -> None:
    agent, out = Asking(), []  # type: ignore[var-annotated]
    agent.on_key = lambda data: agent.show(f"{CLEAR}{WORKING}")  # type: ignore[method-assign]
    async with talking(agent, clock) as (conversation, _), anyio.create_task_group() as group:
        await asked(agent, clock)
        group.start_soon(outcome, conversation.answer("1"), out)
        group.start_soon(outcome, conversation.answer("yes"), out)  # a double click
        await clock.advance(1)
        group.start_soon(outcome, conversation.answer("1"), out)  # and the same call again, late
        await clock.advance(1)
        assert (out, keys(agent)) == (["done"] * 3, [b"1"])
        group.start_soon(outcome, conversation.answer("3"), out)
        await clock.advance(1)
        assert isinstance(out[-1], AgentError)
        assert keys(agent) == [b"1"]


async def test_an_answer_to_an_earlier_question_is_refused(clock: FakeClock) -> None:
    agent, out = Asking(), []  # type: ignore[var-annotated]
    agent.on_key = lambda data: agent.show(f"{CLEAR}{WORKING}")  # type: ignore[method-assign]
    async with talking(agent, clock) as (conversation, _), anyio.create_task_group() as group:
        await asked(agent, clock)
        assert conversation.attention is not None
        first = conversation.attention.id
        for _ in range(2):  # said again, it is still the answer that was given
            group.start_soon(outcome, conversation.answer("1", first), out)
            await clock.advance(1)
        group.start_soon(outcome, conversation.answer("3", first), out)
        await clock.advance(1)
        assert isinstance(out.pop(), Conflict)
        await asked(agent, clock)  # the same words once more
        assert conversation.attention.id != first
        group.start_soon(outcome, conversation.answer("3", first), out)
        await clock.advance(1)
        assert isinstance(out.pop(), Conflict)
        assert (out, keys(agent)) == (["done"] * 2, [b"1"])
        group.start_soon(outcome, conversation.answer("3", conversation.attention.id), out)
        await clock.advance(1)
        assert (out[-1], keys(agent)) == ("done", [b"1", b"3"])


async def test_where_the_digit_only_marks_enter_follows(clock: FakeClock) -> None:
    agent, out = Asking(), []  # type: ignore[var-annotated]

    def on_key(data: bytes) -> None:
        if data == b"3":
            agent.show(f"{CLEAR}Run rm?\n  1. Yes\n  2. Yes, and don't ask again\n❯ 3. No\n")
        elif data == b"\r":
            agent.show(f"{CLEAR}{WORKING}")

    agent.on_key = on_key  # type: ignore[method-assign]
    async with talking(agent, clock) as (conversation, _), anyio.create_task_group() as group:
        await asked(agent, clock)
        group.start_soon(outcome, conversation.answer("No"), out)
        await clock.advance(4)
        assert (out, keys(agent)) == (["done"], [b"3", b"\r"])


async def test_what_is_not_offered_and_what_is_not_taken(clock: FakeClock) -> None:
    agent, out = Asking(), []  # type: ignore[var-annotated]
    async with talking(agent, clock) as (conversation, _), anyio.create_task_group() as group:
        group.start_soon(outcome, conversation.answer("1"), out)
        await clock.advance(0.1)
        assert isinstance(out[-1], AgentError)
        await asked(agent, clock)
        group.start_soon(outcome, conversation.answer("4"), out)
        await clock.advance(0.1)
        assert isinstance(out[-1], InvalidInput)
        assert "3 (No)" in out[-1].hint
        assert keys(agent) == []
        group.start_soon(outcome, conversation.answer("2"), out)
        await clock.advance(15)
        assert isinstance(out[-1], AgentError)
        assert "did not take" in out[-1].message


async def test_a_message_that_names_an_option_is_the_answer(clock: FakeClock) -> None:
    agent, out = Asking(), []  # type: ignore[var-annotated]
    agent.on_key = lambda data: agent.show(f"{CLEAR}{WORKING}")  # type: ignore[method-assign]
    async with talking(agent, clock) as (conversation, _), anyio.create_task_group() as group:
        await asked(agent, clock)
        group.start_soon(outcome, conversation.send("no", key="k"), out)
        await clock.advance(1)
        assert (out, keys(agent)) == (["done"], [b"3"])
        assert [message.text for message in conversation.messages if message.role == "user"] == []


async def test_a_question_is_told_when_it_is_drawn(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, heard):
        agent.show(f"hi\n> {IDLE}")
        await clock.advance(1)
        agent.show(f"{CLEAR}{BLOCKED}")
        await clock.advance(0.5)
        assert (heard.attention, conversation.status) == ([], "running")
        agent.show(MENU)
        await clock.advance(0.1)
        assert [len(told.options) for told in heard.attention if told] == [3]
        agent.show(f"{CLEAR}{WORKING}")
        agent.show(BLOCKED)
        await clock.advance(3)  # one that has no menu is told all the same
        assert conversation.attention is not None
        assert (conversation.attention.text, conversation.attention.options) == ("run rm", ())


def test_what_names_an_option() -> None:
    options = (Option("1", "Yes", "allow_once"), Option("2", "No", "reject_once"), Option("3", "Blue"))
    attention = Attention("permission", "?", options, datetime(2026, 1, 1, tzinfo=timezone.utc))
    named = {
        text: getattr(choice(attention, text), "id", None) for text in ("1", " blue ", "OK", "n", "4", "maybe", "")
    }
    assert named == {"1": "1", " blue ": "3", "OK": "1", "n": "2", "4": None, "maybe": None, "": None}
    assert choice(None, "1") is None
