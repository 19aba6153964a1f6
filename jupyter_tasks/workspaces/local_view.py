"""What one plan's workspace sees of this machine.

Owns the policy that turns a plan into a ``SandboxView``: which home it gets inside, which Python environments and
programs are shown, which mounts are refused and what is hidden. ``sandbox_command`` turns the view into arguments.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.templates.plan import LocalWorkspace, Mount
from jupyter_tasks.workspaces.local_env import login_shell
from jupyter_tasks.workspaces.local_files import USER
from jupyter_tasks.workspaces.local_record import WorkspaceFolder
from jupyter_tasks.workspaces.provisioner import WorkspaceRef
from jupyter_tasks.workspaces.sandbox_command import SandboxView, bwrap_command, inner_ids
from jupyter_tasks.workspaces.sandbox_etc import write_etc
from jupyter_tasks.workspaces.sandbox_programs import Needs, is_system, plain, python_needs, resolve_programs

__all__ = ["Private", "check_plan", "command", "home_inside", "needs", "view"]

_TAKEN = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/proc", "/dev", "/run/jupyter-tasks")))


@dataclass(frozen=True, slots=True)
class Private:
    """What no workspace may see: the ``home`` as a whole, and the ``hidden`` directories wherever they lie."""

    home: Path
    hidden: tuple[Path, ...]
    allowed: tuple[Path, ...]

    @classmethod
    def of(cls, state: Path, runtime: Path, allowed: Iterable[str]) -> Private:
        """The caller's own: their home, our state and runtime directories, Jupyter's runtime directory and settings."""
        from jupyter_core.paths import jupyter_config_dir, jupyter_runtime_dir

        hidden = (state, runtime, Path(jupyter_runtime_dir()), Path(jupyter_config_dir()))
        return cls(Path.home(), hidden, tuple(Path(one).expanduser().absolute() for one in allowed))


def home_inside() -> str:
    """Where the home appears inside: not where the caller's own programs are shown, and the same at each resume."""
    usual = Path("/home", USER)
    return "/home/workspace" if Path.home().is_relative_to(usual) else str(usual)


def needs(ref: WorkspaceRef, local: LocalWorkspace, private: Private) -> Needs:
    """What the Python environments and the plan's programs need. Raises: ProgramMissing, InvalidInput."""
    found = Needs()
    search = ref.path or os.environ.get("PATH", os.defpath)
    for prefix in (ref.python_env, Path(sys.prefix)):
        if prefix is not None:
            python_needs(prefix, found, private=[private.home])
    found.add_bin((ref.python_env or Path(sys.prefix)) / "bin")
    resolve_programs(local.programs, search, found, private=[private.home])
    return found


def check_plan(ref: WorkspaceRef, local: LocalWorkspace, private: Private) -> None:
    """Whether everything that a plan names is here. Raises: ProgramMissing, InvalidInput."""
    needs(ref, local, private)
    if local.files is not None and not local.files.is_dir():
        raise InvalidInput(f"The template's files {local.files} are not a directory.")
    for mount in local.mounts:
        _check_mount(mount, private, "The template")
    for mount in ref.mounts:
        _check_mount(mount, private, "The task")


def _check_mount(mount: Mount, private: Private, who: str) -> None:
    source = plain(mount.source)
    if not source.is_dir():
        raise InvalidInput(f"The directory {source} that {who[0].lower()}{who[1:]} mounts does not exist.")
    real = source.resolve()
    if mount.target == source and is_system(real) and is_system(source):
        return  # every workspace sees it there
    for secret in (private.home, *private.hidden):
        if secret.resolve().is_relative_to(real) or (secret != private.home and real.is_relative_to(secret.resolve())):
            raise InvalidInput(
                f"{who} may not mount {source}, because {secret} is private.",
                hint="Mount the directory below it that the task needs.",
            )
    home = private.home.resolve()
    hidden = real.is_relative_to(home) and real.relative_to(home).parts[0].startswith(".")
    if hidden and not any(real.is_relative_to(one.resolve()) for one in private.allowed):
        raise InvalidInput(
            f"{who} may not mount {source}, a hidden directory of your home.",
            hint=f'Allow it: c.LocalProvisioner.mounts = ["{source}"].',
        )
    target = Path(os.path.normpath(mount.target))
    inside = Path(home_inside())
    if not target.is_absolute() or target == Path("/") or any(target.is_relative_to(one) for one in (*_TAKEN, inside)):
        raise InvalidInput(
            f"{who} mounts {source} at {mount.target}, which is taken.",
            hint="Mount it at a path of its own, such as /mnt/data.",
        )
    if inside.is_relative_to(target) or any(one.is_relative_to(target) for one in _TAKEN):
        raise InvalidInput(f"{who} mounts {source} over {mount.target}.", hint="Mount it at /mnt/data.")


def view(
    folder: WorkspaceFolder, ref: WorkspaceRef, local: LocalWorkspace, archive: Path, private: Private
) -> SandboxView:
    """Everything that this workspace sees; writes its ``/etc``."""
    home = home_inside()
    hostname = "".join(c if c.isalnum() or c == "-" else "-" for c in ref.name)[:63].strip("-") or "workspace"
    write_etc(
        folder.etc,
        user=USER,
        ids=inner_ids(),
        home=home,
        hostname=hostname,
        shell=login_shell(),
        workspace_id=folder.id,
    )
    return SandboxView(
        home=folder.home,
        home_inside=home,
        scratch=folder.scratch,
        state=folder.agent_state,
        link=folder.link_dir,
        etc=folder.etc,
        archive=archive,
        needs=needs(ref, local, private),
        mounts=_mounts([*local.mounts, *ref.mounts]),
        hidden=private.hidden,
        devices=folder.devices if folder.devices.is_dir() else None,
        shm=max(16 << 20, min(local.memory // 4, 1 << 30)),
        hostname=hostname,
    )


def _mounts(mounts: Sequence[Mount]) -> list[tuple[Path, Path]]:
    """Each once, those above others first, and none that every workspace sees anyway."""
    found = dict.fromkeys((plain(mount.source), Path(os.path.normpath(mount.target))) for mount in mounts)
    return sorted((one for one in found if not is_system(one[1])), key=lambda one: len(one[1].parts))


def command(bwrap: Path, view: SandboxView, info: int, block: int, alive: int, seccomp: int | None) -> list[str]:
    """``bwrap_command`` as ``launch_sandboxed`` calls it."""
    return bwrap_command(bwrap, view, info_fd=info, block_fd=block, alive_fd=alive, seccomp_fd=seccomp)
