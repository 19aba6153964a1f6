"""The notebook side in a real ipykernel, driven as a front end drives it, against a real HTTP engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from blocked import until_blocked
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from notebook_engine import NotebookEngine

from jupyter_tasks import models

pytestmark = pytest.mark.slow  # a kernel takes a second to start

Message = dict[str, Any]
VIEW = "application/vnd.jupyter.widget-view+json"


class Front:
    """A front end of one kernel."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client
        self.seen: list[Message] = []

    def run(self, code: str) -> str:
        """Ask for a cell; its messages come by ``until``."""
        return self.client.execute(code)  # type: ignore[no-any-return]

    def until(self, true: Callable[[Message], bool], seconds: float = 45.0) -> Message:
        """The next message on the broadcast channel for which ``true`` is."""
        end = time.monotonic() + seconds
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.1, end - time.monotonic()))
            self.seen.append(message)
            if true(message):
                return message

    def done(self, request: str) -> list[Message]:
        """Everything that a cell said, once it has ended."""
        self.until(
            lambda m: (
                m["msg_type"] == "status"
                and m["content"]["execution_state"] == "idle"
                and m["parent_header"].get("msg_id") == request
            )
        )
        return [m for m in self.seen if m["parent_header"].get("msg_id") == request]

    def cell(self, code: str) -> list[Message]:
        return self.done(self.run(code))


@pytest.fixture
def front(notebook_engine: NotebookEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    monkeypatch.setenv("JUPYTER_TASKS_URL", f"unix://{notebook_engine.connection.socket}")
    manager = KernelManager()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    found = Front(manager, client)
    found.cell("%load_ext jupyter_tasks")
    yield found
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


def _result(messages: list[Message]) -> Message:
    errors = [m["content"] for m in messages if m["msg_type"] == "error"]
    assert not errors, errors
    (found,) = [m["content"]["data"] for m in messages if m["msg_type"] == "execute_result"]
    return found  # type: ignore[no-any-return]


def test_a_card_lives_and_answers(front: Front, notebook_engine: NotebookEngine) -> None:
    data = _result(front.cell("%%task --name purple -o t\nmake it purple?"))
    model = data[VIEW]["model_id"]
    assert "Task purple" in data["text/plain"]
    assert "make it" not in data["text/html"]
    opened = next(m for m in front.seen if m["msg_type"] == "comm_open" and m["content"]["comm_id"] == model)
    assert opened["content"]["data"]["state"]["task"]["name"] == "purple"

    # while a cell runs, the card is told at once
    busy = front.run("import time; time.sleep(60)")
    front.until(lambda m: m["msg_type"] == "execute_input" and m["parent_header"]["msg_id"] == busy)
    task = notebook_engine.do(notebook_engine.service.get, "me", "purple")
    notebook_engine.do(notebook_engine.service.set_state, task, models.TaskState.working)
    told = lambda m: m["content"]["data"].get("state", {}).get("state") == "working"  # noqa: E731
    front.until(lambda m: m["msg_type"] == "comm_msg" and told(m), 40)
    front.manager.interrupt_kernel()
    front.done(busy)

    # a click of a host without a Jupyter server
    content = {"kind": "tasks:do", "id": "7", "action": "send", "text": "hi", "key": "k"}
    body = {"comm_id": model, "data": {"method": "custom", "content": content}}
    front.client.shell_channel.send(front.client.session.msg("comm_msg", body))
    answer = front.until(lambda m: m["msg_type"] == "comm_msg" and m["content"]["data"].get("method") == "custom")
    assert answer["content"]["data"]["content"] == {"kind": "tasks:done", "id": "7", "ok": True, "value": None}
    assert notebook_engine.service.calls[-1][2:] == (task.id, "hi", "k")


@pytest.mark.parametrize("code", ["t.wait()", "await t", "%%task --wait --name red\ngo"])
def test_interrupting_the_kernel_ends_the_waiting(
    front: Front, notebook_engine: NotebookEngine, code: str, until: Callable[..., None]
) -> None:
    front.cell("t = %task --name purple go")
    pid = int(_result(front.cell("import os; os.getpid()"))["text/plain"])
    request = front.run(code)
    until(lambda: notebook_engine.service.watched)
    until_blocked(pid)
    front.manager.interrupt_kernel()
    said = front.done(request)
    shown = "".join(m["content"].get("text", "") + "\n".join(m["content"].get("traceback", [])) for m in said)
    assert shown.count("Stopped waiting; task ") == 1
    assert "httpx" not in shown
    assert _result(front.cell("t.status"))["text/plain"] == "'pending'"


def test_a_mistake_is_one_sentence(front: Front) -> None:
    messages = front.cell("%%task\nmake it {colour}")
    (error,) = [m["content"] for m in messages if m["msg_type"] == "error"]
    assert error["ename"] == "InvalidInput"
    assert len(error["traceback"]) == 1
    assert "no variable 'colour'" in error["traceback"][0]
