"""Where namespaces are denied: an ordinary plan is refused with the remedy, our own offline agent runs and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.workspaces.sandbox import NAMESPACES, OFF_SETTING, Bubblewrap, SandboxProbe, diagnose

FOUND = SandboxProbe(SystemClock()).find()


def run_in(bwrap: Bubblewrap, arguments: list[str], script: Path, places: Path) -> Any:
    command = [str(bwrap.path), *arguments, "--bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--"]
    env = os.environ | {"JUPYTER_TASKS_STATE_DIR": str(places / "agent")}
    done = subprocess.run(
        [*command, sys.executable, str(script), str(places)],
        capture_output=True, text=True, timeout=50, check=False, env=env, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not isinstance(FOUND, Bubblewrap), reason="no user namespaces here to deny others in")
def test_namespaces_denied(short: Path) -> None:
    assert isinstance(FOUND, Bubblewrap)
    told = run_in(FOUND, list(NAMESPACES), Path(__file__).with_name("denied.py"), short)
    for method in ("check", "start"):
        message, hint = told[method]
        assert "cannot be isolated" in message
        assert "user namespaces" in message
        assert "sysctl -w user.max_user_namespaces" in hint
        assert OFF_SETTING in hint
    assert told["left"] == [], "a refused plan left files"
    assert told["ours"] == "none"
    kind, reason = told["isolation"]
    assert kind == "none"
    assert "Not isolated" in reason
    assert any("not isolated" in line for line in told["said"])
    assert told["home"] == str(short / "s/workspaces/w2/home")
    home, port, agentapi, here = told["ran"]
    assert (home, here) == (told["home"], told["home"])
    assert told["ports"] == {"3284": int(agentapi), "8000": int(port)}
    assert len({port, agentapi, "3284", "8000"}) == 4
    assert told["after"] == []


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("bwrap: Creating new namespace failed: No space left on device", "user.max_user_namespaces"),
        ("bwrap: Creating new namespace failed: max_*_namespaces exceeded (ENOSPC)", "user.max_user_namespaces"),
        ("bwrap: something new", ""),
    ],
)
def test_diagnosis_names_the_cause(said: str, cause: str) -> None:
    error = diagnose(said).error()
    assert cause in error.message
    assert OFF_SETTING in error.hint
    assert said in error.detail
