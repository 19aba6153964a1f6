"""Whole tasks with the real agents: the real engine, sandbox, template and gateway; only the model is scripted."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_tasks.models import Task, TextPart
from jupyter_tasks.notebook.client import Client
from jupyter_tasks.testing.agent_clis import AgentClis
from jupyter_tasks.testing.home import Home, until
from jupyter_tasks.testing.scripted_llm import Play, ScriptedLlm, Step, mcp, write_file

pytestmark = [pytest.mark.agents, pytest.mark.slow, pytest.mark.timeout(600)]  # the CLIs may be installed first

KEY = "the-key-that-only-the-engine-has"
PROVIDERS = {"claude": ("anthropic", ""), "codex": ("openai", "/v1")}
PROMPT = "make hello, please"
PLAYS = [
    Play(
        "^make hello",
        [
            Step("I write it.", tools=[write_file("hello.txt", "hello\n")]),
            Step(tools=[mcp("coder_report_task", summary="Wrote hello.txt", link="", state="idle")]),
            Step("Done: hello.txt is written.", usage=(1000, 50)),
        ],
    ),
    Play("^a long one", [Step("This is told slowly, and never to its end.", gate="held", chunk=8)]),
    Play("^and now", [Step("I know what you asked before.")]),
]


@pytest.fixture
def home(clis: AgentClis) -> Iterator[Home]:
    """A home whose engine finds the CLIs, and a project to work on."""
    home = Home(Path(tempfile.mkdtemp(prefix="jt-")))
    home.env["PATH"] = f"{clis.directory}:{home.env['PATH']}"
    site = home.root / "site"
    site.mkdir()
    (site / "style.css").write_text("a { color: blue }\n")
    identity = ["-c", "user.name=Someone", "-c", "user.email=someone@localhost"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "begin"]):
        subprocess.run(["git", *command], cwd=site, check=True, env={**home.env, "GIT_CONFIG_GLOBAL": "/dev/null"})
    yield home
    home.end()


def create(home: Home, kind: str, llm: ScriptedLlm, *, key: str = KEY, mode: str = "bypassPermissions") -> str:
    """The id of a task that has been made."""
    provider, path = PROVIDERS[kind]
    home.cli("keys", "add", provider, "--base-url", llm.url + path, "--stdin", stdin=f"{key}\n")
    project = str(home.root / "site")
    parameters = ["--parameter", f"agent={kind}", "--parameter", f"permission_mode={mode}"]
    return home.cli("create", "-q", "-t", "project", "--project", project, *parameters, PROMPT).stdout.strip()


def resting(client: Client, task: str, words: str) -> Task:
    """The task, once its agent waits for its user and has said this."""

    def found() -> Task | None:
        current = client.get(task)
        state = current.current_state
        if current.status.value != "active" or state is None or state.state.value == "working":
            return None
        return current if words in said(client, task)[-1][1] else None

    current: Task = until(found, 60, f"{words!r} of {said(client, task)}")
    return current


def said(client: Client, task: str) -> list[tuple[str, str]]:
    """(role, text) of every message."""
    return [
        (str(message.role), "\n".join(part.text for part in message.parts if isinstance(part, TextPart)))
        for message in client.messages(task)
    ] or [("", "")]


@pytest.mark.parametrize("kind", ["claude", "codex"])
def test_a_day_of_work(home: Home, kind: str) -> None:
    with ScriptedLlm(PLAYS, key=KEY) as llm, home.client() as client:
        task = create(home, kind, llm, mode="default")
        inside = home.state / "workspaces"

        asked = until(lambda: client.get(task).attention, 60, home.log())
        assert asked.kind == "permission"
        assert "hello.txt" in asked.text
        assert not list(inside.rglob("hello.txt"))
        client.answer(task, asked.options[0].id)
        client.answer(task, asked.options[0].id)  # twice is once
        current = resting(client, task, "Done: hello.txt is written.")
        assert current.attention is None
        assert current.current_state is not None
        assert current.current_state.message == "Wrote hello.txt"
        assert current.current_state.source.value == "osc7501"
        assert said(client, task) == [("user", PROMPT), ("agent", "I write it.\n\nDone: hello.txt is written.")]
        assert [file.path for file in client.diff(task).files] == ["hello.txt"]
        assert current.usage is not None
        assert current.usage.output >= 50

        client.send(task, "a long one")
        until(lambda: llm.holds("held"), 30)
        until(lambda: client.get(task).current_state.state.value == "working", 10)  # type: ignore[union-attr]
        assert client.interrupt(task)
        resting(client, task, "Interrupted.")

        talked = said(client, task)
        client.pause(task)
        until(lambda: client.get(task).status.value == "paused", 30)
        assert said(client, task) == talked
        asked_before = len(llm.turns)
        home.cli("send", task, "and now?")
        resting(client, task, "I know what you asked before.")
        assert said(client, task) == [*talked, ("user", "and now?"), ("agent", "I know what you asked before.")]
        later = llm.turns[asked_before:]
        assert [heard.prompt for heard in later] == ["and now?"]  # the first prompt is not given again
        assert PROMPT in later[0].prompts  # and the session is the same
        assert {heard.status for heard in llm.turns} == {200}


def test_opencode_asks_and_works(home: Home) -> None:
    with ScriptedLlm(PLAYS, key=KEY) as llm, home.client() as client:
        home.cli("keys", "add", "anthropic", "--base-url", llm.url, "--stdin", stdin=f"{KEY}\n")
        chosen = ("agent=opencode", "model=anthropic/claude-sonnet-5", "permission_mode=default")
        parameters = [word for each in chosen for word in ("--parameter", each)]
        project = str(home.root / "site")
        made = home.cli("create", "-q", "-t", "project", "--project", project, *parameters, PROMPT)
        task = made.stdout.strip()
        asked = until(lambda: client.get(task).attention, 60, home.log())
        assert (asked.kind, [option.kind for option in asked.options]) == ("permission", ["allow_once"])
        assert "hello.txt" in asked.text
        assert [file.path for file in client.diff(task).files] == []
        client.answer(task, asked.options[0].id)
        current = resting(client, task, "Done: hello.txt is written.")
        assert current.attention is None
        assert said(client, task) == [("user", PROMPT), ("agent", "I write it.\n\nDone: hello.txt is written.")]
        assert [file.path for file in client.diff(task).files] == ["hello.txt"]


def test_a_wrong_key_is_told_in_the_vendors_words(home: Home) -> None:
    with ScriptedLlm(key=KEY) as llm, home.client() as client:
        task = create(home, "codex", llm, key="another")
        until(lambda: "401 Unauthorized" in said(client, task)[-1][1], 60, home.log())
        current = until(lambda: (found := client.get(task)).current_state.state.value == "failure" and found, 60)
        assert current.status.value == "active"
