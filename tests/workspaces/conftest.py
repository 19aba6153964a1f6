"""Places with short names for workspaces that really run, and a template to copy."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose name leaves room for a socket's."""
    path = Path(tempfile.mkdtemp(prefix="jt-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """The files of a template."""
    root = tmp_path / "template"
    (root / "pages").mkdir(parents=True)
    (root / "app.py").write_text("print('hello')\n")
    (root / "pages" / "index.html").write_text("<h1>hello</h1>\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    return root
