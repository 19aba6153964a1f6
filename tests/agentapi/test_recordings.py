"""What real agents drew, read again: Claude Code and Codex as ``tests/agents/record.py`` recorded them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from agent_on_screen import Heard, texts

from jupyter_tasks.agentapi.avt import AvtEmulator
from jupyter_tasks.agentapi.emulator import new_emulator
from jupyter_tasks.agentapi.formats import format_for
from jupyter_tasks.agentapi.terminal import TerminalConversation
from jupyter_tasks.testing.clock import FakeClock

pytestmark = pytest.mark.anyio

RECORDINGS = Path(__file__).parent / "recordings"
PASTE = re.compile(r"\x1b\[200~(.*)\x1b\[201~", re.DOTALL)
DEBRIS = re.compile(
    r"[⎿✻✽✶✢❯◐◑─│╭▐▛└\u2800-\u28ff]|esc to interrupt|\? for shortcuts|Worked for|Show details|hello\.txt\("
)


@dataclass(frozen=True)
class Played:
    """A recording that was heard to its end."""

    conversation: TerminalConversation
    heard: Heard

    @property
    def states(self) -> list[str]:
        """The states that OSC 7501 told, one after the other."""
        told = [evidence.state for evidence in self.heard.evidence if evidence.source == "osc7501"]
        return [state for at, state in enumerate(told) if at == 0 or told[at - 1] != state]


async def play(name: str, emulator: Any) -> Played:
    """Feed a recording as it came; what the user typed in it is told to the conversation as typed."""
    recording = json.loads((RECORDINGS / f"{name}.json").read_text())
    clock, heard = FakeClock(), Heard()

    async def write(data: bytes, key: str) -> bool:
        return True

    conversation = TerminalConversation(
        format_for(recording["agent"]), emulator(*recording["size"]), clock, write, heard
    )
    async with anyio.create_task_group() as group:
        group.start_soon(conversation.run)
        typed, seen, late = "", -1, 0
        for at, key, data in recording["tape"]:
            late += key.endswith("/text")  # a second: whoever typed it had seen the end of the turn before
            await clock.advance(max(at + late - clock.monotonic(), 0))
            if key.endswith("/text"):
                conversation.begin()
                found = PASTE.search(data)
                typed = found[1] if found else ""
            elif key.endswith("/enter/0"):
                conversation.enter()
                seen = conversation.changes
            elif not key:
                conversation.feed(data.encode("utf-8", "surrogateescape"))
                if seen >= 0 and conversation.changes != seen:
                    conversation.commit(typed, "user")
                    seen = -1
        await clock.advance(3)
        group.cancel_scope.cancel()
    return Played(conversation, heard)


@pytest.fixture(params=["preferred", "avt"])
def emulator(request: pytest.FixtureRequest) -> Any:
    return new_emulator if request.param == "preferred" else AvtEmulator


WORK = """I read the project. It is a small site whose styles live in one file, and whose pages share a header; \
that is where I will begin with the change that you asked for.

Plan:

1. write the file
2. report what I did, in a line that is so long that it does not fit into one row of the terminal and goes on in the \
next

print('hello')

Now I try it.

And change it.

Done: hello.txt is written.

It says hello, and there is nothing else that you would have to do about it."""


@pytest.mark.parametrize("agent", ["claude", "codex"])
async def test_a_whole_session_reads_as_it_was_said(agent: str, emulator: Any) -> None:
    played = await play(f"{agent}-work", emulator)
    assert texts(played.conversation.messages) == [
        ("user", "make hello\nplease"),
        ("agent", WORK if agent == "claude" else WORK.replace("\n2.", "\n\n2.")),
        ("user", "and now?"),
        ("agent", "The second answer: größer, 日本語, 🦊."),
    ]
    for message in played.heard.messages:  # not for a moment either
        assert message.role == "user" or not DEBRIS.search(message.text), message.text
    assert [state for state in played.states if state == "complete"] == ["complete"] * 2
    assert played.states[-1] in ("complete", "idle")
    assert played.conversation.status == "stable"
    assert played.conversation.attention is None


async def test_a_session_without_program_status_reads_as_it_was_said(emulator: Any) -> None:
    """OpenCode tells no state: its marker, and that its screen is still, have to do."""
    played = await play("opencode-work", emulator)
    assert [(role, re.sub("\n{3,}", "\n\n", text)) for role, text in texts(played.conversation.messages)] == [
        ("user", "make hello\nplease"),
        ("agent", WORK),
        ("user", "and now?"),
        ("agent", "The second answer: größer, 日本語, 🦊."),
    ]
    assert played.states == []
    assert played.conversation.status == "stable"
    assert played.conversation.attention is None


async def test_buttons_in_a_row_are_a_permission(emulator: Any) -> None:
    played = await play("opencode-ask", emulator)
    asked = [attention for attention in played.heard.attention if attention is not None and attention.options]
    assert {attention.kind for attention in asked} == {"permission"}
    assert "hello.txt" in asked[-1].text
    assert [(option.label, option.kind) for option in asked[-1].options] == [("Allow once", "allow_once")]
    assert played.heard.attention[-1] is None
    assert texts(played.conversation.messages)[-1][1].endswith("It is written.")


ASKED = {
    "claude": ("approve Write: /tmp/recording/project/hello.txt", "Yes"),
    "codex": ("Would you like to make the following edits? Description: Apply proposed file edits", "Yes, proceed (y)"),
}


@pytest.mark.parametrize("agent", ["claude", "codex"])
async def test_a_permission_is_asked_for_and_given(agent: str, emulator: Any) -> None:
    played = await play(f"{agent}-ask", emulator)
    asked = [attention for attention in played.heard.attention if attention is not None]
    text, yes = ASKED[agent]
    assert {attention.kind for attention in asked} == {"permission"}
    assert all(attention.text.startswith(text) for attention in asked)
    assert asked[-1].text.endswith("/project/hello.txt")
    assert [option.kind for option in asked[-1].options] == ["allow_once", "allow_always", "reject_once"]
    assert (asked[0].options[0].id, asked[0].options[0].label) == ("1", yes)
    assert played.heard.attention[-1] is None
    assert texts(played.conversation.messages) == [("user", "make hello"), ("agent", "I write it.\n\nIt is written.")]
    assert "blocked" in played.states
    for message in played.heard.messages:
        assert "1." not in message.text


@pytest.mark.parametrize(("agent", "words"), [("claude", "I am thi\n\nInterrupted."), ("codex", "Interrupted.")])
async def test_a_turn_was_interrupted(agent: str, words: str, emulator: Any) -> None:
    played = await play(f"{agent}-interrupt", emulator)
    assert texts(played.conversation.messages) == [
        ("user", "a long one"),
        ("agent", words),
        ("user", "again"),
        ("agent", "The second answer."),
    ]
    assert played.states[-4:] == ["working", "idle", "working", "complete"]


async def test_a_turn_of_opencode_was_interrupted(emulator: Any) -> None:
    played = await play("opencode-interrupt", emulator)
    assert texts(played.conversation.messages) == [
        ("user", "a long one"),
        ("agent", "I am thi"),
        ("user", "again"),
        ("agent", "The second answer."),
    ]
    assert played.conversation.status == "stable"


async def test_a_wrong_key_is_told_in_the_vendors_words(emulator: Any) -> None:
    claude = await play("claude-refused", emulator)
    assert claude.conversation.messages[-1].text == "Not logged in · Please run /login"
    assert claude.conversation.attention is not None
    assert claude.conversation.attention.kind == "auth"
    assert claude.conversation.takes_input()  # the key may have been mended
    codex = await play("codex-refused", emulator)
    assert "401 Unauthorized: invalid x-api-key" in codex.conversation.messages[-1].text
    assert codex.conversation.state.state == "failure"
    assert any("(trying again)" in message.text for message in codex.heard.messages)
