"""Where the engine is looked for, from a kernel, a terminal, a hub and a bare shell."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_tasks import places
from jupyter_tasks.errors import EngineUnavailable, InvalidInput
from jupyter_tasks.notebook import discovery
from jupyter_tasks.notebook.transport import settings


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Jupyter's runtime directory."""
    with tempfile.TemporaryDirectory(prefix="jt-") as short:
        monkeypatch.setenv("JUPYTER_TASKS_STATE_DIR", str(tmp_path / "state"))
        monkeypatch.setenv("JUPYTER_TASKS_RUNTIME_DIR", short)
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
        (tmp_path / "jupyter").mkdir()
        yield tmp_path / "jupyter"


def server(runtime: Path, pid: int, port: int = 8888, base: str = "/", token: object = "t0k3n") -> None:
    info = {"pid": pid, "url": f"http://127.0.0.1:{port}{base}", "base_url": base, "token": token, "port": port}
    (runtime / f"jpserver-{pid}.json").write_text(json.dumps(info))


@pytest.mark.parametrize(
    ("url", "token", "base"),
    [
        ("http://h:8888/user/ada/jupyter-tasks/", "given", "http://h:8888/user/ada/jupyter-tasks/"),
        ("https://h/jupyter-tasks", "given", "https://h/jupyter-tasks/"),
        ("http://h:8888/jupyter-tasks/?token=inside", "inside", "http://h:8888/jupyter-tasks/"),
        ("http://ada:pw@h:8888/x", "given", "http://h:8888/x/"),
    ],
)
def test_what_the_user_says_comes_first(url: str, token: str, base: str) -> None:
    environ = {"JUPYTER_TASKS_URL": url}
    if token == "given":
        environ["JUPYTER_TASKS_TOKEN"] = token
    found = discovery.find(environ=environ)
    assert (found.kind, found.base, found.token) == ("url", base, token)
    assert settings(found)["headers"]["Authorization"] == f"token {token}"
    assert token not in repr(found)


def test_a_socket_may_be_named() -> None:
    found = discovery.find(environ={"JUPYTER_TASKS_URL": "unix:///run/engine.sock"})
    assert found.socket == Path("/run/engine.sock")
    assert settings(found)["trust_env"] is False


@pytest.mark.parametrize("url", ["nonsense", "ftp://h/", "http://", "unix:", "8888"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="JUPYTER_TASKS_URL"):
        discovery.find(environ={"JUPYTER_TASKS_URL": url})


def test_the_engines_own_socket(runtime: Path) -> None:
    with pytest.raises(EngineUnavailable, match="No engine"):
        discovery.find(start=False, environ={})
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(places.engine_socket()))
        with pytest.raises(EngineUnavailable):  # a dead engine's
            discovery.find(start=False, environ={})
        listener.listen()
        server(runtime, os.getpid())
        found = discovery.find(start=False, environ={"JPY_PARENT_PID": str(os.getpid())})
    assert (found.kind, found.socket) == ("socket", places.engine_socket())


def test_a_kernel_finds_its_own_server_among_several(runtime: Path) -> None:
    server(runtime, os.getppid(), 8888, token="other")
    server(runtime, os.getpid(), 8889, "/user/ada/")
    found = discovery.find(start=False, environ={"JPY_PARENT_PID": str(os.getpid())})
    assert (found.kind, found.base, found.token) == ("server", "http://127.0.0.1:8889/user/ada/jupyter-tasks/", "t0k3n")


def test_a_lab_terminal_finds_its_server(runtime: Path) -> None:
    server(runtime, os.getppid(), 8888, "/one/", token="1")
    server(runtime, os.getpid(), 8888, "/two/", token="2")
    found = discovery.jupyter_server({"JUPYTER_SERVER_URL": "http://localhost:8888/two"})
    assert found is not None
    assert found.token == "2"


def test_a_hub_lends_its_token(runtime: Path) -> None:
    server(runtime, os.getpid(), token="")
    environ = {"JPY_PARENT_PID": str(os.getpid()), "JUPYTERHUB_API_TOKEN": "hub"}
    found = discovery.jupyter_server(environ)
    assert found is not None
    assert found.token == "hub"


@pytest.mark.parametrize(
    ("service", "base"),
    [
        ("http://0.0.0.0:8888/user/ada/", "http://127.0.0.1:8888/user/ada/jupyter-tasks/"),
        ("http://[::]:8888/user/ada/", "http://127.0.0.1:8888/user/ada/jupyter-tasks/"),
        ("http://10.0.0.7:80/user/ada/", "http://10.0.0.7:80/user/ada/jupyter-tasks/"),
    ],
)
def test_a_hub_tells_where_it_is(runtime: Path, service: str, base: str) -> None:
    environ = {"JUPYTERHUB_SERVICE_URL": service, "JUPYTERHUB_API_TOKEN": "hub"}
    found = discovery.jupyter_server(environ)
    assert found is not None
    assert (found.base, found.token) == (base, "hub")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"pid": 0}', '{"pid": "x", "url": 3}', '{"pid": 1, "url": 3}', "\xff"]
)
def test_files_that_make_no_sense_are_passed_over(runtime: Path, content: str) -> None:
    (runtime / "jpserver-1.json").write_bytes(content.encode("latin-1"))
    assert discovery.jupyter_server({"JPY_PARENT_PID": "1"}) is None


def test_a_dead_servers_file_is_passed_over(runtime: Path) -> None:
    server(runtime, 2**22 + 12345)
    assert discovery.jupyter_server({"JPY_PARENT_PID": str(2**22 + 12345)}) is None
