"""``TaskHandle``: what it says, how it waits, what it displays."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import anyio
import pytest
from blocked import interrupt_when_blocked
from IPython.core.interactiveshell import InteractiveShell
from notebook_engine import NotebookEngine

from jupyter_tasks import TaskHandle, models
from jupyter_tasks.errors import Conflict, NotFound
from jupyter_tasks.notebook.handle import WaitInterrupted

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
EVIL = "<img src=x onerror=alert(1)>&'\"\x1b[2J"


def test_properties_are_the_engine_s_truth(notebook_engine: NotebookEngine) -> None:
    task = notebook_engine.create("purple")
    handle = TaskHandle("purple", session=notebook_engine.session)
    assert (handle.id, handle.name, handle.display_name) == (task.id, "purple", "purple")
    assert (handle.status, handle.state, handle.summary, handle.attention) == ("pending", None, "Starting", None)
    asked = models.Attention(kind="permission", text="may I?", since=NOW)
    notebook_engine.change(task, attention=asked, summary=models.Summary.needs_you)
    assert handle.summary == "Needs you"
    assert handle.attention == asked
    notebook_engine.do(notebook_engine.service.set_state, task, models.TaskState.working)
    assert (handle.status, handle.state) == ("active", "working")
    assert handle.interrupt() is True


def test_conversation(notebook_engine: NotebookEngine) -> None:
    notebook_engine.create("purple")
    handle = TaskHandle("purple", session=notebook_engine.session)
    assert handle.messages() == []
    assert str(handle.messages()) == "No messages yet."
    handle.send("hello", key="k1")
    assert notebook_engine.service.calls[-1][3:] == ("hello", "k1")
    (message,) = handle.messages()
    assert message.text == "hello"
    assert handle.logs()[0].content == "hello"


def test_lifecycle(notebook_engine: NotebookEngine) -> None:
    notebook_engine.create("purple")
    handle = TaskHandle("purple", session=notebook_engine.session)
    assert handle.pause().status == "paused"
    assert handle.resume().status == "initializing"
    with pytest.raises(Conflict):
        handle.resume()
    handle.delete()
    assert repr(handle) == "<TaskHandle 'purple': Deleted>"
    with pytest.raises(NotFound):
        handle.refresh()
    assert "Deleted" in handle._repr_mimebundle_()[0]["text/html"]


def test_a_preview_keeps_its_secret(notebook_engine: NotebookEngine) -> None:
    notebook_engine.create("purple")
    preview = TaskHandle("purple", session=notebook_engine.session).preview()
    secret = preview.url.rstrip("/").rpartition("/")[2]
    assert len(secret) >= 32
    assert secret not in repr(preview) + str(preview)


def test_waiting_ends_when_the_agent_rests(notebook_engine: NotebookEngine) -> None:
    task = notebook_engine.create("purple")
    handle = TaskHandle("purple", session=notebook_engine.session)
    timer = threading.Timer(
        0.1, lambda: notebook_engine.do(notebook_engine.service.set_state, task, models.TaskState.complete)
    )
    timer.start()
    assert handle.wait(40) is handle
    assert handle.snapshot.current_state is not None
    timer.join()


def test_waiting_has_a_limit(notebook_engine: NotebookEngine) -> None:
    notebook_engine.create("purple")
    with pytest.raises(TimeoutError, match="still Starting"):
        TaskHandle("purple", session=notebook_engine.session).wait(0.05)


def test_interrupt_ends_the_waiting_and_not_the_task(
    shell: InteractiveShell, notebook_engine: NotebookEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook_engine.create("purple")
    interrupt = interrupt_when_blocked(signal.SIGINT)  # what a kernel's interrupt does
    shell.push({"interrupt_soon": interrupt.start})
    result = shell.run_cell("t = %tasks show purple\ninterrupt_soon()\nt.wait()\nafter = 1")
    assert isinstance(result.error_in_exec, WaitInterrupted)
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    assert "after" not in shell.user_ns
    interrupt.join()
    shown = capsys.readouterr().out
    assert shown.strip() == "Stopped waiting; task purple goes on."
    assert shell.user_ns["t"].status == "pending"


@pytest.mark.anyio
async def test_await_does_not_block_the_loop(notebook_engine: NotebookEngine) -> None:
    task = notebook_engine.create("purple")
    handle = TaskHandle(task, session=notebook_engine.session)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await anyio.sleep(0.01)

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        await anyio.sleep(0.05)
        await anyio.to_thread.run_sync(
            lambda: threading.Timer(
                0.2, lambda: notebook_engine.do(notebook_engine.service.set_state, task, models.TaskState.idle)
            ).start()
        )
        assert await handle is handle
        group.cancel_scope.cancel()
    assert ticks > 10
    assert handle.snapshot.status == "active"


def test_await_in_a_cell(shell: InteractiveShell, notebook_engine: NotebookEngine) -> None:
    task = notebook_engine.create("purple")
    notebook_engine.do(notebook_engine.service.set_state, task, models.TaskState.idle)
    result = shell.run_cell("t = %tasks show purple\n(await t).name")
    result.raise_error()
    assert result.result == "purple"


@pytest.mark.anyio
async def test_a_cancelled_await_ends_and_leaves_nothing(notebook_engine: NotebookEngine) -> None:
    handle = TaskHandle(notebook_engine.create("purple"), session=notebook_engine.session)
    before = asyncio.all_tasks()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(handle, 0.1)
    assert asyncio.all_tasks() == before
    shown: list[str] = []

    async def cell() -> None:
        try:
            await handle
        except asyncio.CancelledError as error:
            shown.extend(error._render_traceback_())  # type: ignore[attr-defined]
            raise

    task = asyncio.ensure_future(cell())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shown == ["Stopped waiting; task purple goes on."]


@pytest.mark.anyio
async def test_await_of_a_deleted_task_raises(notebook_engine: NotebookEngine) -> None:
    handle = TaskHandle(notebook_engine.create("purple"), session=notebook_engine.session)
    await anyio.to_thread.run_sync(handle.delete)
    with pytest.raises(NotFound):
        await handle


def _plain(handle: TaskHandle) -> dict[str, Any]:
    return handle._repr_mimebundle_()[0]


def test_display_without_a_kernel_is_text_and_escaped_html(notebook_engine: NotebookEngine) -> None:
    task = notebook_engine.create(
        "purple",
        display_name=EVIL,
        reason=EVIL,
        template_display_name=EVIL,
        isolation=models.IsolationInfo(kind="none", reason="x"),
        parameters={"password": "hunter2"},
        capabilities=models.Capabilities(diff=True),
        summary=models.Summary.ready,
        queue_position=2,
    )

    async def diff(user: str, wanted: str) -> models.DiffResponse:
        file = models.DiffFile(path="a.css", status="modified", additions=2, deletions=1)
        return models.DiffResponse(files=[file], additions=2, deletions=1, patch="+x")

    notebook_engine.service.diff = diff  # type: ignore[method-assign]
    handle = TaskHandle(task, session=notebook_engine.session)
    assert "changed" not in _plain(handle)["text/plain"]
    handle.diff()
    data = _plain(handle)
    assert set(data) == {"text/plain", "text/html"}
    for text in data.values():
        assert "secret prompt" not in text
        assert "hunter2" not in text
        assert "\x1b" not in text
        assert "not isolated" in text
        assert "1 file changed, +2" in text
        assert "Ready to review" in text
    assert "<img" not in data["text/html"]
    assert "&lt;img" in data["text/html"]


def test_display_never_fails(notebook_engine: NotebookEngine, capsys: pytest.CaptureFixture[str]) -> None:
    task = notebook_engine.create("purple")
    handle = TaskHandle(task, session=notebook_engine.session)

    async def broken(user: str, wanted: str) -> models.Task:
        raise Conflict("The engine is being moved.")

    notebook_engine.service.get = broken  # type: ignore[method-assign]
    assert "purple" in _plain(handle)["text/plain"]
    assert "being moved" in capsys.readouterr().err


def test_display_in_a_kernel_carries_the_card(
    shell: InteractiveShell, notebook_engine: NotebookEngine, until: Callable[..., None]
) -> None:
    notebook_engine.create("purple")
    handle = TaskHandle("purple", session=notebook_engine.session)
    shell.add_traits  # noqa: B018 - a shell is HasTraits; a kernel's has one named kernel
    object.__setattr__(shell, "kernel", object())
    data = _plain(handle)
    view = data["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == handle.widget.model_id
    assert "text/html" in data
    assert _plain(handle)["application/vnd.jupyter.widget-view+json"] == view
    handle.widget.close()
    assert handle.widget.model_id != view["model_id"]
    handle.widget.close()
