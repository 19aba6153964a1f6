"""Taking an agent's changes over: the three-way rule, everything or nothing, and back."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from apply_lab import TASK, Project, actions, open_journal, tree, write
from not_root import not_root

from jupyter_tasks.errors import Conflict, InvalidInput, NotFound, WorkspaceFailed
from jupyter_tasks.models import ApplyRequest, ApplyResponse
from jupyter_tasks.store.apply_rows import applies_of
from jupyter_tasks.tasks.apply import Count
from jupyter_tasks.tasks.apply_recovery import forget

pytestmark = [pytest.mark.anyio]


@pytest.fixture
async def project(tmp_path: Path) -> AsyncIterator[Project]:
    journal = await open_journal(tmp_path)
    yield Project(tmp_path, journal)
    await journal.database.close()


async def test_every_kind_of_change_there_and_back(project: Project) -> None:
    await project.begin({"a.txt": "one\n", "src/app.py": "x = 1\n", "old/gone.txt": "bye\n", "run.sh": "#!/bin/sh\n"})
    write(project.mine / ".env", "SECRET=1\n")  # was left out of the workspace
    before = tree(project.mine)
    write(project.theirs / "a.txt", b"one\r\ntwo\xff\n")
    write(project.theirs / "deep" / "er" / "new.txt", "new\n")
    write(project.theirs / "run.sh", "#!/bin/sh\n", 0o755)
    write(project.theirs / "tool", "x", 0o755)
    shutil.rmtree(project.theirs / "old")
    assert await project.apply_of().unapplied() == 5

    plan = await project.apply(dry_run=True)
    assert plan.dry_run
    assert not plan.applied
    assert plan.id is None
    assert tree(project.mine) == before
    done = await project.apply()
    expected = {
        "a.txt": "modified", "deep/er/new.txt": "added", "run.sh": "modified", "tool": "added",
        "old/gone.txt": "deleted",
    }  # fmt: skip
    assert actions(done) == actions(plan) == expected
    assert done.applied
    assert done.target == str(project.mine)
    after = tree(project.mine)
    assert after.pop(".env") == before[".env"]
    assert after == tree(project.theirs)
    assert await project.apply_of().count() == Count(changed=5, unapplied=0)

    undone = await project.undo()
    assert undone.undone
    assert undone.id == done.id
    assert tree(project.mine) == before
    assert await project.apply_of().unapplied() == 5
    assert sorted(each.name for each in project.applies.iterdir()) == ["lock"]
    with pytest.raises(Conflict, match="nothing to undo"):
        await project.undo()


async def test_what_both_sides_changed_is_merged_and_the_user_s_lines_stay(project: Project) -> None:
    lines = [f"line {number}\n" for number in range(20)]
    await project.begin({"a.txt": "".join(lines)})
    write(project.theirs / "a.txt", "".join(["theirs\n", *lines[1:]]))
    write(project.mine / "a.txt", "".join([*lines[:-1], "mine\n"]), 0o640)
    before = tree(project.mine)
    done = await project.apply()
    assert actions(done) == {"a.txt": "merged"}
    assert (project.mine / "a.txt").read_text() == "".join(["theirs\n", *lines[1:-1], "mine\n"])
    assert stat.S_IMODE((project.mine / "a.txt").stat().st_mode) == 0o640
    await project.undo()
    assert tree(project.mine) == before


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "words"),
    [
        ("a\n", "mine\n", "theirs\n", "same lines"),
        (b"\0base", b"\0mine", b"\0theirs", "no text"),
        (None, "mine\n", "theirs\n", "different content"),
        ("a\n", None, "theirs\n", "You deleted it"),
        ("a\n", "mine\n", None, "The agent deleted it"),
    ],
)
async def test_a_conflict_touches_nothing(
    project: Project, base: str | bytes | None, mine: str | None, theirs: str | None, words: str
) -> None:
    await project.begin({"ok.txt": "1\n", **({} if base is None else {"a.txt": base})})
    write(project.theirs / "ok.txt", "2\n")
    for side, content in ((project.mine, mine), (project.theirs, theirs)):
        if content is None:
            (side / "a.txt").unlink()
        else:
            write(side / "a.txt", content)
    before = tree(project.mine)
    done = await project.apply()
    assert not done.applied
    assert actions(done) == {"a.txt": "conflict", "ok.txt": "modified"}
    assert words in next(each.detail for each in done.files if each.path == "a.txt")
    assert tree(project.mine) == before
    assert (await project.apply("ok.txt")).applied
    assert await project.apply_of().unapplied() == 1


async def test_the_same_change_on_both_sides_is_no_change(project: Project) -> None:
    await project.begin({"a.txt": "a\n", "gone": "x"})
    for side in (project.mine, project.theirs):
        write(side / "a.txt", "b\n")
        write(side / "new", "n")
        (side / "gone").unlink()
    before = tree(project.mine)
    done = await project.apply()
    assert done.applied
    assert set(actions(done).values()) == {"unchanged"}
    assert tree(project.mine) == before
    assert await project.apply_of().unapplied() == 0
    with pytest.raises(Conflict):
        await project.undo()


async def test_work_that_goes_on_is_applied_again_on_top(project: Project) -> None:
    lines = [f"line {number}\n" for number in range(20)]
    await project.begin({"a.txt": "".join(lines), "b.txt": "b\n"})
    first = ["first\n", *lines[1:]]
    write(project.theirs / "a.txt", "".join(first))
    await project.apply()
    again = ["second\n", *lines[1:]]
    write(project.theirs / "a.txt", "".join(again))
    assert await project.apply_of().unapplied() == 1
    done = await project.apply()
    assert actions(done) == {"a.txt": "modified"}
    write(project.mine / "a.txt", "".join([*again[:-1], "mine\n"]))
    third = ["third\n", *lines[1:]]
    write(project.theirs / "a.txt", "".join(third))
    assert actions(await project.apply()) == {"a.txt": "merged"}
    assert (project.mine / "a.txt").read_text() == "".join([*third[:-1], "mine\n"])
    assert actions(await project.apply()) == {}
    # put back to what the task began with: applied again where it is asked for, left alone otherwise
    write(project.mine / "a.txt", "".join(lines))
    assert actions(await project.apply()) == {}
    assert actions(await project.apply("a.txt")) == {"a.txt": "modified"}
    write(project.theirs / "a.txt", "".join(lines))  # the agent takes it all back
    assert await project.apply_of().unapplied() == 1
    assert actions(await project.apply()) == {"a.txt": "modified"}
    assert (project.mine / "a.txt").read_text() == "".join(lines)


async def test_paths(project: Project) -> None:
    await project.begin({"a.txt": "1", "d/b.txt": "1", "d/e/c.txt": "1", "dd/x": "1", "same": "1"})
    for name in ("a.txt", "d/b.txt", "d/e/c.txt", "dd/x"):
        write(project.theirs / name, "2")
    write(project.theirs / os.fsdecode(b"new\nline\xff"), "n")
    assert set(actions(await project.apply("d/", dry_run=True))) == {"d/b.txt", "d/e/c.txt"}
    assert set(actions(await project.apply("./d/e", "a.txt", dry_run=True))) == {"d/e/c.txt", "a.txt"}
    assert set(actions(await project.apply(str(project.mine / "dd"), dry_run=True))) == {"dd/x"}
    assert set(actions(await project.apply("new\n" + "line\\xff", dry_run=True))) == {"new\nline\\xff"}
    assert len((await project.apply(".", dry_run=True)).files) == 5
    assert (await project.apply("same")).applied
    with pytest.raises(NotFound, match='"nowhere"'):
        await project.apply("nowhere")
    for outside in ("../x", "/etc/passwd", "d/../../x", "a\0b", ""):
        with pytest.raises(InvalidInput):
            await project.apply(outside)
    assert (await project.apply()).applied
    assert (project.mine / os.fsdecode(b"new\nline\xff")).read_text() == "n"


async def test_files_become_directories_and_back(project: Project) -> None:
    await project.begin({"a": "file", "d/x": "1", "d/y/z": "2"})
    before = tree(project.mine)
    (project.theirs / "a").unlink()
    write(project.theirs / "a" / "b" / "c", "below")
    shutil.rmtree(project.theirs / "d")
    write(project.theirs / "d", "file now")
    assert (await project.apply()).applied
    assert tree(project.mine) == tree(project.theirs)
    assert (await project.undo()).undone
    assert tree(project.mine) == before

    write(project.mine / "d" / "mine", "stays")
    done = await project.apply()
    assert actions(done)["d"] == "conflict"
    assert not done.applied


async def test_a_directory_goes_only_if_the_agent_removed_it_and_nothing_is_in_it(project: Project) -> None:
    await project.begin({"kept/x": "1", "gone/x": "1", "mine/x": "1"})
    (project.mine / "gone").chmod(0o750)
    write(project.mine / "mine" / "secret.key", "left out")
    before = tree(project.mine)
    (project.theirs / "kept" / "x").unlink()
    shutil.rmtree(project.theirs / "gone")
    shutil.rmtree(project.theirs / "mine")
    assert (await project.apply()).applied
    assert sorted(each.name for each in project.mine.iterdir()) == ["kept", "mine"]
    assert (project.mine / "mine" / "secret.key").read_text() == "left out"
    assert (await project.undo()).undone
    assert tree(project.mine) == before


async def test_undo_keeps_what_the_user_did_since(project: Project) -> None:
    await project.begin({"a": "1", "b": "1"})
    write(project.theirs / "a", "2")
    write(project.theirs / "b", "2")
    write(project.theirs / "c", "2")
    await project.apply()
    write(project.mine / "b", "mine")
    before = tree(project.mine)
    undone = await project.undo()
    assert not undone.undone
    assert actions(undone)["b"] == "conflict"
    assert tree(project.mine) == before
    write(project.mine / "b", "2")
    assert (await project.undo()).undone
    assert (project.mine / "b").read_text() == "1"
    assert not (project.mine / "c").exists()


async def test_applies_are_undone_newest_first(project: Project) -> None:
    await project.begin({"a": "0"})
    for content in ("1", "2"):
        write(project.theirs / "a", content)
        await project.apply()
    await project.undo()
    assert (project.mine / "a").read_text() == "1"
    await project.undo()
    assert (project.mine / "a").read_text() == "0"


async def test_only_so_many_are_kept(project: Project) -> None:
    await project.begin({"a": "0"})
    for number in range(1, 13):
        write(project.theirs / "a", str(number))
        await project.apply()
    assert len(list(project.applies.iterdir())) == 10 + 1
    for _ in range(10):
        await project.undo()
    assert (project.mine / "a").read_text() == "2"
    with pytest.raises(Conflict, match="no longer kept"):
        await project.undo()
    await forget(project.applies, TASK)
    assert [each.name for each in project.applies.iterdir()] == ["lock"]


async def test_links_are_neither_made_nor_followed(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    await project.begin({"d/x": "1", "own": "1", "f": "1"})
    (project.theirs / "evil").symlink_to("/etc/passwd")
    (project.theirs / "f").unlink()
    (project.theirs / "f").symlink_to("/etc/passwd")
    write(project.theirs / "d" / "x", "2")
    write(project.theirs / "d" / "new", "2")
    write(project.theirs / "own", "2")
    shutil.rmtree(project.mine / "d")
    (project.mine / "d").symlink_to(outside)
    (project.mine / "own").unlink()
    (project.mine / "own").symlink_to(outside / "target")
    before = tree(project.mine)
    done = await project.apply()
    assert not done.applied
    assert set(actions(done)) == {"evil", "f", "d/x", "d/new", "own"}
    assert set(actions(done).values()) == {"refused"}
    assert tree(project.mine) == before
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    "name", [".git ", ".GIT.", "git~1", "x/GIT~2/hooks", ".g\u200cit/config", ".git::$INDEX_ALLOCATION/x"]
)
async def test_nothing_enters_git(project: Project, name: str) -> None:
    await project.begin({"a": "1"})
    write(project.theirs / name, "x")
    done = await project.apply()
    assert not done.applied
    assert actions(done) == {name: "refused"}


async def test_names_that_are_one_where_case_does_not_count(project: Project) -> None:
    await project.begin({"Readme": "1", "lower": "1", "Dir/a": "1"})
    write(project.theirs / "README", "2")  # beside it
    (project.theirs / "lower").rename(project.theirs / "LOWER")  # instead of it
    write(project.theirs / "dir" / "b", "2")
    write(project.mine / "nEw", "mine")
    write(project.theirs / "new", "theirs")
    found = actions(await project.apply())
    assert found == {"README": "refused", "LOWER": "added", "lower": "deleted", "dir/b": "refused", "new": "refused"}


async def test_what_cannot_be_read_is_not_deleted(project: Project) -> None:
    await project.begin({"pipe": "1", "d/x": "1", "big": "1"})
    for name in ("pipe", "d/x"):
        (project.theirs / name).unlink()
    os.mkfifo(project.theirs / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.relpath(project.theirs / "d" / "x"))
        with (project.theirs / "big").open("wb") as file:
            file.truncate(33 << 20)
        os.mkfifo(project.theirs / "other")
        done = await project.apply()
        assert actions(done) == {"pipe": "refused", "d/x": "refused", "big": "refused"}
        assert actions(await project.apply("other")) == {"other": "refused"}
        write(project.theirs / "src" / "__pycache__" / "x.pyc", "x")
        write(project.theirs / "src" / "x.py", "x")
        assert actions(await project.apply("src/__pycache__/x.pyc")) == {"src/__pycache__": "refused"}
        assert actions(await project.apply("src/")) == {"src/x.py": "added"}


async def test_runnable_files_are_named_and_need_a_word(project: Project) -> None:
    await project.begin({"a": "1"})
    write(project.theirs / ".envrc", "curl evil")
    write(project.theirs / "pkg" / "conftest.py", "x")
    write(project.theirs / "plain.py", "x")
    before = tree(project.mine)
    done = await project.apply()
    assert not done.applied
    assert {each.path for each in done.files if each.runnable} == {".envrc", "pkg/conftest.py"}
    assert tree(project.mine) == before
    assert (await project.apply(accept_runnable=True)).applied
    assert (project.mine / ".envrc").exists()


async def test_hard_links_owners_and_attributes(project: Project) -> None:
    await project.begin({"a": "1\n"})
    os.link(project.mine / "a", project.top / "other name")
    try:
        os.setxattr(project.mine / "a", "user.note", b"kept")
        noted = True
    except OSError:
        noted = False
    write(project.theirs / "a", "2\n")
    await project.apply()
    assert (project.top / "other name").read_text() == "1\n"  # the other name is not the agent's to change
    assert (project.mine / "a").read_text() == "2\n"
    if noted:
        assert os.getxattr(project.mine / "a", "user.note") == b"kept"


async def test_a_project_that_is_gone_moved_or_never_was(project: Project) -> None:
    await project.begin({"a": "1"})
    write(project.theirs / "a", "2")
    moved = project.mine.with_name("moved")
    project.mine.rename(moved)
    with pytest.raises(NotFound, match="any more") as caught:
        await project.apply()
    assert "--target" in caught.value.hint
    with pytest.raises(InvalidInput, match="not given a project") as none:
        await project.apply_of(target=None).apply(ApplyRequest())
    assert "--target" in none.value.hint
    with pytest.raises(InvalidInput, match="full path"):
        await project.apply(target="moved")
    done = await project.apply(target=str(moved))
    assert done.applied
    assert (moved / "a").read_text() == "2"
    moved.rename(project.mine)
    with pytest.raises(NotFound):
        await project.undo()
    project.mine.rename(moved)
    assert (await project.undo()).undone
    assert (moved / "a").read_text() == "1"


async def test_two_at_once_take_turns(project: Project) -> None:
    import anyio

    await project.begin({"a": "1"})
    write(project.theirs / "a", "2")
    answers: list[ApplyResponse] = []

    async def one() -> None:
        answers.append(await project.apply())

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(one)
    assert [bool(each.files) for each in answers].count(True) == 1
    assert (project.mine / "a").read_text() == "2"


async def test_a_notebook_that_both_sides_changed(project: Project) -> None:
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [new_code_cell(f"x = {number}", id=f"cell-{number}") for number in range(4)]
    base = nbformat.writes(new_notebook(cells=cells))
    await project.begin({"n.ipynb": base + "\n"})
    for side, number in ((project.mine, 0), (project.theirs, 3)):
        book = nbformat.reads(base, as_version=4)
        book.cells[number].source = f"changed = '{side.name} {number}'"
        book.cells[1].execution_count = number + 1
        write(side / "n.ipynb", nbformat.writes(book) + "\n")
    done = await project.apply()
    assert actions(done) == {"n.ipynb": "merged"}
    merged = nbformat.read(project.mine / "n.ipynb", as_version=4)
    nbformat.validate(merged)
    assert [cell.source.startswith("changed") for cell in merged.cells] == [True, False, False, True]


async def test_the_row_says_what_was_taken(project: Project) -> None:
    await project.begin({"a": "1", "b": "1"})
    write(project.theirs / "a", "2")
    (project.theirs / "b").unlink()
    done = await project.apply()
    (row,) = await project.journal.read(lambda connection: applies_of(connection, TASK))
    assert (row.id, row.kind, row.state, row.files, row.target) == (done.id, "files", "done", 2, str(project.mine))
    assert row.listing["b"] is None
    assert row.listing["a"] is not None


async def test_without_a_base_nothing_can_be_said(project: Project) -> None:
    with pytest.raises(Conflict):
        await project.apply()
    with pytest.raises(Conflict):
        await project.apply_of().unapplied()


async def test_a_directory_that_cannot_be_written(project: Project, tmp_path: Path) -> None:
    await project.begin({"a": "1", "d/x": "1"})
    write(project.theirs / "a", "2")
    write(project.theirs / "d" / "x", "2")
    before = tree(project.mine)
    (project.mine / "d").chmod(0o555)
    with not_root(tmp_path), pytest.raises(WorkspaceFailed, match="Permission denied"):
        await project.apply()
    (project.mine / "d").chmod(0o755)
    assert tree(project.mine) == before
