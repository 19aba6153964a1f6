"""What each agent's terminal looks like: boxes, echoes, tool calls, titles, markers. The screens are our own."""

from __future__ import annotations

import base64
import random
import time

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_tasks.agentapi.formats import AGENT_TYPES, agent_type, format_for
from jupyter_tasks.agentapi.formats.base import trim_empty_lines
from jupyter_tasks.agentapi.formats.dialogs import find_dialog, marked_dialog, option_kind
from jupyter_tasks.agentapi.formats.echo import remove_user_input
from jupyter_tasks.agentapi.formats.prose import joined
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
    for find in (find_dialog, marked_dialog):
        found = find([*rows, *[""] * 900])
        assert found is not None
        assert (found.text, found.first) == ("Run it?", 0)
        assert found.options == (("1", "Yes"), ("2", "Yes, always"), ("3", "No (esc)"))
    assert find_dialog(["1. only one"]) is None
    assert find_dialog(["3. not from", "4. the first"]) is None
    assert find_dialog([]) is None


def test_a_numbered_list_is_no_question() -> None:
    rows = ["● The plan:", "", "  1. write the file", "  2. report", ""]
    assert marked_dialog(rows) is None
    assert format_for("claude").words("\n".join(rows), 80) == "The plan:\n\n1. write the file\n2. report"
    typed = ["› 1. write the file", "  2. report", *(f"• row {n}" for n in range(9))]
    assert marked_dialog(typed) is None


def test_a_dialog_begins_at_its_rule_and_labels_may_wrap() -> None:
    rows = [
        "● Is this a question?",
        "─" * 60,
        " Bash command",
        " Tip: there are other modes",
        " echo hi",
        "╌" * 60,
        " Do you want to proceed?",
        " ❯ 1. Yes",
        "   2. Yes, and always allow access to",
        "      /a/b from this project",
        "   3. No",
        "",
        " Esc to cancel",
    ]
    found = marked_dialog(rows)
    assert found is not None
    assert (found.first, found.text) == (1, "Bash command echo hi Do you want to proceed?")
    assert found.options[1] == ("2", "Yes, and always allow access to /a/b from this project")
    assert [option_kind(label) for _, label in found.options] == ["allow_once", "allow_always", "reject_once"]
    assert option_kind("Something else") == ""
    codex = marked_dialog(
        ["  Allow it?", "  › 1. Allow      Run the tool", "    2. Always allow  Remember", "    3. Cancel"]
    )
    assert codex is not None
    assert codex.options == (("1", "Allow: Run the tool"), ("2", "Always allow: Remember"), ("3", "Cancel"))
    assert [option_kind(label) for _, label in codex.options] == ["allow_once", "allow_always", "reject_once"]
    assert format_for("claude").words("\n".join(rows), 80) == "Is this a question?"


WRAPPED = [
    (["one two three four five six seven", "eight"], ["one two three four five six seven eight"]),
    (["one two three four five six", "eight"], ["one two three four five six", "eight"]),
    (["- one two three four five six sevn", "  eight"], ["- one two three four five six sevn eight"]),
    (["- one two three four five six sevn", "- eight"], ["- one two three four five six sevn", "- eight"]),
    (["one two three four five six seven", "", "eight"], ["one two three four five six seven", "", "eight"]),
    (["call(one, two, three, four, five) {", "eight"], ["call(one, two, three, four, five) {", "eight"]),
    (["x" * 38, "eight"], ["x" * 38, "eight"]),
    (["日本 " + "語" * 17, "語語"], ["日本 " + "語" * 19]),
    (["", "eight"], ["", "eight"]),
]


@pytest.mark.parametrize(("rows", "paragraphs"), WRAPPED)
def test_wrapped_rows_are_joined(rows: list[str], paragraphs: list[str]) -> None:
    assert joined(rows, 40) == paragraphs
    assert joined(rows, 20) == rows


CLAUDE_WORDS = [
    ("● Words.\n\n● Write(a.txt)\n  ⎿  Wrote 2 lines to a.txt\n      1 a\n\n● More.", "Words.\n\nMore."),
    ("● Words.\n\n  Ran 1 shell command\n\n● More.", "Words.\n\nMore."),
    ("● Words.\n\n  Read 2 files, ran 1 shell command\n", "Words."),
    ("● I Ran 1 shell command.\n  Called him.", "I Ran 1 shell command.\nCalled him."),
    ("● Running 1 shell command…\n  ⎿  $ sleep 9", ""),
    ("● Reading 1 file… (ctrl+o to expand)", ""),
    ("●", ""),
    ("● Half a sen\n  ⎿  Interrupted · What should Claude do instead?", "Half a sen\n\nInterrupted."),
    ("  ⎿  Credit balance too low · Add funds: there", "Credit balance too low · Add funds: there"),
    ("✻ 401 invalid x-api-key · retrying in 16s · attempt 6/10", "401 invalid x-api-key (trying again)"),
    ("● Words.\n\n✻ Worked for 1s · done 7:16 PM\n\n" + " " * 60 + "◐ medium · /effort", "Words."),
    ("A version that draws no bullets.", "A version that draws no bullets."),
    ("● Words.\n\n❯ typed meanwhile\n", "Words."),
    ("● Words.\n" + "─" * 60 + "\n something below", "Words."),
]


@pytest.mark.parametrize(("text", "words"), CLAUDE_WORDS)
def test_what_claude_says(text: str, words: str) -> None:
    assert format_for("claude").words(text, 80) == words


CODEX_WORDS = [
    ("• Words.\n\n• Added a.txt (+2 -0)\n    1 +a\n    + Show details\n\n• More.", "Words.\n\nMore."),
    ("• Words.\n\n• Ran cat a.txt\n  └ hello\n    world\n\n• More.", "Words.\n\nMore."),
    ("• Called coder.coder_report_task\n  └ Thanks for reporting!\n    + Show details", ""),
    ("• Added is the first word, and this is prose.", "Added is the first word, and this is prose."),
    ("• Words.\n  └ Tip: You can resume.\n\n  Worked for <1s • 19:16", "Words."),
    (
        "◦ Reconnecting... 3/5 (1s • esc to interrupt)\n  └ Unexpected status 401: no",
        "Unexpected status 401: no (trying again)",
    ),
    ('■ {"error": {"message": "Too low.",\n"type": "x"}}', "Too low."),
    ('■ {"error": cut off', '{"error": cut off'),
    ('■ {"error": ["odd"]}', '{"error": ["odd"]}'),
    ("■ Conversation interrupted - use /feedback if something went wrong", "Interrupted."),
    ("• Working (2s • esc to interrupt)", ""),
    ("A version that draws no bullets.", "A version that draws no bullets."),
    ("  ? for shortcuts", ""),
]


@pytest.mark.parametrize(("text", "words"), CODEX_WORDS)
def test_what_codex_says(text: str, words: str) -> None:
    assert format_for("codex").words(text, 80) == words


LEADS = [
    ("claude", "/help me", "> "),
    ("claude", "/etc/hosts is wrong", " "),
    ("claude", "! not a command", " "),
    ("claude", "words", ""),
    ("codex", "/help me", " "),
    ("codex", "@file", " "),
    ("codex", "words", ""),
    ("custom", "/help me", ""),
]


@pytest.mark.parametrize(("name", "text", "lead"), LEADS)
def test_what_looks_like_a_command_is_a_message(name: str, text: str, lead: str) -> None:
    assert format_for(name).lead(text) == lead


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
        ("claude", "codex", "gemini"), (b"\x1b",)
    )
    assert format_for("opencode").interrupt == (b"\x1b", b"\x1b")
    assert {format_for(name).interrupt for name in ("goose", "aider", "custom")} == {(b"\x03",)}


DRAWN = [
    *(RULE, DASHES, "❯", "›", ">", "│ > │", f"╭{RULE}╮", f"╰{RULE}╯", "╹" + "▀" * 20, "", " ", "text", "do it", "\r"),
    *("• Called", "  Coder.coder_report_task", '{"message": "Thanks for reporting!"}', CLAUDE_CALL, "\u2028"),
]
_drawn = st.lists(st.sampled_from(DRAWN) | st.text(max_size=12), max_size=25).map("\n".join)


@settings(max_examples=examples(60))
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
        marked_dialog(screen.split("\n"))
        agent.words(screen, 40)
        agent.steady(screen.split("\n"))
    assert trim_empty_lines(trim_empty_lines(screen)) == trim_empty_lines(screen)


def test_large_screens_are_read_quickly() -> None:
    noise = random.Random(1)
    screen = "\n".join(base64.b64encode(noise.randbytes(60)).decode() for _ in range(3_000))
    prompt = "\n".join(f"line {n} of a very long prompt" for n in range(10_000))
    began = time.process_time()
    for name in AGENT_TYPES:
        text, _ = format_for(name).message(screen, prompt)
        format_for(name).words(text, 80)
    assert time.process_time() - began < 1
