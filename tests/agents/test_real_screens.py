"""Claude Code and Codex on a PTY, talked with as people do; the model behind them is scripted."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_agent import Desk, rest, running, texts, until
from scenes import END, SCENES

from jupyter_tasks.agentapi.formats import format_for
from jupyter_tasks.errors import AgentError, InvalidInput
from jupyter_tasks.testing.agent_clis import AgentClis
from jupyter_tasks.testing.scripted_llm import Play, ScriptedLlm, Step, bash

pytestmark = [
    pytest.mark.agents,
    pytest.mark.slow,
    pytest.mark.anyio,
    pytest.mark.timeout(600),  # the CLIs may be installed first
]

AGENTS = ("claude", "codex")


@pytest.mark.parametrize("kind", AGENTS)
async def test_an_agent_works_with_its_own_tools_and_reports(kind: str, clis: AgentClis, tmp_path: Path) -> None:
    scene = SCENES["work"]
    with ScriptedLlm(scene.plays(tmp_path / "project")) as llm:
        desk = Desk(tmp_path, clis, llm)
        async with running(desk, kind, desk.command(kind), size=(120, 1000)) as (conversation, told, _):
            await scene.act(conversation, llm)
            assert (desk.project / "hello.txt").read_text() == "hello\nthere\n"
            (report,) = desk.reported()
            assert report["summary"] == "Wrote hello.txt"
            asked, answer, again, last = texts(conversation)
            assert (asked[1], again[1]) == ("make hello\nplease", "and now?")
            assert answer[1].startswith("I read the project. It is a small site")
            assert answer[1].endswith(END)
            assert last[1] == "The second answer: größer, 日本語, 🦊."
            states = [state for state, source in told.states if source == "osc7501"]
            assert [states.count("complete"), states[-1] in ("complete", "idle")] == [2, True]
            assert "working" in states
            began = next(evidence for evidence in told.evidence if evidence.state == "working")
            assert began.since <= told.evidence[-1].since
            assert told.errors == []
    assert llm.turns[-1].prompts == ("make hello\nplease", "and now?")


ODD = {
    "/help me with this": "slash",
    "/etc/hosts is wrong": "path",
    "!echo bang": "bang",
    "# a heading": "hash",
    "@nobody is there": "at",
    "? what is it": "mark",
    "größer 日本語 🦊": "wide",
    "two\n\nlines": "lines",
    "\n".join(f"row {n} of a long prompt, as people paste them" for n in range(250)): "long",
}


@pytest.mark.parametrize("kind", [*AGENTS, "opencode"])
async def test_every_prompt_is_a_prompt(kind: str, clis: AgentClis, tmp_path: Path) -> None:
    plays = [Play(f"(^|\\s){text.split()[0]}", [Step(f"{word} ok")]) for text, word in ODD.items()]
    plays = [Play(r"(^|\s)\? what", [Step("mark ok")]) if play.match.endswith("?") else play for play in plays]
    with ScriptedLlm(plays) as llm:
        desk = Desk(tmp_path, clis, llm)
        async with running(desk, kind, desk.command(kind), size=(120, 1000)) as (conversation, told, _):
            for text, word in ODD.items():
                await conversation.send(text, key=word)
                await rest(conversation)
                assert texts(conversation)[-2:] == [("user", text), ("agent", f"{word} ok")]
                assert text.split("\n")[-1].split()[-1] in llm.turns[-1].prompt
            assert told.errors == []
    assert len(llm.turns) == len(ODD)


@pytest.mark.parametrize("kind", AGENTS)
async def test_a_question_is_answered_once(kind: str, clis: AgentClis, tmp_path: Path) -> None:
    scene = SCENES["ask"]
    with ScriptedLlm(scene.plays(tmp_path / "project")) as llm:
        desk = Desk(tmp_path, clis, llm)
        async with running(desk, kind, desk.command(kind, ask=True), size=(120, 1000)) as (conversation, _, program):
            await conversation.send("make hello", key="one")
            await until(lambda: conversation.attention)
            asked = conversation.attention
            assert asked is not None
            assert asked.kind == "permission"
            assert "hello.txt" in asked.text
            assert [option.kind for option in asked.options] == ["allow_once", "allow_always", "reject_once"]
            assert not (desk.project / "hello.txt").exists()
            with pytest.raises(InvalidInput, match="does not offer '7'"):
                await conversation.answer("7")
            await conversation.answer(asked.options[0].label)
            assert conversation.attention is None
            await conversation.answer("1")  # said again: nothing is typed
            assert [key for _, key, _ in program.tape if key.startswith("answer/")] == [
                f"answer/{asked.since.isoformat()}/1/0"
            ]
            await rest(conversation)
            assert (desk.project / "hello.txt").read_text() == "hello\n"
            assert texts(conversation) == [("user", "make hello"), ("agent", "I write it.\n\nIt is written.")]
            with pytest.raises(AgentError, match="does not ask"):
                await conversation.answer("2")


@pytest.mark.parametrize("kind", AGENTS)
async def test_no_is_an_answer_too(kind: str, clis: AgentClis, tmp_path: Path) -> None:
    scene = SCENES["ask"]
    with ScriptedLlm(scene.plays(tmp_path / "project")) as llm:
        desk = Desk(tmp_path, clis, llm)
        async with running(desk, kind, desk.command(kind, ask=True), size=(120, 1000)) as (conversation, _, _program):
            await conversation.send("make hello", key="one")
            await until(lambda: conversation.attention)
            await conversation.send("no", key="two")
            await rest(conversation)
            assert not (desk.project / "hello.txt").exists()
            assert [role for role, _ in texts(conversation)] == ["user", "agent"]


@pytest.mark.parametrize("kind", [*AGENTS, "opencode"])
async def test_a_turn_is_interrupted(kind: str, clis: AgentClis, tmp_path: Path) -> None:
    scene = SCENES["interrupt"]
    with ScriptedLlm(scene.plays(tmp_path / "project")) as llm:
        desk = Desk(tmp_path, clis, llm)
        async with running(desk, kind, desk.command(kind), size=(120, 1000)) as (conversation, _, _program):
            await scene.act(conversation, llm)
            first, answer = texts(conversation)[1], texts(conversation)[3]
            assert first[1].endswith("I am thi" if kind == "opencode" else "Interrupted.")
            assert answer == ("agent", "The second answer.")
            assert not await conversation.interrupt()  # nothing runs


@pytest.mark.parametrize("kind", AGENTS)
async def test_an_agent_that_ends_at_once_says_why(kind: str, clis: AgentClis, tmp_path: Path) -> None:
    with ScriptedLlm() as llm:
        desk = Desk(tmp_path, clis, llm)
        async with running(desk, kind, desk.command(kind, "--no-such-flag")) as (conversation, _told, _program):
            await until(lambda: conversation.state.source == "exit")
            assert conversation.state.state == "failure"
            assert "error: un" in conversation.state.text
            assert "--no-such-flag" in conversation.state.text
            assert "--no-such-flag" in texts(conversation)[-1][1]
            with pytest.raises(AgentError, match="has ended"):
                await conversation.send("more", key="one")


@pytest.mark.parametrize("kind", AGENTS)
async def test_a_screen_that_nobody_knows_works_by_stillness(kind: str, clis: AgentClis, tmp_path: Path) -> None:
    """As an agent of a version to come: no box, bullet, title, marker or program status is recognised."""
    plays = [Play("go", [Step("Going.", tools=[bash("true")]), Step("Gone there.")])]
    with ScriptedLlm(plays) as llm:
        desk = Desk(tmp_path, clis, llm)
        strange = type(format_for("custom"))(name="strange", box=lambda lines: lines)
        argv = desk.command(kind)
        async with running(desk, strange, argv, mute=True, ready_timeout=3.0, stability=1.0) as (conversation, told, _):
            await conversation.send("go", key="one")
            await until(lambda: conversation.status == "stable" and "Gone there." in texts(conversation)[-1][1])
            assert conversation.state.source == "stability"
            assert told.errors == ["The agent's screen is not one we know: it is driven all the same."]
