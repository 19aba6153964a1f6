"""``jupyter tasks pause``, ``resume`` and ``delete``."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli import output
from jupyter_tasks.cli.options import complete_tasks, confirm, engine, task_argument, yes_option
from jupyter_tasks.errors import Conflict, TasksError, WorkspaceFailed

if TYPE_CHECKING:
    from jupyter_tasks.models import Task, WorkspaceBuild
    from jupyter_tasks.notebook.client import Client

__all__ = ["delete_command", "pause_command", "resume_command"]


@click.command("pause")
@task_argument
@yes_option
def pause_command(task: str, yes: bool) -> None:
    """Pause a task: its workspace stops, its files stay."""
    with engine() as client:
        found = client.get(task)
        confirm(f"Pause task {found.name}?", yes)
        _built(client, found, client.pause(found.id), {"paused"})
    click.echo(f"\nThe {_bold(found)} task has been paused at {_now()}!")


@click.command("resume")
@task_argument
@click.option("--no-wait", is_flag=True, help="Return at once; the workspace starts in the background.")
@yes_option
def resume_command(task: str, no_wait: bool, yes: bool) -> None:
    """Resume a paused task, or build one again that is in error or whose agent does not run."""
    with engine() as client:
        found = client.get(task)
        if found.status == "unknown":
            raise Conflict(
                f'task "{found.name}" is in {found.status.value} state and cannot be resumed; '
                "check the workspace build logs and agent status for details"
            )
        useless = found.source == "exit" or found.workspace_agent_lifecycle in {"start_error", "start_timeout"}
        if found.status not in {"paused", "error"} and not useless:
            raise Conflict(f'task "{found.name}" cannot be resumed (current status: {found.status.value})')
        confirm(f"Resume task {found.name}?", yes)
        build = client.resume(found.id)
        if build is None:
            raise WorkspaceFailed(f'resume task "{found.name}": no workspace build returned')
        if no_wait:
            click.echo(f"The {_bold(found)} task is resuming in no-wait mode. Task is initializing in the background.")
            return
        _built(client, found, build, {"active"})
    click.echo(f"\nThe {_bold(found)} task has been resumed.")


@click.command("delete")
@click.argument("tasks", nargs=-1, required=True, metavar="TASK…", shell_complete=complete_tasks)
@yes_option
def delete_command(tasks: tuple[str, ...], yes: bool) -> None:
    """Delete tasks and their workspaces, with everything in them.

    Says how many of their changes were not applied, and asks.
    """
    with engine() as client:
        found = list({one.id: one for one in map(client.get, tasks)}.values())
        names = ", ".join(f"{one.owner_name}/{one.name}" for one in found)
        unapplied = [one for one in found if one.unapplied]
        for one in unapplied:
            click.echo(f"{_bold(one)}: {_files_of(one)} not applied; deleting the task deletes what it did.", err=True)
        hint = f"`jupyter tasks apply {unapplied[0].name}` takes its changes over." if unapplied else ""
        confirm(f"Delete these tasks: {names}?", yes, hint=hint)
        failed: TasksError | None = None
        for one in found:
            try:
                client.delete(one.id)
            except TasksError as error:  # the others are deleted all the same
                click.echo(output.clean(f"Could not delete {one.owner_name}/{one.name}: {error.message}"), err=True)
                failed = error
            else:
                click.echo(f"Deleted task {one.owner_name}/{_bold(one)} at {_now()}")
    if failed is not None:
        raise failed


def _built(client: Client, task: Task, build: WorkspaceBuild | None, wanted: set[str]) -> None:
    """Show the build's log until the task has one of the ``wanted`` statuses.

    Raises: WorkspaceFailed when it ends otherwise.
    """
    from jupyter_tasks import models
    from jupyter_tasks.cli.progress import Progress
    from jupyter_tasks.cli.waiting import going_on, late_events

    progress = Progress(build.created_at if build is not None else datetime.now(timezone.utc))
    after, before = task.last_event_id, task.status
    told: object = None

    def show(event: models.Event | None) -> None:
        nonlocal after, told
        if event is None:
            return
        after, told = event.id, event.data.get("status", told)
        if event.type == models.EventType.build_log:
            progress.heard(models.BuildLogEntry.model_validate(event.data.get("entry")))

    with going_on(task):
        with closing(client.watch(task.id, after=after)) as seen:
            for current, event in seen:
                show(event)
                if current.status in wanted:
                    break
                if current.status not in {"paused", "error"}:
                    before = current.status
                elif current.status != before or _failed(client, task, build):
                    break
        status = current.status.value
        late_events(client, task, after, show, "" if status in {task.status.value, told} else status)
    progress.end(well=current.status in wanted)
    if current.status not in wanted:
        raise WorkspaceFailed(
            f"The {task.name} task is {current.status.value} now.",
            detail=current.reason or "",
            hint=f"`jupyter tasks logs {task.name} --kind build` shows the build's log.",
        )


def _failed(client: Client, task: Task, build: WorkspaceBuild | None) -> bool:
    """Whether the build is over and did not succeed: quicker than anybody saw the task change."""
    return any(
        build is not None and one.id == build.id and one.status in {"failed", "canceled"}
        for one in client.builds(task.id)
    )


def _files_of(task: Task) -> str:
    return f"{task.unapplied:,} changed file{' was' if task.unapplied == 1 else 's were'}"


def _bold(task: Task) -> str:
    return output.styled(task.name, bold=True)


def _now() -> str:
    return output.stamp(datetime.now(timezone.utc))
