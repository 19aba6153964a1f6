"""The page about the shell says what the shell does."""

from __future__ import annotations

import re
from pathlib import Path

from jupyter_tasks.cli.errors import EXIT_CODES


def test_the_exit_codes_are_the_documented_ones() -> None:
    page = (Path(__file__).parents[2] / "docs" / "shell.md").read_text(encoding="utf-8")
    found = {int(code): text for code, text in re.findall(r"^\| (\d+) \| (.*) \|$", page, re.MULTILINE)}
    assert found == EXIT_CODES
