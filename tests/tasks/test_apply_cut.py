"""An apply that is cut off: killed at every step, a full disk, a tree that changes under it.

Nothing of the user's is lost in any of them.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from apply_lab import CLOCK, TASK, Project, open_journal, tree, write

from jupyter_tasks.errors import Conflict, TasksError, WorkspaceFailed
from jupyter_tasks.models import ApplyRequest
from jupyter_tasks.store.apply_rows import applies_of
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.journal import Journal
from jupyter_tasks.tasks.apply_recovery import recover

pytestmark = [pytest.mark.anyio]
VICTIM = Path(__file__).with_name("apply_victim.py")


@pytest.fixture
async def project(tmp_path: Path) -> AsyncIterator[Project]:
    journal = await open_journal(tmp_path)
    yield Project(tmp_path, journal)
    await journal.database.close()


async def prepared(project: Project) -> dict[str, object]:
    """A workspace with every kind of change; returns how the user's tree is before."""
    await project.begin({"a": "1", "gone": "1", "d/x": "1", "file": "1"})
    write(project.mine / "private", "stays")
    (project.mine / "a").chmod(0o640)
    write(project.theirs / "a", "2")
    (project.theirs / "gone").unlink()
    shutil.rmtree(project.theirs / "d")
    (project.theirs / "file").unlink()
    write(project.theirs / "file" / "in", "2")
    write(project.theirs / "new" / "er", "2", 0o755)
    return tree(project.mine)


class Victim:
    """Starts processes that end themselves."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(VICTIM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, top: Path, what: str, step: str) -> tuple[int, list[str]]:
        """How it ended, and the steps that it told."""
        given, told = self._process.stdin, self._process.stdout
        assert given is not None
        assert told is not None
        given.write(f"{top}\t{what}\t{step}\n")
        given.flush()
        steps: list[str] = []
        while not (line := told.readline()).startswith("ended "):
            assert line, "the victim is gone"
            steps.append(line.rstrip("\n"))
        return int(line.split()[1]), steps

    def kill(self, top: Path, what: str, step: str) -> None:
        assert self.run(top, what, step) == (-signal.SIGKILL, [])

    def close(self) -> None:
        self._process.communicate(timeout=40)


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    started = Victim()
    yield started
    started.close()


async def states(journal: Journal) -> list[str]:
    return [row.state for row in await journal.read(lambda connection: applies_of(connection, TASK))]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_killed_at_every_step(project: Project, victim: Victim) -> None:
    before = await prepared(project)
    await project.journal.database.close()
    kept = project.top.with_name(f"{project.top.name}-kept")
    shutil.copytree(project.top, kept, symlinks=True)
    steps = {"apply": victim.run(project.top, "apply", "")[1]}
    after = tree(project.mine)
    steps["undo"] = victim.run(project.top, "undo", "")[1]
    assert tree(project.mine) == before
    assert len(steps["apply"]) > 20
    assert len(steps["undo"]) > 20
    for what in ("apply", "undo"):
        for step in steps[what]:
            shutil.rmtree(project.top)
            shutil.copytree(kept, project.top, symlinks=True)
            if what == "undo":
                assert victim.run(project.top, "apply", "-") == (0, [])
            victim.kill(project.top, what, step)
            whole = steps[what].index(step) > max(n for n, each in enumerate(steps[what]) if each.startswith("put:"))
            await _recovered(project, what, step, before, after, whole=whole)


async def _recovered(
    project: Project, what: str, step: str, before: dict[str, object], after: dict[str, object], *, whole: bool
) -> None:
    database = await Database.open(project.top / "tasks.db", clock=CLOCK)
    journal = Journal(database, CLOCK)
    try:
        found = await recover(project.applies, journal)
        assert [each.outcome for each in found] == ["completed" if whole else "rolled back"], (what, step)
        changed = whole == (what == "apply")
        assert tree(project.mine) == (after if changed else before), (what, step)
        undone = ["undone"] if what == "undo" else []
        assert await states(journal) == (["done"] if changed else undone), (what, step)
        assert await recover(project.applies, journal) == []
        again = Project.__new__(Project)
        again.__dict__.update(project.__dict__, journal=journal)
        assert (await again.undo()).undone if changed else (await again.apply()).applied
        assert tree(project.mine) == (before if changed else after), (what, step)
    finally:
        await database.close()


@pytest.mark.slow
async def test_any_step_that_fails_is_rolled_back(project: Project) -> None:
    before = await prepared(project)
    steps: list[str] = []
    await project.apply_of(step=steps.append).apply(ApplyRequest())
    await project.undo()
    assert tree(project.mine) == before
    for step in [each for each in steps if each != "settle"]:

        def fails(name: str, step: str = step) -> None:
            if name == step:
                raise OSError(28, "No space left on device")

        with pytest.raises((TasksError, OSError), match="No space left"):
            await project.apply_of(step=fails).apply(ApplyRequest())
        assert tree(project.mine) == before, step
        assert await states(project.journal) == ["undone"], step
        assert [each.name for each in project.applies.iterdir()] == ["lock"], step
    assert (await project.apply()).applied


@pytest.mark.parametrize(("name", "moment"), [("a", "put:0"), ("gone", "delete:4"), ("a", "put:5")])
async def test_a_file_that_is_written_to_while_it_is_replaced(project: Project, name: str, moment: str) -> None:
    before = await prepared(project)
    with (project.mine / name).open("r+b", buffering=0) as opened:

        def writes(step: str) -> None:
            if step == moment:
                opened.write(b"mine, into the open file")

        with pytest.raises(Conflict, match="changed in your project just now"):
            await project.apply_of(step=writes).apply(ApplyRequest())
    assert (project.mine / name).read_text() == "mine, into the open file"
    (project.mine / name).write_text("1")
    assert tree(project.mine) == before


async def test_where_files_have_no_second_names_the_copies_do(project: Project) -> None:
    before = await prepared(project)

    def fails(step: str) -> None:
        if step == "written":
            for each in project.mine.rglob(".jupyter-tasks-*.old"):
                each.unlink()
            (mark,) = project.applies.glob("*/staged")
            mark.with_name("no-links").touch()
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        await project.apply_of(step=fails).apply(ApplyRequest())
    assert tree(project.mine) == before


@pytest.mark.parametrize("name", ["a", "gone", "new/er", "file"])
async def test_a_file_that_is_changed_while_others_are_written(project: Project, name: str) -> None:
    before = await prepared(project)
    mine = project.mine / name

    def edits(step: str) -> None:
        if step == "mark":
            write(mine, "mine, just now")

    with pytest.raises(Conflict, match="changed in your project just now"):
        await project.apply_of(step=edits).apply(ApplyRequest())
    assert mine.read_text() == "mine, just now"
    if name in before:
        write(mine, "1", 0o640 if name == "a" else 0o644)
    else:
        shutil.rmtree(mine.parent)
    assert tree(project.mine) == before
    assert await states(project.journal) == []


@pytest.mark.parametrize("name", ["a", "gone"])
async def test_a_file_that_is_deleted_while_others_are_written_stays_deleted(project: Project, name: str) -> None:
    before = await prepared(project)

    def deletes(step: str) -> None:
        if step == "mark":
            (project.mine / name).unlink()

    with pytest.raises(Conflict):
        await project.apply_of(step=deletes).apply(ApplyRequest())
    del before[name]
    assert tree(project.mine) == before


async def test_the_same_file_made_by_the_user_meanwhile_stays(project: Project) -> None:
    await prepared(project)

    def makes(step: str) -> None:
        if step == "mark":
            write(project.mine / "new" / "er", "2", 0o755)  # byte for byte what the agent made

    with pytest.raises(Conflict):
        await project.apply_of(step=makes).apply(ApplyRequest())
    assert (project.mine / "new" / "er").read_text() == "2"


async def test_a_project_that_is_moved_meanwhile(project: Project) -> None:
    before = await prepared(project)
    moved = project.mine.with_name("moved")

    def moves(step: str) -> None:
        if step == "mark":
            project.mine.rename(moved)

    with pytest.raises(Conflict, match="was moved while"):
        await project.apply_of(step=moves).apply(ApplyRequest())
    assert tree(moved) == before


async def test_a_directory_that_becomes_a_link_meanwhile(project: Project, tmp_path: Path) -> None:
    await project.begin({"d/x": "1"})
    write(project.theirs / "d" / "x", "2")
    outside = tmp_path / "outside"
    write(outside / "x", "1")

    def swaps(step: str) -> None:
        if step == "mark":
            (project.mine / "d").rename(project.mine / "away")
            (project.mine / "d").symlink_to(outside)

    with pytest.raises(TasksError):
        await project.apply_of(step=swaps).apply(ApplyRequest())
    assert (outside / "x").read_text() == "1"
    assert sorted(os.listdir(outside)) == ["x"]
    assert (project.mine / "away" / "x").read_text() == "1"


async def test_the_project_is_away_when_the_engine_starts_again(project: Project, victim: Victim) -> None:
    before = await prepared(project)
    await project.journal.database.close()
    victim.kill(project.top, "apply", "put:3")
    journal = Journal(await Database.open(project.top / "tasks.db", clock=CLOCK), CLOCK)
    away = project.mine.with_name("away")
    project.mine.rename(away)
    assert [each.outcome for each in await recover(project.applies, journal)] == ["waiting"]
    project.mine.mkdir()  # another one
    assert [each.outcome for each in await recover(project.applies, journal)] == ["waiting"]
    project.mine.rmdir()
    away.rename(project.mine)
    assert [each.outcome for each in await recover(project.applies, journal)] == ["rolled back"]
    assert tree(project.mine) == before
    await journal.database.close()


async def test_what_the_user_wrote_after_the_kill_stays(project: Project, victim: Victim) -> None:
    before = await prepared(project)
    await project.journal.database.close()
    victim.kill(project.top, "apply", "written")
    write(project.mine / "a", "mine", 0o640)
    journal = Journal(await Database.open(project.top / "tasks.db", clock=CLOCK), CLOCK)
    (found,) = await recover(project.applies, journal)
    assert (found.outcome, found.left) == ("rolled back", ["a"])
    assert found.kept is not None
    assert "1" in [each.read_text() for each in (found.kept / "blobs").iterdir()]
    assert (project.mine / "a").read_text() == "mine"
    write(project.mine / "a", "1", 0o640)
    assert tree(project.mine) == before
    assert await recover(project.applies, journal) == []
    await journal.database.close()


async def test_what_stands_in_the_store_stands(project: Project, victim: Victim) -> None:
    await prepared(project)
    await project.journal.database.close()
    victim.kill(project.top, "apply", "settle")
    write(project.mine / "a", "mine", 0o640)
    journal = Journal(await Database.open(project.top / "tasks.db", clock=CLOCK), CLOCK)
    assert [each.outcome for each in await recover(project.applies, journal)] == ["completed"]
    after = tree(project.mine)
    assert after.pop("private")
    assert set(after) == set(tree(project.theirs))
    assert (project.mine / "a").read_text() == "mine"
    assert await states(journal) == ["done"]
    await journal.database.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


async def test_the_disk_of_the_project_is_full(project: Project, small_disk: Path) -> None:
    project.mine = small_disk / "project"
    await project.begin({f"f{number}": "1" for number in range(20)})
    for number in range(20):
        write(project.theirs / f"f{number}", os.urandom(100_000))
    before = tree(project.mine)
    with pytest.raises(WorkspaceFailed, match=r"No space left on device\. Nothing was applied"):
        await project.apply()
    assert tree(project.mine) == before
    assert await states(project.journal) == []
    assert (await project.apply("f1")).applied


async def test_the_disk_of_the_journal_is_full(project: Project, small_disk: Path) -> None:
    project.applies = small_disk / "applies"
    await project.begin({"a": "1"})
    write(project.theirs / "a", os.urandom(2_000_000))
    before = tree(project.mine)
    with pytest.raises(WorkspaceFailed, match=r"No space left on device\. Nothing was applied"):
        await project.apply()
    assert tree(project.mine) == before
    assert [each.name for each in project.applies.iterdir()] == ["lock"]


async def test_a_file_larger_than_one_may_write(project: Project) -> None:
    await project.begin({"a": "1", "b": "1"})
    write(project.theirs / "a", "2")
    write(project.theirs / "b", os.urandom(3 << 20))
    before = tree(project.mine)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limits(step: str) -> None:
        if step == "stage:0":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))

    try:
        with pytest.raises(WorkspaceFailed, match="File too large"):
            await project.apply_of(step=limits).apply(ApplyRequest())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert tree(project.mine) == before
