"""A build of a real agent: scripts, their order, logs and limits, app health, metadata, the lifecycle, the end."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing

import anyio
import anyio.to_thread
import pytest
from rig import log_of, manifest_of, script, until

from jupyter_tasks.errors import Conflict, LinkError, LinkLost
from jupyter_tasks.testing.agent_process import AgentProcess
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.link_events import (
    AppHealth,
    Gap,
    LifecycleChanged,
    ListeningChanged,
    MetadataChanged,
    ScriptChanged,
    StateSnapshot,
)

pytestmark = pytest.mark.anyio


def _state(word: str) -> Callable[[LifecycleChanged], bool]:
    return lambda event: event.state == word


async def test_blocking_scripts_run_before_the_others_and_then_it_is_ready(agent: AgentProcess, link: Link) -> None:
    slow = script("slow", "sleep 0.2; echo slow >> ~/order", start_blocks_login=True)
    other = script("other", "echo other >> ~/order")
    assert not await link.start(manifest_of(scripts=[other, slow]))
    await until(link, LifecycleChanged, _state("ready"))
    await until(link, ScriptChanged, lambda event: event.id == "other" and event.status == "ok")
    assert (agent.home / "order").read_text() == "slow\nother\n"
    assert await link.start(manifest_of()), "the same build twice is one start"
    with pytest.raises(Conflict):
        await link.start(manifest_of(build_id="build-2"))


async def test_a_script_sees_what_coder_gives_it(agent: AgentProcess, link: Link) -> None:
    text = """#!/usr/bin/env bash
        echo "$CODER $CODER_WORKSPACE_NAME $CODER_WORKSPACE_AGENT_NAME $CODER_AGENT_TOKEN $GREETING $PWD"
        echo "${CODER_AGENT_URL%:*} ${0##*/}"; echo err >&2
        case "$PATH" in */shims:"$CODER_SCRIPT_BIN_DIR":*) echo path;; esac
        touch "$CODER_SCRIPT_DATA_DIR/x"; command -v coder agentapi jupyter-tasks-offline-agent | wc -l
        case "$(env; tr '\\0' ' ' < /proc/$PPID/cmdline)" in *"link token"*) echo leaked;; esac"""
    body = manifest_of(
        scripts=[script("s", text, log_path="logs/s.log")],
        env={"GREETING": "hi-${HOME}-$NOTHING."},
        services=[{"name": "coder", "port": 0}],
    )
    await link.start(body)
    ended = await until(link, ScriptChanged, lambda event: event.status != "running")
    log = await log_of(link, ended.log)
    home = agent.home
    assert log.splitlines() == [
        f"true my-workspace main agent-token hi-{home}-. {home}/project",
        "http://127.0.0.1 bash",
        "err",
        "path",
        "3",
    ]
    assert (home / "logs" / "s.log").read_text() == log


async def test_a_script_longer_than_an_argument_runs_all_the_same(link: Link) -> None:
    await link.start(manifest_of(scripts=[script("long", f": {'x' * 300_000}\necho done")]))
    await until(link, ScriptChanged, lambda event: event.status == "ok")
    assert await log_of(link, "script-long") == "done\n"


async def test_a_blocking_script_that_fails_is_told(link: Link) -> None:
    await link.start(manifest_of(scripts=[script("bad", "exit 7", start_blocks_login=True)]))
    ended = await until(link, ScriptChanged, lambda event: event.status != "running")
    assert (ended.status, ended.exit) == ("failed", 7)
    await until(link, LifecycleChanged, _state("start_error"))


@pytest.mark.slow
async def test_a_blocking_script_that_hangs_is_ended_and_told(link: Link) -> None:
    hangs = script("bad", "sleep 60 & wait", start_blocks_login=True, timeout=1)
    await link.start(manifest_of(scripts=[hangs]))
    ended = await until(link, ScriptChanged, lambda event: event.status != "running")
    assert (ended.status, ended.exit) == ("timeout", -15)
    await until(link, LifecycleChanged, _state("start_timeout"))


async def test_what_a_script_leaves_running_goes_on_and_ends_with_the_workspace(
    agent: AgentProcess, link: Link
) -> None:
    text = "nohup sh -c 'trap \"echo bye >> ~/bye; exit\" TERM; echo up; while :; do sleep 0.05; done' & echo main"
    await link.start(manifest_of(scripts=[script("s", text, start_blocks_login=True)]))
    await until(link, LifecycleChanged, _state("ready"))
    with anyio.fail_after(30):
        async with link.read_log("script-s") as reading:
            seen = b""
            async for chunk in reading.chunks:
                seen += chunk
                if b"up" in seen and b"main" in seen:
                    break
    await link.stop(20)
    assert await anyio.to_thread.run_sync(lambda: agent.process.wait(30)) == 0
    assert (agent.home / "bye").read_text() == "bye\n"
    with pytest.raises(LinkLost):
        await link.hello()


async def test_a_stop_in_the_middle_of_a_start_begins_nothing_more(agent: AgentProcess, link: Link) -> None:
    slow = script("slow", "sleep 60", start_blocks_login=True)
    await link.start(manifest_of(scripts=[slow, script("late", "touch ~/late")]))
    await link.stop(0.5)
    await anyio.to_thread.run_sync(lambda: agent.process.wait(30))
    assert not (agent.home / "late").exists()


@pytest.mark.slow
async def test_stop_scripts_run_before_anything_ends(agent: AgentProcess, link: Link) -> None:
    stop = {"id": "bye", "display_name": "bye", "script": "echo stopped > ~/stopped", "run_on_stop": True}
    await link.start(manifest_of(scripts=[stop]))
    await link.open_terminal("t", ["sh", "-c", "trap '' TERM HUP; sleep 60"])
    await link.stop(20)
    assert (agent.home / "stopped").read_text() == "stopped\n"


class _App(http.server.BaseHTTPRequestHandler):
    status = 503

    def do_GET(self) -> None:
        self.send_response(type(self).status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def app() -> Iterator[tuple[int, type[_App]]]:
    """An HTTP server of this test, and how it answers."""
    kind = type("App", (_App,), {"status": 503})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port, kind
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_workspace_is_ready_when_its_apps_are_healthy(link: Link, app: tuple[int, type[_App]]) -> None:
    port, kind = app
    check = {"url": f"http://localhost:{port}/status", "interval": 60, "threshold": 3}
    apps = [{"id": "a", "slug": "web", "healthcheck": check}, {"id": "b", "slug": "plain"}]
    await link.start(manifest_of(apps=apps))
    async with aclosing(link.watch()) as events:
        snapshot = await anext(events)
    assert isinstance(snapshot, StateSnapshot)
    assert [found.health for found in snapshot.apps] == ["initializing", "disabled"]
    assert snapshot.lifecycle == "starting"
    kind.status = 404  # below 500 is healthy
    await until(link, AppHealth, lambda event: event.slug == "web" and event.health == "healthy")
    await until(link, LifecycleChanged, _state("ready"))


async def test_an_app_that_fails_often_enough_is_unhealthy_and_comes_back(
    link: Link, app: tuple[int, type[_App]]
) -> None:
    port, kind = app
    check = {"url": f"http://127.0.0.1:{port}/", "interval": 0.1, "threshold": 2}
    await link.start(manifest_of(apps=[{"id": "a", "slug": "web", "healthcheck": check}]))
    ill = await until(link, AppHealth, lambda event: event.health == "unhealthy")
    assert ill.problem == "HTTP 503"
    await until(link, LifecycleChanged, _state("ready"))  # the threshold ran out: not for ever
    kind.status = 200
    await until(link, AppHealth, lambda event: event.health == "healthy")


async def test_metadata_is_told_when_it_changes(link: Link) -> None:
    item = {"key": "load", "script": "echo 5; exit 1", "interval": 1, "timeout": 40}
    await link.start(manifest_of(metadata=[item]))
    found = await until(link, MetadataChanged)
    assert (found.key, found.value, found.error) == ("load", "5", "exit status 1")


async def test_ports_that_open_are_told(link: Link, app: tuple[int, type[_App]]) -> None:
    await link.start(manifest_of(watch_ports=True))
    assert app[0] in (await until(link, ListeningChanged)).ports


async def test_a_watcher_comes_back_where_it_was_and_an_unknown_place_gives_the_state(link: Link) -> None:
    await link.start(manifest_of(scripts=[script("s", "true")]))
    done = await until(link, ScriptChanged, lambda event: event.status == "ok")
    await until(link, LifecycleChanged, _state("ready"))
    async with aclosing(link.watch(done.seq - 1)) as events:
        assert (await anext(events)) == done
    async with aclosing(link.watch(10_000)) as events:
        assert isinstance(await anext(events), Gap)
        state = await anext(events)
    assert isinstance(state, StateSnapshot)
    assert (state.build_id, state.scripts[0].status) == ("build-1", "ok")


async def test_a_watcher_that_comes_after_too_many_bytes_of_events_is_told_of_the_gap(link: Link) -> None:
    # each event names 60 long arguments; the log keeps 4 MiB
    await link.open_terminal("t", ["sh", "-c", "cat", *["x" * 2000] * 60])
    for number in range(40):
        await link.resize("t", 20 + number, 20)
    async with aclosing(link.watch(0)) as events:
        assert isinstance(await anext(events), Gap)
        state = await anext(events)
    assert isinstance(state, StateSnapshot)
    assert state.terminals[0].cols == 59


async def test_a_manifest_that_is_wrong_changes_nothing(link: Link) -> None:
    for wrong in ({"scripts": [{"id": "x"}]}, {"apps": 3}, {"env": {"a=b": "c"}}, {"build_id": ""}):
        with pytest.raises(LinkError, match="refused start"):
            await link.start(manifest_of(**wrong))
    assert (await link.hello()).lifecycle == "created"
