"""A terminal becomes a conversation: AgentAPI's behaviours, and the ways in which ours is better. No test sleeps."""

from __future__ import annotations

import anyio
import pytest
from agent_on_screen import Agent, talking, texts
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_tasks.agentapi.messages import Message, Text
from jupyter_tasks.errors import AgentBusy, AgentError, InvalidInput, LinkLost
from jupyter_tasks.testing.clock import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def greeted(agent: Agent, clock: FakeClock) -> None:
    agent.show("Hello.\n> ")
    await clock.advance(2.1)


async def test_a_still_screen_is_stable_after_two_seconds(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, heard):
        assert conversation.status == "running"
        agent.show("Hello.\n> ")
        await clock.advance(1.9)
        assert conversation.status == "running"
        await clock.advance(0.2)
        assert conversation.status == "stable"
        assert (conversation.state.state, conversation.state.source) == ("idle", "stability")
        agent.show("more")
        await clock.advance(0.1)
        assert conversation.status == "running"
        await clock.advance(2.0)
        assert heard.status == ["stable", "running", "stable"]


class PassingClock(FakeClock):
    """Time that goes on while it is looked at, as it really does."""

    def __init__(self, step: float) -> None:
        super().__init__()
        self.step = step

    def monotonic(self) -> float:
        self._elapsed += self.step
        return self._elapsed


@pytest.mark.parametrize("step", [number / 500 for number in range(40, 60)])
async def test_stillness_that_falls_due_during_a_look_is_seen(step: float) -> None:
    clock = PassingClock(step)
    agent = Agent()
    async with talking(agent, clock) as (conversation, _):
        agent.show("Hello.\n> ")
        await clock.advance(10)
        assert conversation.state.state == "idle"
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: conversation.send("one", key="one"))
            await clock.advance(20)
        assert (conversation.state.state, conversation.status) == ("idle", "stable")


async def test_nothing_wakes_up_while_idle(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock):
        await greeted(agent, clock)
        await clock.advance(60)
        assert clock.sleepers == 0


async def test_bytes_that_change_nothing_visible_do_not_count(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, heard):
        await greeted(agent, clock)
        agent.show("\x1b[?25l\x1b[?25h")
        await clock.advance(0.1)
        assert conversation.status == "stable"
        assert heard.status == ["stable"]


async def test_a_conversation_alternates_and_keeps_ids(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, _):
        await greeted(agent, clock)
        assert texts(conversation.messages) == [("agent", "Hello.")]
        first = conversation.messages
        for word in ("one", "two", "three"):
            await said(conversation, clock, word)
        assert texts(conversation.messages) == [
            ("agent", "Hello."),
            ("user", "one"),
            ("agent", "You said one."),
            ("user", "two"),
            ("agent", "You said two."),
            ("user", "three"),
            ("agent", "You said three."),
        ]
        assert [message.id for message in conversation.messages] == list(range(7))
        assert texts(first) == [("agent", "Hello.")]
        assert conversation.status == "stable"


async def said(conversation, clock: FakeClock, word: str, **options) -> None:  # type: ignore[no-untyped-def]
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: conversation.send(word, key=f"key-{word}", **options))
        await clock.advance(5.0)


async def test_identical_replies_count(clock: FakeClock) -> None:
    agent = Agent(lambda text: "Done.")
    async with talking(agent, clock) as (conversation, _):
        await greeted(agent, clock)
        for word in ("first", "again"):
            await said(conversation, clock, word)
        replies = [message.text for message in conversation.messages if message.role == "agent"]
        assert replies == ["Hello.", "Done.", "Done."]
        assert conversation.status == "stable"


async def test_a_reply_may_begin_with_lines_seen_before(clock: FakeClock) -> None:
    agent = Agent(lambda text: f"Hello.\nYou said one.\nand {text}")
    async with talking(agent, clock) as (conversation, _):
        await greeted(agent, clock)
        await said(conversation, clock, "alpha")
        await said(conversation, clock, "beta")
        assert conversation.messages[-1].text == "Hello.\nYou said one.\nand beta"


async def test_a_reply_longer_than_the_screen_is_whole(clock: FakeClock) -> None:
    agent = Agent(lambda text: "\n".join(f"line {n}" for n in range(600)))
    async with talking(agent, clock, rows=24) as (conversation, _):
        await greeted(agent, clock)
        await said(conversation, clock, "count")
        await said(conversation, clock, "again")
        expected = "\n".join(f"line {n}" for n in range(600))
        assert [message.text for message in conversation.messages if message.role == "agent"][1:] == [expected] * 2


async def test_sends_wait_their_turn_in_order(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, _), anyio.create_task_group() as group:
        for word in ("a1", "b2", "c3"):
            group.start_soon(lambda word=word: conversation.send(word, key=word))  # type: ignore[misc]
            await anyio.wait_all_tasks_blocked()
        await greeted(agent, clock)
        await clock.advance(20)
        assert agent.taken == ["a1", "b2", "c3"]


async def test_too_many_sends_are_refused(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, _), anyio.create_task_group() as group:
        for n in range(32):
            group.start_soon(lambda n=n: conversation.send("x", key=str(n)))  # type: ignore[misc]
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(AgentBusy):
            await conversation.send("x", key="last")
        group.cancel_scope.cancel()


async def test_a_cancelled_send_that_has_not_begun_is_withdrawn(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, _):
        with anyio.move_on_after(0.01):
            await conversation.send("never", key="k")
        await greeted(agent, clock)
        await clock.advance(10)
        assert agent.taken == []
        assert conversation.status == "stable"


async def test_the_same_key_is_the_same_message(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, _):
        await greeted(agent, clock)
        for _again in range(3):
            await said(conversation, clock, "once")
        assert agent.taken == ["once"]
        assert texts(conversation.messages)[1:] == [("user", "once"), ("agent", "You said once.")]


async def test_an_empty_message_is_refused(clock: FakeClock) -> None:
    async with talking(Agent(), clock) as (conversation, _):
        for text in ("", " \n\t", "\x1b\x03"):
            with pytest.raises(InvalidInput, match="empty"):
                await conversation.send(text, key="k")


async def test_text_cannot_end_the_paste(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, _):
        await greeted(agent, clock)
        await said(conversation, clock, "a\x1b[201~\x03b\r\nc")
        assert agent.taken == ["a[201~b\nc"]


async def test_an_agent_that_does_not_echo_is_driven(clock: FakeClock) -> None:
    agent = Agent()
    agent.echo = False
    async with talking(agent, clock) as (conversation, _):
        await greeted(agent, clock)
        await said(conversation, clock, "quiet")
        assert texts(conversation.messages)[-2:] == [("user", "quiet"), ("agent", "You said quiet.")]


async def test_an_agent_that_does_not_react_fails_the_send(clock: FakeClock) -> None:
    agent = Agent()
    agent.reacts = False
    async with talking(agent, clock) as (conversation, heard):
        await greeted(agent, clock)
        caught: list[AgentError] = []

        async def send() -> None:
            try:
                await conversation.send("hello?", key="k")
            except AgentError as error:
                caught.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            await clock.advance(20)
        assert "did not react" in caught[0].message
        assert agent.writes.count(b"\r") == 5
        assert heard.errors
        assert [message.role for message in conversation.messages] == ["agent"]


async def test_a_lost_link_is_waited_for(clock: FakeClock) -> None:
    agent = Agent()
    write, failures = agent.write, [3]

    async def flaky(data: bytes, key: str) -> bool:
        if failures[0]:
            failures[0] -= 1
            raise LinkLost("The link is gone.")
        return await write(data, key)

    agent.write = flaky  # type: ignore[method-assign]
    async with talking(agent, clock) as (conversation, _):
        await greeted(agent, clock)
        await said(conversation, clock, "patience")
        assert agent.taken == ["patience"]


async def test_reads_never_wait_for_a_send(clock: FakeClock) -> None:
    agent = Agent(lambda text: None)
    async with talking(agent, clock) as (conversation, _), anyio.create_task_group() as group:
        await greeted(agent, clock)
        group.start_soon(lambda: conversation.send("work", key="k"))
        await clock.advance(0.1)
        assert conversation.status == "running"
        assert conversation.screen()
        await clock.advance(5)


async def test_the_prompt_is_given_once_when_ready(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock, initial_prompt="build it") as (conversation, heard):
        agent.show("Starting …\n")
        await clock.advance(5)
        assert agent.taken == []
        assert conversation.status == "running"
        agent.show("> ")
        await clock.advance(10)
        assert agent.taken == ["build it"]
        assert heard.words == ["ready", "prompt sent"]
        assert "prompt/text" in agent.keys
        assert conversation.status == "stable"
        assert conversation.messages[-1].text == "You said build it."


async def test_a_program_without_an_input_box_gets_its_prompt_when_it_lies_still(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock, initial_prompt="build it") as (_, heard):
        await clock.advance(9)
        assert agent.taken == []  # nothing is on its screen yet
        agent.show("What is to be done?\n")
        await clock.advance(7)
        assert agent.taken == []
        await clock.advance(3)
        assert agent.taken == ["build it"]
        assert heard.words == ["ready", "prompt sent"]


async def test_a_sent_prompt_is_never_repeated(clock: FakeClock) -> None:
    agent = Agent()
    restored = [
        Message(0, "user", clock.now(), (Text("build it"),)),
        Message(1, "agent", clock.now(), (Text("Built."),)),
    ]
    async with talking(agent, clock, initial_prompt="build it", prompt_sent=True, messages=restored) as (
        conversation,
        _,
    ):
        agent.show("Welcome back.\n> ")
        await clock.advance(60)
        assert agent.writes == []
        assert texts(conversation.messages) == [("user", "build it"), ("agent", "Built.")]
        await said(conversation, clock, "next")
        assert texts(conversation.messages)[2:] == [("user", "next"), ("agent", "You said next.")]


async def test_an_interrupted_turn_gets_a_new_agent_message(clock: FakeClock) -> None:
    restored = [Message(0, "user", clock.now(), (Text("build it"),))]
    agent = Agent()
    async with talking(agent, clock, prompt_sent=True, messages=restored) as (conversation, _):
        await greeted(agent, clock)
        assert texts(conversation.messages) == [("user", "build it"), ("agent", "Hello.")]


async def test_readiness_times_out_and_the_agent_is_driven(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock, initial_prompt="go") as (conversation, heard):
        for _second in range(29):
            agent.show("~")
            await clock.advance(1)
        assert not conversation.ready
        await clock.advance(5)
        assert conversation.ready
        assert agent.taken == ["go"]
        assert heard.words == ["ready", "prompt sent"]


async def test_osc_7501_is_believed_at_once(clock: FakeClock) -> None:
    agent = Agent(lambda text: None)
    async with talking(agent, clock) as (conversation, _), anyio.create_task_group() as group:
        agent.show("hi\x1b]7501;state=idle:app=x\x1b\\")
        await clock.advance(0.05)
        assert (conversation.status, conversation.state.source, conversation.ready) == ("stable", "osc7501", True)
        group.start_soon(lambda: conversation.send("go", key="k"))
        await clock.advance(1)
        assert conversation.status == "running"
        agent.show("\x1b]7501;state=working:msg=V3JpdGluZw==\x1b\\")
        assert (conversation.state.state, conversation.state.source) == ("working", "osc7501")
        assert conversation.state.text == "Writing"
        await clock.advance(30)
        assert conversation.status == "running"
        agent.show("done\n> \x1b]7501;state=idle\x1b\\")
        assert conversation.status == "stable"


async def test_a_permission_question_asks_for_attention(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, heard), anyio.create_task_group() as group:
        await greeted(agent, clock)
        agent.show("Run rm?\n❯ 1. Yes\n  2. No, and say why\n")
        agent.show("\x1b]7501;state=blocked:kind=permission:msg=cnVuIHJt\x1b\\")
        await clock.advance(0.2)
        attention = conversation.attention
        assert attention is not None
        assert (attention.kind, attention.text) == ("permission", "run rm")
        assert [(option.id, option.label) for option in attention.options] == [("1", "Yes"), ("2", "No, and say why")]
        assert conversation.status == "stable"
        group.start_soon(lambda: conversation.send("hold on", key="k"))
        await clock.advance(10)
        assert agent.taken == []  # Enter would have answered the question
        await conversation.raw(b"2", "answer")
        assert agent.writes[-1] == b"2"
        agent.show("\x1b]7501;state=idle\x1b\\")
        assert conversation.attention is None
        await clock.advance(10)
        assert agent.taken == ["hold on"]
        assert heard.attention[-1] is None


async def test_interrupt_only_stops_a_turn(clock: FakeClock) -> None:
    agent = Agent(lambda text: None)
    async with talking(agent, clock) as (conversation, _), anyio.create_task_group() as group:
        await greeted(agent, clock)
        assert not await conversation.interrupt()
        assert agent.writes == []
        group.start_soon(lambda: conversation.send("work", key="k"))
        await clock.advance(1)
        assert await conversation.interrupt()
        assert agent.writes[-1] == b"\x03"


async def test_a_second_key_waits_until_the_first_was_seen(clock: FakeClock) -> None:
    """An agent that stood still in between would read both as one."""
    agent = Agent(lambda text: None)
    async with talking(agent, clock, kind="opencode") as (conversation, _), anyio.create_task_group() as group:
        agent.show("hi\x1b]7501;state=idle\x1b\\")
        await clock.advance(1)
        agent.show("\x1b]7501;state=working\x1b\\")
        for seen in (True, False):
            agent.writes.clear()
            group.start_soon(conversation.interrupt)
            await clock.advance(1)
            assert agent.writes == [b"\x1b"]
            if seen:
                agent.show("\nesc again to interrupt")
                await clock.advance(0.1)
            else:
                await clock.advance(2)
            assert agent.writes == [b"\x1b", b"\x1b"]


async def test_exit_outranks_everything(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, _):
        await greeted(agent, clock)
        agent.show("\x1b]7501;state=working\x1b\\\nlast words\n")
        conversation.closed(3)
        assert (conversation.state.state, conversation.state.source) == ("failure", "exit")
        assert "3" in conversation.state.text
        assert conversation.status == "stable"
        assert "last words" in conversation.messages[-1].text
        with pytest.raises(AgentError, match="ended"):
            await conversation.send("hello?", key="k")
        with pytest.raises(AgentError, match="ended"):
            await conversation.raw(b"x", "k2")
        assert not await conversation.interrupt()


async def test_exit_fails_what_waits(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, _):
        failed: list[AgentError] = []

        async def send() -> None:
            try:
                await conversation.send("x", key="k")
            except AgentError as error:
                failed.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            conversation.closed(None)
        assert len(failed) == 1


@pytest.mark.parametrize("ending", ["exits", "says that it works"])
async def test_nobody_is_kept_waiting_while_an_agent_turns_away_from_a_message(ending: str) -> None:
    """The loop is everybody's: what is typed waits for time to pass, and never makes it pass."""
    clock = PassingClock(0.0001)
    agent = Agent()
    failed: list[AgentError] = []
    async with talking(agent, clock) as (conversation, _), anyio.create_task_group() as group:
        await greeted(agent, clock)

        async def send() -> None:
            try:
                await conversation.send("x", key="k")
            except AgentError as error:
                failed.append(error)

        group.start_soon(send)
        await clock.advance(0.1)
        assert (len(agent.writes), failed) == (1, [])  # it is pasted, and lies still for a moment before Enter
        before = clock.monotonic()
        if ending == "exits":
            conversation.closed(3)
        else:
            agent.show("\x1b]7501;state=working\x1b\\")
        await anyio.wait_all_tasks_blocked()
        assert clock.monotonic() - before < 0.1
        assert len(failed) == (ending == "exits")
        await clock.advance(3)
        assert agent.taken == ([] if ending == "exits" else ["x"])


class StandingClock(FakeClock):
    """Time of a machine that may stand still: its clock went on meanwhile, and all that fell due wakes at once."""

    def stand(self, seconds: float) -> None:
        self._elapsed += seconds


async def test_a_machine_that_stands_still_types_no_second_enter() -> None:
    """The agent stood still as well. What it shows next may be a question, and Enter the answer to it."""
    clock, agent = StandingClock(), Agent(lambda text: None)
    agent.reacts = False
    async with talking(agent, clock) as (conversation, heard), anyio.create_task_group() as group:
        await greeted(agent, clock)
        group.start_soon(lambda: conversation.send("hello?", key="k"))
        await clock.advance(1)
        assert agent.writes.count(b"\r") == 1
        clock.stand(20)
        await clock.advance(1)
        agent.show("\nDelete everything?\n❯ 1. Yes\n  2. No\n")
        await clock.advance(5)
        assert agent.writes.count(b"\r") == 1
        assert heard.errors == []
        assert ("user", "hello?") in texts(conversation.messages)


@pytest.mark.parametrize("lost", [10, 25])
async def test_an_agent_has_its_time_to_react_once_enter_was_typed(clock: FakeClock, lost: int) -> None:
    agent = Agent()
    write, failures = agent.write, [lost]

    async def flaky(data: bytes, key: str) -> bool:
        if data == b"\r" and failures[0]:
            failures[0] -= 1
            raise LinkLost("The link is gone.")
        return await write(data, key)

    agent.write = flaky  # type: ignore[method-assign]
    async with talking(agent, clock) as (conversation, heard), anyio.create_task_group() as group:
        await greeted(agent, clock)
        group.start_soon(lambda: conversation.send("patience", key="k"))
        await clock.advance(lost + 10)
        assert heard.errors == []
        assert texts(conversation.messages)[1:] == [("user", "patience"), ("agent", "You said patience.")]


async def test_queries_are_answered(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock):
        agent.show("\x1b]7501;?\x1b\\\x1b[c")
        await anyio.wait_all_tasks_blocked()
        assert agent.writes == [b"\x1b]7501;?\x1b\\\x1b[?62;22c"]


async def test_garbage_is_tolerated(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, _):
        conversation.feed(b"\xff\xfe\x80 broken \xe2\x82\r\n> ")
        await clock.advance(3)
        assert conversation.status == "stable"
        assert "broken" in conversation.messages[0].text


async def test_a_restart_of_the_engine_neither_repeats_nor_rewrites(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock, initial_prompt="first") as (conversation, _):
        agent.show("\x1b[cHello.\n> ")
        await clock.advance(10)
        await said(conversation, clock, "second")
        stored, checkpoint = conversation.messages, conversation.checkpoint()
        before = texts(stored)
    agent.conversation = None
    away = b"and one more thing.\r\n> "
    recording, writes = bytes(agent.recording) + away, len(agent.writes)
    for step in (7, 100_000):
        async with talking(
            agent, clock, initial_prompt="first", prompt_sent=True, messages=stored, checkpoint=checkpoint
        ) as (
            conversation,
            heard,
        ):
            for at in range(0, len(recording), step):
                conversation.feed(recording[at : at + step])
            await clock.advance(5)
            assert texts(conversation.messages)[:-1] == before[:-1]
            assert conversation.messages[-1].text.startswith("You said second.")
            assert conversation.messages[-1].text.endswith("and one more thing.")
            assert {message.id for message in heard.messages} == {len(before) - 1}
            assert len(agent.writes) == writes  # no prompt, no late answer to an old query
            assert conversation.status == "stable"


async def test_a_cut_recording_freezes_what_was_said(clock: FakeClock) -> None:
    agent = Agent()
    async with talking(agent, clock) as (conversation, _):
        await greeted(agent, clock)
        await said(conversation, clock, "one")
        stored, checkpoint = conversation.messages, conversation.checkpoint()
    tail = bytes(agent.recording[-5:])
    offset = len(agent.recording) - 5
    agent.conversation = None
    async with talking(agent, clock, messages=stored, checkpoint=checkpoint, offset=offset) as (conversation, _):
        conversation.feed(tail + b"something\r\n> ")
        await clock.advance(5)
        assert texts(conversation.messages) == texts(stored)
        await said(conversation, clock, "two")
        assert texts(conversation.messages)[len(stored) :] == [("user", "two"), ("agent", "You said two.")]


async def test_a_full_screen_program_with_its_box_at_the_bottom(clock: FakeClock) -> None:
    """As Claude Code draws today: alternate screen, answer at the top, box at the last rows, a status row between."""
    agent = Agent()
    agent.echo = agent.reacts = False
    box = "\x1b[37;1H" + "─" * 60 + "\x1b[38;1H❯ \x1b[K\x1b[39;1H" + "─" * 60 + "\x1b[40;1H  ? for shortcuts"
    async with talking(agent, clock, kind="claude") as (conversation, _), anyio.create_task_group() as group:
        agent.show("\x1b[?1049h\x1b[HWelcome to the agent" + box)
        await clock.advance(3)
        assert texts(conversation.messages) == [("agent", "Welcome to the agent")]
        group.start_soon(lambda: conversation.send("fix it", key="k"))
        await clock.advance(2.9)
        agent.show("\x1b[3;1H❯ fix it\x1b[5;1H● Fixed.\x1b[35;1H✻ Tinkering… (2s · esc to interrupt)" + box)
        await clock.advance(0.5)
        assert conversation.state.source == "marker"
        assert conversation.status == "running"
        assert texts(conversation.messages)[1:] == [("user", "fix it"), ("agent", "Fixed.")]
        agent.show("\x1b[35;1H\x1b[K")
        await clock.advance(3)
        assert conversation.status == "stable"
        assert texts(conversation.messages)[1:] == [("user", "fix it"), ("agent", "Fixed.")]


async def test_rest_is_told_after_the_last_words(clock: FakeClock) -> None:
    """Whoever waits for "stable" and then reads must find the whole reply."""
    agent = Agent(lambda text: None)
    async with talking(agent, clock) as (conversation, heard), anyio.create_task_group() as group:
        agent.show("hi\n> \x1b]7501;state=idle\x1b\\")
        await clock.advance(1)
        group.start_soon(lambda: conversation.send("go", key="k"))
        await clock.advance(1)
        seen: list[str] = []
        heard.on_status = lambda status: seen.append(conversation.messages[-1].text)  # type: ignore[method-assign]
        agent.show("\x1b]7501;state=working\x1b\\part")
        agent.show(" and the rest\n> \x1b]7501;state=idle\x1b\\")
        assert seen == ["part and the rest"]


async def test_what_was_typed_before_the_engine_died_is_not_typed_again(clock: FakeClock) -> None:
    agent = Agent()
    agent.keys = {"prompt/text", "prompt/enter/0"}
    async with talking(agent, clock, initial_prompt="build it") as (conversation, heard):
        agent.show("Hello.\n> build it\nDone.\n> ")
        await clock.advance(10)
        assert agent.writes == []
        assert heard.words == ["ready", "prompt sent"]
        assert ("user", "build it") in texts(conversation.messages)
        await clock.advance(10)
        assert conversation.status == "stable"


async def test_only_enter_is_missing_after_the_engine_died(clock: FakeClock) -> None:
    agent = Agent()
    agent.keys, agent.typed = {"prompt/text"}, "build it"
    async with talking(agent, clock, initial_prompt="build it") as (conversation, _):
        agent.show("Hello.\n> build it")
        await clock.advance(10)
        assert agent.writes == [b"\r"]
        assert agent.taken == ["build it"]
        assert conversation.messages[-1].text == "You said build it."


BYTES = [
    *(
        b"> ",
        b"\r\n",
        b"text",
        b"\x1b[2J\x1b[H",
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b]7501;state=idle\x07",
        b"\xff\xc3",
    ),
    *(
        b"\x1b]7501;state=working\x07",
        b"\x1b]7501;state=blocked:kind=auth\x07",
        b"\x1b]2;\xe2\x97\x90 x\x07",
        b"\x1b[c",
    ),
    *("─".encode() * 80, "❯ 1. Yes\r\n  2. No\r\n".encode(), b"Do you want to proceed?", b"\x1b[A\x1b[K", b"\x1b[5;1H"),
]


@settings(max_examples=examples(40))
@given(
    st.lists(st.sampled_from(BYTES) | st.binary(max_size=20), max_size=30),
    st.sampled_from(["claude", "codex", "opencode", "custom"]),
    st.integers(0, 30),
)
def test_any_stream_is_survived_and_replayed_alike(pieces: list[bytes], kind: str, cut: int) -> None:
    """Whatever an agent draws: ids are positions, it settles, and a restart at any point says the same."""

    async def play() -> None:
        clock, agent = FakeClock(), Agent()
        async with talking(agent, clock, kind=kind) as (conversation, _):
            stored, checkpoint = conversation.messages, conversation.checkpoint()
            for at, piece in enumerate(pieces):
                conversation.feed(piece)
                await clock.advance(0.06)
                if at == cut:
                    stored, checkpoint = conversation.messages, conversation.checkpoint()
            await clock.advance(40)
            assert [message.id for message in conversation.messages] == list(range(len(conversation.messages)))
            assert conversation.ready
            assert clock.sleepers == 0
            told = conversation.state
        agent.conversation = None
        options = {"messages": stored, "checkpoint": checkpoint}
        async with talking(agent, clock, kind=kind, **options) as (again, _):
            again.feed(b"".join(pieces))
            again.caught_up()
            await clock.advance(40)
            assert texts(again.messages)[: len(stored) - 1] == texts(stored)[:-1]
            assert (again.state.state, again.state.kind) == (told.state, told.kind)

    anyio.run(play)
