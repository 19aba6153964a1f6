"""What of the user's own goes into a task's workspace: their project, directories that are shown, their agent set-up.

Owns putting the two together (``project``, ``carry``) and what is kept of the decision in the store. A template that
brings files of its own gets nothing of the user's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.models import ProjectInfo, ProjectRequest
from jupyter_tasks.store.task_rows import TaskRow
from jupyter_tasks.tasks.carry import survey_carry
from jupyter_tasks.tasks.project import Chosen, Survey, survey
from jupyter_tasks.tasks.project_json import root_from_json
from jupyter_tasks.templates.plan import Mount, WorkspacePlan
from jupyter_tasks.workspaces.provisioner import WorkspaceRef

__all__ = ["Belongings", "brings_files", "look", "project_root", "refuse_project", "told", "workspace_ref"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """The decision for one task. ``carry``: what of the agent set-up was asked for (None: all)."""

    survey: Survey
    carry: Sequence[str] | None
    home: Path

    @property
    def mounts(self) -> Sequence[Mount]:
        """What the workspace sees read-only, at each start."""
        return self.survey.mounts

    def info(self) -> ProjectInfo:
        """What went in, or would. Blocks."""
        return self.survey.info().model_copy(update={"carried": list(survey_carry(self.home, self.carry).names)})

    def fill(self, home: Path, target: Path) -> None:
        """Put everything into a new home (a ``workspaces.provisioner.Fill``). Blocks. Raises: as ``Survey.fill``."""
        survey_carry(self.home, self.carry).fill(home)
        self.survey.fill(home, target)

    def to_json(self) -> Mapping[str, Any]:
        """For the store. Blocks."""
        return {
            "survey": self.survey.to_json(),
            "carry": None if self.carry is None else list(self.carry),
            "home": str(self.home),
            "info": self.info().model_dump(mode="json"),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], *, clock: Clock) -> Belongings:
        """The inverse of ``to_json``."""
        return cls(survey=Survey.from_json(kept["survey"], clock=clock), carry=kept["carry"], home=Path(kept["home"]))


def look(ask: ProjectRequest, *, clock: Clock, home: Path, chosen: Chosen | None = None) -> Belongings:
    """Decide what goes in; makes nothing. Blocks. ``chosen``: what ``project.choose`` said of it, if it was asked.

    Raises: as ``project.survey``; InvalidInput for an unknown name in ``carry``.
    """
    survey_carry(home, ask.carry)
    return Belongings(survey=survey(ask, clock=clock, home=home, chosen=chosen), carry=ask.carry, home=home)


def told(kept: Mapping[str, Any] | None) -> ProjectInfo | None:
    """What the store says went in."""
    return None if kept is None else ProjectInfo.model_validate(kept["info"])


def project_root(kept: Mapping[str, Any] | None) -> Path | None:
    """Where the user's project lies, as the store has it; None where none went in."""
    return None if kept is None else root_from_json(kept["survey"])


def brings_files(plan: WorkspacePlan) -> bool:
    """Whether the template fills the agent's directory itself."""
    return plan.local is not None and plan.local.files is not None


def refuse_project(template: str, ask: ProjectRequest) -> None:
    """For a template that brings its own files. Raises: InvalidInput where files of the user's were asked for."""
    asked = ask.project not in (None, "none") or bool(ask.files or ask.mounts or ask.carry)
    if asked:
        raise InvalidInput(
            f'The template "{template}" brings its own files: it takes no project, files, mounts or set-up of yours.',
            hint='Use the template "project" for your own files, or leave these options out.',
        )


def workspace_ref(row: TaskRow, build_id: str, *, allow_unisolated: bool, clock: Clock) -> WorkspaceRef:
    """Which workspace, which build of it, who asked, what of theirs goes in."""
    asker = row.asker
    belongings = None if row.project is None else Belongings.from_json(row.project, clock=clock)
    return WorkspaceRef(
        id=row.workspace_id,
        name=row.name,
        owner=row.owner_name,
        build_id=build_id,
        python_env=Path(asker.python_env) if asker.python_env else None,
        path=asker.path or "",
        fill=None if belongings is None else belongings.fill,
        mounts=() if belongings is None else belongings.mounts,
        allow_unisolated=allow_unisolated,
    )
