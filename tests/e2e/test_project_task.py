"""The template ``project`` in the real engine and the real sandbox, with what every machine has: the offline agent."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from jupyter_tasks.metering.task_tokens import TaskTokens
from jupyter_tasks.tasks.machine import agents_here
from jupyter_tasks.testing.home import Home, until

pytestmark = pytest.mark.slow


def without_agents(home: Home) -> None:
    """A PATH on which no coding agent is found."""
    programs = home.root / "programs"
    programs.mkdir()
    for name in ("git", "sh", "bash", "env", "python3"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    home.env["PATH"] = f"{programs}:/usr/bin:/bin"


def project_of(home: Home) -> Path:
    """A small project of the user's, with a module in a sub-folder."""
    directory = home.root / "home" / "work"
    (directory / "part").mkdir(parents=True)
    (directory / "part" / "a.py").write_text("A = 1\n")
    subprocess.run(["git", "init", "-q", directory], check=True)
    return directory


def test_without_any_agent_the_offline_one_works_and_says_so(home: Home) -> None:
    without_agents(home)
    (home.root / "home" / ".gitconfig").write_text("[user]\n  name = Ada\n  email = ada@example.com\n")
    directory = project_of(home)
    setup = "git config user.name; git config user.email; pwd"
    done = home.cli(
        *("create", "-t", "project", "--project", str(directory), "--parameter", f"setup_script={setup}"),
        *("--follow", "document the project structure"),
    )
    assert "I am the offline agent" in done.stdout
    task = home.json("list")[0]
    assert (task["status"], task["current_state"]["state"]) == ("active", "complete")
    assert home.cli("diff", "--name-only", task["id"]).stdout.split() == ["STRUCTURE.md"]
    assert "No coding agent found on this machine" in home.cli("logs", "--kind", "build", task["id"]).stdout
    said = home.cli("logs", "--kind", "script", task["id"]).stdout
    assert "Looked for claude, codex and opencode" in said
    for line in ("Ada", "ada@example.com", "/home/coder/project"):
        assert line in said
    assert not (directory / "STRUCTURE.md").exists()


def test_an_agent_that_is_not_installed_is_said_before_anything_is_built(home: Home) -> None:
    without_agents(home)
    home.cli("keys", "add", "openai", "--stdin", stdin="sk-not-a-key-0123456789\n")
    directory = project_of(home)
    done = home.cli(
        *("create", "-t", "project", "--project", str(directory), "--parameter", "agent=codex", "do it"), check=False
    )
    assert done.returncode != 0
    assert "The program codex is not installed" in done.stderr
    assert home.json("usage")["actual"] == 0


def test_a_prompt_of_600_kilobytes(home: Home) -> None:
    without_agents(home)
    directory = project_of(home)
    prompt = ("🙂 do nothing at all " * 90 + "\n") * 300
    assert len(prompt.encode()) > 600_000
    task = home.cli(
        *("create", "-q", "--wait", "-t", "project", "--project", str(directory), "--stdin"), stdin=prompt, timeout=120
    ).stdout.strip()
    assert home.json("status", task)["initial_prompt"].strip() == prompt.strip()
    assert "I can" in home.cli("logs", task).stdout


TRY_TOKENS = """
import http.client, os, sys, urllib.parse
address = urllib.parse.urlsplit(os.environ["JUPYTER_TASKS_GATEWAY_URL"])
for name, token in (("own", os.environ["JUPYTER_TASKS_TASK_TOKEN"]), ("foreign", sys.argv[1])):
    line = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    line.request("POST", "/anthropic/v1/messages", "{}", {"x-api-key": token, "content-type": "application/json"})
    answer = line.getresponse()
    print(name, answer.status, answer.read().decode(), flush=True)
"""


def test_the_token_of_another_task_is_refused(home: Home) -> None:
    without_agents(home)
    part = str(project_of(home) / "part")
    first = home.cli("create", "-q", "--wait", "-t", "project", "--project", part, "say hello").stdout.strip()
    with home.client() as client:
        [build] = client.builds(first)
    token = TaskTokens(home.state / "task-tokens.secret").token(build.id)
    (home.root / "home" / "work" / "part" / "try_tokens.py").write_text(TRY_TOKENS)
    setup = f"pwd; python3 try_tokens.py {token}"
    second = home.cli(
        *("create", "-q", "--wait", "-t", "project", "--project", part),
        *("--parameter", f"setup_script={setup}", "say hello"),
    ).stdout.strip()
    said = home.cli("logs", "--kind", "script", second).stdout
    assert "/home/coder/project/part" in said
    [own] = [line for line in said.splitlines() if "own 4" in line]
    [foreign] = [line for line in said.splitlines() if "foreign 4" in line]
    assert "not the token of this task" not in own
    assert "foreign 401" in foreign
    assert "not the token of this task" in foreign


def test_a_task_keeps_its_agent_when_another_becomes_the_default(home: Home) -> None:
    without_agents(home)
    task = home.cli(
        *("create", "-q", "--wait", "-t", "project", "--project", str(project_of(home)), "say hello")
    ).stdout.strip()
    home.cli("pause", "-y", task)
    codex = home.root / "programs" / "codex"
    codex.write_text("#!/bin/sh\nexit 7\n")
    codex.chmod(0o755)
    assert agents_here(home.env["PATH"]) == ["codex"]
    home.cli("resume", "-y", task)
    assert home.json("status", task)["status"] == "active"
    home.cli("send", task, "document the project structure")
    until(lambda: "STRUCTURE.md" in home.cli("diff", "--name-only", task).stdout, 20, home.log())
