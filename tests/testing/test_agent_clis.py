"""What is installed for the tests of real agents, where npm leaves out what it could not download."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_tasks.testing.agent_clis import WHERE, NoAgentClis, agent_clis

NPM = r"""#!/bin/sh
# as npm: of codex, the command alone, as often as {holes} says
bin=$3/node_modules/.bin
mkdir -p "$bin"
echo >> "$HOME/calls"
for name in claude codex opencode node; do printf '#!/bin/sh\necho 1.0\n' > "$bin/$name"; done
if [ "$(wc -l < "$HOME/calls")" -le {holes} ]; then printf '#!/bin/sh\nexit 1\n' > "$bin/codex"; fi
chmod +x "$bin"/*
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory at the front of PATH, and a home and a cache of the test's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.delenv(WHERE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def npm(programs: Path, holes: int) -> None:
    (programs / "npm").write_text(NPM.replace("{holes}", str(holes)))
    (programs / "npm").chmod(0o755)


def test_what_does_not_run_is_installed_again(programs: Path) -> None:
    npm(programs, 2)  # a round is two calls: Node, and the rest
    assert agent_clis().version("codex") == "1.0"


def test_what_never_runs_is_said_and_tried_anew_the_next_time(programs: Path) -> None:
    npm(programs, 4)
    with pytest.raises(NoAgentClis, match="installed codex without the program"):
        agent_clis()
    assert agent_clis().version("codex") == "1.0"
