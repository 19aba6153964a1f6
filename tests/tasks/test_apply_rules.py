"""The rule of apply over any three trees, and the tables it goes by."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest
from apply_lab import Project, actions, open_journal, tree, write
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_tasks.tasks.apply_git import merge_text
from jupyter_tasks.tasks.apply_paths import collisions, folded, refusal
from jupyter_tasks.tasks.apply_runnable import runner

LINES = b"".join(b"line %d\n" % number for number in range(12))


@pytest.mark.parametrize(
    "path",
    [
        *(b".git/config", b"a/.GIT/hooks/x", b".git", b".git.", b".git ", b"a/.git. . /x", b"git~1/x", b"GIT~10"),
        *(b".git::$INDEX_ALLOCATION/x", b"a\\.git\\config", ".g\u200cit/x".encode(), b"../x", b"a/../b", b"/etc/x"),
        *(b"a\0b", b"x" * 256, b"", b"a//b", b"./a", b"/".join([b"d" * 200] * 30)),
    ],
)
def test_paths_that_are_never_written(path: bytes) -> None:
    assert refusal(path) is not None


@pytest.mark.parametrize(
    "path", [b".gitignore", b".github/x", b"git", b"a.git/x", b"x\xff\n", b"git~x", b"..a", b"a\\b"]
)
def test_paths_that_are(path: bytes) -> None:
    assert refusal(path) is None


def test_names_that_collide() -> None:
    assert collisions([b"a/B", b"a/b", b"A", b"c"]) == {"a/b": {b"a/B", b"a/b"}, "a": {b"a", b"A"}}
    assert folded("Ä".encode()) == folded("a\u0308".encode())
    assert folded("straße".encode()) == folded(b"STRASSE")


@given(st.binary(max_size=40))
@settings(max_examples=examples(300))
def test_any_path_has_an_answer(path: bytes) -> None:
    refusal(path)
    collisions([path])
    runner(path, None, b"{}", ())


RUNS = (
    *(".envrc", "sub/.envrc", ".vscode/tasks.json", ".VSCode/settings.json", "a.code-workspace", ".idea/workspace.xml"),
    *(".pre-commit-config.yaml", ".husky/pre-commit", ".githooks/pre-push", "tests/conftest.py", "sitecustomize.py"),
    *("lib/x.pth", ".devcontainer/devcontainer.json", ".claude/settings.local.json", ".mcp.json", ".cursor/mcp.json"),
    *(".npmrc", ".ipython/profile_default/startup/00.py", "jupyter_server_config.py", "jupyter_notebook_config.json"),
    *(".github/workflows/ci.yml", ".gitlab-ci.yml", ".Rprofile", ".pdbrc", "binder/postBuild", "venv/pyvenv.cfg"),
    *("random.py", "work/numpy.py", "json/__init__.py", "matplotlib.so", ".zed/tasks.json", "mise.toml", "binding.gyp"),
)
PLAIN = (
    *("Makefile", "setup.py", "pyproject.toml", "tox.ini", "noxfile.py", "src/hooks/useThing.ts", "AGENTS.md", "a.py"),
    *(
        "notebook.ipynb",
        "docs/conf.py",
        "Dockerfile",
        ".gitignore",
        ".gitattributes",
        "data.csv",
        "types.ts",
        "github/x",
    ),
)


@pytest.mark.parametrize("path", RUNS)
def test_files_that_run_by_themselves(path: str) -> None:
    assert runner(path.encode(), None, b"x", {path.encode()})


@pytest.mark.parametrize("path", PLAIN)
def test_files_that_do_not(path: str) -> None:
    assert runner(path.encode(), None, b"x", {path.encode()}) is None


def test_files_that_run_because_of_what_they_hold_or_stand_beside() -> None:
    def package(**scripts: str) -> bytes:
        return json.dumps({"name": "x", "scripts": scripts}).encode()

    path = b"web/package.json"
    assert runner(path, package(test="a"), package(test="b"), ()) is None
    assert runner(path, package(test="a"), package(test="a", postinstall="evil"), ()) == "npm install"
    assert runner(path, package(prepare="a"), package(prepare="a", test="b"), ()) is None
    assert runner(path, None, b"not json", ()) == "npm install"
    assert runner(path, None, b"[" * 100_000, ()) == "npm install"
    assert runner(b"pkg/types.py", None, b"", {b"pkg/__init__.py", b"pkg/types.py"}) is None  # of a package
    assert "types" in (runner(b"pkg/types.py", None, b"", {b"pkg/types.py"}) or "")
    assert runner(b"x/config", None, b"", {b"x/config", b"x/HEAD"}) is not None
    assert runner(b"x/config", None, b"", {b"x/config"}) is None


@given(st.data())
@settings(max_examples=examples(60))
def test_a_merge_is_what_git_makes_of_it_or_nothing(data: st.DataObject) -> None:
    lines = LINES.splitlines(keepends=True)
    ours, theirs = list(lines), list(lines)
    ours[data.draw(st.integers(0, 3))] = b"ours\r\n"
    theirs[data.draw(st.integers(7, 11))] = b"theirs\xff\n"
    merged = merge_text(LINES, b"".join(ours), b"".join(theirs))
    assert merged is not None
    wanted = [mine if mine != line else their for line, mine, their in zip(lines, ours, theirs, strict=True)]
    assert merged == b"".join(wanted)


CONTENT = st.sampled_from([None, LINES, LINES + b"end\n", b"start\n" + LINES, b"other\n", b"\0binary", b"\0other"])
MODE = st.sampled_from([0o644, 0o755, 0o600])
TREE = st.dictionaries(
    st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a", "d", "a/x"]), st.tuples(CONTENT, MODE), max_size=5
)
Files = Mapping[str, tuple[bytes | None, int]]


def _lay(top: Path, files: Files) -> None:
    for each in top.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    for name, (content, mode) in sorted(files.items()):
        path = top / name
        above = [parent for parent in path.parents if parent.is_file()]
        if content is not None and not above and not path.is_dir():
            write(path, content, mode)


def _files(top: Path) -> dict[str, tuple[bytes, bool]]:
    found = (each for each in top.rglob("*") if each.is_file())
    return {str(each.relative_to(top)): (each.read_bytes(), bool(each.stat().st_mode & 0o100)) for each in found}


@given(base=TREE, mine=TREE, theirs=TREE, copied=st.sets(st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a"])))
@settings(max_examples=examples(20))
def test_any_three_trees(base: Files, mine: Files, theirs: Files, copied: set[str]) -> None:
    ours = {**{name: base[name] for name in copied if name in base}, **mine}
    with tempfile.TemporaryDirectory() as place:
        anyio.run(_three, Path(place), base, ours, theirs)


async def _three(top: Path, base: Files, mine: Files, theirs: Files) -> None:
    journal = await open_journal(top)
    try:
        project = Project(top, journal)
        _lay(project.mine, base)
        await project.begin({})
        begun = _files(project.theirs)
        _lay(project.mine, mine)
        _lay(project.theirs, theirs)
        before = tree(project.mine)
        ours, workspace = _files(project.mine), _files(project.theirs)
        done = await project.apply()
        what = actions(done)
        bad = {"conflict", "refused"} & set(what.values())
        assert done.applied is not bool(bad)
        for path in {*begun, *ours, *workspace}:
            old, own, new = begun.get(path), ours.get(path), workspace.get(path)
            allowed = (
                {None} if old == new
                else {"unchanged"} if own == new
                else {"added", "modified", "deleted", "conflict"} if own == old
                else {"merged", "conflict", "unchanged"} if own and new and old
                else {"conflict"}
            )  # fmt: skip
            assert what.get(path) in allowed, path
        if bad:
            assert tree(project.mine) == before
            return
        after = _files(project.mine)
        for path in {*ours, *workspace, *after}:
            match what.get(path):
                case "added" | "modified":
                    assert after[path] == workspace[path]
                case "deleted":
                    assert path not in after
                    assert path not in workspace
                case "merged":
                    assert after[path] not in (ours[path], None)
                case None | "unchanged":
                    assert after.get(path) == ours.get(path)
        assert await project.apply_of().unapplied() == 0
        if {"added", "modified", "deleted", "merged"} & set(what.values()):
            undone = await project.undo()
            assert undone.undone
        assert tree(project.mine) == before
    finally:
        await journal.database.close()
