"""What a provisioner is: WorkspacePlan -> running workspace agent that answers on a link.

Owns the Protocol and its values. Implementations: ``local`` (bubblewrap), later ``docker``. Optional abilities are
Protocols of their own, asked for with isinstance. ``testing.provisioners`` holds the conformance kit that every
implementation passes. Provisioners are named in ``c.TasksEngine.provisioners`` as a table of name -> dotted path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from jupyter_tasks.templates.plan import Mount, WorkspacePlan

__all__ = [
    "Exit",
    "Fill",
    "Isolation",
    "LinkAddress",
    "ProgressReport",
    "Provisioner",
    "RunningWorkspace",
    "SupportsHostFiles",
    "SupportsUsage",
    "WorkspaceRef",
    "WorkspaceUsage",
]

ProgressReport = Callable[[str], Awaitable[None]]
"""Called with one line of a person's language at each step of a long operation."""


Fill = Callable[[Path, Path], None]
"""Called once, in a thread, with the new home and the agent's directory in it, both on this machine and seen by nobody
yet; the template's own files are there already. May be called again with an empty home after kill -9. Raises:
UserError,
ProvisionError, OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceRef:
    """Which workspace, and which build of it. ``python_env`` is the interpreter prefix of the kernel or shell that
    asked (shown inside, read-only), None for the engine's own. ``path`` is the caller's PATH, where the template's
    programs are looked for."""

    id: str
    name: str
    owner: str
    build_id: str
    python_env: Path | None = None
    path: str = ""
    fill: Fill | None = None
    """Puts the user's files in when the workspace is made first; None: the template's files or nothing."""
    mounts: Sequence[Mount] = ()
    """Directories of this machine that are seen read-only, beside the template's."""
    placed: Callable[[], Awaitable[None]] | None = None
    """Called once the files are in place, beside the start of the workspace agent; ``start`` returns, or raises what
    this raised, when it has ended. A provisioner may leave it out: its caller then does the same behind ``start``."""
    allow_unisolated: bool = False
    """The plan is our own offline agent and nothing else: it may run without isolation where none is to be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAddress:
    """How to dial the workspace agent: the link socket on this machine."""

    socket: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """``kind`` "bubblewrap", "docker" or "none"; ``reason`` says in one sentence why, where it is "none"."""

    kind: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningWorkspace:
    """A workspace agent that has been started. ``token`` opens its link.

    ``ports`` maps a loopback port that the template names to the one that serves it here: empty where the workspace
    has a network of its own, filled where it shares the machine's (no isolation).
    """

    workspace_id: str
    build_id: str
    address: LinkAddress
    token: str
    isolation: Isolation
    home: str  # $HOME inside
    ports: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """Why a workspace is no longer running: a sentence for a person, and whether a limit of ours ended it."""

    reason: str
    limit: str = ""  # "memory" | "processes" | "disk" | ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceUsage:
    """What a workspace uses now: bytes of memory (PSS), processes, bytes on disk (None: not known)."""

    memory: int
    processes: int
    disk: int | None = None


class Provisioner(Protocol):
    """Starts and ends workspaces. Every method is idempotent and safe to repeat after kill -9 at any point."""

    name: str

    async def check(self, ref: WorkspaceRef, plan: WorkspacePlan) -> Isolation:
        """Whether this plan can run here, before anything is built or counted.

        Returns what isolation it will have. Raises: SandboxUnavailable, ProgramMissing, InvalidInput.
        """

    async def start(self, ref: WorkspaceRef, plan: WorkspacePlan, progress: ProgressReport) -> RunningWorkspace:
        """Make what is missing (directories, the template's files, the sandbox) and start the workspace agent.

        Called again for the same build it returns the running one. Returns once the link socket answers ``hello``.
        Raises: SandboxUnavailable, ProgramMissing, WorkspaceFailed.
        """

    async def find(self, workspace_id: str) -> RunningWorkspace | None:
        """The running workspace, after a restart of the engine; None when nothing of it runs."""

    async def wait(self, workspace_id: str) -> Exit:
        """Return when the workspace's last process has ended, with the reason."""

    async def stop(self, workspace_id: str, progress: ProgressReport, *, grace: float = 0.0) -> None:
        """End every process of the workspace and verify it; files stay. Nothing to do is fine.

        The caller has already asked the workspace agent to stop; ``grace`` more seconds are given before the kill.
        """

    async def delete(self, workspace_id: str, progress: ProgressReport) -> None:
        """``stop``, then remove every file and directory of the workspace. Nothing to do is fine."""

    async def list(self) -> Sequence[str]:
        """Ids of every workspace that has something here, running or not, so that orphans can be found."""


@runtime_checkable
class SupportsHostFiles(Protocol):
    """The workspace's files can be read on this machine."""

    def project_dir(self, workspace_id: str, plan_dir: str) -> Path:
        """The host path of the agent's directory ``plan_dir`` ("~/project", absolute below the home inside)."""


@runtime_checkable
class SupportsUsage(Protocol):
    """What a workspace uses can be measured."""

    async def usage(self, workspace_id: str) -> WorkspaceUsage:
        """What it uses now. Raises: NotFound."""
