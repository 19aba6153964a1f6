"""Rare orders of events in the agent's loop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from loop_scenes import __file__ as scenes

OUTCOMES = {
    "last_words": "(0, b'last words\\n')",
    "a_terminals_end": "6000",
    "a_slow_reader": "True",
    "a_caller_who_left": "ended",
    "an_engine_that_left": "b'hello'",
    "a_signal_as_it_begins": "ended",
}


@pytest.mark.parametrize("scene", OUTCOMES)
def test_nothing_is_lost_in_a_rare_order(scene: str, tmp_path: Path) -> None:
    command = [sys.executable, scenes, scene, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (found.stdout.strip(), found.stderr) == (OUTCOMES[scene], "")
