"""``coder exp mcp configure``: what it writes, and that nothing of the user's is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_tasks.agent.shims.coder import main
from jupyter_tasks.agent.shims.mcp_configure import FLAGS

SLUG = {"CODER_MCP_APP_STATUS_SLUG": "ccw", "CODER_AGENT_URL": "http://127.0.0.1:1", "CODER_AGENT_TOKEN": "tok"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in {*FLAGS.values(), *SLUG}:
        monkeypatch.setenv(name, SLUG.get(name, ""))
    return tmp_path


def configure(*arguments: str) -> int:
    return main(["exp", "mcp", "configure", *arguments])


def test_as_the_published_module_calls_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_API_KEY", "token")
    monkeypatch.setenv("CODER_MCP_CLAUDE_SYSTEM_PROMPT", "Be brief.")
    monkeypatch.setenv("CODER_MCP_AI_AGENTAPI_URL", "http://localhost:3284")
    assert configure("claude-code", "/work dir/x") == 0
    config = json.loads((home / ".claude.json").read_text())
    assert config["primaryApiKey"] == "token"
    assert config["hasCompletedOnboarding"] is config["bypassPermissionsModeAccepted"] is True
    project = config["projects"]["/work dir/x"]
    assert project["hasTrustDialogAccepted"] is True
    assert project["allowedTools"] == ["mcp__coder__coder_report_task"]
    assert project["mcpServers"]["coder"]["args"] == ["exp", "mcp", "server"]
    assert project["mcpServers"]["coder"]["env"] == {**SLUG, "CODER_MCP_AI_AGENTAPI_URL": "http://localhost:3284"}
    text = (home / ".claude" / "CLAUDE.md").read_text()
    assert "<system-prompt>\nBe brief.\n</system-prompt>" in text
    assert "coder_report_task" in text
    assert (home / ".claude.json").stat().st_mode & 0o077 == 0


def test_what_is_there_stays_and_twice_is_once(home: Path) -> None:
    (home / ".claude").mkdir()
    (home / ".claude" / "CLAUDE.md").write_text("Mine — first.\n<system-prompt>\nold\n</system-prompt>\nMine, last.\n")
    own = {"theme": "é", "projects": {"/x": {"allowedTools": ["Bash"], "mcpServers": {"db": {"command": "db"}}}}}
    (home / ".claude.json").write_text(json.dumps(own))
    for _ in range(2):
        assert configure("claude-code", "/x") == 0
    config = json.loads((home / ".claude.json").read_text())
    assert config["theme"] == "é"
    assert config["projects"]["/x"]["allowedTools"] == ["Bash", "mcp__coder__coder_report_task"]
    assert set(config["projects"]["/x"]["mcpServers"]) == {"db", "coder"}
    text = (home / ".claude" / "CLAUDE.md").read_text()
    assert text.count("<coder-prompt>") == text.count("<system-prompt>") == 1
    assert "old" not in text
    assert text.index("</system-prompt>") < text.index("Mine — first.") < text.index("Mine, last.")


def test_without_a_slug_only_questions_are_answered(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODER_MCP_APP_STATUS_SLUG")
    assert configure("claude-code", "/x") == 0
    project = json.loads((home / ".claude.json").read_text())["projects"]["/x"]
    assert project == {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    assert not (home / ".claude" / "CLAUDE.md").exists()


def test_flags_and_other_programs(home: Path) -> None:
    config = home / "c.json"
    flags = (f"--claude-config-path={config}", "--claude-md-path", str(home / "C.md"), "--app-status-slug", "x")
    assert configure("claude-code", *flags) == 0
    (project,) = json.loads(config.read_text())["projects"].values()
    assert project["mcpServers"]["coder"]["env"]["CODER_MCP_APP_STATUS_SLUG"] == "x"
    assert (home / "C.md").is_file()
    assert configure("cursor") == 0
    assert "coder" in json.loads((home / ".cursor" / "mcp.json").read_text())["mcpServers"]


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, '"x"'])
def test_a_file_that_cannot_be_taken_over_is_left_alone(
    home: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".claude.json").write_text(text)
    assert configure("claude-code", "/x") == 1
    assert (home / ".claude.json").read_text() == text
    assert ".claude.json" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [(), ("nope",), ("claude-code", "--nope"), ("--claude-md-path",)])
def test_wrong_arguments(home: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert configure(*arguments) == 2
    assert "coder exp mcp configure" in capsys.readouterr().err
    assert list(home.iterdir()) == []


def test_a_link_of_the_users_stays_a_link(home: Path) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "claude.json").write_text("{}")
    (home / ".claude.json").symlink_to("dotfiles/claude.json")
    assert configure("claude-code", "/x") == 0
    assert (home / ".claude.json").is_symlink()
    assert "/x" in (home / "dotfiles" / "claude.json").read_text()
