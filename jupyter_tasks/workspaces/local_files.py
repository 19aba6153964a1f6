"""Making the files of a local workspace.

Owns the first home with the template's files, what is fresh at each start (scratch, the link directory), and
where a directory inside lies on this machine. Everything here is done while nothing of the workspace runs, and can be
repeated after kill -9 at any point: the home appears whole, by one rename, or not at all.
"""

from __future__ import annotations

import os
import posixpath
import stat
from pathlib import Path

from jupyter_tasks.errors import InvalidInput, WorkspaceFailed
from jupyter_tasks.workspaces.local_python import make_environment
from jupyter_tasks.workspaces.local_record import WorkspaceFolder
from jupyter_tasks.workspaces.local_tree import copy_template, remove_tree
from jupyter_tasks.workspaces.provisioner import Fill
from jupyter_tasks.workspaces.sandbox_command import make_devices

__all__ = ["DEFAULT_DIR", "USER", "below_home", "fresh_link_dir", "host_dir", "make_home", "make_scratch"]

USER = "coder"
DEFAULT_DIR = "~/project"


def below_home(plan_dir: str, home: str) -> tuple[str, ...]:
    """The parts of an agent's directory below its home: "~/project", "$HOME/project" or absolute; "" is ~/project.

    Raises: InvalidInput when it lies outside the home, which is all that a local workspace keeps.
    """
    wanted = plan_dir.strip() or DEFAULT_DIR
    for prefix in ("~", "$HOME", "${HOME}"):
        if wanted == prefix or wanted.startswith(prefix + "/"):
            wanted = home + wanted[len(prefix) :]
            break
    wanted = posixpath.normpath(posixpath.join(home, wanted))
    if wanted != home and not wanted.startswith(home.rstrip("/") + "/"):
        raise InvalidInput(
            f"The agent's directory {plan_dir!r} lies outside the home {home} of a local workspace.",
            hint='Set dir = "~/project" in coder_agent.',
        )
    return tuple(part for part in wanted[len(home) :].split("/") if part)


def host_dir(folder: WorkspaceFolder, parts: tuple[str, ...]) -> Path:
    """The directory on this machine. Raises: WorkspaceFailed where the workspace put a link in its place."""
    path = folder.home
    for part in parts:
        path = path / part
        try:
            if stat.S_ISLNK(path.lstat().st_mode):
                raise WorkspaceFailed(
                    f"{'/'.join(parts)} in the workspace {folder.id} is a symbolic link.",
                    hint="Its files are not read through it. Replace it by a directory inside the workspace.",
                    retryable=False,
                )
        except FileNotFoundError:
            break
    return folder.home.joinpath(*parts)


def make_home(
    folder: WorkspaceFolder,
    template_files: Path | None,
    parts: tuple[str, ...],
    home_inside: str,
    python: Path,
    fill: Fill | None = None,
) -> bool:
    """Make the home with the template's files, what ``fill`` puts in, and a Python environment over ``python``.

    Returns whether it was made now.

    Raises: InvalidInput on files that cannot be copied, OSError when the disk is full.
    """
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.home.is_dir():
        return False
    new = folder.root / ".home.new"
    remove_tree(new)
    target = new.joinpath(*parts)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if template_files is not None:
        copy_template(template_files, target)
    else:
        target.mkdir(mode=0o755, exist_ok=True)
    if fill is not None:
        _filled(fill, new, target)
    make_environment(new, home_inside, python)
    new.chmod(0o700)
    new.rename(folder.home)
    return True


def _filled(fill: Fill, new: Path, target: Path) -> None:
    try:
        fill(new, target)
    except BaseException:
        remove_tree(new)  # half a project may be what fills the disk
        raise


def make_scratch(folder: WorkspaceFolder) -> None:
    """Empty ``/tmp`` and ``/var``, device nodes of its own for root, and the directory of the agent's recordings."""
    remove_tree(folder.scratch)
    folder.scratch.mkdir(mode=0o700)
    for name, mode in (("tmp", 0o1777), ("var", 0o755), ("var/tmp", 0o1777)):
        (folder.scratch / name).mkdir()
        (folder.scratch / name).chmod(mode)
    folder.agent_state.mkdir(mode=0o700, exist_ok=True)
    make_devices(folder.devices)


def fresh_link_dir(folder: WorkspaceFolder) -> None:
    """An empty link directory of ours alone. Whatever an earlier run left in it is removed."""
    remove_tree(folder.link_dir)
    folder.link_dir.mkdir(mode=0o700, parents=True)
    if not os.path.samestat(folder.link_dir.lstat(), folder.link_dir.stat()):
        raise WorkspaceFailed(f"{folder.link_dir} is not a directory of ours.", hint="Remove it.")
