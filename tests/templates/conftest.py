"""A template in a directory of a test's own, and inputs to plan it with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from planning_inputs import Planner, inputs

from jupyter_tasks.templates.plan import WorkspacePlan
from jupyter_tasks.templates.planning import plan


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write files into a template's tree: ``write("main.tf text", other__tf="…")`` or by a dict."""

    def make(main: str, files: dict[str, str] | None = None) -> Path:
        tree = tmp_path / "template"
        for name, text in {"main.tf": main, **(files or {})}.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tree

    return make


@pytest.fixture
def planned(write: Callable[..., Path]) -> Planner:
    """Plan a template given as text."""

    def make(main: str, files: dict[str, str] | None = None, **given: Any) -> WorkspacePlan:
        return plan(write(main, files), inputs(**given), template_version_id="v1")

    return make
