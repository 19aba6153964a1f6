"""Tokens of workspaces: of a build, of an engine, and of nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyter_tasks.errors import EngineUnavailable
from jupyter_tasks.metering.task_tokens import PREFIX, TaskTokens


def test_a_token_is_its_builds(tmp_path: Path) -> None:
    file = tmp_path / "state" / "secret"
    tokens = TaskTokens(file)
    token = tokens.token("one")
    assert token.startswith(PREFIX)
    assert len(token) == len(PREFIX) + 43
    assert token == TaskTokens(file).token("one")  # also after a restart
    assert token != tokens.token("two")
    assert tokens.matches(token, "one")
    assert not tokens.matches(token, "two")
    assert not tokens.matches(token + "=", "one")
    assert not tokens.matches("ä\ud800", "one")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["secret"]
    assert TaskTokens(tmp_path / "other").token("one") != token


def test_made_once_by_many(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: TaskTokens(tmp_path / "secret").token("x"), range(32)))
    assert len(set(made)) == 1


@pytest.mark.parametrize("spoil", ["short", "readable", "link"])
def test_a_spoilt_secret_is_said(tmp_path: Path, spoil: str) -> None:
    file = tmp_path / "secret"
    TaskTokens(file).token("x")
    if spoil == "short":
        file.write_bytes(b"short")
    elif spoil == "readable":
        file.chmod(0o644)
    else:
        file.rename(tmp_path / "moved")
        file.symlink_to(tmp_path / "moved")
    with pytest.raises(EngineUnavailable, match=str(file)):
        TaskTokens(file).token("x")
