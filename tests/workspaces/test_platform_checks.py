"""What `jupyter tasks doctor` looks at is looked at for real, and a finding says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.workspaces.platform import checks
from jupyter_tasks.workspaces.sandbox import Bubblewrap, SandboxProbe


def test_every_finding_has_a_remedy(places: Path) -> None:
    found = {check.name: check for check in checks()}
    assert list(found) == [
        "system", "python", "git", "bubblewrap", "isolation", "limits", "sockets", "state", "disk",
    ]  # fmt: skip
    assert all(check.ok or check.remedy for check in found.values())
    assert found["isolation"].ok == isinstance(SandboxProbe(SystemClock()).find(), Bubblewrap)
    assert found["state"].detail == str(places / "state")
    assert not (places / "state").exists(), "looking made the state directory"


def test_missing_programs_and_long_names(places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("JUPYTER_TASKS_RUNTIME_DIR", str(tmp_path / ("long" * 20)))
    found = {check.name: check for check in checks()}
    assert not found["git"].ok
    assert "apt install git" in found["git"].remedy
    assert not found["sockets"].ok
    assert "JUPYTER_TASKS_RUNTIME_DIR" in found["sockets"].remedy


def test_runtime_directory_that_is_none(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (places / "file").write_text("")
    monkeypatch.setenv("JUPYTER_TASKS_RUNTIME_DIR", str(places / "file"))
    assert not next(check for check in checks() if check.name == "sockets").ok
