"""What an npm package needs beside itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_tasks.workspaces.sandbox_node import node_dependencies
from jupyter_tasks.workspaces.sandbox_programs import Needs, resolve_programs


def package(place: Path, name: str, **about: object) -> Path:
    directory = place / "node_modules" / name
    directory.mkdir(parents=True)
    (directory / "package.json").write_text(json.dumps({"name": name, **about}))
    return directory


def test_neighbours_and_what_they_need(tmp_path: Path) -> None:
    top = package(
        tmp_path, "@a/cli", optionalDependencies={"@a/cli-x64": "1", "@a/cli-arm": "1"}, dependencies={"b": "1"}
    )
    native = package(tmp_path, "@a/cli-x64")
    b = package(tmp_path, "b", dependencies={"c": "*", "@a/cli": "*"})
    c = package(tmp_path, "c")
    package(tmp_path, "unrelated")
    package(top, "own", dependencies={"b": "*"})
    assert node_dependencies(top) == sorted([native, b, c])


def test_a_program_shows_its_neighbours(tmp_path: Path) -> None:
    top = package(tmp_path, "cli", optionalDependencies={"native": "1"})
    native = package(tmp_path, "native")
    (top / "cli.sh").write_text("#!/bin/sh\n")
    (top / "cli.sh").chmod(0o755)
    binary = tmp_path / "node_modules" / ".bin"
    binary.mkdir()
    (binary / "cli").symlink_to("../cli/cli.sh")
    needs = Needs()
    resolve_programs(["cli"], str(binary), needs, private=[])
    assert needs.paths == {top, native}


def test_many_are_shown_as_one(tmp_path: Path) -> None:
    top = package(tmp_path, "cli", dependencies={f"d{number}": "1" for number in range(100)})
    for number in range(100):
        package(tmp_path, f"d{number}")
    assert node_dependencies(top) == [tmp_path / "node_modules"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"dependencies": []}', '{"dependencies": {"../../x": "1", "": "1"}}'])
def test_a_package_that_makes_no_sense(tmp_path: Path, text: str) -> None:
    top = package(tmp_path, "cli")
    (tmp_path / "x").mkdir()
    (top / "package.json").write_text(text)
    assert node_dependencies(top) == []
