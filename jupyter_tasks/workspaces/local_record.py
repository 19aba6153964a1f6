"""What is written down about a local workspace, and where its files lie.

Owns the folder of one workspace (``<state>/workspaces/<id>/``) and the two records in it: ``run.json`` (what runs)
and ``exit.json`` (why it no longer does). Written whole or not at all, 0600: the first holds the link token.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.workspaces.limits import Limits
from jupyter_tasks.workspaces.processes import ProcessIdentity
from jupyter_tasks.workspaces.provisioner import Exit, Isolation, LinkAddress, RunningWorkspace

__all__ = ["RunRecord", "WorkspaceFolder", "is_workspace_id"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One running workspace. ``process`` is its inner first process (sandboxed) or its workspace agent (not).

    ``namespace`` is the number of its pid namespace, 0 where it has none; ``child`` the pid that the starting engine
    has to collect.
    """

    workspace_id: str
    build_id: str
    token: str
    process: ProcessIdentity
    namespace: int
    child: int
    isolation: Isolation
    home: str
    limits: Limits
    ports: Mapping[int, int] = field(default_factory=dict)
    cgroup: str = ""

    def running(self, link: Path) -> RunningWorkspace:
        """This workspace as its callers know it."""
        return RunningWorkspace(
            workspace_id=self.workspace_id,
            build_id=self.build_id,
            address=LinkAddress(socket=link),
            token=self.token,
            isolation=self.isolation,
            home=self.home,
            ports=dict(self.ports),
        )

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> RunRecord:
        """From text. Raises: ValueError, KeyError, TypeError on anything else than ``to_json`` wrote."""
        raw: dict[str, Any] = json.loads(text)
        raw["process"] = ProcessIdentity(**raw["process"])
        raw["isolation"] = Isolation(**raw["isolation"])
        raw["limits"] = Limits(**raw["limits"])
        raw["ports"] = {int(key): int(value) for key, value in raw["ports"].items()}
        return cls(**raw)


def is_workspace_id(name: str) -> bool:
    """Whether ``name`` can be the id of a workspace: a plain name of a file."""
    return _ID.fullmatch(name) is not None


class WorkspaceFolder:
    """The files of one workspace. Making one touches nothing. Raises: InvalidInput on an id that is no plain name."""

    def __init__(self, workspaces: Path, links: Path, workspace_id: str) -> None:
        if not is_workspace_id(workspace_id):
            raise InvalidInput(f"{workspace_id!r} cannot be the id of a workspace.")
        self.id = workspace_id
        self.root = workspaces / workspace_id
        self.home = self.root / "home"
        self.scratch = self.root / "scratch"
        self.agent_state = self.root / "agent"
        self.etc = self.root / "etc"
        self.devices = self.root / "devices"
        self.log = self.root / "sandbox.log"
        self.alive = self.root / "alive.lock"
        self.link_dir = links / workspace_id
        self.link = self.link_dir / "link.sock"

    def read_run(self) -> RunRecord | None:
        """What was last started here; None when nothing was, or the file is not one of ours."""
        try:
            return RunRecord.from_json((self.root / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write_run(self, record: RunRecord) -> None:
        """Replace ``run.json``; the last exit is of another run now."""
        self._write("run.json", record.to_json())
        (self.root / "exit.json").unlink(missing_ok=True)

    def read_exit(self) -> Exit | None:
        """Why the last run ended, where it was written down."""
        try:
            raw = json.loads((self.root / "exit.json").read_text(encoding="utf-8"))
            return Exit(reason=str(raw["reason"]), limit=str(raw["limit"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_exit(self, exit_: Exit) -> None:
        """Write down why the run ended, unless that was done: the first reason is the real one."""
        if self.read_exit() is None and self.root.is_dir():
            self._write("exit.json", json.dumps(asdict(exit_)))

    def clear_run(self) -> None:
        """Forget what was started; nothing of it runs any more."""
        (self.root / "run.json").unlink(missing_ok=True)

    def read_log(self) -> str:
        """The end of what the sandbox and the workspace agent wrote to their standard error."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 2000))
            return file.read().decode("utf-8", "replace").strip()
        return ""

    def _write(self, name: str, text: str) -> None:
        new = self.root / f".{name}.new"
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)  # not synced: after a power failure nothing runs, whatever it says
        new.replace(self.root / name)
