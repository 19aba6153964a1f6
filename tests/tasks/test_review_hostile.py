"""Everything a workspace can plant for whoever looks at its files: armed first, then shown to be without effect.

Each trap writes a file when it goes off. ``test_the_traps_are_armed`` proves that they do for ordinary git.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from changed_files import changed_files

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.errors import TasksError, WorkspaceFailed
from jupyter_tasks.tasks.review import Review
from jupyter_tasks.tasks.review_tree import TreeReader

pytestmark = [pytest.mark.usefixtures("anyio_backend")]
SECRET = "canary-of-this-machine"


class Place:
    """A workspace, what lies beside it on this machine, and the traps."""

    def __init__(self, top: Path) -> None:
        self.tree = top / "workspaces" / "w" / "home" / "project"
        self.review = Review(top / "reviews" / "w.git", SystemClock())
        self.sprung = top / "sprung"
        self.host = top / "host"
        self.sprung.mkdir()
        self.host.mkdir()
        (self.host / "secret.txt").write_text(f"{SECRET}\n")
        self.tree.mkdir(parents=True)
        (self.tree / "a.txt").write_text("one\n")
        (self.tree / "b.dat").write_text("data\n")

    def trap(self, name: str) -> str:
        """A program that tells that it ran, then passes its input on."""
        program = self.tree / f"trap-{name}"
        program.write_text(f'#!/bin/sh\ntouch "{self.sprung}/{name}"\ncat 2>/dev/null\nexit 0\n')
        program.chmod(0o755)
        return str(program)

    def git(self, *words: str) -> None:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        command = ["git", "-C", str(self.tree), "-c", "user.name=x", "-c", "user.email=x@x", *words]
        subprocess.run(command, check=False, capture_output=True, timeout=20, env=environment, stdin=subprocess.DEVNULL)

    def went_off(self) -> list[str]:
        return sorted(each.name for each in self.sprung.iterdir())

    def everything_kept(self) -> bytes:
        """All that the engine wrote for this review, unpacked."""
        pack = self.review.git_dir / "objects" / "pack"
        found = b"".join(each.read_bytes() for each in self.review.git_dir.rglob("*") if each.is_file())
        for index in pack.glob("*.idx"):
            listed = subprocess.run(
                ["git", f"--git-dir={self.review.git_dir}", "verify-pack", "-v", str(index)],
                check=True,
                capture_output=True,
                timeout=20,
            ).stdout
            for line in listed.splitlines():
                if b" blob " in line:
                    show = ["git", f"--git-dir={self.review.git_dir}", "cat-file", "blob", line.split()[0].decode()]
                    found += subprocess.run(show, check=True, capture_output=True, timeout=20).stdout
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def arm(place: Place) -> None:
    """A repository of the agent's own whose configuration runs a program at every step of git."""
    place.git("init", "-q")
    place.git("add", "a.txt", "b.dat")
    place.git("commit", "-q", "-m", "the agent's own")
    attributes = "*.txt filter=evil diff=evil merge=evil\n*.dat diff=conv\n*.md -diff\n*.py binary\n"
    (place.tree / ".gitattributes").write_text(attributes)
    (place.tree / ".git" / "info" / "attributes").write_text(attributes)
    settings = {
        "core.fsmonitor": place.trap("fsmonitor"),
        "core.hooksPath": str(place.tree / "hooks"),
        "core.pager": place.trap("pager"),
        "core.sshCommand": place.trap("ssh"),
        "core.attributesFile": str(place.tree / ".gitattributes"),
        "diff.external": place.trap("external"),
        "diff.evil.command": place.trap("command"),
        "diff.conv.textconv": place.trap("textconv"),
        "filter.evil.clean": place.trap("clean"),
        "filter.evil.smudge": place.trap("smudge"),
        "filter.evil.process": place.trap("process"),
        "filter.evil.required": "true",
        "merge.evil.driver": place.trap("driver"),
        "alias.diff-tree": f"!{place.trap('alias')}",
        "credential.helper": place.trap("credential"),
    }
    for name, value in settings.items():
        place.git("config", name, value)
    for hook in ("pre-commit", "post-index-change", "post-checkout", "fsmonitor-watchman", "reference-transaction"):
        program = place.tree / ".git" / "hooks" / hook
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\ntouch "{place.sprung}/hook-{hook}"\n')
        program.chmod(0o755)
        (place.tree / "hooks").mkdir(exist_ok=True)
        (place.tree / "hooks" / hook).write_text(program.read_text())
        (place.tree / "hooks" / hook).chmod(0o755)
    (place.tree / "a.txt").write_text("one\ntwo\n")
    (place.tree / "b.dat").write_text("other data\n")
    (place.tree / "c.md").write_text("marked as no text\n")
    (place.tree / "d.py").write_text("print('marked as binary')\n")
    for each in place.sprung.iterdir():
        each.unlink()


def test_the_traps_are_armed(place: Place) -> None:
    arm(place)
    place.git("status")
    place.git("diff", "--no-ext-diff", "--", "b.dat")
    place.git("diff", "--", "b.dat")
    place.git("add", "-A")
    place.git("config", "--unset", "filter.evil.process")  # where there is one, "clean" is not asked
    place.git("-c", "core.fsmonitor=false", "diff", "--", "a.txt")
    went_off = place.went_off()
    assert {"fsmonitor", "external", "command", "textconv", "process", "clean"} <= set(went_off)
    assert any(name.startswith("hook-") for name in went_off)


@pytest.mark.anyio
async def test_no_trap_goes_off(place: Place) -> None:
    await place.review.take_base(place.tree)
    arm(place)
    found = await place.review.diff(place.tree)
    assert place.went_off() == []
    shown = {each.path: each for each in found.files}
    assert shown["a.txt"].additions == 1
    assert "+two\n" in found.patch
    assert "-data\n+other data\n" in found.patch
    assert not shown["c.md"].binary
    assert not shown["d.py"].binary
    assert "+print('marked as binary')\n" in found.patch
    assert not any(path.startswith(".git/") for path in shown)
    await changed_files(place.review, place.tree)
    await place.review.take_base(place.tree)
    await place.review.remove()
    assert place.went_off() == []


@pytest.mark.anyio
async def test_a_base_taken_of_an_armed_tree(place: Place) -> None:
    arm(place)
    await place.review.take_base(place.tree)
    (place.tree / "a.txt").write_text("changed\n")
    found = await place.review.diff(place.tree)
    assert place.went_off() == []
    assert [each.path for each in found.files] == ["a.txt"]


@pytest.mark.anyio
async def test_the_users_own_git_settings_have_no_effect(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    home = place.host / "home"
    home.mkdir()
    settings = (
        f"[diff]\n external = {place.trap('external')}\n noprefix = true\n[core]\n pager = {place.trap('pager')}\n"
    )
    (home / ".gitconfig").write_text(settings)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", place.trap("environment"))
    monkeypatch.setenv("GIT_DIR", str(place.tree / ".git"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "diff.external")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", place.trap("count"))
    await place.review.take_base(place.tree)
    (place.tree / "a.txt").write_text("changed\n")
    found = await place.review.diff(place.tree)
    assert place.went_off() == []
    assert "--- a/a.txt\n+++ b/a.txt\n" in found.patch


@pytest.mark.anyio
async def test_the_agents_own_commits_count(place: Place) -> None:
    await place.review.take_base(place.tree)
    place.git("init", "-q")
    (place.tree / "a.txt").write_text("committed\n")
    place.git("add", "-A")
    place.git("commit", "-q", "-m", "done")
    assert (place.tree / ".git" / "refs" / "heads").is_dir()
    found = await place.review.diff(place.tree)
    assert [each.path for each in found.files] == ["a.txt"]


@pytest.mark.anyio
async def test_nested_repositories_hide_nothing(place: Place) -> None:
    await place.review.take_base(place.tree)
    inner = place.tree / "vendor" / "lib"
    inner.mkdir(parents=True)
    (inner / "code.py").write_text("hidden = True\n")
    subprocess.run(["git", "init", "-q", str(inner)], check=True, timeout=20)
    (place.tree / "worktree").mkdir()
    (place.tree / "worktree" / ".git").write_text(f"gitdir: {place.host}\n")
    (place.tree / "worktree" / "x").write_text("x\n")
    (place.tree / ".gitmodules").write_text('[submodule "vendor"]\n path = vendor/lib\n url = ext::sh -c touch%20x\n')
    (place.tree / ".gitignore").write_text("*\n")
    found = await place.review.diff(place.tree)
    assert {each.path for each in found.files} == {".gitignore", ".gitmodules", "vendor/lib/code.py", "worktree/x"}


@pytest.mark.anyio
async def test_links_are_shown_and_never_followed(place: Place) -> None:
    await place.review.take_base(place.tree)
    (place.tree / "file").symlink_to(place.host / "secret.txt")
    (place.tree / "directory").symlink_to(place.host)
    (place.tree / ".gitattributes").symlink_to(place.host / "secret.txt")
    (place.tree / "loop").symlink_to(".")
    (place.tree / "dangling").symlink_to("nowhere")
    (place.tree / "a.txt").unlink()
    (place.tree / "a.txt").symlink_to(place.host / "secret.txt")
    found = await place.review.diff(place.tree)
    status = {each.path: each.status for each in found.files}
    assert status.pop("a.txt") == "type_changed"
    assert status == dict.fromkeys(["file", "directory", ".gitattributes", "loop", "dangling"], "added")
    assert SECRET not in found.patch
    assert f"+{place.host}/secret.txt" in found.patch
    assert "new file mode 120000" in found.patch


@pytest.mark.anyio
@pytest.mark.parametrize("level", ["project", "home"])
async def test_the_tree_itself_is_a_link(place: Place, level: str) -> None:
    await place.review.take_base(place.tree)
    planted = place.tree if level == "project" else place.tree.parent
    planted.rename(planted.with_name("moved"))
    (place.host / "project").mkdir()
    (place.host / "project" / "secret.txt").write_text(SECRET)
    planted.symlink_to(place.host / "project" if level == "project" else place.host)
    assert (place.tree / "secret.txt").exists()
    with pytest.raises(WorkspaceFailed, match="no directory of ours any more"):
        await place.review.diff(place.tree)
    with pytest.raises(WorkspaceFailed, match="no directory of ours any more"):
        await changed_files(place.review, place.tree)
    (place.host / "project" / "secret.txt").unlink()


@pytest.mark.anyio
async def test_links_above_what_is_trusted_are_the_users_own(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(place.tree.parent.parent)
    tree = tmp_path / "elsewhere" / "home" / "project"
    own = Review(tmp_path / "reviews" / "x.git", SystemClock(), trusted=tmp_path / "elsewhere")
    await own.take_base(tree)
    (place.tree / "a.txt").write_text("changed\n")
    assert [each.path for each in (await own.diff(tree)).files] == ["a.txt"]


def test_a_swap_after_the_look_and_before_the_opening(place: Place) -> None:
    """The race of the next test, won by the workspace every time: all that was not read yet becomes a link."""
    for number in range(4):
        (place.tree / f"d{number}").mkdir()
        (place.tree / f"d{number}" / "secret.txt").write_text("harmless\n")
        (place.tree / f"f{number}").write_text("harmless\n")
    reader = TreeReader(place.tree, place.tree, late=lambda: False)
    found = reader.files()
    next(found)
    for number in range(4):
        shutil.rmtree(place.tree / f"d{number}")
        (place.tree / f"d{number}").symlink_to(place.host)
        (place.tree / f"f{number}").unlink()
        (place.tree / f"f{number}").symlink_to(place.host / "secret.txt")
    for each in found:
        assert SECRET.encode() not in each.content, each.path
    assert {each.path[:1] for each in reader.skipped} == {b"d", b"f"}


@contextmanager
def swapping(place: Place) -> Iterator[None]:
    """A workspace that swaps a directory, and a file, for links to the host as fast as it can."""
    stop = threading.Event()
    link, real, name = place.tree / "link", place.tree / "real", place.tree / "swap"
    link.symlink_to(place.host)
    real.mkdir()
    (real / "secret.txt").write_text("harmless\n")
    file_link, file_real, file_name = place.tree / "flink", place.tree / "freal", place.tree / "fswap"
    file_link.symlink_to(place.host / "secret.txt")
    file_real.write_text("harmless\n")

    def run() -> None:
        while not stop.is_set():
            for source, target in ((real, name), (name, real), (link, name), (name, link)):
                source.rename(target)
            for source, target in (
                (file_real, file_name),
                (file_name, file_real),
                (file_link, file_name),
                (file_name, file_link),
            ):
                source.rename(target)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_race_wins_nothing(place: Place) -> None:
    await place.review.take_base(place.tree)
    looked = 0
    with swapping(place), anyio.move_on_after(1.5):
        while True:
            assert SECRET not in (await place.review.diff(place.tree)).patch
            looked += 1
    assert looked > 3
    bases = [Review(place.review.git_dir.with_name(f"{number}.git"), SystemClock()) for number in range(20)]
    with swapping_again(place):
        for each in bases:
            await each.take_base(place.tree)
    for each in bases:
        place.review = each
        assert SECRET.encode() not in place.everything_kept()


@contextmanager
def swapping_again(place: Place) -> Iterator[None]:
    """The same once more, in a fresh tree."""
    place.tree = place.tree.with_name("again")
    place.tree.mkdir()
    with swapping(place):
        yield


@pytest.mark.anyio
async def test_what_is_kept_can_be_searched(place: Place) -> None:
    """The search of the test above finds what is there."""
    (place.tree / "known.txt").write_text("a word that is kept\n")
    await place.review.take_base(place.tree)
    assert b"a word that is kept" in place.everything_kept()


@pytest.mark.anyio
async def test_a_sparse_giant_costs_nothing(place: Place) -> None:
    await place.review.take_base(place.tree)
    with (place.tree / "giant").open("wb") as file:
        file.truncate(1 << 40)
    with anyio.fail_after(40):
        found = await place.review.diff(place.tree)
    assert [(each.path, each.binary) for each in found.files] == [("giant", True)]


@pytest.mark.anyio
async def test_a_file_that_grows_while_it_is_read(place: Place) -> None:
    await place.review.take_base(place.tree)
    stop = threading.Event()

    def grow() -> None:
        with (place.tree / "growing").open("wb") as file:
            while not stop.is_set():
                file.write(b"x" * 65536)
                if file.tell() > 8 << 20:
                    file.truncate(0)
                    file.seek(0)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        with anyio.fail_after(40):
            for _ in range(5):
                await place.review.diff(place.tree)
    finally:
        stop.set()
        thread.join()


@pytest.mark.anyio
async def test_lines_that_look_like_a_patch_change_no_count(place: Place) -> None:
    await place.review.take_base(place.tree)
    forged = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\x1b]0;title\x07\n"
    (place.tree / "forged\n+++ b\n.txt").write_text(forged)
    found = await place.review.diff(place.tree)
    assert len(found.files) == 1
    assert found.additions == forged.count("\n")
    assert [line for line in found.patch.splitlines() if line.startswith("diff --git")] == [
        'diff --git "a/forged\\n+++ b\\n.txt" "b/forged\\n+++ b\\n.txt"'
    ]


@pytest.mark.anyio
async def test_every_failure_is_ours(place: Place) -> None:
    await place.review.take_base(place.tree)
    place.tree.rename(place.tree.with_name("moved"))
    place.tree.write_text("a file now\n")
    with pytest.raises(TasksError):
        await place.review.diff(place.tree)
