"""What of the user's agent set-up comes along, and above all what does not."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from jupyter_tasks.errors import InvalidInput, WorkspaceFailed
from jupyter_tasks.tasks import carry
from jupyter_tasks.tasks.carry import NAMES, survey_carry

CANARY = "sk-canary-0123456789"


def put(home: Path, name: str, text: str = "text", mode: int = 0o644) -> Path:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def everything(home: Path) -> dict[str, str]:
    return {
        str(path.relative_to(home)): path.read_text()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    """The user's home, and one that is being made."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    return tmp_path / "old", tmp_path / "new"


def test_everything_that_may_come_along(homes: tuple[Path, Path]) -> None:
    old, new = homes
    names = (
        ".claude/CLAUDE.md", ".claude/skills/pdf/SKILL.md", ".claude/commands/a/b.md", ".claude/agents/x.md",
        ".codex/AGENTS.md", ".codex/prompts/p.md", ".codex/skills/s/SKILL.md", ".config/opencode/AGENTS.md",
        ".config/opencode/agent/y.md", ".config/opencode/command/c.md",
    )  # fmt: skip
    for name in names:
        put(old, name, f"text of {name}")
    put(old, ".claude/skills/pdf/run.sh", "#!/bin/sh\n", 0o755)
    put(old, ".claude/settings.json", '{"model": "opus"}')
    put(old, ".gitconfig", '[user]\n  name = "Ada \\"the\\" First"\n  email = ada@example.com\n')
    found = survey_carry(old, None)
    assert tuple(found.names) == NAMES
    assert found.left_out == {}
    found.fill(new)
    made = everything(new)
    assert {name: made[name] for name in names} == {name: f"text of {name}" for name in names}
    assert len(made) == len(names) + 3
    assert json.loads(made[".claude/settings.json"]) == {"model": "opus"}
    assert made[".gitconfig"] == '[user]\n\tname = "Ada \\"the\\" First"\n\temail = "ada@example.com"\n'
    assert stat.S_IMODE((new / ".claude/skills/pdf/run.sh").stat().st_mode) == 0o700
    assert stat.S_IMODE((new / ".claude/CLAUDE.md").stat().st_mode) == 0o600


def test_no_key_and_no_login_comes_along(homes: tuple[Path, Path]) -> None:
    old, new = homes
    for name in (
        ".claude/.credentials.json", ".claude.json", ".codex/auth.json", ".codex/config.toml", ".ssh/id_ed25519",
        ".aws/credentials", ".netrc", ".claude/settings.local.json", ".claude/projects/x/y.jsonl",
        ".claude/history.jsonl",
        ".claude/skills/s/.env", ".claude/skills/s/auth.json", ".claude/skills/s/id_rsa", ".claude/skills/s/server.key",
        ".claude/skills/.git/config", ".claude/skills/s/node_modules/m/index.js", ".local/share/opencode/auth.json",
        ".config/opencode/opencode.json", ".config/opencode/agent/credentials.json",
    ):  # fmt: skip
        put(old, name, CANARY)
    put(old, ".claude/skills/s/SKILL.md", "harmless")
    put(
        old,
        ".claude/settings.json",
        json.dumps(
            {
                "model": "opus",
                "env": {"ANTHROPIC_API_KEY": CANARY, "MAX_THINKING_TOKENS": "1000", "BASH_MAX_TIMEOUT_MS": CANARY},
                "apiKeyHelper": f"echo {CANARY}",
                "hooks": {"Stop": [{"hooks": [{"type": "command", "command": CANARY}]}]},
                "statusLine": {"type": "command", "command": CANARY},
                "permissions": {"allow": [f"Bash(curl -H {CANARY})"], "deny": ["Read(./.env)"], "defaultMode": "plan"},
                "language": ["x", CANARY],
                "awsAuthRefresh": CANARY,
            }
        ),
    )
    put(
        old,
        ".gitconfig",
        f"[user]\n  name = Ada\n  signingkey = {CANARY}\n[http]\n  extraHeader = {CANARY}\n"
        f'[url "https://x:{CANARY}@example.com"]\n  insteadOf = x\n[core]\n  hooksPath = /x\n',
    )
    found = survey_carry(old, None)
    found.fill(new)
    made = everything(new)
    assert CANARY not in json.dumps(made)
    assert sorted(made) == [".claude/settings.json", ".claude/skills/s/SKILL.md", ".gitconfig"]
    assert json.loads(made[".claude/settings.json"]) == {
        "model": "opus",
        "permissions": {"deny": ["Read(./.env)"]},
        "env": {"MAX_THINKING_TOKENS": "1000"},
    }
    assert made[".gitconfig"] == '[user]\n\tname = "Ada"\n'
    assert found.left_out[".claude/skills/s/server.key"] == "it looks like a key or a login"


def test_links_are_followed_within_the_set_up_only(homes: tuple[Path, Path]) -> None:
    old, new = homes
    secret = put(old, "elsewhere/notes.md", CANARY)
    put(old, ".claude/.credentials.json", CANARY)
    put(old, ".claude/shared/SKILL.md", "shared")
    skills = old / ".claude" / "skills"
    skills.mkdir()
    (skills / "inside").symlink_to("../shared")
    (skills / "outside.md").symlink_to(secret)
    (skills / "directory").symlink_to(secret.parent)
    (skills / "hidden.md").symlink_to("../.credentials.json")
    (skills / "loop").symlink_to(".")
    (skills / "gone.md").symlink_to("nothing")
    (old / ".claude" / "CLAUDE.md").symlink_to(secret)
    (old / ".claude" / "settings.json").symlink_to(put(old, "elsewhere/settings.json", '{"model": "x"}'))
    os.mkfifo(skills / "pipe.md")
    found = survey_carry(old, None)
    found.fill(new)
    made = everything(new)
    assert made.pop(".claude/skills/inside/SKILL.md") == "shared"
    assert CANARY not in json.dumps(made)
    assert made == {}
    assert found.left_out[".claude/skills/loop"] == "the links go round in a loop"
    for name in ("skills/outside.md", "skills/directory", "CLAUDE.md"):
        assert found.left_out[f".claude/{name}"] == "the link leads out of the set-up's directory"
    assert found.left_out[".claude/skills/hidden.md"] == "it looks like a key or a login"


def test_a_set_up_that_is_itself_a_link(homes: tuple[Path, Path]) -> None:
    old, new = homes
    put(old, "dotfiles/claude/CLAUDE.md", "mine")
    (old / ".claude").symlink_to("dotfiles/claude")
    survey_carry(old, None).fill(new)
    assert everything(new)[".claude/CLAUDE.md"] == "mine"


def test_what_is_wanted(homes: tuple[Path, Path]) -> None:
    old, _ = homes
    put(old, ".claude/CLAUDE.md")
    put(old, ".codex/AGENTS.md")
    assert survey_carry(old, ["AGENTS.md", "AGENTS.md", "skills"]).names == ("AGENTS.md",)
    assert survey_carry(old, []).names == ()
    with pytest.raises(InvalidInput, match="skils") as caught:
        survey_carry(old, ["skils"])
    assert 'Did you mean "skills"?' in (caught.value.hint or "")


def test_too_much_is_left_out_as_a_whole(homes: tuple[Path, Path]) -> None:
    old, _ = homes
    for number in range(carry.MOST_FILES + 1):
        put(old, f".codex/prompts/{number}.md", "")
    with (put(old, ".claude/skills/big.md")).open("wb") as file:
        file.truncate(carry.MOST_BYTES + 1)
    put(old, ".claude/commands/" + "/".join("d" * 30) + "/deep.md")
    found = survey_carry(old, None)
    assert found.names == ()
    assert set(found.left_out) == {".codex/prompts", ".claude/skills", ".claude/commands/" + "/".join("d" * 12)}


@pytest.mark.parametrize("text", ["", "[", "[]", "null", '{"model": {"a": 1}}', "[" * 100_000, '{"env": 1}'])
def test_settings_that_make_no_sense(homes: tuple[Path, Path], text: str) -> None:
    old, _ = homes
    put(old, ".claude/settings.json", text)
    put(old, ".gitconfig", "[user\nname")
    assert survey_carry(old, None).names == ()


def test_a_home_that_is_being_made_is_not_left(homes: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = homes
    put(old, ".claude/CLAUDE.md", "mine")
    put(new, ".claude/CLAUDE.md", "the template's")
    survey_carry(old, None).fill(new)
    assert everything(new)[".claude/CLAUDE.md"] == "the template's"
    other = tmp_path / "other"
    other.mkdir()
    (other / ".claude").symlink_to(tmp_path)
    with pytest.raises(WorkspaceFailed):
        survey_carry(old, None).fill(other)
    assert not (tmp_path / "CLAUDE.md").exists()


def test_a_file_that_goes_meanwhile_is_left_out(homes: tuple[Path, Path]) -> None:
    old, new = homes
    path = put(old, ".claude/CLAUDE.md")
    found = survey_carry(old, None)
    path.unlink()
    found.fill(new)
    assert everything(new) == {}


def test_a_name_with_a_new_line_is_one_line(homes: tuple[Path, Path]) -> None:
    old, new = homes
    put(old, ".gitconfig", '[user]\n  name = "A\\nB\\t[core]"\n')
    survey_carry(old, None).fill(new)
    assert everything(new)[".gitconfig"] == '[user]\n\tname = "AB[core]"\n'
