"""What each agent's terminal looks like: boxes, echoes, tool calls, titles, markers. The screens are our own."""

from __future__ import annotations

import base64
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_tasks.agentapi.formats import AGENT_TYPES, agent_type, format_for
from jupyter_tasks.agentapi.formats.base import trim_empty_lines
from jupyter_tasks.agentapi.formats.dialogs import menu
from jupyter_tasks.agentapi.formats.echo import remove_user_input
from jupyter_tasks.errors import InvalidInput

RULE = "─" * 40
DASHES = "╌" * 40
CLAUDE_BOX = f"{RULE}\n❯ \n{RULE}\n  ? for shortcuts"
OLD_CLAUDE_BOX = f"╭{RULE}╮\n│ > │\n╰{RULE}╯\n  ? for shortcuts"
CODEX_OLD = "\n› Ask Codex to do anything\n\n  100% context left"
CODEX_NEW = "\n› Ask Codex to do anything\n\n  gpt-5 · /project\n  ? for shortcuts"
OPENCODE_BOX = "\n┃\n┃ Ask anything\n┃\n┃ Build\n╹" + "▀" * 40 + "\n tab agents  ctrl+p commands"
AMP_BOX = f"\n╭{RULE}╮\n│ │\n╰{RULE}╯"
SQUARE = f"┌{RULE}┐\n│ → ask │\n└{RULE}┘"

READY = {
    "claude": [f"Welcome\n\n{CLAUDE_BOX}", f"Welcome\n{OLD_CLAUDE_BOX}", f"Welcome\n{DASHES}\n❯ \n{DASHES}\n  hint"],
    "codex": [f"Welcome{CODEX_OLD}", f"Welcome{CODEX_NEW}"],
    "opencode": [f"header\nx\ny\nz{OPENCODE_BOX}"],
    "amp": [f"Welcome{AMP_BOX}", AMP_BOX],
    "goose": ["starting session\n( O)> "],
    "aider": ["Aider v1\n> "],
    "gemini": [f"Tips\n╭{RULE}╮\n│ >   Type your message │\n╰{RULE}╯\n~/x"],
    "copilot": [f"Welcome\n{RULE}\n❯ \n{RULE}"],
    "auggie": [f"Welcome\n╭{RULE}╮\n│ › │ >\n╰{RULE}╯"],
    "amazonq": ["Welcome\n> "],
    "custom": ["hello\n> "],
    "cursor": [f"Welcome\n{RULE}\n│ ask │\n{RULE}"],
}


@pytest.mark.parametrize("name", AGENT_TYPES)
def test_readiness(name: str) -> None:
    agent = format_for(name)
    assert agent.name == name
    for screen in READY[name]:
        assert agent.ready(["", *screen.split("\n"), "", ""]), screen
    for screen in ("", " \n ", "Loading …", "npm warn something\nStill loading"):
        assert not agent.ready(screen.split("\n")), screen


MESSAGES = [
    ("claude", f"\n> do it\n\n● Done.\n\n{CLAUDE_BOX}", "do it", "● Done."),
    ("claude", f"> do it\n  and that\n\n● Done.\n{OLD_CLAUDE_BOX}", "do it\nand that", "● Done."),
    (
        "claude",
        "● Done, a -> b is not a box.\n" + "x\n" * 7 + CLAUDE_BOX,
        "",
        "● Done, a -> b is not a box." + "\nx" * 7,
    ),
    ("codex", f"› do it\n\n• Done.\n{CODEX_OLD}", "do it", "• Done.\n\n  100% context left"),
    ("codex", f"› do it\n\n• Done.\n{CODEX_NEW}", "do it", "• Done."),
    ("opencode", f"┃ do it\n┃\n\nDone.\n{OPENCODE_BOX}", "do it", "Done."),
    ("amp", f"do it\n\nDone.{AMP_BOX}", "do it", "Done."),
    ("amp", AMP_BOX, "", "Welcome to Amp"),
    ("gemini", f"╭{RULE}╮\n│ > do it │\n╰{RULE}╯\n✦ Done.\n", "do it", "✦ Done."),
    ("copilot", f"╭{RULE}╮\n│ > do it │\n╰{RULE}╯\n● Done.\n", "do it", "● Done."),
    ("cursor", f"┌{RULE}┐\n│ do it │\n└{RULE}┘\n Done.\n", "do it", " Done."),
    ("goose", "( O)> do it\nDone.\n\n( O)> ", "do it", "Done."),
    ("aider", "> do it\n\nDone.\n\n> ", "do it", "Done."),
    ("custom", "> do it\nYou said do it.\n> ", "do it", "You said do it."),
    ("custom", "No echo here.\n> ", "something else", "No echo here."),
    ("custom", "only text", "", "only text"),
]


@pytest.mark.parametrize(("name", "text", "user", "expected"), MESSAGES)
def test_messages(name: str, text: str, user: str, expected: str) -> None:
    assert format_for(name).message(text, user) == (expected, [])


ECHOES = [
    ("", "typed", ""),
    ("text", "", "text"),
    ("typed\nreply", "typed", "reply"),
    ("> ty\n  ped over lines\nreply", "typed over lines", "reply"),
    ("│ typed │\n│ more  │\nreply", "typed\nmore", "reply"),
    ("> größe 日本\nreply", "größe 日本", "reply"),
    ("You typed this.\nreply", "typed", "You typed this.\nreply"),
    ("nothing alike", "typed", "nothing alike"),
    ("typed", "typed", ""),
    ("\n" * 30 + "> typed", "typed", ""),
]


@pytest.mark.parametrize(("text", "user", "expected"), ECHOES)
def test_the_echo_goes(text: str, user: str, expected: str) -> None:
    assert remove_user_input(text, user) == expected


CLAUDE_CALL = """● coder - coder_report_task (MCP)(summary: "x",
      state: "working")
  ⎿  {
       "message": "Thanks for reporting!"
     }"""
CODEX_CALL = """• Called
  └ Coder.coder_report_task({"state":"working"})
    {"message": "Thanks for reporting!"}
"""


def test_claude_report_calls_are_hidden() -> None:
    text, calls = format_for("claude").message(f"● One.\n\n{CLAUDE_CALL}\n\n● Two.\n\n{CLAUDE_CALL}\n\n● Three.\n")
    assert calls == [CLAUDE_CALL, CLAUDE_CALL]
    assert [line for line in text.split("\n") if line] == ["● One.", "● Two.", "● Three."]
    text, calls = format_for("claude").message("● One.\n\n● coder - coder_report_task (MCP)(summary\n\n● Two.\n")
    assert calls == []
    assert [line for line in text.split("\n") if line] == ["● One.", "● Two."]


def test_codex_report_calls_are_hidden() -> None:
    text, calls = format_for("codex").message(f"• One.\n\n{CODEX_CALL}\n\n• Two.")
    assert len(calls) == 1
    assert "coder_report_task" in calls[0]
    assert text == "• One.\n\n• Two."
    unfinished = "• One.\n\n• Called\n  └ Coder.coder_report_task({"
    assert format_for("codex").message(unfinished) == (unfinished, [])


def test_progress_is_no_part_of_a_message() -> None:
    claude, codex = format_for("claude"), format_for("codex")
    assert claude.words("● Done.\n\n✻ Tinkering… (2s · ↓ 3 tokens · esc to interrupt)\n", 80) == "Done."
    assert codex.words("• Done.\n\n• Working (2s • esc to interrupt)", 80) == "Done."
    assert codex.words("• Working on the docs is fun.", 80) == "Working on the docs is fun."
    gemini = format_for("gemini")
    assert gemini.without_transient("✦ Done.\n\n⠴ Thinking... (esc to cancel, 2s)") == "✦ Done."
    assert format_for("custom").without_transient("x\n") == "x\n"


TITLES = [
    ("claude", "◐ Claude Code", "working"),
    ("claude", "✳ Claude Code", "idle"),
    ("claude", "Claude Code", None),
    ("codex", "⠦ codex", "working"),
    ("codex", "codex", None),
    ("codex", "[ ! ] Action Required | codex", "blocked"),
    ("gemini", "  ✦  Working… (dir)  ", "working"),
    ("gemini", "◇  Ready (dir)", "idle"),
    ("custom", "◐ anything", None),
]


@pytest.mark.parametrize(("name", "title", "state"), TITLES)
def test_titles(name: str, title: str, state: str | None) -> None:
    rule = format_for(name).title_rule(title)
    assert (rule.state if rule else None) == state


MARKERS = [
    ("claude", "✻ Tinkering… (2s · esc to interrupt)", "working"),
    ("claude", " Do you want to proceed?", "blocked"),
    ("codex", "• Working (2s • esc to interrupt)", "working"),
    ("codex", "Would you like to run the following command?", "blocked"),
    ("gemini", "⠴ Thinking... (esc to cancel, 2s)", "working"),
    ("opencode", "⬝■■■■■■⬝  esc interrupt", "working"),
    ("copilot", "◎ Working · 36 B esc esc interrupt", "working"),
    ("claude", "nothing of the kind", None),
]


@pytest.mark.parametrize(("name", "row", "state"), MARKERS)
def test_markers(name: str, row: str, state: str | None) -> None:
    rule = format_for(name).marker_rule(["above", row, "", "", "> "])
    assert (rule.state if rule else None) == state
    assert format_for(name).marker_rule([row, *["below"] * 20]) is None  # history, not the foot of the screen


def test_menus() -> None:
    rows = ["Run it?", "", "│ ❯ 1. Yes            │", "│   2. Yes, always    │", "│   3. No (esc)       │", "╰───╯"]
    assert menu(rows) == ("Run it?", [("1", "Yes"), ("2", "Yes, always"), ("3", "No (esc)")])
    assert menu(["1. only one"]) == ("", [])
    assert menu(["3. not from", "4. the first"]) == ("", [])
    assert menu([]) == ("", [])


def test_agent_types() -> None:
    assert agent_type("", ["claude", "--x"]) == "claude"
    assert agent_type("", ["/usr/bin/claude"]) == "custom"
    assert agent_type("", []) == "custom"
    assert agent_type("cursor-agent") == "cursor"
    assert agent_type("", ["q"]) == "amazonq"
    assert agent_type("goose", ["claude"]) == "goose"
    with pytest.raises(InvalidInput, match="invalid agent type: x"):
        agent_type("x")


def test_interrupt_keys() -> None:
    assert {name: format_for(name).interrupt for name in ("claude", "codex", "gemini")} == dict.fromkeys(
        ("claude", "codex", "gemini"), b"\x1b"
    )
    assert {format_for(name).interrupt for name in ("goose", "aider", "custom")} == {b"\x03"}


DRAWN = [
    *(RULE, DASHES, "❯", "›", ">", "│ > │", f"╭{RULE}╮", f"╰{RULE}╯", "╹" + "▀" * 20, "", " ", "text", "do it", "\r"),
    *("• Called", "  Coder.coder_report_task", '{"message": "Thanks for reporting!"}', CLAUDE_CALL, "\u2028"),
]
_drawn = st.lists(st.sampled_from(DRAWN) | st.text(max_size=12), max_size=25).map("\n".join)


@settings(max_examples=60, deadline=None)
@given(_drawn, st.sampled_from(["", "do it", "text\nmore", "é"]) | st.text(max_size=20))
def test_any_screen_can_be_read(screen: str, user: str) -> None:
    for name in AGENT_TYPES:
        agent = format_for(name)
        text, calls = agent.message(screen, user)
        assert len(text) <= max(len(screen), len("Welcome to Amp"))
        assert all(isinstance(call, str) for call in calls)
        agent.ready(screen.split("\n"))
        agent.without_transient(text)
        agent.marker_rule(screen.split("\n"))
        agent.title_rule(screen)
        menu(screen.split("\n"))
    assert trim_empty_lines(trim_empty_lines(screen)) == trim_empty_lines(screen)


def test_large_screens_are_read_quickly() -> None:
    noise = random.Random(1)
    screen = "\n".join(base64.b64encode(noise.randbytes(60)).decode() for _ in range(3_000))
    prompt = "\n".join(f"line {n} of a very long prompt" for n in range(10_000))
    began = time.monotonic()
    for name in AGENT_TYPES:
        format_for(name).message(screen, prompt)
    assert time.monotonic() - began < 1
