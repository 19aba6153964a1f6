"""Starting, reaching, replacing and ending a detached engine, with real processes."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_tasks import launch
from jupyter_tasks import places as where
from jupyter_tasks._version import __version__
from jupyter_tasks.errors import EngineUnavailable

ENGINE = (sys.executable, "-m", "jupyter_tasks.testing.engine")

pytestmark = pytest.mark.slow


@pytest.fixture
def engine_place(places: Path) -> Iterator[Path]:
    yield places
    if launch.engine_runs():
        launch.stop_engine(40)


def test_none_answers_at_first(engine_place: Path) -> None:
    assert launch.engine_info() is None
    assert not launch.engine_runs()
    assert launch.stop_engine() is False


def test_the_first_client_starts_it_and_the_next_finds_it(engine_place: Path) -> None:
    path = launch.ensure_engine(40, command=ENGINE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = launch.engine_info()
    assert launch.ensure_engine(40, command=("/bin/false",)) == path
    assert launch.engine_info() is not None
    assert first is not None
    assert first["pid"] == launch.engine_info()["pid"]  # type: ignore[index]
    environ = Path(f"/proc/{first['pid']}/environ").read_bytes()
    assert b"JUPYTER_TASKS_STATE_DIR=" in environ
    assert os.readlink(f"/proc/{first['pid']}/cwd") == "/"
    assert os.getsid(first["pid"]) != os.getsid(0)


def test_tokens_of_jupyter_stay_behind(engine_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "JUPYTER_TASKS_TOKEN", "AWS_SECRET"):
        monkeypatch.setenv(name, "canary-5511")
    launch.ensure_engine(40, command=ENGINE)
    info = launch.engine_info()
    assert info is not None
    assert b"canary-5511" not in Path(f"/proc/{info['pid']}/environ").read_bytes()
    assert b"canary-5511" not in where.engine_log().read_bytes()


def test_many_at_once_reach_one_engine(engine_place: Path) -> None:
    pids: list[object] = []

    def client() -> None:
        launch.ensure_engine(30, command=ENGINE)
        pids.append((launch.engine_info(timeout=10) or {}).get("pid"))

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 4
    assert len(set(pids)) == 1


def test_after_kill_9_the_next_client_starts_another(engine_place: Path) -> None:
    launch.ensure_engine(40, command=ENGINE)
    first = launch.engine_info()
    assert first is not None
    os.kill(first["pid"], signal.SIGKILL)
    launch.ensure_engine(40, command=ENGINE)
    second = launch.engine_info()
    assert second is not None
    assert second["pid"] != first["pid"]


def test_an_older_engine_makes_room_and_a_newer_one_stays(engine_place: Path) -> None:
    launch.ensure_engine(40, command=(*ENGINE, "--version", "0.0.1"))
    old = launch.engine_info()
    assert old is not None
    assert old["version"] == "0.0.1"
    launch.ensure_engine(40, command=ENGINE)
    new = launch.engine_info()
    assert new is not None
    assert new["version"] == __version__
    assert launch.hand_over()
    launch.ensure_engine(40, command=(*ENGINE, "--version", "99.1"))
    launch.ensure_engine(40, command=ENGINE)
    assert launch.engine_info()["version"] == "99.1"  # type: ignore[index]


def test_an_engine_that_stands_still_when_it_is_asked_makes_room_all_the_same(engine_place: Path) -> None:
    lock = os.open(where.engine_lock(), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(where.engine_socket()))
    listener.listen()

    def engine() -> None:
        client, _ = listener.accept()
        while client.recv(4096):  # until nobody listens for the answer any more
            pass
        select.select([], [], [], 0.5)
        client.close()
        os.close(lock)

    thread = threading.Thread(target=engine)
    thread.start()
    with listener:
        assert launch.hand_over()
        thread.join()


def test_one_that_fails_to_start_says_why(engine_place: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(EngineUnavailable) as caught:
        launch.ensure_engine(40, command=(sys.executable, "-c", "raise SystemExit('no such thing: canary')"))
    assert "no such thing: canary" in caught.value.detail
    assert time.monotonic() - begun < 30, "it waited although the process was gone"


def test_one_that_never_answers_is_given_up(engine_place: Path) -> None:
    program = (
        "import fcntl,time,os; from jupyter_tasks import places;"
        "f=os.open(places.engine_lock(), os.O_RDWR|os.O_CREAT); fcntl.flock(f, fcntl.LOCK_EX);"
        "print(os.getpid(), file=open(places.state_dir()/'pid','w'), flush=True); time.sleep(30)"
    )
    with pytest.raises(EngineUnavailable, match="did not answer within"):
        launch.ensure_engine(1.5, command=(sys.executable, "-c", program))
    noted, deadline = where.state_dir() / "pid", time.monotonic() + 20
    while not (noted.exists() and noted.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(int(noted.read_text()), signal.SIGKILL)


def test_stop_ends_it(engine_place: Path) -> None:
    launch.ensure_engine(40, command=ENGINE)
    assert launch.stop_engine()
    assert launch.engine_info() is None
    assert not launch.engine_runs()


@pytest.mark.parametrize(
    ("ours", "theirs", "newer"),
    [
        ("0.2.0", "0.1.9", True),
        ("0.2.0", "0.2.0", False),
        ("0.2.0", "", False),
        ("1", "dev", False),
        ("0.9", "0.10", False),
    ],
)
def test_which_version_is_newer(ours: str, theirs: str, newer: bool) -> None:
    assert launch._newer(ours, theirs) is newer


def test_the_import_is_light() -> None:
    import subprocess

    heavy = "('pydantic', 'httpx', 'tornado', 'anyio')"
    program = f"import sys, jupyter_tasks.launch; print(*[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert done.stdout.strip() == ""
    assert done.returncode == 0
