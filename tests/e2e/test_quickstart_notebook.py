"""notebooks/quickstart.ipynb, as it is committed and as it runs in a real kernel on a real engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from jupyter_tasks import places

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"


def test_it_is_committed_clean() -> None:
    """No outputs, counts, paths of a machine or capabilities."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    text = NOTEBOOK.read_text()
    assert not re.search(r"/home/|/root/|/tmp/|/Users/|preview/[\w-]{16,}", text)
    assert "widgets" not in notebook.metadata


def test_binder_scripts_are_sound() -> None:
    for name in ("postBuild", "start"):
        path = ROOT / "binder" / name
        assert os.access(path, os.X_OK), name
        subprocess.run(["bash", "-n", str(path)], check=True)
    done = subprocess.run([str(ROOT / "binder" / "start"), "echo", "a b"], capture_output=True, text=True, check=True)
    assert done.stdout == "a b\n"


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_it_runs_in_less_than_a_minute(places_of_its_own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    began = time.monotonic()
    try:
        NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(places_of_its_own)}}).execute()
        taken = time.monotonic() - began
    finally:
        _end_engine()
    outputs = {cell.source.splitlines()[-1]: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    assert taken < 60
    (card,) = outputs["change the primary color theme to {color}"]
    assert "application/vnd.jupyter.widget-view+json" in card.data
    assert "change the primary" not in card.data["text/html"]
    assert outputs["print(task.summary)"][0].text.strip() in {"Ready to review", "Idle", "Needs you"}
    said = outputs["task.messages()"][0].data["text/plain"]
    assert "agent: " in said
    assert "Changed the primary color theme to purple" in said
    assert re.search(r"^\+.*(purple|#)", outputs["task.diff()"][0].data["text/plain"], re.MULTILINE)
    listed = outputs["%tasks list"][0].data["text/plain"]
    assert listed.startswith("NAME")
    assert re.search(r"ago|just now", listed)
    assert "1 of 1,000" in outputs["%tasks usage"][0].data["text/plain"]
    saved = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    assert not re.search(r"preview/[\w-]{16,}", saved), "a capability is in the saved notebook"
    assert str(places_of_its_own) not in saved, "a path of this machine is in the saved notebook"


@pytest.fixture
def places_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_TASKS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("JUPYTER_TASKS_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    assert shutil.which("git"), "the quickstart needs git"
    assert sys.version_info >= (3, 10)
    return tmp_path


def _end_engine() -> None:
    """Delete what was made, then ask the engine to end."""
    from jupyter_tasks import Client
    from jupyter_tasks.errors import EngineUnavailable

    try:
        with Client(start=False) as client:
            for task in client.list():
                client.delete(task.id)
            gone = time.monotonic() + 20
            while any((places.state_dir() / "workspaces").glob("*")) and time.monotonic() < gone:
                time.sleep(0.05)  # an engine that ends at once leaves them to the next one, which never comes
            client.handover()
    except EngineUnavailable:
        return
    end = time.monotonic() + 20
    while places.engine_socket().exists() and time.monotonic() < end:
        time.sleep(0.1)
