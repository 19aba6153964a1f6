"""Programs are followed to the files that make them run, however they were installed, and to no more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_tasks.errors import InvalidInput, ProgramMissing
from jupyter_tasks.workspaces.sandbox_programs import Needs, base_python, python_needs, resolve_programs


def program(path: Path, text: str = "\x7fELF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def resolve(home: Path, *names: str) -> Needs:
    needs = Needs()
    search = os.pathsep.join([str(home / ".local/bin"), str(home / "nvm/v20/bin"), "/usr/bin", "/bin"])
    resolve_programs(names, search, needs, private=[home])
    return needs


def test_system_programs_need_nothing(tmp_path: Path) -> None:
    needs = resolve(tmp_path, "sh", "git", "/usr/bin/env")
    assert (needs.paths, needs.links, needs.bin) == (set(), {}, [])


def test_single_binary_behind_a_link(tmp_path: Path) -> None:
    real = program(tmp_path / ".local/share/claude/versions/2.0.1")
    program(tmp_path / ".local/share/claude/settings.json")
    link = tmp_path / ".local/bin/claude"
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    needs = resolve(tmp_path, "claude")
    assert needs.paths == {real}
    assert needs.links == {link: real}
    assert needs.bin == [link.parent]


@pytest.mark.parametrize(("scope", "package"), [("@openai/codex", "@openai/codex"), ("plain", "plain")])
def test_npm_package_and_its_node(tmp_path: Path, scope: str, package: str) -> None:
    root = tmp_path / "nvm/v20"
    node = program(root / "bin/node")
    script = program(root / "lib/node_modules" / scope / "bin/cli.js", "#!/usr/bin/env -S node --flag\n")
    program(root / "lib/node_modules/other/secret.js")
    (root / "bin/codex").symlink_to(os.path.relpath(script, root / "bin"))
    needs = resolve(tmp_path, "codex")
    assert needs.paths == {root / "lib/node_modules" / package, node}
    assert needs.bin == [root / "bin"]


def test_pnpm_store(tmp_path: Path) -> None:
    store = tmp_path / "pnpm/global/5/.pnpm"
    program(tmp_path / "nvm/v20/bin/node")
    script = program(store / "codex@1/node_modules/codex/cli.js", "#!/usr/bin/env node\n")
    (tmp_path / ".local/bin").mkdir(parents=True)
    (tmp_path / ".local/bin/codex").symlink_to(script)
    # packages there are links to their neighbours: the store as a whole makes one run
    assert resolve(tmp_path, "codex").paths == {store, tmp_path / "nvm/v20/bin/node"}


def test_python_tool_in_an_environment_of_its_own(tmp_path: Path) -> None:
    base = tmp_path / "pythons/3.12.1"
    program(base / "bin/python3.12")
    venv = tmp_path / ".local/share/uv/tools/aider"
    script = program(venv / "bin/aider", f"#!{venv}/bin/python\n")
    (venv / "pyvenv.cfg").write_text(f"home = {base}/bin\nversion = 3.12.1\n")
    (venv / "bin/python").symlink_to(base / "bin/python3.12")
    (tmp_path / ".local/bin").mkdir(parents=True)
    (tmp_path / ".local/bin/aider").symlink_to(script)
    needs = resolve(tmp_path, "aider")
    assert needs.paths == {venv, base}
    assert needs.bin == [tmp_path / ".local/bin"]


def test_conda_environment(tmp_path: Path) -> None:
    prefix = tmp_path / "conda/envs/work"
    (prefix / "conda-meta").mkdir(parents=True)
    program(prefix / "bin/python3.11")
    (prefix / "bin/python").symlink_to("python3.11")
    needs = Needs()
    python_needs(prefix, needs, private=[tmp_path / "home"])
    assert needs.paths == {prefix}


def test_chain_of_interpreter_links(tmp_path: Path) -> None:
    """uv: the environment's home is a link that names a minor version, beside the real one."""
    real = tmp_path / "uv/cpython-3.12.5"
    program(real / "bin/python3.12")
    (tmp_path / "uv/cpython-3.12").symlink_to("cpython-3.12.5")
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text(f"home = {tmp_path}/uv/cpython-3.12/bin\n")
    (venv / "bin/python").symlink_to(tmp_path / "uv/cpython-3.12/bin/python3.12")
    needs = Needs()
    python_needs(venv, needs, private=[tmp_path / "home"])
    assert needs.paths == {venv, real}
    assert needs.links == {tmp_path / "uv/cpython-3.12": real}
    assert base_python(venv) == tmp_path / "uv/cpython-3.12"


def test_environment_that_names_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text(f"home = {tmp_path}/bin\n")
    assert base_python(tmp_path) == tmp_path


def test_missing_program_and_missing_interpreter(tmp_path: Path) -> None:
    program(tmp_path / ".local/bin/tool", "#!/usr/bin/env nodejs-of-nowhere\n")
    with pytest.raises(ProgramMissing, match="nodejs-of-nowhere"):
        resolve(tmp_path, "tool")
    with pytest.raises(ProgramMissing, match="gone"):
        resolve(tmp_path, "gone")


def test_package_around_the_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    program(tmp_path / "bin/tool")
    needs = Needs()
    with pytest.raises(InvalidInput, match="cannot be shown"):
        resolve_programs([str(tmp_path / "bin/tool")], "/usr/bin", needs, private=[tmp_path / "home"])
