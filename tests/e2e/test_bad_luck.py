"""What can go wrong with a template, an agent, and the order of what is asked: one clear error, or it heals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from luckless import PURPLE, Tasks, tasks_of, write_agent, write_template

from jupyter_tasks.errors import Conflict, InvalidInput, NotFound, ProgramMissing, TasksError, TemplateInvalid
from jupyter_tasks.testing.home import Home, until

pytestmark = pytest.mark.slow

ECHO = 'echo "an agent"; printf "> "; while read -r line; do echo "heard it"; printf "> "; done\n'


@pytest.fixture
def tasks(home: Home) -> Iterator[Tasks]:
    with tasks_of(home) as found:
        yield found


def together(count: int, call: Callable[[int], object]) -> list[object]:
    """The answers of so many calls at once; an error of ours is one."""
    answers: list[object] = [None] * count

    def one(number: int) -> None:
        try:
            answers[number] = call(number)
        except TasksError as error:
            answers[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


# ------------------------------------------------------------------ templates


def test_a_syntax_error_has_its_place_and_its_line_once(home: Home, tasks: Tasks) -> None:
    write_template(home, "broken", 'resource "coder_agent" "main" {\n  os = "linux"\n  arch = = "amd64"\n}\n')
    done = home.cli("create", "-t", "broken", "x", check=False)
    assert done.returncode == 2
    assert done.stderr.count("main.tf:3:10") == 1
    assert done.stderr.count('arch = = "amd64"') == 1
    assert "Expected the start of an expression" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(TemplateInvalid) as caught:
        tasks.create("broken")
    assert str(caught.value).count("main.tf:3:10") == 1
    assert [each.field for each in caught.value.validations] == ["main.tf:3:10"]
    shown = home.cli("templates", "show", "broken", check=False)
    assert "main.tf:3:10" in shown.stdout + shown.stderr
    assert "broken" in home.cli("templates").stdout  # one wrong template hides none
    assert tasks.client.usage().actual == 0
    assert tasks.client.list() == []


def test_a_missing_program_is_said_before_anything_is_counted(home: Home, tasks: Tasks) -> None:
    write_agent(home, "wants", ECHO, programs='"no-such-agent"')
    with pytest.raises(ProgramMissing, match="no-such-agent is not installed") as caught:
        tasks.create("wants")
    assert "command -v no-such-agent" in caught.value.hint
    assert tasks.client.usage().actual == 0
    assert tasks.client.list() == []
    assert home.processes() == []


# ------------------------------------------------------------------ agents


@pytest.mark.parametrize(
    ("end", "summary", "state", "message"),
    [
        ("exit 3", "Failed", "failure", "The agent ended with exit code 3."),
        ("kill -9 $$", "Failed", "failure", "The agent was ended by SIGKILL."),
        ("exit 0", "Idle", "complete", "The agent has ended."),
    ],
)
def test_an_agent_that_ends_without_a_report(
    home: Home, tasks: Tasks, end: str, summary: str, state: str, message: str
) -> None:
    write_agent(home, "mortal", f'echo "an agent"; printf "> "; read -r line; echo "on it"; {end}\n')
    task = tasks.create("mortal", "do it")
    found = tasks.is_(task, summary)
    assert found.current_state is not None
    assert (found.current_state.state.value, found.current_state.message) == (state, message)
    assert found.source is not None
    assert found.source.value == "exit"
    assert "on it" in tasks.said(task, "chat")
    with pytest.raises(Conflict, match="The agent has ended") as caught:
        tasks.client.send(task, "more")
    assert "Resume" in caught.value.hint
    home.cli("resume", "-y", task)  # it is built again, and the prompt is not given again
    again = tasks.when(task, lambda found: found.status.value == "active" and found.source is not None)
    assert again.source is not None
    assert again.source.value != "exit"
    assert tasks.inputs(task) == ["do it"]
    tasks.client.send(task, "more")
    tasks.when(task, lambda _: tasks.inputs(task) == ["do it", "more"])
    assert tasks.client.usage().actual == 2


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("no-such-agent --yes", "The agent's program was not found (exit code 127)."),
        ("sh -c 'exit 7'", "The agent ended with exit code 7."),
    ],
)
def test_an_agent_that_never_starts(home: Home, tasks: Tasks, command: str, message: str) -> None:
    write_agent(home, "stillborn", "", command=command)
    task = tasks.create("stillborn", "do it")
    found = tasks.is_(task, "Failed", seconds=5)
    assert found.current_state is not None
    assert found.current_state.message == message
    found = tasks.has(task, "error")
    assert found.reason == message  # it tells more than that the agent's app does not answer
    home.cli("delete", "-y", task)
    tasks.nothing_is_left()


def test_a_start_script_that_fails(home: Home, tasks: Tasks) -> None:
    """The agent runs, but not in the world that its template wants: it is given nothing, and resume tries again."""
    bad = """
resource "coder_script" "bad" {
  agent_id           = coder_agent.main.id
  display_name       = "Bad"
  run_on_start       = true
  start_blocks_login = true
  script             = "test -e ~/mended || { echo broken thing; exit 4; }"
}
"""
    write_agent(home, "halting", ECHO, more=bad)
    task = tasks.create("halting", "do it")
    found = tasks.is_(task, "Failed")
    assert found.current_state is not None
    assert "A start script failed" in found.current_state.message
    assert "broken thing" in tasks.said(task, "script")
    assert "Bad: failed with exit code 4" in tasks.said(task)
    with pytest.raises(Conflict, match="A start script failed"):
        tasks.client.send(task, "hello")
    (inside,) = home.state.glob("workspaces/*/home")
    (inside / "mended").touch()
    home.cli("resume", "-y", task)
    tasks.is_(task, "Idle")
    assert tasks.inputs(task) == ["do it"]


def test_what_an_agent_did_not_take_waits_for_the_next(home: Home, tasks: Tasks) -> None:
    script = 'echo "an agent"; printf "> "; read -r line; echo "on it"; while :; do sleep 0.2; echo .; done & wait\n'
    write_agent(home, "busy", script)
    task = tasks.create("busy", "do it")
    tasks.when(task, lambda _: tasks.inputs(task) == ["do it"])
    tasks.client.send(task, "first")
    tasks.client.send(task, "second")
    killed = home.cli("pause", "-y", task)
    assert "paused" in killed.stdout
    write_agent_again(home, "busy", ECHO)
    tasks.client.resume(task)
    tasks.when(task, lambda _: len(tasks.inputs(task)) == 3)
    assert tasks.inputs(task) == ["do it", "first", "second"]


def write_agent_again(home: Home, name: str, script: str) -> None:
    """Another agent for the workspace that is there: its files are the user's now."""
    (project,) = (home.state / "workspaces").glob("*/home/project/agent.sh")
    project.write_text(script)


def test_bytes_that_are_no_text(home: Home, tasks: Tasks) -> None:
    write_agent(
        home,
        "bytes",
        r"printf 'caf\351 \377\376 \200\n\033]0;t\351\007> '"
        "\n"
        r"while read -r line; do printf 'got \303( \360\237 \377\n> '; done"
        "\n",
    )
    task = tasks.create("bytes", "héllo ✓")
    tasks.is_(task, "Idle")
    said = tasks.said(task, "chat")
    assert "caf\N{REPLACEMENT CHARACTER}" in said
    assert "got \N{REPLACEMENT CHARACTER}(" in said
    assert tasks.inputs(task) == ["héllo ✓"]
    home.cli("logs", task)
    home.cli("logs", "--kind", "agent", task)


def test_a_port_in_use_inside(home: Home, tasks: Tasks) -> None:
    """Something of the workspace's own sits on AgentAPI's port: the script's log says so."""
    taken = """
resource "coder_script" "thief" {
  agent_id           = coder_agent.main.id
  display_name       = "Thief"
  run_on_start       = true
  start_blocks_login = true
  script             = "nohup python3 -m http.server 3284 > /dev/null 2>&1 & sleep 1; sh ~/project/agent.sh & exit 0"
}
"""
    script = "sleep 0.5; agentapi server --port 3284 -- true < /dev/null"
    write_agent(home, "taken", script, command="true", programs='"python3"', more=taken)
    task = tasks.create("taken", "do it")
    until(
        lambda: "port 3284 for agentapi cannot be opened" in tasks.said(task, "script"),
        20,
        lambda: tasks.said(task, "script"),
    )
    home.cli("delete", "-y", task)
    tasks.nothing_is_left()


# ------------------------------------------------------------------ the order of things


def test_pause_during_create_and_everything_twice(home: Home, tasks: Tasks) -> None:
    task = tasks.create()
    first, second = tasks.client.pause(task), tasks.client.pause(task)
    assert first is not None
    assert second is not None
    assert first.id == second.id
    tasks.has(task, "paused")
    until(lambda: not home.processes(), 5)
    with pytest.raises(Conflict, match="paused"):
        tasks.client.send(task, "hello")
    tasks.client.resume(task)
    with pytest.raises(Conflict, match="cannot be resumed"):
        tasks.client.resume(task)
    tasks.is_(task, "Ready to review")
    assert tasks.inputs(task) == [PURPLE]
    assert tasks.client.usage().actual == 2
    assert [each for each, _ in tasks.transitions(task)] == ["start", "stop", "start"]


def test_three_pauses_and_three_resumes_at_once(tasks: Tasks) -> None:
    task = tasks.create()
    tasks.is_(task, "Ready to review")
    paused = together(3, lambda _: tasks.client.pause(task))
    assert len({getattr(each, "id", each) for each in paused}) == 1
    tasks.has(task, "paused")
    resumed = together(3, lambda _: tasks.client.resume(task))
    assert sum(isinstance(each, Conflict) for each in resumed) == 2
    tasks.has(task, "active")
    assert tasks.transitions(task) == [("start", "succeeded"), ("stop", "succeeded"), ("start", "succeeded")]
    assert tasks.client.usage().actual == 2
    assert tasks.inputs(task) == [PURPLE]


def test_delete_during_every_build(home: Home, tasks: Tasks) -> None:
    task = tasks.create()
    tasks.client.delete(task)
    with pytest.raises(NotFound):
        tasks.client.get(task)
    tasks.nothing_is_left()
    task = tasks.create()
    tasks.is_(task, "Ready to review")
    tasks.client.pause(task)
    tasks.client.delete(task)
    with pytest.raises(NotFound):
        tasks.client.resume(task)
    tasks.nothing_is_left()
    task = tasks.create()
    tasks.is_(task, "Ready to review")
    tasks.client.pause(task)
    tasks.has(task, "paused")
    tasks.client.resume(task)
    tasks.client.delete(task)
    tasks.nothing_is_left()
    assert tasks.client.usage().actual == 4
    assert tasks.client.usage().active == 0


def test_sends_at_once_are_queued_in_order_also_over_a_pause(home: Home, tasks: Tasks) -> None:
    # a pause takes a moment only: what does not end when it is told to holds it until it was asked about
    holds = "nohup sh -c 'trap : TERM; until test -e ~/asked; do sleep 0.1; done' > /dev/null 2>&1 &"
    task = tasks.create(parameters={"setup_script": holds})
    tasks.is_(task, "Ready to review")
    colours = ["teal", "red", "navy", "green"]
    answers = together(4, lambda number: tasks.client.send(task, f"change the colour to {colours[number]}"))
    assert answers == [None] * 4
    tasks.client.send(task, "change the colour to gold")
    tasks.client.send(task, "change the colour to gold", key="once")
    tasks.client.send(task, "change the colour to gold", key="once")
    tasks.client.pause(task)
    with pytest.raises(Conflict, match="paused"):
        tasks.client.send(task, "too late")
    with pytest.raises(Conflict, match="already active"):
        tasks.client.resume(task)
    (inside,) = home.state.glob("workspaces/*/home")
    (inside / "asked").touch()
    tasks.has(task, "paused")
    tasks.client.resume(task)
    tasks.when(task, lambda _: len(tasks.inputs(task)) >= 7)
    tasks.is_(task, "Ready to review")
    inputs = tasks.inputs(task)
    assert inputs[0] == PURPLE
    assert sorted(inputs[1:5]) == sorted(f"change the colour to {colour}" for colour in colours)
    assert inputs[5:] == ["change the colour to gold"] * 2


def test_wrong_moments_and_wrong_words(tasks: Tasks) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        tasks.create(prompt=" \n")
    with pytest.raises(InvalidInput, match="NUL"):
        tasks.create(prompt="a\0b")
    with pytest.raises(InvalidInput, match='no template "nope"'):
        tasks.create("nope")
    for nothing in (tasks.client.pause, tasks.client.resume, tasks.client.delete, tasks.client.diff):
        with pytest.raises(NotFound):
            nothing("nope")
    task = tasks.create()
    with pytest.raises((Conflict, InvalidInput)):
        tasks.client.update_input(task, "something else")
    tasks.is_(task, "Ready to review")
    with pytest.raises(InvalidInput):
        tasks.client.send(task, "  ")
    with pytest.raises(NotFound, match="no app"):
        tasks.client.preview(task, "nope")
    assert tasks.client.usage().actual == 1
