"""The ports of workspaces that share the machine's network."""

from __future__ import annotations

import socket
from pathlib import Path

from jupyter_tasks.templates.plan import Agent, App, WorkspacePlan
from jupyter_tasks.workspaces.local_env import AGENTAPI_PORT, choose_ports

APPS = [
    App(id="1", slug="agent", url="http://localhost:3284"),
    App(id="2", slug="preview", url="http://127.0.0.1:8000/x"),
    App(id="3", slug="docs", url="https://example.com", external=True),
]
PLAN = WorkspacePlan(
    kind="local", transition="start", agents=[Agent(id="a", name="main", os="linux", arch="amd64", apps=APPS)]
)


def test_each_port_has_one_of_its_own() -> None:
    ports, told = choose_ports(PLAN)
    assert set(ports) == {AGENTAPI_PORT, 8000}
    assert len(set(ports.values())) == 2
    assert told == {"JUPYTER_TASKS_AGENTAPI_PORT": str(ports[AGENTAPI_PORT]), "PORT": str(ports[8000])}


def test_no_connection_of_this_machine_takes_one_before_its_program() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    for _ in range(50):
        ports, _ = choose_ports(PLAN)
        for port in ports.values():
            assert not first <= port <= last
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", port))
