"""kill -9 of the engine at every step: nothing acknowledged is lost, nothing is built twice, nothing is left over."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from jupyter_tasks.testing.home import Home, until

PROMPT = "change the primary color theme to purple"
PLUGINS = Path(__file__).parent / "plugins"

pytestmark = pytest.mark.slow


@pytest.fixture
def mortal(home: Home) -> Home:
    """A home whose engine dies where ``kill-at`` says."""
    home.env["PYTHONPATH"] = os.pathsep.join([str(PLUGINS), *filter(None, [os.environ.get("PYTHONPATH")])])
    home.config('c.TasksEngine.provisioners = {"local": "killing.KillingProvisioner"}\n')
    home.state.mkdir(parents=True)
    return home


def die_at(home: Home, step: str) -> None:
    (home.state / "kill-at").write_text(step)


def died(home: Home) -> bool:
    return not (home.state / "kill-at").exists()


START_STEPS = ["start:before", "start:progress:1", "start:progress:2", "start:progress:3", "start:after"]


@pytest.mark.parametrize("step", START_STEPS)
def test_in_create(mortal: Home, step: str) -> None:
    die_at(mortal, step)
    task = mortal.cli("create", "-q", "-t", "quickstart", PROMPT).stdout.strip()
    until(lambda: died(mortal), 20, mortal.log())
    until(lambda: mortal.json("status", task)["summary"] == "Ready to review", 30, mortal.log())
    assert mortal.json("usage")["actual"] == 1
    assert len(list((mortal.state / "workspaces").iterdir())) == 1
    said = mortal.json("logs", task)["logs"]
    assert [entry["content"] for entry in said if entry["type"] == "input"] == [PROMPT]
    mortal.cli("delete", "-y", task)
    until(lambda: not list((mortal.state / "workspaces").iterdir()), 20, mortal.log())
    until(lambda: not mortal.processes(), 5, lambda: str(mortal.processes()))


@pytest.mark.parametrize("step", ["stop:before", "stop:after"])
def test_in_pause(mortal: Home, step: str) -> None:
    task = mortal.cli("create", "-q", "--wait", "-t", "quickstart", PROMPT).stdout.strip()
    die_at(mortal, step)
    mortal.cli("pause", "-y", task, check=False)
    until(lambda: died(mortal), 20, mortal.log())
    until(lambda: mortal.json("status", task)["status"] == "paused", 20, mortal.log())
    assert not [line for line in mortal.processes() if "bwrap" in line]
    assert "static/style.css" in mortal.cli("diff", task).stdout


@pytest.mark.parametrize("step", ["start:before", "start:progress:2", "start:after"])
def test_in_resume(mortal: Home, step: str) -> None:
    task = mortal.cli("create", "-q", "--wait", "-t", "quickstart", PROMPT).stdout.strip()
    mortal.cli("pause", "-y", task)
    die_at(mortal, step)
    mortal.cli("resume", "-y", "--no-wait", task, check=False)
    until(lambda: died(mortal), 20, mortal.log())
    until(lambda: mortal.json("status", task)["status"] == "active", 20, mortal.log())
    assert mortal.json("usage")["actual"] == 2
    said = mortal.json("logs", task)["logs"]
    assert [entry["content"] for entry in said if entry["type"] == "input"] == [PROMPT]


@pytest.mark.parametrize("step", ["stop:before", "delete:before", "delete:after"])
def test_in_delete(mortal: Home, step: str) -> None:
    task = mortal.cli("create", "-q", "--wait", "-t", "quickstart", PROMPT).stdout.strip()
    die_at(mortal, step)
    mortal.cli("delete", "-y", task, check=False)
    until(lambda: died(mortal), 20, mortal.log())
    assert mortal.json("list") == []
    until(lambda: not list((mortal.state / "workspaces").iterdir()), 20, mortal.log())
    until(lambda: not list((mortal.state / "reviews").iterdir()), 20, mortal.log())
    until(lambda: not mortal.processes(), 5, lambda: str(mortal.processes()))


def test_while_it_works_nothing_acknowledged_is_lost(home: Home) -> None:
    task = home.cli("create", "-q", "--wait", "-t", "quickstart", PROMPT).stdout.strip()
    home.cli("send", task, "document the project structure")
    home.kill_engine()
    assert home.json("list")[0]["id"] == task  # how soon: bench main_job
    home.cli("send", task, "change the colour to teal")
    until(lambda: "teal" in home.cli("logs", task).stdout.split("change the colour to teal")[-1], 20, home.log())
    said = home.json("logs", task)["logs"]
    inputs = [entry["content"] for entry in said if entry["type"] == "input"]
    assert inputs == [PROMPT, "document the project structure", "change the colour to teal"]
    assert [entry["id"] for entry in said] == list(range(len(said)))


def test_processes_gone_files_there(home: Home) -> None:
    """What a reboot leaves: the task is paused, says why, and resumes."""
    task = home.cli("create", "-q", "--wait", "-t", "quickstart", PROMPT).stdout.strip()
    home.kill_engine()
    for line in home.processes():
        with contextlib.suppress(ProcessLookupError):  # it went with another one
            os.kill(int(line.split()[0]), 9)
    found = until(lambda: (s := home.json("status", task))["status"] == "paused" and s, 10, home.log())
    assert "processes are gone" in found["reason"]
    home.cli("resume", "-y", task)
    assert home.json("status", task)["status"] == "active"
    assert "static/style.css" in home.cli("diff", task).stdout
