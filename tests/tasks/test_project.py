"""The project in the workspace: directories without git, what may never be one, what is too large, bad luck."""

from __future__ import annotations

import json
import os
import resource
import socket
import threading
from pathlib import Path

import pytest
from not_root import without_root
from project_repositories import CLOCK, fill, git, left, look, names, repository

from jupyter_tasks.errors import InvalidInput, ProgramMissing, WorkspaceFailed
from jupyter_tasks.tasks import project_copy, project_size
from jupyter_tasks.tasks.project import MOST_LEFT_OUT, Survey


@pytest.fixture(autouse=True)
def own_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("JUPYTER_TASKS_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A directory without git."""
    path = tmp_path / "proj"
    (path / "sub" / "empty").mkdir(parents=True)
    (path / "a.ipynb").write_text("{}")
    (path / "sub" / "b.py").write_text("1\n")
    return path


# ------------------------------------------------------------ a directory without git


def test_a_directory(top: Path, tmp_path: Path) -> None:
    (top / ".env").write_text("KEY=1")
    (top / "node_modules" / "x").mkdir(parents=True)
    (top / ".venv").mkdir()
    found = look(top)
    info = found.info()
    assert (info.kind, info.root, info.head, info.files, info.bytes) == ("directory", str(top), None, 2, 4)
    assert left(found) == {
        ".env": "likely a secret",
        "node_modules": "made by a tool, which makes it again",
        ".venv": "made by a tool, which makes it again",
    }
    copy = fill(found, tmp_path)
    assert names(copy) == {"a.ipynb", "sub/b.py"}
    assert (copy / "sub" / "empty").is_dir()
    assert not (copy / ".git").exists()
    assert names(fill(look(top, files=[".env", ".venv/"]), tmp_path / "two")) == {"a.ipynb", "sub/b.py", ".env"}


def test_what_is_no_file_is_left_out_and_listed(top: Path, tmp_path: Path) -> None:
    os.mkfifo(top / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(top, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/sock")
        os.close(here)
        (top / "loop").symlink_to("loop")
        (top / "up").symlink_to("sub")
        (top / "sub" / "back").symlink_to("..")
        (top / "out").symlink_to("../elsewhere")
        (top / "sub" / "sly").symlink_to("../../proj/a.ipynb")
        (top / "abs").symlink_to("/etc/passwd")
        found = look(top)
        copy = fill(found, tmp_path)
    assert left(found) == {
        "pipe": "a named pipe",
        "sock": "a socket",
        "out": "a link out of the project, to ../elsewhere",
        "sub/sly": "a link out of the project, to ../../proj/a.ipynb",
        "abs": "a link out of the project, to /etc/passwd",
    }
    assert {name: os.readlink(copy / name) for name in ("loop", "up", "sub/back")} == {
        "loop": "loop",
        "up": "sub",
        "sub/back": "..",
    }


def test_a_link_to_what_is_shown_stays(top: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (top / "data").symlink_to(data / "part")
    assert "data" in left(look(top))
    found = look(top, mounts=[str(data)])
    assert left(found) == {}
    assert os.readlink(fill(found, tmp_path) / "data") == str(data / "part")
    assert [(mount.source, mount.target) for mount in found.mounts] == [(data, data)]


def test_odd_names_deep_trees_hard_links_and_holes(top: Path, tmp_path: Path) -> None:
    for name in (b"new\nline", b"\xff", b"CASE", b"case"):
        (top / os.fsdecode(name)).write_bytes(name)
    os.link(top / "a.ipynb", top / "same")
    with (top / "holes").open("wb") as file:
        file.truncate(3 << 30)
        file.seek(1 << 30)
        file.write(b"x")
    here = os.getcwd()
    os.chdir(top)
    try:
        for _ in range(130):
            os.mkdir("d" * 60)
            os.chdir("d" * 60)
    finally:
        os.chdir(here)
    found = look(top)
    assert found.info().bytes < 1 << 20, "a hole is counted as if it were data"
    assert [reason for path, reason in left(found).items() if path.startswith("ddd")], "a deep end is not told"
    copy = fill(found, tmp_path)
    assert {b"new\nline", b"\xff", b"CASE", b"case", b"same"} <= {os.fsencode(name) for name in os.listdir(copy)}
    assert (copy / "holes").stat().st_size == 3 << 30
    assert (copy / "holes").stat().st_blocks < 1000
    assert not os.path.samefile(copy / "same", copy / "a.ipynb")
    with (copy / "holes").open("rb") as file:
        file.seek(1 << 30)
        assert file.read(2) == b"x\0"


def test_modes(top: Path, tmp_path: Path) -> None:
    (top / "run").write_text("")
    (top / "run").chmod(0o4755)
    (top / "sub" / "b.py").chmod(0o400)
    copy = fill(look(top), tmp_path)
    assert (copy / "run").stat().st_mode & 0o7777 == 0o755
    assert (copy / "sub" / "b.py").stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("kind", ["git", "directory"])
def test_unreadable(top: Path, tmp_path: Path, kind: str) -> None:
    if kind == "git":
        git(top, "init", "-q")
        git(top, "add", "a.ipynb")
    (top / "locked").write_text("")
    (top / "locked").chmod(0)
    (top / "sub").chmod(0)

    def check() -> None:
        found = look(top)
        copy = fill(found, tmp_path)
        assert left(found) == dict.fromkeys(("locked", "sub"), "cannot be read: Permission denied")
        assert names(copy) == {"a.ipynb"}

    try:
        without_root(tmp_path, check)
    finally:
        (top / "sub").chmod(0o755)


def test_files_that_change_while_they_are_copied(top: Path, tmp_path: Path) -> None:
    for number in range(300):
        (top / f"f{number}").write_text("x" * 5000)
    over = threading.Event()

    def work() -> None:
        number = 0
        while not over.is_set():
            number = (number + 7) % 300
            (top / f"f{number}").unlink(missing_ok=True)
            (top / f"f{(number + 100) % 300}").write_text("y" * 100)
            (top / f"new{number}").mkdir(exist_ok=True)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for turn in range(5):
            copy = fill(look(top), tmp_path / str(turn))
            assert {path.read_text()[:1] for path in copy.glob("f*")} <= {"x", "y", ""}
    finally:
        over.set()
        worker.join()


def test_a_directory_that_becomes_a_link_is_not_followed(top: Path, tmp_path: Path) -> None:
    found = look(top)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "b.py").write_text("dear diary")
    told: list[tuple[bytes, str]] = []
    copy = project_copy.TreeCopy(
        top, fresh(tmp_path), lambda *args: None, lambda path, why: told.append((path, why)), lambda: False
    )
    (top / "sub").rename(top / "gone")
    (top / "sub").symlink_to(tmp_path / "private")
    copy.copy([(b"a.ipynb", 0o100000), (b"sub/b.py", 0o100000), (b"sub/empty", 0o040000)])
    copy.close()
    assert names(tmp_path / "fresh") == {"a.ipynb"}
    assert found.info().files == 2


def fresh(tmp_path: Path) -> Path:
    (tmp_path / "fresh").mkdir()
    return tmp_path / "fresh"


def test_what_the_template_put_there_gives_way_and_is_never_followed(top: Path, tmp_path: Path) -> None:
    found = look(top)
    target = fresh(tmp_path)
    (tmp_path / "outside").mkdir()
    (target / "sub").symlink_to(tmp_path / "outside")
    (target / "a.ipynb").symlink_to(tmp_path / "outside" / "file")
    (target / "template.txt").write_text("stays")
    found.fill(tmp_path, target)
    assert names(target) == {"a.ipynb", "sub/b.py", "template.txt"}
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("size", [5 << 20, 900 << 10])
def test_a_disk_that_becomes_full_is_an_error(top: Path, tmp_path: Path, size: int) -> None:
    (top / "big").write_bytes(os.urandom(size))
    found = look(top)
    assert (fill(found, tmp_path) / "big").read_bytes() == (top / "big").read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (800 << 10, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            fill(found, tmp_path / "two")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_project_that_does_not_fit_is_told_at_once(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look(top)
    disk = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result([*disk[:4], 0, *disk[5:]]))
    with pytest.raises(WorkspaceFailed, match="does not fit on the disk"):
        fill(found, tmp_path)
    assert names(tmp_path / "new-home") == set()


# ------------------------------------------------------------ what may be a project


def test_homes_and_system_directories(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    (home / "work" / "a").write_text("1")
    (home / ".ssh").mkdir()
    for place in (home, tmp_path, Path("/"), Path("/etc"), Path("/usr"), home / ".ssh", Path("/proc/self")):
        found = look(place, home=home)
        assert (found.info().kind, found.info().root) == ("none", None)
        assert len(found.info().notes) == 1, place
        assert found.mounts == []
        with pytest.raises(InvalidInput, match="cannot be the project") as error:
            look(home / "work", home=home, project=str(place))
        assert "--project DIR" in error.value.hint
        with pytest.raises(InvalidInput, match="cannot be shown"):
            look(home / "work", home=home, mounts=[str(place)])
    assert look(home / "work", home=home).info().kind == "directory"
    nothing = fill(look(home, home=home), tmp_path / "x")
    assert names(nothing) == set()


def test_our_own_directories(tmp_path: Path) -> None:
    (tmp_path / "state" / "workspaces").mkdir(parents=True)
    (tmp_path / "state" / "tasks.sqlite").write_text("rows")
    (tmp_path / "note").write_text("1")
    assert look(tmp_path / "state" / "workspaces").info().kind == "none"
    with pytest.raises(InvalidInput, match="private"):
        look(tmp_path / "state", project="none", mounts=[str(tmp_path)])
    found = look(tmp_path)
    assert left(found) == {"state": "Jupyter's own files"}
    assert found.info().files == 1


def test_a_home_that_is_a_repository(tmp_path: Path) -> None:
    home = repository(tmp_path / "home")
    (home / "work").mkdir()
    (home / "work" / "a").write_text("1")
    found = look(home / "work", home=home)
    assert (found.info().kind, found.info().root) == ("directory", str(home / "work"))
    assert "is not the project, because it is a home directory" in found.info().notes[0]


def test_which_directory(tmp_path: Path) -> None:
    top = repository(tmp_path / "mono")
    (top / "packages" / "one").mkdir(parents=True)
    (tmp_path / "plain").mkdir()
    one = look(tmp_path / "plain", project=str(top / "packages" / "one"))
    assert (one.info().root, one.info().subdirectory) == (str(top), "packages/one")
    assert (fill(one, tmp_path) / "packages" / "one").is_dir(), "the agent has nowhere to start"
    assert look(top / "packages", project="..").info().root == str(top)
    assert look(top / "packages", project=str(top)).info().subdirectory == ""
    assert look(top / "src", project="none").info().kind == "none"
    assert look(None).info().kind == "none"
    assert look(None, project=str(tmp_path / "plain")).info().kind == "directory"
    assert look(tmp_path / "gone").info().kind == "none"
    home = tmp_path / "plain"
    assert look(None, home=tmp_path, project="~/mono").info().root == str(top)
    for wrong in (str(tmp_path / "gone"), str(top / "README"), "", "a\0b"):
        with pytest.raises(InvalidInput):
            look(home, project=wrong)
    with pytest.raises(InvalidInput, match="unknown directory"):
        look(None, project="relative")


def test_a_link_to_the_project(tmp_path: Path) -> None:
    top = repository(tmp_path / "real")
    (tmp_path / "link").symlink_to(top)
    found = look(tmp_path / "link" / "src")
    assert (found.info().root, found.info().subdirectory) == (str(top), "src")
    (tmp_path / "loop").symlink_to("loop")
    assert look(tmp_path / "loop").info().kind == "none"


def test_without_git_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "proj")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramMissing, match="git is not installed") as error:
        look(top)
    assert "--project none" in error.value.hint


def test_mounts(top: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "other").symlink_to(tmp_path / "data")
    found = look(top, mounts=["../data", str(tmp_path / "data"), "../other"])
    assert found.info().mounts == [str(tmp_path / "data"), str(tmp_path / "other")]
    assert [(mount.source, mount.target) for mount in found.mounts] == [
        (tmp_path / "data", tmp_path / "data"),
        (tmp_path / "data", tmp_path / "other"),
    ]
    with pytest.raises(InvalidInput, match="does not exist"):
        look(top, mounts=["nowhere"])
    again = Survey.from_json(json.loads(json.dumps(found.to_json())), clock=CLOCK)
    assert again == found
    (tmp_path / "data").rmdir()
    assert list(again.mounts) == []


@pytest.mark.parametrize("broken", [{}, {"version": 2}, {"version": 1, "wanted": 3}])
def test_a_survey_that_is_none(broken: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Survey.from_json(broken, clock=CLOCK)


# ------------------------------------------------------------ too large


def test_too_many_files(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_size, "MOST_FILES", 40)
    for folder, count in (("data/raw/deep", 30), ("src", 8), ("docs", 2), ("x", 1), ("y", 1), ("z", 1)):
        (top / folder).mkdir(parents=True)
        for number in range(count):
            (top / folder / str(number)).write_text("x" * 1000 * count)
    with pytest.raises(InvalidInput, match="too large for a workspace: 45 files") as error:
        look(top)
    assert error.value.code == "project_too_large"
    assert "Largest folders: data/raw/deep (900 kB), src (64 kB), docs (4 kB)" in error.value.detail
    for way in ("--large", ".gitignore", "--project DIR", "--mount DIR", ".worktreeinclude"):
        assert way in error.value.hint
    assert look(top, large=True).info().files == 45
    assert look(top, mounts=["data"]).info().files == 15, "showing the folder instead is no way out"


def test_a_huge_folder_in_a_repository(tmp_path: Path) -> None:
    top = repository(tmp_path / "proj")
    (top / "weights").mkdir()
    with (top / "weights" / "model.bin").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 10**9 + 1)
    with pytest.raises(InvalidInput, match=r"1\.0 GB") as error:
        look(top)
    assert "weights (1.0 GB)" in error.value.detail
    (top / ".gitignore").write_text("weights/\n")
    assert look(top).info().files == 5


def test_counting_ends(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_size, "MOST_FILES", 100)
    monkeypatch.setattr(project_size, "COUNTING_SECONDS", 0.0)
    (top / "many").mkdir()
    for number in range(1000):
        (top / "many" / str(number)).touch()
    with pytest.raises(InvalidInput, match="at least 128 files"):
        look(top)


def test_a_large_one_has_a_bound_too(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_size, "REVIEW_BYTES", 3)
    with pytest.raises(InvalidInput, match="too large") as error:
        look(top, large=True)
    assert "reviewed" in error.value.detail
    assert "--large" not in error.value.hint


def test_the_list_of_what_stays_is_bounded(top: Path) -> None:
    for number in range(150):
        (top / f"{number}.env").touch()
    info = look(top).info()
    assert (len(info.left_out), info.left_out_count) == (MOST_LEFT_OUT, 150)


def test_git_is_not_needed_where_there_is_none(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git(tmp_path, "--version")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert names(fill(look(top), tmp_path)) == {"a.ipynb", "sub/b.py"}
