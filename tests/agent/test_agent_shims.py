"""The shims inside a workspace, run by a real agent's scripts and terminals."""

from __future__ import annotations

import json
from contextlib import aclosing

import anyio
import h11
import pytest
from anyio.abc import ByteStream
from rig import log_of, manifest_of, script, until, whole

from jupyter_tasks.agent.shims.agentapi import Wrong, parse
from jupyter_tasks.agent.shims.mcp import handle
from jupyter_tasks.agent.shims.report import cut
from jupyter_tasks.testing.agent_process import AgentProcess
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.link_events import (
    AgentAPIRegistered,
    LifecycleChanged,
    ScriptChanged,
    StateSnapshot,
    TerminalChanged,
)

pytestmark = pytest.mark.anyio

FREE = "JUPYTER_TASKS_AGENTAPI_PORT"


async def test_agentapi_in_a_script_registers_a_terminal_and_exits_with_the_agent(link: Link) -> None:
    text = """cd /tmp; printf 'piped prompt\\n' | nohup agentapi server --type claude -W 67 -H 1190 \
        --chat-base-path /chat/x -- sh -c 'echo "$PWD $TERM $MINE"; stty size; read line; echo "got $line"; exit 3' \
        > ~/out 2>&1; echo "status $?" """
    await link.start(manifest_of(scripts=[script("s", text)], env={FREE: "0", "MINE": "yes"}))
    registered = await until(link, AgentAPIRegistered)
    assert (registered.agent_type, registered.term_width, registered.term_height) == ("claude", 67, 1190)
    assert registered.initial_prompt == "piped prompt"
    assert registered.transport == "pty"
    assert registered.options == {"chat_base_path": "/chat/x"}
    async with aclosing(link.watch()) as events:
        snapshot = await anext(events)
    assert isinstance(snapshot, StateSnapshot)
    assert snapshot.agentapi is not None
    assert snapshot.agentapi.terminal == registered.terminal
    assert [service.port for service in snapshot.services] == [registered.port]
    await link.write_terminal(registered.terminal, b"hello\r", "k")
    output = await whole(link, registered.terminal)
    lines = output.splitlines()
    # the echo of what was typed may come before and between
    assert [line for line in lines[:3] if line != b"hello"] == [b"/tmp xterm-256color yes", b"1190 67"]
    assert lines[3:] == [b"got hello"]
    ended = await until(link, ScriptChanged, lambda event: event.status == "ok")
    assert await log_of(link, ended.log) == "status 1\n"  # AgentAPI's own: 1 for every failure of the agent
    async with aclosing(link.watch()) as events:
        snapshot = await anext(events)
    assert isinstance(snapshot, StateSnapshot)
    assert snapshot.services == ()


@pytest.mark.slow
async def test_ending_agentapi_ends_the_agent(link: Link) -> None:
    agent = "trap 'echo told; exit 0' TERM; touch ~/up; while :; do sleep 0.05; done"
    text = f'agentapi server -- sh -c "{agent}" < /dev/null > ~/out & '
    text += "until [ -e ~/up ] && grep Starting ~/out; do sleep 0.05; done; kill -TERM $!; wait $!; echo status $?"
    await link.start(manifest_of(scripts=[script("s", text)], env={FREE: "0"}))
    registered = await until(link, AgentAPIRegistered)
    assert (await whole(link, registered.terminal)).endswith(b"told\r\n")
    await until(link, ScriptChanged, lambda event: event.status == "ok")
    assert (await log_of(link, "script-s")).endswith("status 0\n")


@pytest.mark.slow
async def test_a_killed_agentapi_hangs_the_agent_up_and_a_new_one_may_come(link: Link) -> None:
    text = (
        "agentapi server -- sleep 60 < /dev/null > ~/out & until grep Starting ~/out; do sleep 0.05; done; "
        "agentapi server -- true < /dev/null; kill -9 $!; wait; "
    )
    text += "until agentapi server -- echo second < /dev/null; do sleep 0.1; done"
    await link.start(manifest_of(scripts=[script("s", text)], env={FREE: "0"}))
    second = await until(link, AgentAPIRegistered, lambda event: event.terminal == "agentapi-2")
    assert await whole(link, second.terminal) == b"second\r\n"
    first = await until(link, TerminalChanged, lambda event: event.id == "agentapi" and event.closed)
    assert first.exit == -1
    assert "is running in this workspace already" in await log_of(link, "script-s")


async def test_a_port_in_use_is_said(link: Link) -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener:
        text = f"agentapi server --port {port} -- true < /dev/null"
        await link.start(manifest_of(scripts=[script("s", text)]))
        await until(link, ScriptChanged, lambda event: event.status == "failed")
    assert f"port {port} for agentapi cannot be opened" in await log_of(link, "script-s")


def test_flags_come_before_variables_and_variables_before_defaults() -> None:
    environ = {"AGENTAPI_PORT": "4000", "AGENTAPI_TERM_WIDTH": "99", "AGENTAPI_INITIAL_PROMPT": "p"}
    options, command = parse(["-p", "5000", "--type=aider", "--", "aider", "--model", "m"], environ)
    assert command == ["aider", "--model", "m"]
    assert (options["port"], options["term-width"], options["term-height"]) == (5000, 99, 1000)
    assert (options["type"], options["initial-prompt"]) == ("aider", "p")
    assert parse(["claude"], {})[0]["type"] == "claude"
    assert parse(["/usr/bin/claude"], {})[0]["type"] == "custom"
    assert parse(["-s", "f", "--", "x"], {})[0]["load-state"] is True
    for wrong in ([], ["--type", "nope", "x"], ["--port", "x", "y"], ["-W", "5", "x"], ["--load-state", "x"], ["--no"]):
        with pytest.raises(Wrong):
            parse(wrong, {})


async def _coder_service(stream: ByteStream, seen: list[tuple[str, str, dict[str, str]]]) -> None:
    connection = h11.Connection(h11.SERVER)
    request, body = None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive())
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            break
    assert request is not None
    token = dict(request.headers)[b"coder-session-token"].decode()
    line = f"{request.method.decode()} {request.target.decode()}"
    seen.append((line, token, json.loads(body)))
    await stream.send(connection.send(h11.Response(status_code=200, headers=[("content-length", "0")])) or b"")


async def test_reports_reach_the_engine_from_the_command_and_from_mcp(link: Link) -> None:
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "coder_report_task", "arguments": {"summary": "b", "link": "", "state": "idle"}},
    }
    text = f"""export CODER_MCP_APP_STATUS_SLUG=web
        coder exp task report --state working --summary 'half
        done' --link http://x
        printf '%s\\n' '{json.dumps(call)}' | coder exp mcp server
        coder exp task report --state nonsense --summary x; echo $?"""
    seen: list[tuple[str, str, dict[str, str]]] = []
    async with anyio.create_task_group() as group:
        group.start_soon(link.serve_reverse, "coder", lambda stream: _coder_service(stream, seen))
        await link.start(manifest_of(scripts=[script("s", text)], services=[{"name": "coder", "port": 0}]))
        await until(link, ScriptChanged, lambda event: event.status == "ok")
        group.cancel_scope.cancel()
    line = "PATCH /api/v2/workspaceagents/me/app-status"
    first = {"app_slug": "web", "state": "working", "message": "half done", "uri": "http://x"}
    second = {"app_slug": "web", "state": "idle", "message": "b", "uri": ""}
    assert seen == [(line, "agent-token", first), (line, "agent-token", second)]
    log = await log_of(link, "script-s")
    assert "Thanks for reporting!" in log
    assert log.endswith("1\n")


def test_a_summary_is_one_line_of_160_bytes() -> None:
    assert cut(" a\n b ") == "a b"
    assert len(cut("ü" * 500).encode()) <= 160


def test_mcp_answers_what_clients_ask_first() -> None:
    def ask(**fields: object) -> dict[str, object]:
        answer = handle(json.dumps({"jsonrpc": "2.0", "id": 7, **fields}).encode())
        assert answer is not None
        return answer

    result = ask(method="initialize", params={"protocolVersion": "2025-03-26"})["result"]
    assert isinstance(result, dict)
    assert result["protocolVersion"] == "2025-03-26"
    tools = ask(method="tools/list")["result"]
    assert isinstance(tools, dict)
    assert [tool["name"] for tool in tools["tools"]] == ["coder_report_task"]
    assert "error" in ask(method="tools/call", params={"name": "other"})
    assert "error" in ask(method="nonsense")
    assert handle(b'{"jsonrpc":"2.0","method":"notifications/initialized"}') is None
    for rubbish in (b"x", b"[]", b"{}", b"[" * 100_000):
        answer = handle(rubbish)
        assert answer is not None
        assert "error" in answer


async def test_scripts_wait_for_one_another_by_sync(agent: AgentProcess, link: Link) -> None:
    first = script("a", "coder exp sync want a b; coder exp sync start a && echo a >> ~/order")
    second = script("b", "coder exp sync start b; sleep 0.3; echo b >> ~/order; coder exp sync complete b")
    circle = script("c", "coder exp sync want c d; coder exp sync want d c")
    await link.start(manifest_of(scripts=[first, second, circle]))
    await until(link, ScriptChanged, lambda event: event.id == "a" and event.status == "ok")
    assert (agent.home / "order").read_text() == "b\na\n"
    await until(link, ScriptChanged, lambda event: event.id == "c" and event.status == "failed")
    assert "wait for itself" in await log_of(link, "script-c")


async def test_stat_and_what_is_not_there(link: Link) -> None:
    text = "coder stat mem; coder stat cpu --host; coder stat disk --path /; coder external-auth access-token x"
    await link.start(manifest_of(scripts=[script("s", text)]))
    await until(link, LifecycleChanged, lambda event: event.state == "ready")
    await until(link, ScriptChanged, lambda event: event.status == "failed")
    lines = (await log_of(link, "script-s")).splitlines()
    assert " GiB (" in lines[0]
    assert " cores" in lines[1]
    assert " GiB (" in lines[2]
    assert lines[3].startswith("coder external-auth access-token x: not available")


async def test_the_offline_agent_is_on_path(link: Link) -> None:
    await link.open_terminal("t", ["jupyter-tasks-offline-agent", "--no-such-flag"])
    assert b"usage: jupyter-tasks-offline-agent" in await whole(link, "t")
    closed = await until(link, TerminalChanged, lambda event: event.closed)
    assert closed.exit == 2


def test_where_the_network_is_shared_the_usual_port_is_another() -> None:
    """Modules name 3284: two workspaces without a network of their own must not fight over it."""
    assert parse(["--port", "3284", "--", "x"], {FREE: "41001"})[0]["port"] == 41001
    assert parse(["--", "x"], {FREE: "41001"})[0]["port"] == 41001
    assert parse(["--port", "4000", "--", "x"], {FREE: "41001"})[0]["port"] == 4000
    assert parse(["--port", "3284", "--", "x"], {})[0]["port"] == 3284


async def test_an_agent_that_cannot_be_started_is_seen_where_it_would_be(link: Link) -> None:
    text = "agentapi server -- no-such-agent --yes > /dev/null 2>&1 < /dev/null; exit 0"
    await link.start(manifest_of(scripts=[script("s", text)], env={FREE: "0"}))
    registered = await until(link, AgentAPIRegistered)
    assert registered.argv[:1] == ("no-such-agent",)
    assert b"no-such-agent cannot be started" in await whole(link, registered.terminal)
    ended = await until(link, TerminalChanged, lambda event: event.id == registered.terminal and event.closed)
    assert ended.exit == 127
