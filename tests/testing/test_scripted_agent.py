"""The scripted agent's own contract (it talks in tests/agentapi/test_real_terminal.py)."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_tasks.testing.scripted_agent import main


def play(tmp_path: Path, script: list[dict[str, object]], typed: bytes) -> tuple[int, str]:
    """(exit status, all that it printed)."""
    (tmp_path / "s.json").write_text(json.dumps(script))
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_tasks.testing.scripted_agent", "s.json"],
        cwd=tmp_path,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.environ["PATH"]},
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            data = b""
        if not data:
            break
        seen += data
        if seen.endswith(b"> ") and typed:
            line, cut, typed = typed.partition(b"\r")
            os.write(master, line + cut)
    os.close(master)
    return process.wait(40), seen.decode()


def test_a_script_is_played(tmp_path: Path) -> None:
    script: list[dict[str, object]] = [
        {"response": "Hello", "title": "agent"},
        {"expect": "one\ntwo", "response": "both", "osc": True, "raw": "\x1b[31mraw"},
        {"expect": "bye", "exit": 3},
    ]
    status, seen = play(tmp_path, script, b"x\x08\x1b[200~one\ntwo\x1b[201~\rbye\r")
    assert status == 3
    assert "\x1b]2;agent\x07Hello\r\n> " in seen
    assert "\x1b]7501;state=working:app=scripted\x1b\\both\r\n\x1b[31mraw\x1b]7501;state=idle" in seen


def test_something_else_ends_it(tmp_path: Path) -> None:
    status, seen = play(tmp_path, [{"expect": "one"}], b"two\r")
    assert status == 1
    assert "expected 'one', got 'two'" in seen
    assert play(tmp_path, [{"response": "x"}], b"\x04")[0] == 0


def test_wrong_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
