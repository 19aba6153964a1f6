"""What a workspace may say, and how nonsense is answered (Coder's texts)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.agentapi.http11 import Request
from jupyter_tasks.tasks.workspace_api import Report, WorkspaceApi, clean

TASK = "0b9a1c5e-0000-0000-0000-000000000000"


class Api:
    """The app with its ears."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.snapshots: list[str] = []
        self.app = WorkspaceApi(TASK, frozenset({"ccw"}), self._report, self._snapshot)

    async def _report(self, report: Report) -> None:
        self.reports.append(report)

    async def _snapshot(self, text: str) -> None:
        self.snapshots.append(text)

    async def report(self, **body: object) -> tuple[int, dict[str, object]]:
        return await self.call("PATCH", "/api/v2/workspaceagents/me/app-status", json.dumps(body).encode())

    async def call(self, method: str, path: str, body: bytes, **query: str) -> tuple[int, dict[str, object]]:
        answer = await self.app(Request(method=method, path=path, query=query, headers={}, body=body))
        assert isinstance(answer.body, bytes)
        return answer.status, json.loads(answer.body or b"{}")


@pytest.mark.anyio
async def test_a_report_is_taken_cleaned() -> None:
    api = Api()
    status, _ = await api.report(app_slug="ccw", state="working", message="a\x1b[31mred\x07 \nline", uri="https://x/1")
    assert status == 200
    assert api.reports == [Report("ccw", "working", "a red   line", "https://x/1")]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (
            {"app_slug": "ccw", "state": "working", "message": "x" * 161},
            {"message": "Message is too long.", "detail": "Message must be less than 160 characters."},
        ),
        (
            {"app_slug": "nope", "state": "idle"},
            {"message": "Failed to get workspace app.", "detail": 'No app found with slug "nope"'},
        ),
        (
            {"app_slug": "ccw", "state": "done"},
            {
                "message": "Invalid state provided.",
                "validations": [
                    {"field": "state", "detail": "State must be one of: complete, failure, working, idle."}
                ],
            },
        ),
    ],
)
async def test_a_wrong_report_is_answered_as_coder_does(body: dict[str, object], answer: dict[str, object]) -> None:
    api = Api()
    assert await api.report(**body) == (400, answer)
    assert api.reports == []


@pytest.mark.anyio
async def test_a_link_that_is_none_is_left_out() -> None:
    api = Api()
    await api.report(app_slug="ccw", state="idle", message="", uri="javascript:alert(1)")
    assert api.reports[0].uri == ""


@pytest.mark.anyio
async def test_a_snapshot_of_this_task_only() -> None:
    api = Api()
    path = f"/api/v2/workspaceagents/me/tasks/{TASK}/log-snapshot"
    body = json.dumps({"messages": []}).encode()
    assert (await api.call("POST", path, body, format="agentapi"))[0] == 204
    assert api.snapshots == ["[]"]
    assert (await api.call("POST", path, body, format="x"))[1]["message"] == "Invalid format parameter."
    assert (await api.call("POST", path, b"{}", format="agentapi"))[1]["detail"] == 'Missing required "messages" field.'
    assert (await api.call("POST", path, b" " * (1 << 17), format="agentapi"))[0] == 400
    assert (await api.call("POST", path.replace(TASK, "other"), body, format="agentapi"))[0] == 404


@given(st.text())
def test_cleaned_text_is_one_line_without_controls(text: str) -> None:
    found = clean(text)
    assert len(found) <= 160
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in found)
