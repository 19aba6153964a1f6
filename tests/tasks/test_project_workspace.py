"""The project in a real, isolated workspace: git works inside, and reaches nothing of the user's but what it reads."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from project_repositories import CLOCK, git, look, repository

from jupyter_tasks.tasks.project import Survey
from jupyter_tasks.templates.plan import Agent, LocalWorkspace, WorkspacePlan
from jupyter_tasks.testing.provisioners import execute
from jupyter_tasks.workspaces.local import LocalProvisioner
from jupyter_tasks.workspaces.provisioner import RunningWorkspace, WorkspaceRef
from jupyter_tasks.workspaces.sandbox import Bubblewrap, SandboxProbe

pytestmark = [
    pytest.mark.usefixtures("anyio_backend"),
    pytest.mark.slow,
    pytest.mark.skipif(not isinstance(SandboxProbe(CLOCK).find(), Bubblewrap), reason="no user namespaces here"),
]

IDENTITY = "-c user.name=agent -c user.email=agent@example.org"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a short name; nothing of this machine's own git configuration."""
    path = Path(tempfile.mkdtemp(prefix="jt-")).resolve()
    for name, value in {
        "HOME": path / "home",
        "JUPYTER_TASKS_STATE_DIR": path / "s",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "JUPYTER_RUNTIME_DIR": path / "home" / "r",
        "JUPYTER_CONFIG_DIR": path / "home" / "c",
    }.items():
        monkeypatch.setenv(name, str(value))
    yield path
    shutil.rmtree(path)


async def silent(line: str) -> None:
    assert line


async def run(workspace: RunningWorkspace, script: str) -> str:
    ran = await execute(workspace, "sh", "-c", f"cd ~/project && {script}")
    assert ran.code == 0, ran.out + ran.err
    return ran.out.strip()


@pytest.mark.anyio
async def test_git_works_inside(short: Path) -> None:
    top = repository(short / "home" / "mono")
    (top / "README").write_text("changed\n")
    time.sleep(0.02)
    data = short / "home" / "data"
    data.mkdir()
    (data / "big.csv").write_text("1,2\n")
    before = {path: path.lstat().st_mtime_ns for path in top.rglob("*")}
    found = look(top / "src", home=short / "home", mounts=[str(data)])
    provisioner = LocalProvisioner(state=short / "s", links=short / "r" / "l")
    ref = WorkspaceRef(
        id="w-1", name="w", owner="o", build_id="b-1", path=os.environ["PATH"], fill=found.fill, mounts=found.mounts
    )
    agent = Agent(id="agent", name="main", os="linux", arch="amd64", dir="~/project")
    plan = WorkspacePlan(kind="local", transition="start", agents=[agent], local=LocalWorkspace(memory=512 << 20))
    try:
        await provisioner.check(ref, plan)
        inside = await provisioner.start(ref, plan, silent)
        index = short / "s" / "workspaces" / "w-1" / "home" / "project" / ".git" / "index"
        written = index.read_bytes()
        assert await run(inside, "git status --porcelain --branch") == "## main\n M README"
        assert index.read_bytes() == written, "git had to read files to know that they are unchanged"
        assert await run(inside, "git log --format=%s && git fsck") == "first"
        assert await run(inside, "git diff --stat | tail -1") == "1 file changed, 1 insertion(+), 1 deletion(-)"
        await run(inside, f"git {IDENTITY} commit -qam second && git gc -q --prune=now && git fsck")
        assert await run(inside, f"cat {data}/big.csv; ls {top.parent}") == "1,2\ndata\nmono"
        assert await run(inside, f"ls -A {top} {top}/.git") == f"{top}:\n.git\n\n{top}/.git:\nobjects"
        refused = await execute(
            inside, "sh", "-c", f"echo > {top}/.git/objects/x || echo > {data}/x || echo > {data}/big.csv"
        )
        assert refused.code != 0
        await provisioner.stop(ref.id, silent)
        again = Survey.from_json(found.to_json(), clock=CLOCK)
        inside = await provisioner.start(
            replace(ref, build_id="b-2", fill=again.fill, mounts=again.mounts), plan, silent
        )
        assert await run(inside, "git log --format=%s && git status --porcelain") == "second\nfirst"
        assert {path: path.lstat().st_mtime_ns for path in top.rglob("*")} == before, "the user's files were written"
        assert git(top, "log", "--format=%s") == "first"
        await provisioner.stop(ref.id, silent)
        shutil.rmtree(top)
        inside = await provisioner.start(replace(ref, build_id="b-3", mounts=again.mounts), plan, silent)
        assert await run(inside, "cat README") == "changed", (
            "without the user's repository the workspace does not start"
        )
    finally:
        await provisioner.delete(ref.id, silent)
