"""The agent's archive and the manifest: what a provisioner copies in and what ``start`` is told."""

from __future__ import annotations

import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from jupyter_tasks.agent.manifest import Manifest
from jupyter_tasks.errors import StoreReadOnly
from jupyter_tasks.templates.plan import Agent, App, HealthCheck, Metadata, Script, WorkspacePlan
from jupyter_tasks.workspaces.agent_archive import agent_archive
from jupyter_tasks.workspaces.manifest import manifest
from jupyter_tasks.workspaces.provisioner import WorkspaceRef


def test_the_archive_is_built_once_and_depends_on_its_content_alone(tmp_path: Path) -> None:
    first = agent_archive(directory=tmp_path / "a")
    again = agent_archive(directory=tmp_path / "a")
    other = agent_archive(directory=tmp_path / "b")
    assert first == again
    assert first.name == other.name
    assert first.read_bytes() == other.read_bytes()
    assert stat.S_IMODE(first.stat().st_mode) == 0o644
    assert [path.name for path in first.parent.iterdir()] == [first.name]
    with zipfile.ZipFile(first) as archive:
        names = set(archive.namelist())
    assert {
        "__main__.py",
        "agent/daemon.py",
        "agent/daemon.pyc",
        "agent/shims/coder.py",
        "offline/__init__.py",
    } <= names


def test_the_archive_is_kept_in_the_state_directory(places: Path) -> None:
    assert agent_archive().is_relative_to(places / "state")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreReadOnly, match="cannot be written"):
        agent_archive(directory=tmp_path / "file")


def test_the_agent_imports_nothing_of_the_package_and_little_of_the_library(tmp_path: Path) -> None:
    heavy = "jupyter_tasks typing dataclasses asyncio subprocess tarfile inspect hashlib ctypes"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import agent.daemon, agent.operations, agent.shims; "
        f"print(*sorted(set({heavy!r}.split()) & {{name.split('.')[0] for name in sys.modules}}))"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(agent_archive(directory=tmp_path))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == ""


@pytest.mark.parametrize(
    ("arguments", "text", "status"),
    [
        ([], "--socket and --state are needed", 2),
        (["--wrong"], "unknown argument", 2),
        (["--socket", "s", "--state", "d"], "no token", 2),
    ],
)
def test_the_agent_says_what_it_is_started_without(
    tmp_path: Path, arguments: list[str], text: str, status: int
) -> None:
    archive = agent_archive(directory=tmp_path)
    found = subprocess.run(
        [sys.executable, "-I", "-S", str(archive), *arguments], input="\n", capture_output=True, text=True
    )
    assert found.returncode == status
    assert text in found.stderr


def test_a_socket_that_cannot_be_made_ends_the_agent_with_the_reason(tmp_path: Path) -> None:
    archive = agent_archive(directory=tmp_path)
    place = tmp_path / "missing" / "link.sock"
    command = [sys.executable, "-I", "-S", str(archive), "--socket", str(place), "--state", str(tmp_path / "state")]
    found = subprocess.run(command, input="token\n", capture_output=True, text=True)
    assert found.returncode == 1
    assert "No such file" in found.stderr
    assert "Traceback" not in found.stderr


def _plan() -> tuple[WorkspacePlan, Agent]:
    check = HealthCheck(url="http://localhost:8000/health", interval=5, threshold=6)
    agent = Agent(
        id="agent-1",
        name="main",
        os="linux",
        arch="amd64",
        dir="~/project",
        env={"A": "1", "B": "template"},
        scripts=[Script(id="s", display_name="S", script="true", run_on_start=True, timeout=9)],
        apps=[
            App(id="x", slug="preview", url="http://localhost:8000", healthcheck=check),
            App(id="y", slug="docs", url="https://example.com"),
        ],
        metadata=[Metadata(key="cpu", script="coder stat cpu", interval=10, timeout=1)],
    )
    return WorkspacePlan(kind="local", transition="start", agents=[agent]), agent


def test_a_manifest_is_what_the_agent_reads() -> None:
    plan, agent = _plan()
    ref = WorkspaceRef(id="w", name="ws", owner="me", build_id="b")
    made = manifest(plan, agent, build_id="b", ref=ref, token="t", task_id="task", env={"B": "ours"})
    read = Manifest(made)
    assert (read.build_id, read.agent_name, read.directory, read.token) == ("b", "main", "~/project", "t")
    assert (read.workspace_name, read.workspace_owner) == ("ws", "me")
    assert read.env == {"A": "1", "B": "ours"}
    assert (read.scripts[0].id, read.scripts[0].timeout, read.scripts[0].blocking) == ("s", 9.0, False)
    assert [app.check_url for app in read.apps] == ["http://localhost:8000/health", ""]
    assert (read.apps[0].interval, read.apps[0].threshold) == (5.0, 6)
    assert (read.metadata[0].key, read.metadata[0].interval, read.metadata[0].timeout) == ("cpu", 10.0, 1.0)
    assert read.services == [("coder", 0), ("gateway", 0)]
    assert read.watch_ports


def test_where_the_network_is_shared_checks_go_to_the_port_that_serves_here() -> None:
    plan, agent = _plan()
    ref = WorkspaceRef(id="w", name="ws", owner="me", build_id="b")
    ports = {8000: 41000, 3284: 41001}
    made = manifest(plan, agent, build_id="b", ref=ref, token="t", task_id=None, env={}, ports=ports, own_network=False)
    read = Manifest(made)
    assert read.apps[0].check_url == "http://localhost:41000/health"
    assert read.env["JUPYTER_TASKS_AGENTAPI_PORT"] == "41001"
    assert not read.watch_ports
