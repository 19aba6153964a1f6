"""Jupyter servers, kernels and shells on one engine: what each sees, what ends with whom, and previews through Jupyter.

The engine, the sandbox and the Jupyter servers are real processes; a kernel is a Python with a server's process as its
parent, as Jupyter makes it.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyter_servers import PROMPT, READY, Server

from jupyter_tasks.launch import engine_info
from jupyter_tasks.testing.home import Home, until

KERNEL = """
import json, sys
from jupyter_tasks import models
from jupyter_tasks.notebook.client import Client

VERBS = {
    "list": lambda client: {task.id: task.summary.value for task in client.list()},
    "engine": lambda client: json.loads(client.buildinfo().model_dump_json()),
    "create": lambda client, text: client.create(models.CreateTaskRequest(input=text, template="quickstart")).id,
}
with Client() as client:
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        print(json.dumps(VERBS[verb](client, *arguments)), flush=True)
"""
ECHO = """
cat > server.py <<'END'
import http.server, json
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"path": self.path, "headers": self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "_xsrf=evil; Path=/")
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Echo).serve_forever()
END
"""

pytestmark = pytest.mark.slow


class Kernel:
    """A client that lives in a kernel of ``server``, or in a plain Python."""

    def __init__(self, home: Home, server: Server | None) -> None:
        parent = {"JPY_PARENT_PID": str(server.process.pid)} if server else {}
        self.process = subprocess.Popen(
            [sys.executable, "-c", KERNEL],
            env=home.env | parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline() or '"the kernel died"')

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def kernel(home: Home) -> Iterator[Callable[..., Kernel]]:
    """Start a kernel's client; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(server: Server | None = None) -> Kernel:
            made = Kernel(home, server)
            stack.callback(made.end)
            return made

        yield start


def shell(home: Home) -> dict[str, str]:
    """Every task's id and its one plain word, as ``jupyter tasks list`` has them."""
    return {task["id"]: task["summary"] for task in home.json("list")}


def event_ids(http: httpx.Client, newest: Callable[[], int], after: int = 0) -> Iterator[int]:
    """The ids of one connection's events, until it breaks or ``newest`` was seen."""
    headers = {"Last-Event-ID": str(after)} if after else {}
    with http.stream("GET", "events", params={"after": 0}, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line.startswith("id: "):
                yield int(line[4:])
                if int(line[4:]) >= newest():
                    return


class Reader(threading.Thread):
    """Follows the events through a Jupyter server and comes back with its last id, as a browser's EventSource does."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.newest = sys.maxsize
        self.ids: list[int] = []
        self.breaks = 0

    def run(self) -> None:
        while not self.ids or self.ids[-1] < self.newest:
            try:
                for number in event_ids(self.server.http, lambda: self.newest, self.ids[-1] if self.ids else 0):
                    self.ids.append(number)
            except (httpx.TransportError, AssertionError):
                self.breaks += 1


def test_every_client_sees_every_task_and_nothing_is_lost_with_the_engine(
    home: Home, serve: Callable[..., Server], kernel: Callable[..., Kernel]
) -> None:
    servers = [server.up() for server in [serve(), serve("/user/ann/"), serve()]]
    first, second, third = servers
    kernels = [kernel(first), kernel(second), kernel()]
    created = {first.create(), kernels[0]("create", PROMPT)}
    created.add(home.cli("create", "-q", "-t", "quickstart", PROMPT).stdout.strip())
    views = [*(server.summaries for server in servers), *(lambda k=k: k("list") for k in kernels), lambda: shell(home)]
    for view in views:
        assert set(view()) == created
    engines = [server.http.get("buildinfo").json()["pid"] for server in servers] + [k("engine")["pid"] for k in kernels]
    assert set(engines) == {home.engine_pid()}

    reader = Reader(second)
    reader.start()
    until(lambda: reader.ids, 20, second.said())
    created.add(kernels[2]("create", PROMPT))
    home.kill_engine()
    for view in views:
        assert set(view()) == created, home.log()
    assert home.engine_pid() not in {None, *engines}
    for view in views:
        until(lambda view=view: set(view().values()) == {READY}, 60, home.log())
    for usage in (third.http.get("usage").json(), home.json("usage")):
        assert usage["actual"] == len(created)

    reader.newest = newest = first.http.get("buildinfo").json()["last_event_id"]
    first.http.delete(f"tasks/me/{min(created)}").raise_for_status()  # and one event more, with which the reader ends
    reader.join(30)
    assert not reader.is_alive(), (reader.ids[-5:], newest)
    assert reader.breaks >= 1
    every = list(event_ids(third.http, lambda: reader.ids[-1]))
    assert reader.ids == every
    assert every == sorted(set(every))


def test_the_token_under_coders_name(serve: Callable[..., Server]) -> None:
    server = serve().up()
    for headers, status in (
        ({"Coder-Session-Token": "t"}, 200),
        ({"Authorization": "token t"}, 200),
        ({"Coder-Session-Token": "wrong"}, 403),
        ({}, 403),
    ):
        assert server.bare("GET", "api/v2/tasks", headers=headers).status_code == status, headers
    made = {"input": PROMPT, "template": "quickstart"}
    assert server.bare("POST", "api/v2/tasks/me", json=made).status_code == 403
    assert server.bare("GET", "api/v2/events").status_code == 403
    assert server.summaries() == {}
    assert server.bare("POST", "api/v2/tasks/me", json=made, headers={"Coder-Session-Token": "t"}).status_code == 201


def test_the_end_of_a_jupyter_server_stops_nothing(home: Home, serve: Callable[..., Server]) -> None:
    first, second = serve().up(), serve().up()
    task = first.create()
    until(lambda: second.summaries()[task] == READY, 60, home.log())
    engine, inside = home.engine_pid(), sandboxes(home)
    assert inside
    first.terminate()
    assert first.failures() == ""
    found = second.http.get(f"tasks/me/{task}").json()
    assert (found["status"], found["summary"]) == ("active", READY)
    second.http.post(f"tasks/me/{task}/send", json={"input": "change the colour to teal"}).raise_for_status()
    second.terminate()  # the last one: the agent's turn goes on all the same
    until(lambda: "teal" in home.cli("logs", task).stdout.split("colour to teal")[-1], 30, home.log())
    assert (home.engine_pid(), sandboxes(home)) == (engine, inside)


def sandboxes(home: Home) -> set[str]:
    return {line for line in home.processes() if "bwrap" in line}


def test_an_engine_inside_the_server_is_everybodys(
    home: Home, serve: Callable[..., Server], kernel: Callable[..., Kernel]
) -> None:
    home.config('c.TasksExtension.engine = "inprocess"\n')
    server = serve().up()
    info = until(lambda: answering(home), 20, server.said())  # nobody has asked the server for anything yet
    assert (info["mode"], info["pid"]) == ("inprocess", server.process.pid)
    inside = kernel(server)
    task = inside("create", PROMPT)
    assert inside("engine")["pid"] == server.http.get("buildinfo").json()["pid"] == server.process.pid
    assert set(shell(home)) == {task} == set(server.summaries())
    until(lambda: inside("list")[task] == READY, 60, server.said())
    assert home.engine_pid() is None
    server.terminate()
    assert answering(home) is None
    assert server.failures() == ""
    assert shell(home) == {task: READY}  # by an engine of its own: the workspace ran on
    assert home.engine_pid() is not None
    assert home.json("usage")["actual"] == 1


def answering(home: Home) -> dict[str, Any] | None:
    """What the engine says of itself, if one answers. Asking starts none."""
    sockets = Path(home.env["JUPYTER_TASKS_RUNTIME_DIR"]).glob("*/engine.sock")
    return next((info for path in sockets if (info := engine_info(path))), None)


def test_a_preview_through_jupyter(home: Home, serve: Callable[..., Server]) -> None:
    server = serve("/user/ann/").up()
    task = server.create(parameters={"setup_script": ECHO})
    until(lambda: server.summaries()[task] == READY, 60, home.log())
    assert server.bare("POST", f"api/v2/tasks/me/{task}/preview").status_code == 403
    path = server.http.post(f"tasks/me/{task}/preview").raise_for_status().json()["path"]
    assert re.fullmatch(r"preview/[\w-]{32,}/", path)
    secrets = {"Authorization": "token t-canary", "Cookie": "username=canary", "X-XSRFToken": "canary"}
    secrets |= {"Coder-Session-Token": "canary", "Referer": f"{server.url}lab?token=canary"}
    for headers in ({}, secrets):
        answer = until(lambda headers=headers: shown(server, path, headers), 20, home.log())
        sandbox = answer.headers["Content-Security-Policy"]
        assert sandbox.startswith("sandbox ")
        assert "allow-same-origin" not in sandbox
        assert "Set-Cookie" not in answer.headers
        seen = answer.json()
        assert seen["path"] == "/deep/x?y=1"
        assert "canary" not in json.dumps(seen)
        assert not {name.lower() for name, _ in seen["headers"]} & {"cookie", "authorization", "referer"}
        assert dict(seen["headers"])["X-Forwarded-Prefix"] == f"/user/ann/jupyter-tasks/{path.rstrip('/')}"
    assert path.split("/")[1] not in server.said() + home.log()
    server.http.post(f"tasks/me/{task}/pause").raise_for_status()
    gone = server.bare("GET", path)
    assert gone.status_code == 404
    assert gone.headers["Content-Security-Policy"] == sandbox
    until(lambda: server.summaries()[task] == "Paused", 20, home.log())
    assert server.bare("GET", path).status_code == 404


def shown(server: Server, path: str, headers: dict[str, str]) -> httpx.Response | None:
    answer = server.bare("GET", f"{path}deep/x?y=1", headers=headers)
    return answer if answer.status_code == 200 else None
