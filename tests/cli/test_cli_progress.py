"""One line a stage, however the log comes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from jupyter_tasks.cli.progress import Progress
from jupyter_tasks.cli.talk import Talk
from jupyter_tasks.models import BuildLogEntry, Message

BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def entry(seconds: float, stage: str, text: str = "x", level: str = "info", build: str = "b") -> BuildLogEntry:
    time = BEGAN + timedelta(seconds=seconds)
    return BuildLogEntry.model_validate(
        {"id": 1, "build_id": build, "stage": stage, "level": level, "text": text, "time": time}
    )


def shown(capsys: pytest.CaptureFixture[str], *entries: BuildLogEntry, well: bool = True) -> list[str]:
    progress = Progress(BEGAN)
    for one in entries:
        progress.heard(one)
    progress.end(well=well)
    return capsys.readouterr().out.splitlines()


def test_a_stage_ends_where_a_later_one_begins(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(
        capsys,
        entry(0.1, "plan", "2 scripts"),
        entry(0.2, "workspace", "Starting"),
        entry(0.5, "workspace", "isolated"),
        entry(0.6, "files", "in place"),
        entry(0.7, "apps", "preview: initializing"),
        entry(0.8, "scripts", "Dashboard: running"),
        entry(1.1, "apps", "preview: healthy"),
        entry(1.4, "scripts", "Dashboard: done"),
        entry(1.5, "agent", "ready", "done"),
        entry(1.6, "apps", "late"),
    )
    assert lines == [
        "✓ plan        0.10 s  2 scripts",
        "✓ workspace   0.40 s  isolated",
        "✓ files       0.10 s  in place",
        "✓ scripts     0.80 s  Dashboard: done",
        "✓ apps        0.50 s  preview: healthy",
        "✓ agent       0.10 s  ready",
    ]


def test_what_failed_is_not_ticked(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(
        capsys, entry(0.1, "plan"), entry(0.2, "workspace", "a\x1b[2J\nb", "error"), entry(0.3, "workspace"), well=False
    )
    assert lines == ["✓ plan        0.10 s  x", "✗ workspace           a b"]


def test_another_build_begins_anew(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, entry(1, "workspace", level="done"), entry(5, "workspace", build="c"))
    assert lines == ["✓ workspace   1.00 s  x", "✓ workspace   0.00 s  x"]


def message(number: int, text: str, role: str = "agent") -> Message:
    parts = [{"type": "text", "text": text}]
    return Message.model_validate({"id": number, "role": role, "time": BEGAN, "parts": parts})


def told(*messages: Message) -> list[str]:
    lines: list[str] = []
    talk = Talk(lines.append)
    for one in messages:
        talk.heard(one)
    talk.end()
    assert lines[:1] in ([], [""])  # an empty line before each message
    return lines[1:]


def test_a_growing_message_is_printed_once() -> None:
    assert told(*(message(0, "one\ntwo\nthree"[:size]) for size in range(14))) == ["one", "two", "three"]


def test_the_users_own_words_are_left_out() -> None:
    assert told(message(0, "hi", "user"), message(1, "hello"), message(2, "thanks", "user")) == ["hello"]


def test_a_rewritten_message_is_printed_again_only_when_it_is_final() -> None:
    assert told(message(0, "a\nb\nc"), message(0, "a\nX\nc"), message(0, "a\nX\nd"), message(1, "next")) == [
        "a", "b", "X", "d", "", "next",
    ]  # fmt: skip


def test_an_old_message_that_comes_again_is_not_printed_again() -> None:
    assert told(message(0, "a"), message(1, "b"), message(0, "a"), message(1, "b")) == ["a", "", "b"]


def test_each_kind_of_part_has_its_line() -> None:
    parts = [
        {"type": "tool_call", "id": "1", "title": "Edit style.css", "status": "completed"},
        {"type": "diff", "path": "style.css", "new_text": "x"},
        {"type": "plan", "entries": [{"content": "look", "status": "completed"}, {"content": "do"}]},
        {"type": "permission", "id": "p", "text": "Run it?", "options": [{"id": "y", "label": "Yes"}]},
    ]
    found = told(Message.model_validate({"id": 0, "role": "agent", "time": BEGAN, "parts": parts}))
    assert found == ["✓ Edit style.css", "± style.css", "✓ look", "· do", "? Run it?", "  [1] Yes"]
