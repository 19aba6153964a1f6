"""Tasks as text and HTML: what is shown is all of it escaped, and none of it can drive a terminal."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from jupyter_tasks import models
from jupyter_tasks.notebook import render, render_changes
from jupyter_tasks.notebook.render_views import Diff, Logs, Messages, Table, Usage

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
ALLOWED = {"div", "span", "strong", "pre", "table", "thead", "tbody", "tr", "th", "td"}


class Tags(HTMLParser):
    """The elements and attributes of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def _task(text: str) -> models.Task:
    state = models.TaskStateEntry(timestamp=NOW, state=models.TaskState.idle, message=text)
    return models.Task(
        id="1", organization_id="o", owner_id="o", owner_name="ada", name=text, display_name=text, template_id="t",
        template_version_id="v", template_name=text, template_display_name=text, template_icon="",
        initial_prompt="the prompt", status=models.TaskStatus.active, current_state=state, created_at=NOW,
        updated_at=NOW, reason=text, isolation=models.IsolationInfo(kind="none", reason=text),
    )  # fmt: skip


def _diff(text: str) -> models.DiffResponse:
    file = models.DiffFile(path=text, old_path="x" + text, status="renamed", additions=1, deletions=2)
    patch = f"diff --git a/{text} b/{text}\n--- a\n+++ b\n@@ -1 +1 @@\n-{text}\n+{text}"
    return models.DiffResponse(files=[file], additions=1, deletions=2, patch=patch, truncated=True)


@given(st.text() | st.just("<script>alert(1)</script>\x1b[2J\r\u202e\x9b"))
def test_nothing_foreign_becomes_an_element_or_a_control(text: str) -> None:
    task, diff = _task(text), _diff(text)
    shown = [
        render.task_html(task, stat=text),
        render_changes.diff_html(diff),
        render.grid_html(Table.head, [render.task_row(task, NOW)]),
    ]
    for html in shown:
        found = Tags(html)
        assert found.tags <= ALLOWED
        assert found.attributes <= {"style", "scope", "aria-hidden"}
    plain = [
        render.task_text(task).replace(task.name, ""),
        render_changes.diff_text(diff),
        "".join(render.task_row(task, NOW)[3:]),
        render.messages_text([models.Message(id=0, role="agent", time=NOW, parts=[models.TextPart(text=text)])]),
    ]
    for words in plain:
        assert not {c for c in words if ord(c) < 32} - {"\n", "\t"}
        assert not {"\x7f", "\x9b", "\u202e"} & set(words)
        assert "the prompt" not in words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "just now"), (3, "just now"), (42, "42 s ago"), (125, "2 min ago"), (7300, "2 h ago"), (200_000, "2 d ago")],
)
def test_ago(seconds: int, words: str) -> None:
    assert render.ago(NOW - timedelta(seconds=seconds), NOW) == words


def test_parts_of_a_conversation() -> None:
    options = [models.PermissionOption(id="1", label="Yes"), models.PermissionOption(id="2", label="No")]
    parts: list[models.Part] = [
        models.TextPart(text="a\nb"),
        models.ToolCallPart(id="1", title="Read", status="completed", locations=["x.py"]),
        models.DiffPart(path="new.py", new_text=""),
        models.PlanPart(
            entries=[models.PlanEntry(content="think", status="completed"), models.PlanEntry(content="do")]
        ),
        models.PermissionPart(id="p", text="may I?", options=options, answer="Yes"),
    ]
    talk = Messages([models.Message(id=0, role="agent", time=NOW, parts=parts)])
    assert str(talk).split("\n") == [
        "agent: a",
        "       b",
        "       [completed] Read (x.py)",
        "       [new file] new.py",
        "       [x] think",
        "       [ ] do",
        "       ? may I? [Yes / No] → Yes",
    ]


def test_views_show_themselves_and_are_still_the_wire_s_values() -> None:
    shell = InteractiveShell.instance()
    format_ = shell.display_formatter.format
    usage = Usage(actual=900, included=1000, period=models.Period(start=NOW, end=NOW), warnings=["90 % are used."])
    diff = Diff.model_validate(_diff("a.py").model_dump())
    assert isinstance(diff, models.DiffResponse)
    assert isinstance(usage, models.UsageResponse)
    assert format_(usage)[0]["text/plain"].endswith("90 % are used.")
    assert "1 file changed" in format_(diff)[0]["text/plain"]
    assert "rgba(46,160,67" in format_(diff)[0]["text/html"]
    assert format_(Logs())[0]["text/plain"] == "No logs yet."
    assert format_(Table([], NOW))[0] == {"text/plain": "No tasks found."}
    InteractiveShell.clear_instance()
