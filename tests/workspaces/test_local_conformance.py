"""The local provisioner passes the kit that every provisioner passes, isolated and not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.testing.provisioners import CASES, ProvisionerBench, ProvisionerCase, killed_anywhere
from jupyter_tasks.workspaces.local import LocalProvisioner
from jupyter_tasks.workspaces.local_env import MARK
from jupyter_tasks.workspaces.processes import marked
from jupyter_tasks.workspaces.sandbox import Bubblewrap, SandboxProbe

# pytest-jupyter collects coroutines before anyio does, so that parameters need this said
pytestmark = [pytest.mark.usefixtures("anyio_backend"), pytest.mark.slow]

needs_bwrap = pytest.mark.skipif(
    not isinstance(SandboxProbe(SystemClock()).find(), Bubblewrap), reason="no user namespaces here"
)


def make(places: str, sandbox: str) -> LocalProvisioner:
    """Called here and by the kit's starter in another process."""
    return LocalProvisioner(state=Path(places, "s"), links=Path(places, "l"), sandbox=sandbox)


def bench(places: Path, template: Path, sandbox: str) -> ProvisionerBench:
    def left(workspace_id: str) -> Sequence[str]:
        found = [f"process {pid}" for pid in marked(MARK, workspace_id)]
        return found + [str(path) for path in places.rglob("*") if workspace_id in path.name]

    def agents(workspace_id: str) -> int:
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in marked(MARK, workspace_id)]
        return sum(b"--socket" in command and b"--unshare-pid" not in command for command in commands)

    return ProvisionerBench(
        make=lambda: make(str(places), sandbox),
        starter=["test_local_conformance:make", str(places), sandbox],
        template=template,
        path=os.environ["PATH"],
        left=left,
        agents=agents,
    )


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    """The kit's starter, another process, imports ``make`` from this file."""
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("JUPYTER_TASKS_STATE_DIR", str(short / "s"))


@pytest.mark.timeout(150)  # on a busy machine a fork bomb takes its time to die
@needs_bwrap
@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_isolated(case: ProvisionerCase, short: Path, template: Path) -> None:
    await case.run(bench(short, template, "require"))


@pytest.mark.anyio
@pytest.mark.parametrize("case", [case for case in CASES if not case.isolation], ids=lambda case: case.name)
async def test_not_isolated(case: ProvisionerCase, short: Path, template: Path) -> None:
    await case.run(bench(short, template, "off"))


@needs_bwrap
@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.timeout(600)
async def test_killed_at_every_other_step(short: Path, template: Path) -> None:
    await killed_anywhere(bench(short, template, "require"), every=2)
