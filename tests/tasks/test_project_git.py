"""The project in the workspace: every kind of git repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from project_repositories import CLOCK, fill, git, left, look, names, repository

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.tasks.project import Survey

FIRST = {"README", "src/app.py", "run.sh", "link", ".gitignore"}


@pytest.fixture(autouse=True)
def own_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No git configuration of whoever runs the tests, and a state directory elsewhere."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("JUPYTER_TASKS_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return repository(tmp_path / "proj")


def test_a_clean_repository(top: Path, tmp_path: Path) -> None:
    found = look(top / "src")
    info = found.info()
    assert (info.kind, info.root, info.subdirectory, info.branch) == ("git", str(top), "src", "main")
    assert (info.head, info.files, info.left_out, info.notes) == (git(top, "rev-parse", "HEAD"), 5, [], [])
    copy = fill(found, tmp_path)
    assert names(copy) == FIRST
    assert os.access(copy / "run.sh", os.X_OK)
    assert os.readlink(copy / "link") == "src/app.py"
    assert git(copy, "status", "--porcelain", "--branch") == "## main"
    assert git(copy, "log", "--format=%H") == info.head
    assert git(copy, "fsck") == ""
    assert git(copy, "reflog", "--format=%gs") == "jupyter-tasks: the project as it was"


def test_a_commit_inside_leaves_the_users_repository(top: Path, tmp_path: Path) -> None:
    before = tree_state(top)
    copy = fill(look(top), tmp_path)
    (copy / "new.py").write_text("x")
    git(copy, "add", "-A")
    git(copy, "commit", "-qm", "second")
    assert git(copy, "log", "--format=%s") == "second\nfirst"
    assert git(copy, "diff", "HEAD~1", "--name-only") == "new.py"
    assert tree_state(top) == before


def tree_state(top: Path) -> dict[str, tuple[int, int, int]]:
    """Every file below with what changes when it is written."""
    found = {}
    for path in [top, *top.rglob("*")]:
        info = path.lstat()
        if "objects" in path.parts:
            continue  # git marks objects that it finds as used, where it can: in a sandbox it cannot
        found[str(path)] = (info.st_mtime_ns, info.st_ctime_ns, info.st_size)
    return found


def test_uncommitted_staged_untracked_and_deleted(top: Path, tmp_path: Path) -> None:
    (top / "README").write_text("changed\n")
    (top / "src" / "app.py").write_text("staged\n")
    git(top, "add", "src/app.py")
    (top / "run.sh").unlink()
    (top / "new.txt").write_text("untracked\n")
    (top / "x.log").write_text("ignored")
    (top / "data").mkdir()
    (top / "data" / "big").write_text("ignored")
    git(top, "add", "-N", "new.txt")
    status = git(top, "status", "--porcelain")
    copy = fill(look(top), tmp_path)
    assert names(copy) == FIRST - {"run.sh"} | {"new.txt"}
    assert git(copy, "status", "--porcelain") == status
    assert git(copy, "diff", "--cached") == git(top, "diff", "--cached")
    assert git(copy, "diff") == git(top, "diff")


def test_times_are_kept_and_status_reads_no_file(top: Path, tmp_path: Path) -> None:
    old = time.time_ns() - 10**12
    for path in top.rglob("*"):
        if ".git" not in path.parts:
            os.utime(path, ns=(old, old), follow_symlinks=False)
    git(top, "update-index", "--refresh")
    copy = fill(look(top), tmp_path)
    assert (copy / "README").stat().st_mtime_ns == old
    index = (copy / ".git" / "index").read_bytes()
    inner = (copy / "README").stat()
    # as git inside sees it: who the files belong to is the only thing that differs for root
    listed = git(copy, "ls-files", "--debug", "README")
    assert f"ino: {inner.st_ino % 2**32}" in listed
    assert f"size: {inner.st_size}" in listed
    assert index[:8] == b"DIRC\0\0\0\x02"


def test_a_file_that_git_has_not_looked_at_is_clean_too(top: Path, tmp_path: Path) -> None:
    (top / "README").write_text("read me\n")  # same content, another time
    copy = fill(look(top), tmp_path)
    assert f"ino: {(copy / 'README').stat().st_ino % 2**32}" in git(copy, "ls-files", "--debug", "README")


def test_ignored_files_along(top: Path, tmp_path: Path) -> None:
    (top / ".worktreeinclude").write_text("# mine\n/data/\n!/data/*.tmp\n.env\n")
    (top / "data" / "deep").mkdir(parents=True)
    (top / "data" / "deep" / "a").write_text("1")
    (top / "x.log").write_text("1")
    (top / "y.log").write_text("1")
    (top / ".env").write_text("KEY=1")
    found = look(top, files=["x.log"])
    copy = fill(found, tmp_path)
    assert names(copy) == FIRST | {".worktreeinclude", "data/deep/a", "x.log"}
    assert left(found) == {".env": "likely a secret"}
    assert "x.log" not in git(copy, "status", "--porcelain")


def test_secrets_stay_unless_they_are_named(top: Path, tmp_path: Path) -> None:
    (top / ".env").write_text("committed")
    (top / "certs").mkdir()
    (top / "certs" / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    (top / "certs" / "own.pem").write_text("-----BEGIN RSA PRIVATE KEY-----")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "unwise")
    (top / ".env").write_text("and the real one")
    (top / "id_rsa").write_text("key")
    found = look(top)
    assert left(found) == dict.fromkeys((".env", "certs/own.pem", "id_rsa"), "likely a secret")
    copy = fill(found, tmp_path / "one")
    assert names(copy) == FIRST | {"certs/ca.pem"}
    assert git(copy, "status", "--porcelain") == "", "what stays behind is shown as deleted"
    git(copy, "commit", "--allow-empty", "-qam", "all")
    assert ".env" in git(copy, "ls-tree", "-r", "--name-only", "HEAD")
    assert set(left(look(top, files=["*"]))) == {".env", "certs/own.pem", "id_rsa"}, "a glob that covers names nothing"
    copy = fill(look(top, files=[".env", "certs/*.pem"]), tmp_path / "two")
    assert names(copy) == FIRST | {"certs/ca.pem", "certs/own.pem", ".env"}


def test_detached(top: Path, tmp_path: Path) -> None:
    git(top, "checkout", "-q", "--detach")
    found = look(top)
    assert found.info().branch is None
    assert any("detached" in note for note in found.info().notes)
    copy = fill(found, tmp_path)
    assert git(copy, "rev-parse", "HEAD") == git(top, "rev-parse", "HEAD")
    assert git(copy, "status", "--porcelain") == ""


def test_unborn(tmp_path: Path) -> None:
    top = tmp_path / "proj"
    top.mkdir()
    git(top, "init", "-q", "-b", "trunk/one")
    (top / "a").write_text("1")
    found = look(top)
    assert (found.info().head, found.info().branch, found.info().files) == (None, "trunk/one", 1)
    copy = fill(found, tmp_path)
    assert git(copy, "status", "--porcelain", "--branch").splitlines() == ["## No commits yet on trunk/one", "?? a"]
    git(copy, "add", "a")
    git(copy, "commit", "-qm", "first")


def test_conflict(top: Path, tmp_path: Path) -> None:
    git(top, "checkout", "-qb", "other")
    (top / "README").write_text("theirs\n")
    git(top, "commit", "-qam", "theirs")
    git(top, "checkout", "-q", "main")
    (top / "README").write_text("ours\n")
    git(top, "commit", "-qam", "ours")
    git(top, "merge", "other", check=False)
    found = look(top)
    assert any("middle of a merge" in note for note in found.info().notes)
    copy = fill(found, tmp_path)
    assert git(copy, "status", "--porcelain") == "M README"
    assert "<<<<<<<" in (copy / "README").read_text()


def test_linked_worktree(top: Path, tmp_path: Path) -> None:
    git(top, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side" / "more").write_text("1")
    found = look(tmp_path / "side")
    assert (found.info().root, found.info().branch) == (str(tmp_path / "side"), "side")
    assert [mount.source for mount in found.mounts] == [top / ".git" / "objects"]
    copy = fill(found, tmp_path)
    assert git(copy, "status", "--porcelain", "--branch").splitlines() == ["## side", "?? more"]


def test_alternates_of_alternates(top: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(top), "one")
    git(tmp_path, "clone", "-q", "--shared", "one", "two")
    found = look(tmp_path / "two")
    assert {mount.source for mount in found.mounts} == {
        place / ".git" / "objects" for place in (tmp_path / "two", tmp_path / "one", top)
    }
    assert git(fill(found, tmp_path), "status", "--porcelain") == ""


def test_an_alternate_that_is_no_object_directory_is_not_shown(top: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "diary").write_text("dear")
    (top / ".git" / "objects" / "info" / "alternates").write_text(f"{tmp_path / 'private'}\n")
    found = look(top)
    assert [mount.source for mount in found.mounts] == [top / ".git" / "objects"]
    assert any("may not be seen" in note for note in found.info().notes)


def test_shallow(top: Path, tmp_path: Path) -> None:
    (top / "README").write_text("2\n")
    git(top, "commit", "-qam", "second")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{top}", "shallow")
    found = look(tmp_path / "shallow")
    assert any("shallow" in note for note in found.info().notes)
    copy = fill(found, tmp_path)
    assert git(copy, "log", "--format=%s") == "second"
    assert git(copy, "fsck") == ""


def test_sha256(tmp_path: Path) -> None:
    top = repository(tmp_path / "proj", "--object-format=sha256")
    copy = fill(look(top), tmp_path)
    assert git(copy, "status", "--porcelain") == ""
    assert len(git(copy, "rev-parse", "HEAD")) == 64
    assert git(copy, "fsck") == ""


def test_submodules(top: Path, tmp_path: Path) -> None:
    library = repository(tmp_path / "library")
    git(top, "submodule", "add", "-q", str(library), "lib")
    git(top, "commit", "-qam", "lib")
    (top / "lib" / "x.log").write_text("ignored there")
    found = look(top)
    assert any("lib" in note and "plain files" in note for note in found.info().notes)
    copy = fill(found, tmp_path)
    assert names(copy) == FIRST | {".gitmodules"} | {f"lib/{name}" for name in FIRST}
    assert git(copy, "status", "--porcelain") == ""
    git(top, "submodule", "deinit", "-f", "lib")
    assert any("Submodules without files: lib" in note for note in look(top).info().notes)
    inside = look(library)  # a submodule's own work tree is a project like any other
    assert inside.info().root == str(library)


def test_untracked_repository_inside(top: Path, tmp_path: Path) -> None:
    repository(top / "vendor" / "thing")
    copy = fill(look(top), tmp_path)
    assert "vendor/thing/src/app.py" in names(copy)
    assert not (copy / "vendor" / "thing" / ".git").exists()


def test_sparse_checkout(top: Path, tmp_path: Path) -> None:
    git(top, "sparse-checkout", "set", "--no-cone", "/src/")
    found = look(top)
    assert any("sparse" in note for note in found.info().notes)
    copy = fill(found, tmp_path)
    assert names(copy) == {"src/app.py"}
    assert git(copy, "status", "--porcelain") == ""


@pytest.mark.parametrize("version", ["2", "4"])
def test_index_versions_and_split_index(top: Path, tmp_path: Path, version: str) -> None:
    git(top, "update-index", "--index-version", version)
    git(top, "update-index", "--split-index")
    assert git(fill(look(top), tmp_path), "status", "--porcelain") == ""


def test_lfs_pointer(top: Path, tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
    (top / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (top / "a.bin").write_text(pointer)
    git(top, "add", "-A")
    git(top, "commit", "-qm", "lfs")
    found = look(top)
    assert any("LFS" in note and "a.bin" in note for note in found.info().notes)
    copy = fill(found, tmp_path)
    assert (copy / "a.bin").read_text() == pointer
    assert git(copy, "status", "--porcelain") == ""


def test_line_ends_come_raw(top: Path, tmp_path: Path) -> None:
    git(top, "config", "core.autocrlf", "true")
    (top / "win.txt").write_bytes(b"a\r\nb\r\n")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "crlf")
    copy = fill(look(top), tmp_path)
    assert (copy / "win.txt").read_bytes() == b"a\r\nb\r\n"
    assert git(copy, "status", "--porcelain") == ""
    assert git(copy, "config", "core.autocrlf") == "true"


def test_nothing_of_the_repository_runs_and_no_address_comes_along(top: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho $0 >> {ran}\n")
    script.chmod(0o755)
    git(top, "config", "filter.f.clean", str(script))
    git(top, "config", "filter.f.smudge", str(script))
    git(top, "config", "filter.f.process", str(script))
    git(top, "config", "remote.origin.url", "https://me:s3cret@example.org/x.git")
    git(top, "config", "core.sshCommand", str(script))
    git(top, "config", "user.email", "work@example.org")
    (top / ".gitattributes").write_text("* filter=f diff=f\n")
    for hook in ("post-index-change", "pre-commit", "post-checkout", "reference-transaction"):
        shutil.copy(script, top / ".git" / "hooks" / hook)
    git(top, "config", "core.fsmonitor", str(script))
    copy = fill(look(top), tmp_path)
    assert not ran.exists(), f"ran: {ran.read_text()}"
    everything = b"".join(path.read_bytes() for path in (copy / ".git").rglob("*") if path.is_file())
    assert b"s3cret" not in everything
    assert str(script).encode() not in everything
    assert not (copy / ".git" / "hooks").exists()
    assert git(copy, "config", "user.email") == "work@example.org"
    assert git(fill(look(top, carry=[]), tmp_path / "two"), "config", "user.email", check=False) == ""


def test_the_users_own_ignores_hold_inside(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ignores").write_text("*.swp\n")
    (tmp_path / "gitconfig").write_text(f"[core]\n\texcludesFile = {tmp_path / 'ignores'}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (top / ".git" / "info" / "exclude").write_text("/mine\n")
    for name in ("a.swp", "mine"):
        (top / name).write_text("1")
    copy = fill(look(top), tmp_path)
    assert names(copy) == FIRST
    for name in ("a.swp", "mine"):
        (copy / name).write_text("1")
    assert git(copy, "status", "--porcelain") == ""


def test_bare_and_inside_of_git(top: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(top), "bare.git")
    for place in (tmp_path / "bare.git", top / ".git", top / ".git" / "objects"):
        with pytest.raises(InvalidInput, match="work tree") as error:
            look(place)
        assert "worktree add" in error.value.hint


def test_a_hostile_work_tree_elsewhere(top: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "diary").write_text("dear")
    git(top, "config", "core.worktree", str(tmp_path / "private"))
    found = look(top)
    assert found.info().kind == "directory"
    assert "diary" not in names(fill(found, tmp_path))


def test_a_broken_git_is_a_directory(tmp_path: Path) -> None:
    top = tmp_path / "proj"
    top.mkdir()
    (top / ".git").write_text("gitdir: /nowhere/at/all\n")
    (top / "a").write_text("1")
    found = look(top)
    assert found.info().kind == "directory"
    assert any("git does not read it" in note for note in found.info().notes)
    assert names(fill(found, tmp_path)) == {"a"}


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away takes root")
def test_somebody_elses_repository(top: Path) -> None:
    for path in [top, *top.rglob("*")]:
        os.chown(path, 12345, 12345, follow_symlinks=False)
    with pytest.raises(InvalidInput, match="another user") as error:
        look(top)
    assert "safe.directory" in error.value.hint


def test_names_of_every_kind(top: Path, tmp_path: Path) -> None:
    odd = [b"new\nline", b"\xff\xfe", b" space ", b"quote\"'", b"-dash", "ü\u0301".encode(), b"tab\there", b"[x]*?"]
    for name in odd:
        Path(os.fsdecode(os.fsencode(top) + b"/src/" + name)).write_bytes(name)
    git(top, "add", "src/-dash", "src/new\nline")
    found = look(top)
    assert found.info().files == 5 + len(odd)
    copy = fill(found, tmp_path)
    assert {os.fsencode(name) for name in os.listdir(copy / "src")} == {*odd, b"app.py"}
    assert git(copy, "status", "--porcelain", "-z") == git(top, "status", "--porcelain", "-z")


def test_a_project_whose_own_path_is_odd(tmp_path: Path) -> None:
    top = repository(Path(os.fsdecode(os.fsencode(tmp_path) + b"/new\nline \xff")))
    found = look(top)
    assert found.info().kind == "git"
    copy = fill(found, tmp_path)
    assert git(copy, "status", "--porcelain") == ""
    assert git(copy, "log", "--format=%s") == "first"
    import json

    assert json.dumps(found.to_json(), ensure_ascii=False).encode()


def test_moved_and_gone_later(top: Path, tmp_path: Path) -> None:
    found = look(top)
    copy = fill(found, tmp_path)
    git(top, "gc", "-q", "--prune=now")
    assert git(copy, "log", "--format=%s") == "first"
    top.rename(tmp_path / "elsewhere")
    later = Survey.from_json(found.to_json(), clock=CLOCK)
    assert list(later.mounts) == []
    with pytest.raises(InvalidInput, match="is gone"):
        later.fill(tmp_path, copy)


def test_a_directory_of_the_project_that_is_shown_instead(top: Path, tmp_path: Path) -> None:
    (top / "big").mkdir()
    (top / "big" / "a.csv").write_text("1")
    found = look(top, mounts=["big"])
    assert found.info().mounts == [str(top / "big")]
    assert left(found) == {"big": f"seen read-only at {top / 'big'}"}
    copy = fill(found, tmp_path)
    assert os.readlink(copy / "big") == str(top / "big")
    assert (copy / "big" / "a.csv").read_text() == "1"
    assert git(copy, "status", "--porcelain") == ""


def test_git_does_not_wait_for_locks(top: Path, tmp_path: Path) -> None:
    (top / ".git" / "index.lock").write_text("")
    before = (top / ".git" / "index").stat().st_mtime_ns
    (top / "README").write_text("read me\n")
    fill(look(top), tmp_path)
    assert (top / ".git" / "index").stat().st_mtime_ns == before


def test_locks_nothing_that_a_user_runs(top: Path, tmp_path: Path) -> None:
    copy = fill(look(top), tmp_path)
    ran = subprocess.run(["git", "-C", str(copy), "switch", "-qc", "new"], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
