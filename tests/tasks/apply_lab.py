"""What the tests of apply share: a user's project, and a workspace that began with a copy of it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.models import ApplyRequest, ApplyResponse, UndoResponse
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.journal import Journal
from jupyter_tasks.store.task_rows import Asker, TaskRow, insert_task
from jupyter_tasks.tasks.apply import Apply
from jupyter_tasks.tasks.review import Review

CLOCK = SystemClock()
TASK = "00000000-0000-0000-0000-000000000001"


class Project:
    """A user's project, and a workspace that began with a copy of it."""

    def __init__(self, top: Path, journal: Journal) -> None:
        self.top = top
        self.mine = top / "home" / "project"
        self.theirs = top / "workspaces" / "w" / "project"
        self.applies = top / "applies"
        self.review = Review(top / "reviews" / "w.git", CLOCK)
        self.journal = journal
        self.mine.mkdir(parents=True, exist_ok=True)

    async def begin(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            write(self.mine / name, content)
        shutil.copytree(self.mine, self.theirs, symlinks=True)
        await self.review.take_base(self.theirs)

    def apply_of(self, **changes: object) -> Apply:
        given: dict[str, object] = {"target": self.mine, "journal_dir": self.applies, **changes}
        return Apply(
            task_id=TASK,
            review=self.review,
            tree=self.theirs,
            clock=CLOCK,
            journal=self.journal,
            **given,  # type: ignore[arg-type]
        )

    async def apply(self, *paths: str, **more: object) -> ApplyResponse:
        return await self.apply_of().apply(ApplyRequest(paths=list(paths), **more))  # type: ignore[arg-type]

    async def undo(self) -> UndoResponse:
        return await self.apply_of().undo()


def write(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)


def tree(top: Path) -> dict[str, object]:
    """Everything below: content, modes, links; and nothing of ours left behind."""
    found: dict[str, object] = {}
    for each in sorted(top.rglob("*")):
        kind = each.lstat().st_mode
        held: object = None
        if stat.S_ISREG(kind):
            held = each.read_bytes()
        elif stat.S_ISLNK(kind):
            held = os.readlink(each)
        found[str(each.relative_to(top))] = (kind, held)
    return found


def actions(response: ApplyResponse | UndoResponse) -> dict[str, str]:
    return {each.path: each.action for each in response.files}


async def open_journal(top: Path) -> Journal:
    database = await Database.open(top / "tasks.db", clock=CLOCK)
    journal = Journal(database, CLOCK)
    await journal.open()
    now = CLOCK.now()
    row = TaskRow(
        id=TASK, owner_id="o", owner_name="ann", name="t", display_name="T", template_id="t",
        template_version_id="v", template_name="project", template_display_name="Project", template_icon="",
        workspace_id="w", prompt="do", parameters={}, preset=None, asker=Asker(), idempotency_key=None,
        created_at=now, updated_at=now,
    )  # fmt: skip
    await journal.change(lambda change: insert_task(change.connection, row))
    return journal
