"""Templates and engines for bad luck: an agent that is one shell script, an engine in a world that lacks something."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from jupyter_tasks import models
from jupyter_tasks.launch import engine_environment
from jupyter_tasks.notebook.client import Client
from jupyter_tasks.testing.home import Home, until

PURPLE = "change the primary color theme to purple"

_MAIN = """
data "coder_task" "me" {}
resource "terraform_data" "local_workspace" {
  input = { memory = "%(memory)s", programs = [%(programs)s], files = "${path.module}/files" }
}
resource "coder_agent" "main" {
  os   = "linux"
  arch = "amd64"
  dir  = "~/project"
}
resource "coder_script" "agent" {
  agent_id     = coder_agent.main.id
  display_name = "Agent"
  run_on_start = true
  script       = <<-EOT
    cd ~/project
    nohup agentapi server --type custom --port 3284 \
      "--initial-prompt=$(echo '${base64encode(data.coder_task.me.prompt)}' | base64 -d)" -- %(command)s \
      > ~/agentapi.log 2>&1 < /dev/null &
  EOT
}
resource "coder_app" "agent" {
  agent_id = coder_agent.main.id
  slug     = "agent"
  url      = "http://localhost:3284"
  healthcheck {
    url       = "http://localhost:3284/status"
    interval  = 1
    threshold = 3
  }
}
resource "coder_ai_task" "task" { app_id = coder_app.agent.id }
"""


def write_template(home: Home, name: str, main: str, files: Mapping[str, str] | None = None) -> None:
    """A template of the user's own, in Jupyter's data path."""
    folder = home.root / "data" / "tasks" / "templates" / name
    (folder / "files").mkdir(parents=True)
    (folder / "main.tf").write_text(main)
    for file, text in (files or {}).items():
        (folder / "files" / file).write_text(text)


def write_agent(
    home: Home,
    name: str,
    script: str,
    *,
    command: str = "sh agent.sh",
    programs: str = "",
    memory: str = "512MB",
    more: str = "",
) -> None:
    """A template whose agent is this shell script."""
    main = _MAIN % {"memory": memory, "programs": programs, "command": command}
    write_template(home, name, main + more, {"agent.sh": script})


@dataclass(frozen=True)
class Tasks:
    """What a test asks of a home's engine, in this process."""

    client: Client
    home: Home

    def create(self, template: str = "quickstart", prompt: str = PURPLE, **more: object) -> str:
        """Its id."""
        wanted = {"input": prompt, "template": template, "path": os.environ["PATH"], **more}
        return self.client.create(models.CreateTaskRequest.model_validate(wanted)).id

    def when(self, task: str, condition: Callable[[models.Task], object], seconds: float = 30) -> models.Task:
        """The task, once the condition holds."""

        def look() -> models.Task | None:
            found = self.client.get(task)
            return found if condition(found) else None

        found = until(look, seconds, lambda: self.everything(task))
        assert isinstance(found, models.Task)
        return found

    def is_(self, task: str, *summaries: str, seconds: float = 30) -> models.Task:
        """The task, once its one plain word is one of these."""
        return self.when(task, lambda found: found.summary.value in summaries, seconds)

    def has(self, task: str, status: str, seconds: float = 30) -> models.Task:
        """The task, once it has that status."""
        return self.when(task, lambda found: found.status.value == status, seconds)

    def said(self, task: str, kind: str = "build") -> str:
        """A log as one text."""
        return "\n".join(entry.content for entry in self.client.logs(task, kind).logs)

    def everything(self, task: str) -> str:
        """What there is to know about a task whose test fails."""
        logs = [f"--- {kind}\n{self.said(task, kind)}" for kind in ("build", "script", "agent", "chat")]
        return "\n".join([str(self.client.get(task)), *logs, "--- engine", self.home.log(), *self.home.processes()])

    def inputs(self, task: str) -> list[str]:
        """What the user said, in order."""
        return [each.text for each in self.client.messages(task) if each.role == "user"]

    def transitions(self, task: str) -> list[tuple[str, str]]:
        """Every build of a task, oldest first."""
        return [(str(each.transition), str(each.status)) for each in self.client.builds(task)]

    def nothing_is_left(self) -> None:
        """No process, no workspace and no review."""
        state = self.home.state
        until(lambda: not list(state.glob("workspaces/*")), 20, self.home.log())
        until(lambda: not list(state.glob("reviews/*")), 20, self.home.log())
        until(lambda: not self.home.processes(), 5, lambda: str(self.home.processes()))


@contextlib.contextmanager
def tasks_of(home: Home) -> Iterator[Tasks]:
    """A client in this process, which starts an engine where none runs."""
    with home.client() as client:
        yield Tasks(client, home)


@contextlib.contextmanager
def engine_in(home: Home, *prefix: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """An engine of ours, below a program that changes its world, or with other variables. It ends with the block."""
    home.state.mkdir(parents=True, exist_ok=True)
    with (home.state / "engine.log").open("ab") as log:
        engine = subprocess.Popen(
            [*prefix, sys.executable, "-m", "jupyter_tasks", "serve"],
            env=engine_environment({**home.env, **environment}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: list(home.root.glob("run/*/engine.sock")) or engine.poll() is not None, 15, home.log)
        yield engine
    finally:
        with contextlib.suppress(ProcessLookupError):
            engine.terminate()
        engine.wait(timeout=60)
