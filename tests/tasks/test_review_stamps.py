"""A file that is not read again is as it was: whatever a workspace does to its times, a change shows."""

from __future__ import annotations

import json
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from changed_files import changed_files

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.errors import WorkspaceFailed
from jupyter_tasks.tasks import review_tree
from jupyter_tasks.tasks.review import Review
from jupyter_tasks.tasks.review_base import load_base
from jupyter_tasks.tasks.review_stamps import Moment, stamp_of

pytestmark = [pytest.mark.usefixtures("anyio_backend")]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "workspaces" / "w" / "project"
    for folder in ("one", "two"):
        (top / folder).mkdir(parents=True)
        for name in ("a", "b"):
            (top / folder / name).write_text(f"{folder} {name}\n")
    time.sleep(0.03)  # older than the moment in which the base is taken
    return top


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(tmp_path / "reviews" / "w.git", SystemClock())


def keep_times(path: Path, change: Callable[[Path], object]) -> None:
    """Change a file and set every time back that a program can set."""
    before = path.stat()
    change(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def by_mapping(path: Path) -> None:
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[0:1] = b"X"


def by_replacing(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("X" + path.read_text()[1:])
    other.rename(path)


TRICKS: dict[str, Callable[[Path], object]] = {
    "write": lambda path: path.write_text("X" + path.read_text()[1:]),
    "map": by_mapping,
    "replace": by_replacing,
    "mode": lambda path: path.chmod(0o755),
}


@pytest.mark.anyio
async def test_unchanged_files_are_not_read(review: Review, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await review.take_base(tree)
    base = load_base(review.git_dir)
    assert base is not None
    assert set(base.stamps) == {b"one/a", b"one/b", b"two/a", b"two/b"}
    monkeypatch.setattr(review_tree, "_content", lambda *args: pytest.fail("a file was read"))
    assert (await review.diff(tree)).files == []
    assert await changed_files(review, tree) == 0


@pytest.mark.anyio
@pytest.mark.parametrize("trick", TRICKS)
async def test_every_change_shows(review: Review, tree: Path, trick: str) -> None:
    await review.take_base(tree)
    keep_times(tree / "one" / "a", TRICKS[trick])
    assert [each.path for each in (await review.diff(tree)).files] == ["one/a"]
    assert await changed_files(review, tree) == 1


@pytest.mark.anyio
async def test_a_map_that_stays_open_is_seen_each_time(review: Review, tree: Path) -> None:
    await review.take_base(tree)
    with (tree / "one" / "a").open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        for letter in (b"1", b"2", b"3"):
            mapped[0:1] = letter  # the first of them changes the file's times, the others none
            assert f"+{letter.decode()}ne a" in (await review.diff(tree)).patch


@pytest.mark.anyio
async def test_directories_that_change_places(review: Review, tree: Path) -> None:
    await review.take_base(tree)
    (tree / "one").rename(tree / "x")
    (tree / "two").rename(tree / "one")
    (tree / "x").rename(tree / "two")
    assert await changed_files(review, tree) == 4
    assert len((await review.diff(tree)).files) == 4


@pytest.mark.anyio
async def test_a_file_of_this_very_moment_is_read(review: Review, tree: Path) -> None:
    (tree / "new").write_text("1")
    moment = Moment.now(tree)
    assert not moment.proves(os.stat_result([*(tree / "new").stat()[:2], moment.device + 1, *[0] * 7]))
    assert stamp_of((tree / "one" / "a").stat())[0] < moment.changed
    late = Moment(moment.device, stamp_of((tree / "new").stat())[0])
    assert not late.proves((tree / "new").stat()), "a change in the same moment would not show"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no memory file system")
def test_where_mapped_changes_do_not_show_nothing_is_proved() -> None:
    kinds = dict(line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines())
    if kinds.get("/dev/shm") != "tmpfs":
        pytest.skip("no tmpfs")
    assert Moment.now(Path("/dev/shm")).changed == 0


@pytest.mark.anyio
@pytest.mark.parametrize("damage", [{"one/a": [1, 2, 3]}, {"one/a": ["x", 1, 2, 3]}, ["one/a"], 7])
async def test_damaged_stamps_are_a_sentence(review: Review, tree: Path, damage: object) -> None:
    await review.take_base(tree)
    kept = json.loads((review.git_dir / "base.json").read_text())
    (review.git_dir / "base.json").write_text(json.dumps(kept | {"stamps": damage}))
    with pytest.raises(WorkspaceFailed, match="damaged"):
        await review.diff(tree)


@pytest.mark.anyio
async def test_a_base_without_stamps_reads_every_file(review: Review, tree: Path) -> None:
    await review.take_base(tree)
    kept = json.loads((review.git_dir / "base.json").read_text())
    del kept["stamps"]
    (review.git_dir / "base.json").write_text(json.dumps(kept))
    keep_times(tree / "one" / "a", by_mapping)
    assert await changed_files(review, tree) == 1
