"""The user is told once when a task needs them, by a real command and a real HTTP server."""

from __future__ import annotations

import http.server
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import anyio
import pytest
from journals import journal_in
from stored_tasks import stored_task
from traitlets import TraitError
from traitlets.config import Config

from jupyter_tasks.models import Summary
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.journal import Journal
from jupyter_tasks.store.task_rows import mark_deleted
from jupyter_tasks.tasks import notify
from jupyter_tasks.tasks.notify import Notify
from jupyter_tasks.tasks.notify_send import post, run_command
from jupyter_tasks.testing.clock import FakeClock

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
PAYLOAD = {"event": "failed", "summary": "Failed", "task": {"id": "t1", "name": "n1\0"}}


class Hook:
    """An HTTP server that answers with the statuses it is given, then with 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[Any] = []
        self.headers: list[dict[str, str]] = []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.got.append(json.loads(body))
                hook.headers.append({key.lower(): value for key, value in self.headers.items()})
                status = hook.statuses.pop(0) if hook.statuses else 200
                self.send_response(status)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?secret=hush"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    yield found
    found.close()


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in another process or thread
            await anyio.sleep(0.01)


class Engine:
    """A journal, a clock, and what was told."""

    def __init__(self, journal: Journal, clock: FakeClock, hook: Hook) -> None:
        self.journal, self.clock, self.hook = journal, clock, hook

    async def say(self, task: str, word: Summary, *, settle: float = 3.0, **more: Any) -> None:
        data = {"id": task, "summary": word.value, **more}
        await self.journal.change(lambda change: change.emit("task", task, data))
        await self.clock.advance(settle)

    async def told(self, count: int) -> list[str]:
        """What was told so far, once it is that much; and nothing follows."""
        await until(lambda: len(self.hook.got) >= count)
        await anyio.sleep(0.05)
        return [f"{each['task']['name']} {each['event']}" for each in self.hook.got]


@asynccontextmanager
async def engine(
    tmp_path: Path, hook: Hook, *, tasks: int = 2, status: str = "pending", kind: type[Notify] = Notify, **settings: Any
) -> AsyncIterator[Engine]:
    clock = FakeClock(NOW)
    async with journal_in(tmp_path, Journal, clock) as journal:
        for number in range(1, tasks + 1):
            await journal.change(stored_task(number, NOW, transition="start", status=status))
        settings.setdefault("webhook", hook.url)
        async with anyio.create_task_group() as group:
            group.start_soon(kind(**settings).run, journal, clock)
            await until(lambda: journal.listeners == 1)
            run = Engine(journal, clock, hook)
            await run.say("t0", Summary.working, settle=0)
            await until(lambda: clock.sleepers == 1)  # it has taken in how things stood
            await clock.advance(3)
            yield run
            group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_each_entering_is_told_once(tmp_path: Path, hook: Hook) -> None:
    async with engine(tmp_path, hook) as run:
        await run.say("t1", Summary.working)
        await run.say("t1", Summary.needs_you)
        await run.say("t1", Summary.needs_you, stage="else")
        await run.say("t2", Summary.ready)
        assert await run.told(2) == ["n1 needs_you", "n2 ready"]
        await run.say("t1", Summary.working)
        await run.say("t1", Summary.needs_you)
        await run.say("t1", Summary.failed)
        assert await run.told(4) == ["n1 needs_you", "n2 ready", "n1 needs_you", "n1 failed"]
    assert hook.got[0] == {
        "event": "needs_you",
        "summary": "Needs you",
        "time": "2026-06-01T00:00:08+00:00",
        "url_path": "/tasks/ann/t1",
        "task": {
            "id": "t1",
            "name": "n1",
            "display_name": "Title",
            "owner_name": "ann",
            "template": "quickstart",
        },
    }
    assert "a secret" not in json.dumps(hook.got), "the prompt stays here"


@pytest.mark.anyio
async def test_flapping_settles_first(tmp_path: Path, hook: Hook) -> None:
    async with engine(tmp_path, hook) as run:
        for word in (Summary.needs_you, Summary.working, Summary.needs_you, Summary.working):
            await run.say("t1", word, settle=0.5)
        await run.clock.advance(10)
        await run.say("t2", Summary.ready, settle=0.5)
        await run.say("t2", Summary.needs_you, settle=10)
        assert await run.told(1) == ["n2 needs_you"]
        for _ in range(2 * notify.MOST_SETTLES):  # one that never settles is told all the same
            await run.say("t1", Summary.working, settle=0.6)
            await run.say("t1", Summary.failed, settle=0.6)
        assert "n1 failed" in await run.told(2)


@pytest.mark.anyio
async def test_old_news_are_not_told_again(tmp_path: Path, hook: Hook) -> None:
    async with engine(tmp_path, hook, status="failed") as run:
        await run.say("t1", Summary.failed)
        assert await run.told(0) == []
        await run.say("t1", Summary.working)
        await run.say("t1", Summary.failed)
        assert await run.told(1) == ["n1 failed"]


@pytest.mark.anyio
async def test_only_what_is_wanted(tmp_path: Path, hook: Hook) -> None:
    async with engine(tmp_path, hook, events=["failed"]) as run:
        await run.say("t1", Summary.needs_you)
        await run.say("t1", Summary.failed)
        assert await run.told(1) == ["n1 failed"]


@pytest.mark.anyio
async def test_a_deleted_task_is_not_told(tmp_path: Path, hook: Hook) -> None:
    async with engine(tmp_path, hook) as run:
        await run.say("t1", Summary.failed, settle=1)
        await run.say("t1", Summary.failed, deleted=True)
        await run.journal.change(lambda change: mark_deleted(change.connection, "t2", NOW))
        await run.say("t2", Summary.failed)
        assert await run.told(0) == []


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_flood_is_bounded(tmp_path: Path, hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    many = notify.MOST_A_MINUTE + 4
    async with engine(tmp_path, hook, tasks=many) as run:
        for number in range(1, many + 1):
            await run.say(f"t{number}", Summary.failed, settle=0)
        await run.clock.advance(3)
        await until(lambda: "more than 20 in a minute" in caplog.text)
        assert len(await run.told(notify.MOST_A_MINUTE)) == notify.MOST_A_MINUTE


@pytest.mark.anyio
async def test_nothing_set_nothing_runs(tmp_path: Path, hook: Hook) -> None:
    database = await Database.open(tmp_path / "tasks.db", clock=FakeClock())
    journal = Journal(database, FakeClock())
    with anyio.fail_after(40):
        await Notify().run(journal, FakeClock())
        await Notify(webhook=hook.url, events=[]).run(journal, FakeClock())
    await database.close()


@pytest.mark.parametrize(
    "url",
    ["http://example.com/x", "ftp://localhost/x", "https://", "example.com", "http://[::1", "x:y", "https://a.b:99999"],
)
def test_a_webhook_is_https_or_of_this_machine(url: str) -> None:
    with pytest.raises(TraitError) as caught:
        Notify(config=Config({"Notify": {"webhook": url}})).webhook  # noqa: B018
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "https://example.com/x", "http://localhost:1/x", "http://[::1]:2/", "http://127.0.0.9/"]
)
def test_good_webhooks(url: str) -> None:
    assert Notify(webhook=url).webhook == url
    with pytest.raises(TraitError):
        Notify(events=["sometimes"])


@pytest.mark.anyio
async def test_a_send_that_breaks_ends_nothing(tmp_path: Path, hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    class Breaks(Notify):
        async def _tell(self, payload: Any, clock: Any) -> None:
            if payload["task"]["id"] == "t1":
                raise OverflowError("hush")
            await super()._tell(payload, clock)

    async with engine(tmp_path, hook, kind=Breaks) as run:
        await run.say("t1", Summary.failed)
        await run.say("t2", Summary.failed)
        assert await run.told(1) == ["n2 failed"]
    assert "a notification could not be sent: OverflowError" in caplog.text
    assert "hush" not in caplog.text


# ---------------------------------------------------------------- the webhook


@pytest.mark.anyio
async def test_a_webhook_is_tried_again(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    clock = FakeClock()
    hook.statuses = [500, 429]
    taken: list[bool] = []

    async def go() -> None:
        taken.append(await post(hook.url, PAYLOAD, clock=clock, timeout=40))

    async with anyio.create_task_group() as group:
        group.start_soon(go)
        await until(lambda: len(hook.got) == 1 and clock.sleepers == 1)
        await clock.advance(1)
        await until(lambda: len(hook.got) == 2 and clock.sleepers == 1)
        await clock.advance(4)
        assert len(hook.got) == 2
        await clock.advance(1)
        await until(lambda: bool(taken))
    assert taken == [True]
    assert len(hook.got) == 3
    assert "hush" not in caplog.text


@pytest.mark.anyio
@pytest.mark.parametrize("status", [302, 400, 404])
async def test_what_would_fail_again_is_not_tried_again(
    hook: Hook, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    hook.statuses = [status]
    assert not await post(hook.url, PAYLOAD, clock=FakeClock(), timeout=40)
    assert len(hook.got) == 1
    assert f"HTTP status {status}" in caplog.text
    assert "hush" not in caplog.text


@pytest.mark.anyio
async def test_a_password_in_the_url_is_sent(hook: Hook) -> None:
    url = hook.url.replace("http://", "http://ann:p%40ss@")
    assert await post(url, PAYLOAD, clock=FakeClock(), timeout=40)
    assert hook.headers[0]["authorization"] == "Basic YW5uOnBAc3M="


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_webhook_that_is_down_or_silent(caplog: pytest.LogCaptureFixture) -> None:
    class Now(FakeClock):
        async def sleep(self, seconds: float) -> None:
            await anyio.lowlevel.checkpoint()

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert not await post(f"http://127.0.0.1:{port}/hush", PAYLOAD, clock=Now(), timeout=10)
        assert "ConnectError" in caplog.text
        silent.listen()
        assert not await post(f"http://127.0.0.1:{port}/hush", PAYLOAD, clock=Now(), timeout=0.3)
        assert "no answer within 0.3 s" in caplog.text
    assert not await post("http://[hush", PAYLOAD, clock=Now(), timeout=10)
    assert "hush" not in caplog.text


# ---------------------------------------------------------------- the command


def python(code: str, *arguments: object) -> Sequence[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


@pytest.mark.anyio
async def test_the_command_gets_the_document_and_the_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("JUPYTER_TOKEN", "hush")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "hush")
    out = tmp_path / "out"
    code = (
        "import json, os, sys; given = json.load(sys.stdin); print('thanks\\x1b[2J');"
        "json.dump([given, dict(os.environ), sys.argv[2]], open(sys.argv[1], 'w'))"
    )
    assert await run_command(python(code, out, "$(touch x); *"), PAYLOAD, timeout=40)
    given, environment, argument = json.loads(out.read_text())
    assert given == PAYLOAD
    assert argument == "$(touch x); *", "no shell has seen it"
    assert {key: value for key, value in environment.items() if key.startswith("JUPYTER")} == {
        "JUPYTER_TASKS_EVENT": "failed",
        "JUPYTER_TASKS_SUMMARY": "Failed",
        "JUPYTER_TASKS_TASK_ID": "t1",
        "JUPYTER_TASKS_TASK_NAME": "n1",
    }
    assert environment["PATH"] == os.environ["PATH"]
    assert "hush" not in json.dumps(environment)
    assert "the notification command says: thanks [2J" in caplog.text


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_command_that_hangs_is_ended_with_what_it_started(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pids = tmp_path / "pids"
    command = ["/bin/sh", "-c", 'sleep 60 & echo $$ $! >"$0"; wait', str(pids)]
    for seconds in (1, 4, 16):
        assert not await run_command(command, PAYLOAD, timeout=seconds)
        assert f"took longer than {seconds} s" in caplog.text
        if pids.exists() and pids.read_text().endswith("\n"):
            break  # else this machine stood still, and it was ended before it began
    for pid in pids.read_text().split():
        await until(lambda pid=pid: not _runs(int(pid)))  # type: ignore[misc]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.anyio
@pytest.mark.slow
async def test_what_a_command_leaves_behind_holds_nothing_up() -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '30'])"
    began = anyio.current_time()
    assert await run_command(python(code), PAYLOAD, timeout=40)
    assert anyio.current_time() - began < 25


@pytest.mark.anyio
async def test_a_command_that_fails_or_floods(caplog: pytest.LogCaptureFixture) -> None:
    assert not await run_command(python("import sys; print('x' * 5_000_000); sys.exit(3)"), PAYLOAD, timeout=20)
    assert "failed with 3: xxx" in caplog.text
    assert len(caplog.text) < 4_000
    assert not await run_command(["/no/such/program"], PAYLOAD, timeout=1)
    assert not await run_command(["bad\0name"], PAYLOAD, timeout=1)
    assert caplog.text.count("cannot be run") == 2


@pytest.mark.anyio
async def test_command_and_webhook_together(tmp_path: Path, hook: Hook) -> None:
    out = tmp_path / "out"
    command = list(python("import os, sys; open(sys.argv[1], 'w').write(os.environ['JUPYTER_TASKS_URL_PATH'])", out))
    async with engine(tmp_path, hook, command=command) as run:
        await run.say("t1", Summary.ready)
        assert await run.told(1) == ["n1 ready"]
        await until(lambda: out.exists() and bool(out.read_text()))
    assert out.read_text() == "/tasks/ann/t1"
