"""What the local provisioner refuses before anything is built, and says about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_tasks.errors import InvalidInput, NotFound, ProgramMissing, WorkspaceFailed
from jupyter_tasks.templates.plan import Agent, LocalWorkspace, Mount, WorkspacePlan
from jupyter_tasks.workspaces.local import LocalProvisioner
from jupyter_tasks.workspaces.local_files import below_home
from jupyter_tasks.workspaces.provisioner import Provisioner, SupportsHostFiles, SupportsUsage, WorkspaceRef

pytestmark = pytest.mark.usefixtures("anyio_backend")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home-of-user"
    (path / ".ssh").mkdir(parents=True)
    (path / "data").mkdir()
    monkeypatch.setenv("HOME", str(path))
    return path


@pytest.fixture
def local(tmp_path: Path) -> LocalProvisioner:
    return LocalProvisioner(state=tmp_path / "s", links=tmp_path / "r" / "links", sandbox="off")


def ref(workspace_id: str = "w1") -> WorkspaceRef:
    return WorkspaceRef(id=workspace_id, name="w", owner="me", build_id="b", path=os.environ["PATH"])


def plan(directory: str = "~/project", **local: object) -> WorkspacePlan:
    agent = Agent(id="a", name="main", os="linux", arch="amd64", dir=directory)
    return WorkspacePlan(
        kind="local",
        transition="start",
        agents=[agent],
        local=LocalWorkspace(**local),  # type: ignore[arg-type]
    )


def test_is_a_provisioner(local: LocalProvisioner) -> None:
    provisioner: Provisioner = local
    assert provisioner.name == "local"
    assert isinstance(local, SupportsHostFiles)
    assert isinstance(local, SupportsUsage)


@pytest.mark.anyio
async def test_missing_program_is_named(local: LocalProvisioner, home: Path) -> None:
    with pytest.raises(ProgramMissing, match="claude-of-nowhere") as caught:
        await local.check(ref(), plan(programs=["git", "claude-of-nowhere"]))
    assert "Install claude-of-nowhere" in caught.value.hint
    assert (await local.check(ref(), plan(programs=["git"]))).kind == "none"


@pytest.mark.anyio
@pytest.mark.parametrize("source", ["/", "~", "~/.ssh", "~/nowhere", "STATE", "~/link"])
async def test_private_directories_are_not_mounted(local: LocalProvisioner, home: Path, source: str) -> None:
    (home / "link").symlink_to(".ssh")
    place = local._workspaces.parent if source == "STATE" else Path(source)
    with pytest.raises(InvalidInput):
        await local.check(ref(), plan(mounts=[Mount(source=place, target=Path("/mnt/data"))]))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "target", ["/", "/usr/share/x", "/etc", "/home", "/home/coder/data", "/proc/1", "data", "/run"]
)
async def test_mount_targets_that_are_taken(local: LocalProvisioner, home: Path, target: str) -> None:
    with pytest.raises(InvalidInput, match="mounts"):
        await local.check(ref(), plan(mounts=[Mount(source=home / "data", target=Path(target))]))


@pytest.mark.anyio
async def test_ordinary_and_allowed_mounts(local: LocalProvisioner, home: Path) -> None:
    await local.check(ref(), plan(mounts=[Mount(source=Path("~/data"), target=Path("/mnt/data"))]))
    local.mounts = ["~/.ssh"]
    await local.check(ref(), plan(mounts=[Mount(source=home / ".ssh", target=Path("/mnt/data"))]))


@pytest.mark.anyio
async def test_python_environment_around_the_home(local: LocalProvisioner, home: Path) -> None:
    asked = WorkspaceRef(id="w1", name="w", owner="me", build_id="b", python_env=home.parent, path=os.environ["PATH"])
    with pytest.raises(InvalidInput, match="cannot be shown"):
        await local.check(asked, plan())


@pytest.mark.anyio
async def test_agent_directory_outside_the_home(local: LocalProvisioner) -> None:
    with pytest.raises(InvalidInput, match="outside the home"):
        await local.check(ref(), plan("/srv/app"))


@pytest.mark.anyio
@pytest.mark.parametrize("workspace_id", ["", "..", ".", "a/b", "/etc", "a\n", "-rf", "x" * 200])
async def test_ids_that_are_no_names(local: LocalProvisioner, workspace_id: str) -> None:
    with pytest.raises(InvalidInput, match="id of a workspace"):
        await local.delete(workspace_id, _silent)


async def _silent(line: str) -> None:
    return None


@pytest.mark.parametrize(
    ("directory", "parts"),
    [
        ("", ("project",)),
        ("~", ()),
        ("~/a/b", ("a", "b")),
        ("$HOME/a", ("a",)),
        ("/home/coder/a/../b", ("b",)),
        ("relative", ("relative",)),
        ("~/a//b/", ("a", "b")),
    ],
)
def test_agent_directories(directory: str, parts: tuple[str, ...]) -> None:
    assert below_home(directory, "/home/coder") == parts


@pytest.mark.parametrize("directory", ["/", "/etc", "~/..", "../x", "/home/coderx", "~root/x/../../..", "/home"])
def test_agent_directories_outside(directory: str) -> None:
    with pytest.raises(InvalidInput, match="outside the home"):
        below_home(directory, "/home/coder")


def test_project_dir_is_not_read_through_a_planted_link(local: LocalProvisioner, tmp_path: Path) -> None:
    home = tmp_path / "s" / "workspaces" / "w1" / "home"
    home.mkdir(parents=True)
    assert local.project_dir("w1", "~/project") == home / "project"
    (home / "project").symlink_to("/etc")
    with pytest.raises(WorkspaceFailed, match="symbolic link"):
        local.project_dir("w1", "~/project/deep")


@pytest.mark.anyio
async def test_usage_of_nothing(local: LocalProvisioner) -> None:
    with pytest.raises(NotFound, match="not running"):
        await local.usage("w1")
