"""Short talks with a real agent: what the scripted model says, and what the user does.

Each is played for real in ``test_real_screens``, and was recorded (``record``) for ``tests/agentapi/test_recordings``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
from real_agent import rest, until

from jupyter_tasks.agentapi.terminal import TerminalConversation
from jupyter_tasks.testing.scripted_llm import Play, ScriptedLlm, Step, bash, edit_file, mcp, write_file

LONG = (
    "I read the project. It is a small site whose styles live in one file, and whose pages share a header; that is "
    "where I will begin with the change that you asked for.\n\nPlan:\n\n1. write the file\n2. report what I did, in "
    "a line that is so long that it does not fit into one row of the terminal and goes on in the next\n\n"
    "```python\nprint('hello')\n```\n"
)
END = "Done: hello.txt is written.\n\nIt says hello, and there is nothing else that you would have to do about it."


@dataclass(frozen=True)
class Scene:
    """``plays`` gets the project's directory; ``act`` does what the user does."""

    plays: Callable[[Path], list[Play]]
    act: Callable[[TerminalConversation, ScriptedLlm], Awaitable[None]]
    ask: bool = False
    """Whether the agent asks for permission."""
    key: str | None = None
    """The only key that the model accepts."""


def _work(project: Path) -> list[Play]:
    file = str(project / "hello.txt")
    report = mcp("coder_report_task", summary="Wrote hello.txt", link="", state="complete")
    return [
        Play(
            "^make hello",
            [
                Step(LONG, tools=[write_file(file, "hello\nworld\n")]),
                Step("Now I try it.", tools=[bash("cat hello.txt")]),
                Step("And change it.", tools=[edit_file(file, "world\n", "there\n")]),
                Step(tools=[report]),
                Step(END),
            ],
        ),
        Play("^and now", [Step("The second answer: größer, 日本語, 🦊.")]),
    ]


async def _two_turns(conversation: TerminalConversation, llm: ScriptedLlm) -> None:
    await conversation.send("make hello\nplease", key="one")
    await rest(conversation)
    await conversation.send("and now?", key="two")
    await rest(conversation)


def _asking(project: Path) -> list[Play]:
    file = write_file(str(project / "hello.txt"), "hello\n")
    return [Play("^make hello", [Step("I write it.", tools=[file]), Step("It is written.")])]


async def _answered(conversation: TerminalConversation, llm: ScriptedLlm) -> None:
    await conversation.send("make hello", key="one")
    await until(lambda: conversation.attention and conversation.attention.options)
    await anyio.sleep(0.5)  # its words are drawn to their end
    await conversation.answer("1")
    await until(lambda: "It is written." in conversation.messages[-1].text)
    await rest(conversation)


def _held(project: Path) -> list[Play]:
    step = Step("I am thinking about a matter that takes a while to be told in whole.", gate="held", chunk=8)
    return [Play("^a long one", [step]), Play("^again", [Step("The second answer.")])]


async def _interrupted(conversation: TerminalConversation, llm: ScriptedLlm) -> None:
    await conversation.send("a long one", key="one")
    await until(lambda: llm.holds("held") and _shows_that_it_answers(conversation))
    assert await conversation.interrupt()
    await rest(conversation)
    await conversation.send("again", key="two")
    await rest(conversation)


def _shows_that_it_answers(conversation: TerminalConversation) -> bool:
    """OpenCode, which says nothing of its state, shows words as they come; an end before the first leaves no reply."""
    if conversation.state.source == "marker":
        return conversation.messages[-1].text.endswith("I am thi")
    return conversation.state.source == "osc7501"


async def _refused(conversation: TerminalConversation, llm: ScriptedLlm) -> None:
    await conversation.send("do it", key="one")
    await rest(conversation)


SCENES = {
    "work": Scene(_work, _two_turns),
    "ask": Scene(_asking, _answered, ask=True),
    "interrupt": Scene(_held, _interrupted),
    "refused": Scene(lambda project: [], _refused, key="another key"),
}
