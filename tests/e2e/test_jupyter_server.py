"""What a real Jupyter server adds to the real engine: its authorizer, its activity, its events, its end, WebSockets."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import websocket
from held_task import write_held
from jupyter_servers import PROMPT, READY, Server

from jupyter_tasks.testing.home import Home, until

PLUGINS = Path(__file__).parent / "plugins"
WORK = "work for 600"
REST = "work for 0.2"

pytestmark = pytest.mark.slow

Serve = Callable[..., Server]


@pytest.fixture
def held(home: Home) -> dict[str, str]:
    """A template whose agent works for as long as it is told."""
    return write_held(home)


def is_(server: Server, task: str, word: str) -> None:
    until(lambda: server.summaries()[task] == word, 30, f"{server.summaries()} {server.said()}")


def test_its_authorizer_decides(home: Home, serve: Serve, held: dict[str, str]) -> None:
    home.env["PYTHONPATH"] = os.pathsep.join([str(PLUGINS), *filter(None, [os.environ.get("PYTHONPATH")])])
    home.env["ALLOWED"] = "read"
    (home.root / "config" / "jupyter_server_config.py").write_text(
        'c.ServerApp.authorizer_class = "allowing.Listed"\nc.ServerApp.allow_unauthenticated_access = False\n'
    )
    reading = serve().up()
    home.env["ALLOWED"] = "read,write"
    writing = serve().up()
    task = writing.create(input=REST, **held)
    is_(writing, task, "Idle")
    assert set(reading.summaries()) == {task}
    one = f"tasks/me/{task}"
    for method, path, body in (
        ("POST", "tasks/me", {"input": PROMPT}),
        ("POST", f"{one}/send", {"input": "x"}),
        ("POST", f"{one}/pause", None),
        ("POST", f"{one}/preview", None),
        ("DELETE", one, None),
    ):
        answer = reading.http.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
    for server in (reading, writing):
        typed = server.http.post(f"{one}/terminal", json={"data": "eA=="})
        assert (typed.status_code, typed.json()["code"]) == (403, "forbidden")
    assert home.json("usage")["actual"] == 1
    assert home.json("status", task)["status"] == "active"


def test_browsers_hear_ids_and_states_on_jupyters_own_websocket(home: Home, serve: Serve) -> None:
    server = serve("/user/ann/").up()
    url = server.url.replace("http", "ws", 1).replace("jupyter-tasks/", "api/events/subscribe")
    with closing(websocket.create_connection(url, header=["Authorization: token t"], timeout=90)) as browser:
        task = server.create(name="canary-name")
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1].get("summary") != READY:
            event = json.loads(browser.recv())
            if event.pop("schema_id", "").endswith("jupyter_tasks/task_state/v1"):
                heard.append(event)
        server.http.delete(f"tasks/me/{task}").raise_for_status()
        while not heard[-1].get("deleted"):
            event = json.loads(browser.recv())
            heard.append(event)
    told = [event for event in heard if event["kind"] == "task"]
    assert {event["task_id"] for event in told} == {task}
    numbers = [event["event_id"] for event in heard]
    assert numbers == sorted(set(numbers))
    assert "Starting" in {event["summary"] for event in told}
    assert "complete" in {event.get("state") for event in told}
    text = json.dumps(heard)
    assert "canary" not in text
    assert "purple" not in text


def test_work_counts_as_activity_and_waiting_does_not(home: Home, serve: Serve, held: dict[str, str]) -> None:
    server, idle = serve().up(), serve().up()

    def last_activity() -> datetime:
        found = server.http.get(server.url.replace("jupyter-tasks/", "api/status")).raise_for_status().json()
        return datetime.fromisoformat(found["last_activity"].replace("Z", "+00:00"))

    def at_rest() -> datetime | None:
        found = last_activity()
        time.sleep(0.5)
        return found if last_activity() == found else None

    task = home.json("create", "-t", "held", REST)["id"]  # from a shell: the server itself is not used
    is_(idle, task, "Idle")
    before = until(at_rest, 10, server.said)  # it may hear of the work that is over a moment later than the other
    time.sleep(1.5)
    server.summaries()  # reading is not activity either: a tab that is left open
    assert last_activity() == before
    home.cli("send", task, WORK)
    is_(idle, task, "Working")
    until(lambda: last_activity() > before, 5, server.said())


def test_the_last_server_pauses_what_works_where_that_is_set(home: Home, serve: Serve, held: dict[str, str]) -> None:
    home.config('c.TasksExtension.on_stop = "pause"\n')
    first, second = serve().up(), serve().up()
    working, idle = first.create(input=WORK, **held), first.create(input=REST, **held)
    is_(first, working, "Working")
    is_(first, idle, "Idle")
    first.terminate()
    assert second.summaries() == {working: "Working", idle: "Idle"}
    second.terminate()
    assert first.failures() + second.failures() == ""
    words = {task["id"]: task["summary"] for task in home.json("list")}
    assert words == {working: "Paused", idle: "Idle"}
    until(lambda: home.json("status", working)["status"] == "paused", 20, home.log())


def test_a_previews_websocket_through_jupyter(home: Home, serve: Serve, held: dict[str, str]) -> None:
    server = serve("/user/ann/").up()
    task = server.create(input=REST, **held)
    is_(server, task, "Idle")
    path = server.http.post(f"tasks/me/{task}/preview").raise_for_status().json()["path"]
    until(lambda: server.bare("GET", path).status_code == 200, 20, home.log())
    url = server.url.replace("http", "ws", 1) + path + "live"
    secrets = ["Authorization: token canary", "X-XSRFToken: canary"]
    with closing(
        websocket.create_connection(url, header=secrets, cookie="username=canary", origin="http://evil.test")
    ) as page:
        page.send("hello")
        seen = json.loads(page.recv())
    assert seen["text"] == "hello"
    assert "canary" not in json.dumps(seen)
    assert not {name.lower() for name, _ in seen["headers"]} & {"cookie", "authorization", "origin"}
    server.http.post(f"tasks/me/{task}/pause").raise_for_status()
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        websocket.create_connection(url)
