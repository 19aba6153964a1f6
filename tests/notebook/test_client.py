"""The clients against a real engine socket: calls, errors, retries, and coming back after the engine was restarted."""

from __future__ import annotations

import contextlib
import inspect
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks import errors, models
from jupyter_tasks.notebook import calls, transport
from jupyter_tasks.notebook.client import AsyncClient, Client, settled
from jupyter_tasks.notebook.discovery import Connection
from jupyter_tasks.server.app import make_app
from jupyter_tasks.server.errors import error_body
from jupyter_tasks.server.listening import EngineServer
from jupyter_tasks.testing.service import FakeService


@pytest.fixture
def client(notebook_engine: Any) -> Any:
    with Client(notebook_engine.connection) as found:
        yield found


def entry(state: str) -> models.TaskStateEntry:
    return models.TaskStateEntry(timestamp=datetime.now(timezone.utc), state=models.TaskState(state), message="")


def test_both_clients_have_the_same_methods_with_the_same_arguments() -> None:
    def shape(kind: type) -> dict[str, list[str]]:
        return {
            name: [str(p).split(":")[0] for p in inspect.signature(value).parameters.values()]
            for name, value in inspect.getmembers(kind, callable)
            if not name.startswith("_")
        }

    assert shape(Client) == shape(AsyncClient)
    assert "apply" in shape(Client)


def test_importing_it_costs_nothing_heavy() -> None:
    heavy = ("httpx", "pydantic", "anyio", "tornado", "IPython", "jupyter_tasks.models", "jupyter_tasks.launch")
    script = (
        "import sys, jupyter_tasks.notebook.client as c\nassert c.Client()\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[]\n"


def test_every_call_round_trips(notebook_engine: Any, client: Client) -> None:
    task = client.create(models.CreateTaskRequest(input="make it purple", name="purple"))
    assert client.get("purple").id == client.get("ada/PURPLE").id == client.get(task.id).id
    assert [one.id for one in client.list('owner:"me"')] == [task.id]
    assert client.buildinfo().owner_name == "ada"
    client.send(task.id, "more", key="k")
    assert notebook_engine.service.calls[-1] == ("send", notebook_engine.service.owner_id, task.id, "more", "k")
    assert [message.text for message in client.messages(task.id)] == ["more"]
    assert client.logs(task.id).logs[0].content == "more"
    assert client.builds(task.id)[0].transition == "start"
    assert client.interrupt(task.id) is False
    assert client.diff(task.id).files == []
    build = client.pause(task.id)
    assert build is not None
    assert build.transition == "stop"
    client.update_input(task.id, "better")
    assert client.get(task.id).initial_prompt == "better"
    assert client.resume(task.id) is not None
    assert client.preview(task.id).path.startswith("preview/")
    assert client.usage().included == 1000
    assert client.template(client.templates()[0].name).name == "quickstart"
    assert client.type_terminal(task.id, models.TerminalInput(data="eA==", key="1")) is False
    assert client.type_terminal(task.id, models.TerminalInput(data="eA==", key="1")) is True
    client.handover()
    client.delete(task.id)
    with pytest.raises(errors.NotFound, match="Resource not found"):
        client.get(task.id)
    with pytest.raises(errors.NotFound):
        client.doctor()


def test_the_terminal_comes_as_bytes(notebook_engine: Any, client: Client) -> None:
    task = notebook_engine.create()
    notebook_engine.service.terminal_bytes = bytes(range(256)) * 100
    with client.terminal(task.id, offset=-300, follow=False) as terminal:
        assert (terminal.offset, terminal.cols, terminal.rows) == (25_300, 80, 24)
        assert b"".join(terminal) == (bytes(range(256)) * 2)[-300:]


@pytest.mark.parametrize("task", ["", " ", "a/b/c", "/", "a/", "/b"])
def test_what_names_no_task_is_refused_here(task: str) -> None:
    with pytest.raises(errors.InvalidInput, match="invalid task identifier"):
        calls.task_path(task)


@given(st.text(min_size=1).filter(lambda text: "/" not in text and text.strip()))
def test_a_name_cannot_leave_its_place_in_the_path(name: str) -> None:
    try:
        path = calls.task_path(name)
    except UnicodeEncodeError:  # half a surrogate is no text
        return
    assert path.count("/") == 2
    assert not set("?#%").intersection(path.replace("%", "", path.count("%")))


@pytest.mark.parametrize("kind", sorted(transport.error_classes().values(), key=lambda kind: kind.__name__))
def test_every_error_comes_back_as_the_class_it_was(kind: type[errors.TasksError]) -> None:
    sent = kind("What.", hint="Do.", detail="More.", validations=[errors.FieldError("name", "long")])
    raw = error_body(sent).model_dump_json(exclude_none=True).encode()
    found = transport.refusal(400, raw, Connection("socket", "http://engine/"))
    assert type(found) is kind
    assert (found.message, found.hint, found.code, found.retryable) == (
        sent.message, sent.hint, sent.code, sent.retryable,
    )  # fmt: skip
    assert "More." in found.detail
    assert list(found.validations) == list(sent.validations)


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (302, "server", errors.Forbidden),
        (403, "server", errors.Forbidden),
        (404, "server", errors.EngineUnavailable),
        (404, "socket", errors.NotFound),
        (503, "server", errors.EngineUnavailable),
        (500, "url", errors.TasksError),
    ],
)
@pytest.mark.parametrize("raw", [b"", b"<html>login</html>", b'{"message": "no", "reason": null}', b"[1]", b"\xff"])
def test_answers_that_are_not_ours(status: int, kind: str, error: type[Exception], raw: bytes) -> None:
    connection = Connection(kind, "http://127.0.0.1:8888/jupyter-tasks/", token="secret")
    found = transport.refusal(status, raw, connection)
    assert isinstance(found, error)
    assert "secret" not in str(found) + repr(found) + repr(connection)


@given(st.integers(100, 599), st.binary())
def test_no_body_breaks_the_reading_of_a_refusal(status: int, raw: bytes) -> None:
    assert isinstance(transport.refusal(status, raw, Connection("url", "http://x/")), errors.TasksError)


def test_an_answer_of_another_world_is_a_version_mismatch() -> None:
    with pytest.raises(errors.VersionMismatch, match="not what this version"):
        calls.decode(calls.get("x"), b'{"id": 3}')
    with pytest.raises(errors.VersionMismatch):
        calls.decode(calls.builds("x"), b"{}")
    with pytest.raises(errors.VersionMismatch):
        calls.decode(calls.doctor(), b"[")


# ---------------------------------------------------------------- waiting


@pytest.mark.parametrize(
    ("status", "state", "attention", "over"),
    [
        ("pending", None, False, False),
        ("initializing", None, False, False),
        ("initializing", "working", False, False),
        ("initializing", "failure", False, True),
        ("active", None, False, False),
        ("active", "working", False, False),
        ("active", "working", True, True),
        ("active", "idle", False, True),
        ("active", "complete", False, True),
        ("active", "failure", False, True),
        ("paused", None, False, True),
        ("error", None, False, True),
        ("unknown", None, False, False),
    ],
)
def test_what_is_worth_no_more_waiting(
    notebook_engine: Any, status: str, state: str | None, attention: bool, over: bool
) -> None:
    now = datetime.now(timezone.utc)
    task = notebook_engine.create(
        status=models.TaskStatus(status),
        current_state=entry(state) if state else None,
        attention=models.Attention(kind="question", text="?", since=now) if attention else None,
    )
    assert settled(task) is over


def test_wait_returns_with_the_event(notebook_engine: Any, client: Client) -> None:
    task = notebook_engine.create(status=models.TaskStatus.active, current_state=entry("working"))
    found: list[models.Task] = []
    waiting = threading.Thread(target=lambda: found.append(client.wait(task.id, timeout=40)))
    waiting.start()
    notebook_engine.change(task, status=models.TaskStatus.active, current_state=entry("idle"))
    waiting.join(40)
    assert found[0].current_state is not None
    assert found[0].current_state.state == "idle"


def test_wait_takes_any_condition_and_gives_up_in_time(notebook_engine: Any, client: Client) -> None:
    task = notebook_engine.create()
    assert client.wait(task.id, until=lambda one: one.status == "pending").id == task.id
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"Task purple is still Starting after 0\.2 s"):
        client.wait(task.id, timeout=0.2)
    assert 0.2 <= time.monotonic() - begun < 20


def test_wait_ends_when_the_task_is_deleted(notebook_engine: Any, client: Client) -> None:
    task = notebook_engine.create()

    def delete() -> None:
        notebook_engine.portal.call(notebook_engine.service.delete, "me", task.id)

    with closing(client.watch(task.id)) as seen:
        next(seen)
        delete()
        with pytest.raises(errors.NotFound):
            next(seen)


@pytest.mark.anyio
async def test_async_wait_times_out_and_is_cancelled_cleanly(notebook_engine: Any) -> None:
    task = await anyio.to_thread.run_sync(notebook_engine.create)
    async with AsyncClient(notebook_engine.connection) as client:
        with pytest.raises(TimeoutError, match="still Starting"):
            await client.wait(task.id, timeout=0.1)
        with anyio.move_on_after(0.1) as scope:
            await client.wait(task.id)
        assert scope.cancelled_caught
        assert (await client.get(task.id)).id == task.id


# ---------------------------------------------------------------- the engine goes and comes


@asynccontextmanager
async def engine(service: FakeService, path: Path) -> AsyncIterator[None]:
    server = EngineServer(make_app(service, info=service.info, handover=lambda: None))
    server.bind_socket(path)
    try:
        yield
    finally:
        service.end_streams()
        await server.close()


@pytest.mark.anyio
@pytest.mark.slow
async def test_events_go_on_after_a_restart_without_losing_or_repeating_one(tmp_path: Path) -> None:
    service, path = FakeService(), tmp_path / "s"
    seen: list[int] = []
    async with AsyncClient(Connection("socket", "http://engine/", socket=path)) as client:

        async def read(count: int, done: Callable[[], None]) -> None:
            async with aclosing(client.events(after=0)) as events:
                async for event in events:
                    seen.append(event.id)
                    if len(seen) == count:
                        done()
                        return

        with anyio.fail_after(40):
            async with anyio.create_task_group() as group:
                async with engine(service, path):
                    service.publish(models.EventType.usage, None, {})
                    group.start_soon(read, 5, lambda: None)
                    while len(seen) < 1:  # noqa: ASYNC110
                        await anyio.sleep(0.01)
                    service.publish(models.EventType.usage, None, {})
                service.publish(models.EventType.usage, None, {})
                service.publish(models.EventType.usage, None, {})
                async with engine(service, path):
                    while len(seen) < 4:  # noqa: ASYNC110
                        await anyio.sleep(0.01)
                    service.publish(models.EventType.usage, None, {})
                    while len(seen) < 5:  # noqa: ASYNC110
                        await anyio.sleep(0.01)
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.anyio
async def test_from_now_on_means_now_also_across_a_restart(tmp_path: Path) -> None:
    service, path = FakeService(), tmp_path / "s"
    service.publish(models.EventType.usage, None, {})
    async with AsyncClient(Connection("socket", "http://engine/", socket=path)) as client:
        with anyio.fail_after(40):
            async with engine(service, path), aclosing(client.events()) as events:
                first = events.__anext__()

                async def publish() -> None:
                    while not service._readers:  # noqa: ASYNC110
                        await anyio.sleep(0.01)
                    service.publish(models.EventType.usage, None, {"actual": 7})

                async with anyio.create_task_group() as group:
                    group.start_soon(publish)
                    event = await first
    assert (event.id, event.data) == (2, {"actual": 7})


class Flaky:
    """A listener that answers some connections with nothing at all."""

    def __init__(self, path: Path, broken: int, answer: bytes) -> None:
        self.path, self.left, self.answer = path, broken, answer
        self.requests: list[bytes] = []

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        listener = await anyio.create_unix_listener(self.path)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, self._serve)
            yield
            group.cancel_scope.cancel()

    async def _serve(self, stream: Any) -> None:
        async with stream:
            with contextlib.suppress(anyio.EndOfStream):  # somebody only looks whether we are there
                await self._answer(stream)

    async def _answer(self, stream: Any) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0)
        while len(body) < length:
            body += await stream.receive()
        self.requests.append(head.split(b"\r\n")[0] + b" " + body)
        self.left -= 1
        if self.left < 0:
            await stream.send(self.answer)


USAGE = b'{"actual": 1, "included": 1000, "period": {"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}}'
HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"


@pytest.mark.anyio
async def test_a_safe_call_is_made_again_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSE", 0.01)
    flaky = Flaky(tmp_path / "s", 1, HEAD % (b"200 OK", len(USAGE)) + USAGE)
    async with flaky.run(), AsyncClient(Connection("socket", "http://engine/", socket=flaky.path)) as client:
        assert (await client.usage()).included == 1000
        assert len(flaky.requests) == 2
        flaky.left = 2
        with pytest.raises(errors.EngineUnavailable, match="broke"):
            await client.usage()
        assert len(flaky.requests) == 4


@pytest.mark.anyio
async def test_what_may_have_had_an_effect_is_not_repeated_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PAUSE", 0.01)
    flaky = Flaky(tmp_path / "s", 1, HEAD % (b"204 No Content", 0))
    async with flaky.run(), AsyncClient(Connection("socket", "http://engine/", socket=flaky.path)) as client:
        for call in (client.pause, client.resume, client.delete, client.interrupt):
            flaky.left, flaky.requests = 1, []
            with pytest.raises(errors.EngineUnavailable):
                await call("x")
            assert len(flaky.requests) == 1
        flaky.left, flaky.requests = 1, []
        await client.send("x", "hello")
        assert len(flaky.requests) == 2
        assert flaky.requests[0] == flaky.requests[1]  # the same key: it is said once
        assert b'"key"' in flaky.requests[0]


@pytest.mark.anyio
async def test_the_engines_own_word_that_it_restarts_is_heeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSE", 0.01)
    body = error_body(errors.EngineUnavailable("The engine restarts.")).model_dump_json().encode()
    flaky = Flaky(tmp_path / "s", 0, HEAD % (b"503 Unavailable", len(body)) + body)
    async with flaky.run():
        connection = Connection("socket", "http://engine/", socket=flaky.path)
        with pytest.raises(errors.EngineUnavailable, match="The engine restarts"):
            await anyio.to_thread.run_sync(lambda: Client(connection).usage())
    assert len(flaky.requests) == 2


def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSE", 0.01)
    with Client(Connection("socket", "http://engine/", socket=tmp_path / "s")) as client:
        with pytest.raises(errors.EngineUnavailable, match="does not answer") as raised:
            client.delete("x")
        assert "doctor" in raised.value.hint
