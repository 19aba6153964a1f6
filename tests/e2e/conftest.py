"""A home of a test's own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_servers import Server, serving

from jupyter_tasks.testing.home import Home


@pytest.fixture
def home() -> Iterator[Home]:
    """A fresh home, with a short path."""
    home = Home(Path(tempfile.mkdtemp(prefix="jt-")))
    yield home
    home.end()


@pytest.fixture
def serve(home: Home) -> Iterator[Callable[..., Server]]:
    """Start a Jupyter server; it ends with the test."""
    with serving(home) as start:
        yield start
