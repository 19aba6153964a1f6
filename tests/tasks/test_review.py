"""The diff of a workspace: right for every kind of change, and bounded."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from changed_files import changed_files
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.errors import Conflict, LimitReached, ProgramMissing, WorkspaceFailed
from jupyter_tasks.models import DiffResponse
from jupyter_tasks.tasks import review_git, review_objects, review_tree
from jupyter_tasks.tasks.review import Review
from jupyter_tasks.tasks.review_base import load_base, snapshot
from jupyter_tasks.tasks.review_objects import object_id
from jupyter_tasks.tasks.review_tree import TreeReader

pytestmark = [pytest.mark.usefixtures("anyio_backend")]
CLOCK = SystemClock()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small project."""
    top = tmp_path / "workspaces" / "w" / "project"
    (top / "src").mkdir(parents=True)
    (top / "README.md").write_text("# One\n\ntwo\nthree\n")
    (top / "src" / "app.py").write_text("".join(f"line {number}\n" for number in range(40)))
    (top / "run.sh").write_text("#!/bin/sh\n")
    return top


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(tmp_path / "reviews" / "w.git", CLOCK)


def kinds(found: DiffResponse) -> dict[str, str]:
    return {each.path: each.status for each in found.files}


async def changed(review: Review, tree: Path) -> DiffResponse:
    """The diff; the count without git says the same."""
    found = await review.diff(tree)
    assert await changed_files(review, tree) == sum(2 if each.status == "renamed" else 1 for each in found.files)
    return found


@pytest.mark.anyio
async def test_nothing_changed(review: Review, tree: Path) -> None:
    await review.take_base(tree)
    found = await changed(review, tree)
    assert found == DiffResponse(files=[], additions=0, deletions=0, patch="")


@pytest.mark.anyio
async def test_every_kind_of_change(review: Review, tree: Path) -> None:
    (tree / "gone.txt").write_text("a\nb\n")
    (tree / "link").symlink_to("README.md")
    (tree / "turns").write_text("a file\n")
    await review.take_base(tree)
    (tree / "README.md").write_text("# One\n\n2\nthree\nfour\n")
    (tree / "src" / "app.py").rename(tree / "src" / "main.py")
    (tree / "new").mkdir()
    (tree / "new" / "data.bin").write_bytes(b"\0\1\2")
    (tree / "gone.txt").unlink()
    (tree / "run.sh").chmod(0o755)
    (tree / "turns").unlink()
    (tree / "turns").symlink_to("README.md")
    found = await changed(review, tree)
    assert kinds(found) == {
        "README.md": "modified",
        "src/main.py": "renamed",
        "new/data.bin": "added",
        "gone.txt": "deleted",
        "run.sh": "modified",
        "turns": "type_changed",
    }
    by_path = {each.path: each for each in found.files}
    assert (by_path["README.md"].additions, by_path["README.md"].deletions) == (2, 1)
    assert by_path["src/main.py"].old_path == "src/app.py"
    assert (by_path["new/data.bin"].binary, by_path["new/data.bin"].additions) == (True, None)
    assert (by_path["run.sh"].additions, by_path["run.sh"].deletions) == (0, 0)
    assert (found.additions, found.deletions) == (3, 4)
    assert "-two\n+2\n" in found.patch
    assert "rename from src/app.py" in found.patch
    assert "Binary files /dev/null and b/new/data.bin differ" in found.patch
    assert "new mode 100755" in found.patch
    assert not found.truncated


@pytest.mark.anyio
async def test_the_base_is_taken_once(review: Review, tree: Path) -> None:
    await review.take_base(tree)
    (tree / "README.md").write_text("changed\n")
    await review.take_base(tree)
    assert kinds(await review.diff(tree)) == {"README.md": "modified"}
    assert [each.name for each in review.git_dir.parent.iterdir()] == ["w.git"]


@pytest.mark.anyio
async def test_git_finds_nothing_wrong_with_what_we_write(review: Review, tree: Path) -> None:
    (tree / "empty").mkdir()
    (tree / "nothing").touch()
    (tree / "large").write_bytes(os.urandom(300_000))
    (tree / "src-").write_text("sorts before src/")
    (tree / "src0").write_text("sorts after src/")
    await review.take_base(tree)
    await review.diff(tree)

    def git(*words: str) -> str:
        command = ["git", f"--git-dir={review.git_dir}", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout

    git("fsck", "--strict", "--full")
    for index in (review.git_dir / "objects" / "pack").glob("*.idx"):
        git("verify-pack", str(index))
    names = git("ls-tree", "-r", "--name-only", "refs/jupyter-tasks/base").splitlines()
    assert names == ["README.md", "large", "nothing", "run.sh", "src-", "src/app.py", "src0"]
    assert git("show", "refs/jupyter-tasks/base:README.md") == "# One\n\ntwo\nthree\n"
    assert "The workspace as it began" in git("log", "refs/jupyter-tasks/base")
    assert not (review.git_dir / "objects" / "pack" / "pack.part").exists()
    assert not list(review.git_dir.glob("new-*"))


@pytest.mark.anyio
async def test_odd_names(review: Review, tree: Path) -> None:
    await review.take_base(tree)
    odd = [
        b"new\nline",
        b"\xff\xfe.txt",
        b" lead",
        b"trail ",
        b'quo"te',
        b"back\\slash",
        b"-rf",
        b":100644 x",
        b"\x1b[31m",
    ]
    odd += [b"tab\there", "café".encode(), b"a => b", b"{a => b}", b".gitmodules", b".gitattributes"]
    top = os.fsencode(tree)
    for name in odd:
        Path(os.fsdecode(top + b"/" + name)).write_text("x\n")
    found = await changed(review, tree)
    assert sorted(each.path for each in found.files) == sorted(name.decode("utf-8", "backslashreplace") for name in odd)
    assert {each.status for each in found.files} == {"added"}
    assert '+++ "b/new\\nline"' in found.patch
    assert "\nline" not in found.patch
    found.model_dump_json()


@pytest.mark.anyio
async def test_bytes_are_raw(review: Review, tree: Path) -> None:
    (tree / ".gitattributes").write_text("* text eol=crlf working-tree-encoding=UTF-16 ident\n")
    (tree / "a.txt").write_bytes(b"one\r\ntwo\n$Id$\n")
    await review.take_base(tree)
    (tree / "a.txt").write_bytes(b"one\ntwo\n$Id$\n")
    found = await changed(review, tree)
    assert kinds(found) == {"a.txt": "modified"}
    assert "-one\r\n+one\n" in found.patch


@pytest.mark.anyio
async def test_what_cannot_be_read_is_named_and_the_rest_is_shown(review: Review, tree: Path) -> None:
    await review.take_base(tree)
    os.mkfifo(tree / "pipe")
    (tree / "node_modules" / "x").mkdir(parents=True)
    listener = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(tree)  # a socket's name is short
    try:
        listener.bind("socket")
    finally:
        os.chdir(here)
    (tree / "src" / "app.py").unlink()
    os.mkfifo(tree / "src" / "app.py")
    (tree / "README.md").write_text("changed\n")
    with anyio.fail_after(40):
        found = await changed(review, tree)
    listener.close()
    assert kinds(found) == {"README.md": "modified", "src/app.py": "deleted"}
    assert {each.path: each.reason for each in found.skipped} == {
        "pipe": "a named pipe",
        "socket": "a socket",
        "src/app.py": "a named pipe",
        "node_modules": "made by a tool, no part of the review",
    }


@pytest.mark.parametrize("hidden", ["README.md", "src"])
@pytest.mark.anyio
async def test_what_may_not_be_read_counts_as_it_was(review: Review, tree: Path, hidden: str) -> None:
    await review.take_base(tree)
    base = load_base(review.git_dir)
    assert base is not None
    (tree / "run.sh").unlink()
    (tree / hidden).chmod(0)
    reader = TreeReader(tree, tree, late=lambda: False)
    with as_nobody(tree):
        now = snapshot(reader, partial(object_id, "blob"), base.files)
    (tree / hidden).chmod(0o755)
    assert [(each.path.decode(), each.unknown) for each in reader.skipped] == [(hidden, True)]
    assert set(base.files) - set(now) == {b"run.sh"}
    assert all(base.files[path] == entry for path, entry in now.items())


@contextmanager
def as_nobody(tree: Path) -> Iterator[None]:
    """Without root's right to read everything."""
    if os.geteuid() != 0:
        yield
        return
    for parent in [tree, *tree.parents]:
        if str(parent).startswith(tempfile.gettempdir() + "/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.anyio
async def test_a_damaged_base_is_a_sentence(review: Review, tree: Path) -> None:
    await review.take_base(tree)
    (review.git_dir / "base.json").write_text('{"tree": 7}')
    with pytest.raises(WorkspaceFailed, match="is damaged"):
        await review.diff(tree)


@pytest.mark.anyio
async def test_a_large_file_is_binary_and_shows_when_it_changes(
    review: Review, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_tree, "MOST_FILE", 1000)
    (tree / "model.bin").write_bytes(b"x" * 2000)
    await review.take_base(tree)
    assert kinds(await changed(review, tree)) == {}
    before = (tree / "model.bin").stat()
    (tree / "model.bin").write_bytes(b"y" * 2000)
    os.utime(tree / "model.bin", ns=(before.st_atime_ns, before.st_mtime_ns))
    found = await changed(review, tree)
    assert kinds(found) == {"model.bin": "modified"}
    assert found.files[0].binary


@pytest.mark.anyio
async def test_a_long_patch_is_cut_at_a_line(review: Review, tree: Path) -> None:
    await review.take_base(tree)
    (tree / "long.txt").write_text("".join(f"number {number}\n" for number in range(5000)))
    found = await review.diff(tree, max_bytes=1000)
    assert found.truncated
    assert len(found.patch) <= 1000
    assert found.patch.endswith("\n")
    assert found.patch.splitlines()[-1].startswith("+number ")
    assert found.additions == 5000


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("bound", "value", "says"), [("MOST_ENTRIES", 3, "more than 3 files"), ("MOST_BYTES", 10, "GiB")]
)
async def test_bounds_are_a_sentence(
    review: Review, tree: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, says: str
) -> None:
    await review.take_base(tree)
    (tree / "more").write_text("more than ten bytes")
    monkeypatch.setattr(review_tree, bound, value)
    with pytest.raises(LimitReached, match=says):
        await review.diff(tree)
    assert not list(review.git_dir.glob("new-*"))


@pytest.mark.anyio
async def test_a_deep_tree(review: Review, tree: Path) -> None:
    await review.take_base(tree)
    here = os.open(tree, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    found = await changed(review, tree)
    assert found.files == []
    assert [each.reason for each in found.skipped] == ["deeper than 100 directories"]


@pytest.mark.anyio
async def test_time_is_bounded(tree: Path, tmp_path: Path) -> None:
    class Racing(SystemClock):
        """A clock on which every look takes a minute."""

        seconds = 0.0

        def monotonic(self) -> float:
            self.seconds += 60
            return self.seconds

    with pytest.raises(WorkspaceFailed, match="took too long"):
        await Review(tmp_path / "r.git", Racing()).take_base(tree)
    assert not list(tmp_path.glob("r.git*"))


@pytest.mark.anyio
async def test_without_git(review: Review, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tree))
    await review.take_base(tree)
    (tree / "README.md").write_text("changed\n")
    assert await changed_files(review, tree) == 1
    with pytest.raises(ProgramMissing, match="git is not installed"):
        await review.diff(tree)
    assert not list(review.git_dir.glob("new-*"))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "error", "says"),
    [
        ("fatal: unknown repository extensions found:\\n\\tobjectformat", ProgramMissing, "too old"),
        ("fatal: out of memory", WorkspaceFailed, "It said: fatal: out of memory"),
    ],
)
async def test_a_git_that_fails(
    review: Review, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, error: type, says: str
) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf '{said}\\n' >&2\nexit 128\n")
    program.chmod(0o755)
    await review.take_base(tree)
    (tree / "README.md").write_text("changed\n")
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(error, match=says):
        await review.diff(tree)


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_git_that_hangs_is_ended(
    review: Review, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $$ >> {tmp_path}/pids\nexec sleep 60\n")
    program.chmod(0o755)
    await review.take_base(tree)
    (tree / "README.md").write_text("changed\n")
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(review_git, "TIMEOUT", 1.5)
    with anyio.fail_after(40), pytest.raises(WorkspaceFailed, match="took longer"):
        await review.diff(tree)
    for pid in (tmp_path / "pids").read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    assert not list(review.git_dir.glob("new-*"))


@pytest.mark.anyio
async def test_no_base_no_diff(review: Review, tree: Path) -> None:
    with pytest.raises(Conflict, match="nothing to compare"):
        await review.diff(tree)
    with pytest.raises(Conflict, match="nothing to compare"):
        await changed_files(review, tree)


@pytest.mark.anyio
async def test_a_tree_that_comes_later_and_goes(review: Review, tree: Path) -> None:
    await review.take_base(tree / "later")
    (tree / "later").mkdir()
    (tree / "later" / "x").write_text("x\n")
    assert kinds(await changed(review, tree / "later")) == {"x": "added"}
    (tree / "later" / "x").unlink()
    (tree / "later").rmdir()
    assert kinds(await changed(review, tree / "later")) == {}


@pytest.mark.anyio
async def test_remove(review: Review, tree: Path) -> None:
    await review.remove()
    await review.take_base(tree)
    (review.git_dir.parent / "w.git.part-left").mkdir()
    await review.remove()
    assert list(review.git_dir.parent.iterdir()) == []
    await review.take_base(tree)
    assert (await review.diff(tree)).files == []


@pytest.mark.anyio
async def test_a_full_disk_is_a_sentence(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceFailed, match="cannot be kept"):
        await Review(tmp_path / "file" / "r.git", CLOCK).take_base(tree)


@pytest.mark.anyio
async def test_objects_of_a_comparison_that_was_killed_go(review: Review, tree: Path) -> None:
    await review.take_base(tree)
    old, young = review.git_dir / "new-old", review.git_dir / "new-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (0, 0))
    await review.diff(tree)
    assert not old.exists()
    assert young.exists()


names = st.sampled_from([b"a", b"b", b"a.b", b"a-", b"a0", b"\xff", b"n\n"])
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
trees = st.dictionaries(paths, st.sampled_from([b"", b"x\n", b"y\n", b"\0", b"long\n" * 50]), max_size=6)


def _write(top: Path, files: dict[bytes, bytes]) -> dict[bytes, bytes]:
    kept: dict[bytes, bytes] = {}
    for path, content in files.items():
        target = Path(os.fsdecode(os.fsencode(top) + b"/" + path))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except OSError:
            continue  # one of them is a directory of another
        kept[path] = content
    return kept


@given(trees, trees)
@settings(
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_two_trees(
    tmp_path_factory: pytest.TempPathFactory, old: dict[bytes, bytes], new: dict[bytes, bytes]
) -> None:
    top = tmp_path_factory.mktemp("any")
    review = Review(top / "r.git", CLOCK)
    (top / "old").mkdir()
    (top / "new").mkdir()
    before, after = _write(top / "old", old), _write(top / "new", new)

    async def main() -> DiffResponse:
        await review.take_base(top / "old")
        return await review.diff(top / "new")

    found = anyio.run(main)
    touched = {each.path for each in found.files} | {each.old_path for each in found.files if each.old_path}
    assert touched == {
        path.decode("utf-8", "backslashreplace")
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
    }


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b":0 0 0 0 M", b":0 0 0 0 R100", b"1\t2\ta", b"-\t-\t", b"a"])).map(b"\0".join)
)
def test_any_answer_of_git(listed: bytes) -> None:
    for each in review_git.parse_list(listed):
        assert each.status in ("added", "deleted", "modified", "renamed", "type_changed")


@given(st.integers(0, 1 << 40), st.sampled_from([1, 2, 3]))
def test_sizes_in_a_pack(size: int, code: int) -> None:
    header = review_objects._header(code, size)
    read = header[0] & 0x0F
    for place, byte in enumerate(header[1:]):
        read |= (byte & 0x7F) << (4 + 7 * place)
    assert read == size
    assert header[0] >> 4 & 7 == code
    assert [byte >> 7 for byte in header] == [1] * (len(header) - 1) + [0]
