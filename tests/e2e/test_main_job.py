"""The main job as a user does it: in a shell, against the real engine, in the real sandbox."""

from __future__ import annotations

import json
import urllib.request
from urllib.parse import urlsplit

import pytest

from jupyter_tasks.models import TerminalInput
from jupyter_tasks.testing.home import Home, until

PROMPT = "change the primary color theme to purple"

pytestmark = pytest.mark.slow


def fetch(url: str) -> tuple[str, dict[str, str]]:
    """A preview, also where ``*.localhost`` does not resolve."""
    parts = urlsplit(url)
    request = urllib.request.Request(f"http://127.0.0.1:{parts.port}{parts.path}", headers={"Host": parts.netloc})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode(), dict(answer.headers)


def test_create_and_follow(home: Home) -> None:
    done = home.cli("create", "-t", "quickstart", "--follow", PROMPT)
    for stage in ("plan", "workspace", "files", "scripts", "apps", "agent"):
        assert f"✓ {stage}" in done.stdout, done.stdout
    assert "I am the offline agent" in done.stdout
    assert "3 insertions(+), 3 deletions(-)" in done.stdout
    url = next(line.split()[-1] for line in done.stdout.splitlines() if line.startswith("Preview:"))
    page, headers = fetch(url)
    assert "<title>Sales dashboard</title>" in page
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "allow-same-origin" not in headers["Content-Security-Policy"]
    style, _ = fetch(url + "style.css")
    assert "#7c3aed" in style
    task = home.json("list")[0]
    assert (task["status"], task["current_state"]["state"]) == ("active", "complete")
    assert task["summary"] == "Ready to review"
    assert task["isolation"]["kind"] == "bubblewrap"
    assert url.split("//")[1].split(".")[0] not in home.log()


def test_the_uuid_and_nothing_else(home: Home) -> None:
    done = home.cli("create", "-q", "--wait", "-t", "quickstart", "-", stdin=PROMPT)
    assert done.stdout.strip() == home.json("list")[0]["id"]
    assert len(done.stdout.split()) == 1
    assert home.json("status", done.stdout.strip())["current_state"]["state"] == "complete"
    usage = home.json("usage")
    assert (usage["actual"], usage["included"]) == (1, 1000)
    assert set(usage) >= {"actual", "included", "period"}


def test_pause_resume_send_delete(home: Home) -> None:
    task = home.cli("create", "-q", "--wait", "-t", "quickstart", PROMPT).stdout.strip()
    home.cli("pause", "-y", task)
    assert home.json("status", task)["status"] == "paused"
    assert "Changed the primary color theme" in home.cli("logs", task).stdout
    assert "static/style.css" in home.cli("diff", task).stdout
    assert not [line for line in home.processes() if "bwrap" in line]
    home.cli("send", task, "document the project structure")
    until(lambda: "STRUCTURE.md" in home.cli("diff", "--name-only", task).stdout, 20, home.log())
    said = json.loads(home.cli("logs", "-o", "json", task).stdout)
    inputs = [entry["content"] for entry in said["logs"] if entry["type"] == "input"]
    assert inputs == [PROMPT, "document the project structure"]  # the prompt was given once
    assert home.json("usage")["actual"] == 2
    home.cli("delete", "-y", task)
    assert home.json("list") == []
    until(lambda: not list((home.state / "workspaces").iterdir()), 20, home.log())
    until(lambda: not home.processes(), 5, lambda: str(home.processes()))


def test_keystrokes_of_one_key_are_typed_once(home: Home) -> None:
    task = home.cli("create", "-q", "--wait", "-t", "quickstart", PROMPT).stdout.strip()
    with home.client() as client:
        assert [client.type_terminal(task, TerminalInput(data="eA==", key="one")) for _ in range(2)] == [False, True]


def test_bad_input_is_one_sentence_and_costs_nothing(home: Home) -> None:
    for arguments, word, code in (
        (("create", "-t", "quickstart", ""), "a task cannot be started with an empty input", 2),
        (("create", "-t", "nope", "x"), 'There is no template "nope"', 2),
        (("create", "-t", "quickstart", "-p", "nope", "x"), "nope", 2),
        (("create", "-t", "quickstart", "--parameter", "nope=1", "x"), "nope", 2),
        (("status", "nope"), "nope", 3),
        (("logs", "--kind", "nope", "nope"), "nope", 2),
    ):
        done = home.cli(*arguments, check=False)
        assert done.returncode == code, (arguments, done)
        assert word in done.stderr
        assert "Traceback" not in done.stderr
    assert home.json("usage")["actual"] == 0
    assert home.json("list") == []


def test_two_of_one_name(home: Home) -> None:
    home.cli("create", "-t", "quickstart", "--name", "mine", PROMPT)
    done = home.cli("create", "-t", "quickstart", "--name", "MINE", PROMPT, check=False)
    assert done.returncode == 5
    assert 'A task named "MINE" already exists' in done.stderr
    assert home.json("usage")["actual"] == 1


def test_later_ones_wait_with_their_place(home: Home) -> None:
    home.config("c.TasksEngine.max_active = 1\n")
    first = home.cli("create", "-q", "--wait", "-t", "quickstart", PROMPT).stdout.strip()
    second = home.cli("create", "-q", "-t", "quickstart", PROMPT).stdout.strip()
    third = home.cli("create", "-q", "-t", "quickstart", PROMPT).stdout.strip()
    assert [home.json("status", each)["queue_position"] for each in (second, third)] == [1, 2]
    assert home.json("status", third)["status"] == "pending"
    home.cli("delete", "-y", second)
    assert home.json("status", third)["queue_position"] == 1
    home.cli("pause", "-y", first)
    until(lambda: home.json("status", third)["status"] == "active", 30, home.log())


def test_a_prompt_of_ten_thousand_lines(home: Home) -> None:
    prompt = "\n".join(f"line {number}: do nothing at all" for number in range(10_000))
    task = home.cli("create", "-q", "--wait", "-t", "quickstart", "--stdin", stdin=prompt).stdout.strip()
    assert home.json("status", task)["initial_prompt"] == prompt
    assert "I can" in home.cli("logs", task).stdout
