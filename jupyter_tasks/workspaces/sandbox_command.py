"""What a sandboxed workspace sees, as a bubblewrap command line.

Owns the allow-list of the file system, the order of mounts (a mount never lands in a directory that the workspace
can write, so that no planted link can lead it astray) and the environment. Decides nothing about processes.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_tasks.workspaces.sandbox import NAMESPACES
from jupyter_tasks.workspaces.sandbox_etc import EMPTY, shown_directories
from jupyter_tasks.workspaces.sandbox_programs import SYSTEM, Needs

__all__ = ["INSIDE", "SandboxView", "bwrap_command", "inner_ids", "make_devices"]

_MIB = 1 << 20

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

_MASKED = ("kcore", "keys", "kpagecount", "kpageflags", "kpagecgroup", "sched_debug", "timer_list")


@dataclass(frozen=True, slots=True)
class _Inside:
    """Where things are inside a sandbox."""

    runtime: str = "/run/jupyter-tasks"
    link: str = "/run/jupyter-tasks/link"
    archive: str = "/run/jupyter-tasks/agent.pyz"
    state: str = "/run/jupyter-tasks/state"


INSIDE = _Inside()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxView:
    """Everything of this machine that one workspace sees. ``home_inside`` is where ``home`` appears.

    ``home``, ``scratch`` (holding ``tmp`` and ``var``), ``state`` and ``link`` are writable, all else is not.
    ``etc`` holds the files that we write for it; ``devices`` device nodes of its own, or None for the machine's.
    ``hidden`` are directories that must not be seen even where something above them is shown. ``shm`` in bytes.
    """

    home: Path
    home_inside: str
    scratch: Path
    state: Path
    link: Path
    etc: Path
    archive: Path
    needs: Needs
    mounts: Sequence[tuple[Path, Path]] = ()
    hidden: Sequence[Path] = ()
    devices: Path | None = None
    shm: int = 256 * _MIB
    hostname: str = "workspace"


def inner_ids() -> tuple[int, int]:
    """The user and group inside: the caller's own, so that files look the same on both sides; 1000 instead of root.

    Root inside would own files that no mapping covers, and coding agents refuse to work unattended as root.
    """
    return os.geteuid() or 1000, os.getegid() or 1000


def bwrap_command(
    bwrap: Path, view: SandboxView, *, info_fd: int, block_fd: int, alive_fd: int, seccomp_fd: int | None
) -> list[str]:
    """The command line up to and including ``--``; the program to run follows."""
    uid, gid = inner_ids()
    command = [str(bwrap), *NAMESPACES, "--new-session", "--uid", str(uid), "--gid", str(gid)]
    command += ["--hostname", view.hostname]
    command += ["--info-fd", str(info_fd), "--block-fd", str(block_fd), "--sync-fd", str(alive_fd)]
    if seccomp_fd is not None:
        command += ["--seccomp", str(seccomp_fd)]
    command += _system() + _etc(view.etc) + _kernel(view.devices, view.shm)
    command += ["--size", str(16 * _MIB), "--tmpfs", "/run"]
    command += ["--bind", str(view.scratch / "tmp"), "/tmp", "--bind", str(view.scratch / "var"), "/var"]  # noqa: S108
    command += _shown(view)
    command += ["--ro-bind", str(view.archive), INSIDE.archive]
    command += ["--bind", str(view.link), INSIDE.link, "--bind", str(view.state), INSIDE.state]
    command += ["--bind", str(view.home), view.home_inside]
    command += ["--remount-ro", "/", "--chdir", view.home_inside, "--"]
    return command


def _system() -> list[str]:
    command: list[str] = []
    for top in SYSTEM:
        if top.is_symlink():
            command += ["--symlink", str(top.readlink()), str(top)]
        elif top.is_dir():
            command += ["--ro-bind", str(top), str(top)]
    return command


def _etc(own: Path) -> list[str]:
    command = ["--ro-bind", str(own), "/etc"]
    for name in shown_directories():
        command += ["--ro-bind", f"/etc/{name}", f"/etc/{name}"]
    return command


def _kernel(devices: Path | None, shm: int) -> list[str]:
    """``/proc`` and ``/dev``.

    Read-only as a whole: bubblewrap covers only directories that it could write itself, but for a caller who is root
    the files of /proc/sys stay writable without any capability, core_pattern among them.
    """
    command = ["--proc", "/proc"]
    for name in _MASKED:
        if Path("/proc", name).is_file():
            command += ["--ro-bind", "/dev/null", f"/proc/{name}"]
    command += ["--remount-ro", "/proc", "--dev", "/dev"]
    if devices is not None:
        for path in sorted(devices.iterdir()):
            command += ["--dev-bind", str(path), f"/dev/{path.name}"]
    return [*command, "--size", str(shm), "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108


def _shown(view: SandboxView) -> list[str]:
    command: list[str] = []
    needs = view.needs
    tops = sorted(needs.paths)
    shown = [path for path in tops if not any(path != top and path.is_relative_to(top) for top in tops)]
    for path in shown:
        command += ["--ro-bind", str(path), str(path)]
        secrets = [(path / name).resolve() for name in ("pip.conf", "etc/jupyter", "share/jupyter/runtime")]
        for secret in (*secrets, *(private.resolve() for private in view.hidden)):
            if secret.is_relative_to(path):
                command += _hide(secret, view.etc)
    for link, target in sorted(needs.links.items()):
        if not any(link.is_relative_to(path) for path in shown):
            command += ["--symlink", str(target), str(link)]
    for source, target in view.mounts:
        command += ["--ro-bind", str(source), str(target)]
    return command


def _hide(path: Path, etc: Path) -> list[str]:
    if path.is_dir():
        return ["--size", "4096", "--tmpfs", str(path), "--remount-ro", str(path)]
    return ["--ro-bind", str(etc / EMPTY), str(path)] if path.is_file() else []


def make_devices(directory: Path) -> Path | None:
    """Device nodes of the workspace's own, for a caller who is root; None where they cannot or need not be made.

    The inner user of root's workspace owns the machine's nodes and could change the mode of /dev/null for everybody.
    """
    if os.geteuid() != 0:
        return None
    directory.mkdir(mode=0o755, exist_ok=True)
    try:
        for name in _DEVICES:
            with contextlib.suppress(FileExistsError):
                os.mknod(directory / name, stat.S_IFCHR | 0o666, Path("/dev", name).stat().st_rdev)
            (directory / name).chmod(0o666)
        os.close(os.open(directory / "null", os.O_RDONLY))
    except OSError:  # no CAP_MKNOD, or a file system without devices
        return None
    return directory
