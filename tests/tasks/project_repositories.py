"""Real git repositories for the tests of the project, and what they have in common."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.models import ProjectRequest
from jupyter_tasks.tasks.project import Survey, survey

CLOCK = SystemClock()
_WHO = {f"GIT_{who}_{what}": f"{who}@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(directory: Path, *words: str, check: bool = True) -> str:
    """Run git as a user would, without this machine's own configuration."""
    kept = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }
    more = ("-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main")
    ran = subprocess.run(
        ["git", *more, *words], cwd=directory, env=kept | _WHO, capture_output=True, text=True, errors="replace"
    )
    assert not check or ran.returncode == 0, f"git {words}: {ran.stdout}{ran.stderr}"
    return ran.stdout.strip()


def repository(top: Path, *options: str) -> Path:
    """A repository with one commit: README, src/app.py, run.sh, a link and a .gitignore."""
    top.mkdir(parents=True)
    git(top, "init", "-q", *options)
    (top / "src").mkdir()
    (top / "README").write_text("read me\n")
    (top / "src" / "app.py").write_text("print(1)\n")
    (top / "run.sh").write_text("#!/bin/sh\n")
    (top / "run.sh").chmod(0o755)
    (top / "link").symlink_to("src/app.py")
    (top / ".gitignore").write_text("*.log\n/data/\n")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "first")
    return top


def look(directory: Path | None = None, home: Path = Path("/home/nobody-here"), **ask: object) -> Survey:
    """Survey what a shell in ``directory`` asks for."""
    request = ProjectRequest.model_validate({"directory": None if directory is None else str(directory), **ask})
    return survey(request, clock=CLOCK, home=home)


def fill(found: Survey, place: Path) -> Path:
    """The project as the workspace has it, as after a restart of the engine."""
    target = place / "new-home" / "project"
    target.mkdir(parents=True)
    again = Survey.from_json(found.to_json(), clock=CLOCK)
    again.fill(place / "new-home", target)
    return target


def names(directory: Path) -> set[str]:
    """Every file and link below, without ``.git``."""
    found = set()
    for path in directory.rglob("*"):
        relative = path.relative_to(directory)
        if relative.parts[0] != ".git" and (path.is_symlink() or not path.is_dir()):
            found.add(str(relative))
    return found


def left(found: Survey) -> dict[str, str]:
    return {each.path: each.reason for each in found.info().left_out}
