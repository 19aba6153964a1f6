"""``jupyter tasks apply``: the agent's changes into the user's own files, and back.

Owns what is shown and asked; what is applied, and that it is all or nothing, is the engine's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli import errors, output
from jupyter_tasks.cli.options import engine, task_argument
from jupyter_tasks.errors import InvalidInput, TasksError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from jupyter_tasks.models import AppliedFile, ApplyRequest, ApplyResponse, Task, UndoResponse
    from jupyter_tasks.notebook.client import Client

__all__ = ["apply_command"]

_COLOURS = {"added": "green", "deleted": "red", "conflict": "red", "refused": "red"}
_HELD = ("conflict", "refused")


def _complete_paths(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        with engine(start=False) as client:
            found = client.diff(ctx.params["task"]).files
    except (TasksError, KeyError):
        return []
    names = [file.path for file in found if file.path.startswith(incomplete) and file.path == _name(file.path)]
    return [CompletionItem(name) for name in names]


@click.command("apply")
@task_argument
@click.argument("paths", nargs=-1, metavar="[PATH]…", shell_complete=_complete_paths)
@click.option(
    "--branch",
    metavar="NAME",
    help="Make a commit on this new branch, and touch no file. What git ignores stays out, unless a PATH names it.",
)
@click.option("-m", "--message", metavar="TEXT", help="With --branch: the commit's message. [default: the prompt]")
@click.option("--target", metavar="DIR", type=click.Path(file_okay=False), help="Where the project is now.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done.")
@click.option("-y", "--yes", is_flag=True, help="Also take files that would run by themselves, without asking.")
@click.option("--undo", is_flag=True, help="Take the newest apply back.")
@click.option("-o", "--output", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as -o json.")
@click.pass_context
def apply_command(
    ctx: click.Context, task: str, paths: tuple[str, ...], branch: str | None, message: str | None,
    target: str | None, dry_run: bool, yes: bool, undo: bool, shape: str, as_json: bool,
) -> None:  # fmt: skip
    """Take a task's changes over into your own files.

    All or nothing: where you changed the same lines meanwhile, or a file is refused, nothing is touched and the exit
    code is 1. A PATH is a file or directory as `jupyter tasks diff` names it; without one everything is taken.

    \b
    jupyter tasks apply purple --dry-run
    jupyter tasks apply purple src/theme.css
    jupyter tasks apply purple --branch purple-theme
    jupyter tasks apply purple --undo
    """
    from jupyter_tasks import models

    as_json = as_json or shape == "json"
    if undo and (paths or branch or message or target or dry_run):
        raise click.UsageError("--undo takes the newest apply back as a whole; nothing goes with it but -o.")
    if message is not None and branch is None:
        raise click.UsageError("--message is the message of a commit: it goes with --branch.")
    with engine() as client:
        found = client.get(task)
        if undo:
            ctx.exit(_undone(client.undo(found.id), as_json=as_json))
        request = models.ApplyRequest(
            paths=[_in_project(found, path) for path in paths],
            branch=branch,
            message=message,
            target=None if target is None else os.path.abspath(target),  # noqa: PTH100 - links stay as named
            accept_runnable=yes,
            dry_run=dry_run,
        )
        answer = _asked(client, found, request, ask=not as_json)
    if as_json:
        output.print_json(answer)
    else:
        _show(found, answer)
    ctx.exit(errors.FAILED if _stopped(answer) else errors.OK)


def _asked(client: Client, task: Task, request: ApplyRequest, *, ask: bool) -> ApplyResponse:
    """Apply; where nothing but runnable files is in the way, ask for them and apply once more."""
    answer = client.apply(task.id, request)
    runnable = [file for file in answer.files if file.runnable]
    held = any(file.action in _HELD for file in answer.files)
    if answer.applied or request.dry_run or request.accept_runnable or held or not runnable:
        return answer
    if not (ask and sys.stdin.isatty()):
        return answer
    _name_runnable(runnable)
    if not click.confirm("Take them too?", err=True):
        click.echo("Canceled: nothing was applied.", err=True)
        raise click.exceptions.Exit(errors.FAILED)
    return client.apply(task.id, request.model_copy(update={"accept_runnable": True}))


def _stopped(answer: ApplyResponse) -> bool:
    """Whether something was to be applied and was not (or, dry, would not be)."""
    if any(file.action in _HELD for file in answer.files):
        return True
    return not answer.applied and not answer.dry_run and any(file.action != "unchanged" for file in answer.files)


def _show(task: Task, answer: ApplyResponse) -> None:
    from jupyter_tasks.notebook.amounts import count
    from jupyter_tasks.notebook.project_words import home_short

    taken = _files(answer.files)
    target = output.clean(home_short(answer.target))
    runnable = [file for file in answer.files if file.runnable]
    if any(file.action in _HELD for file in answer.files):
        click.echo("Nothing would be applied." if answer.dry_run else "Nothing was applied.", err=True)
        click.echo("Hint: name the PATHs that you want, or apply to a branch with --branch and merge that.", err=True)
    elif not taken:
        click.echo("Nothing to apply.", err=True)
    elif answer.dry_run:
        where = f"the new branch {output.clean(answer.branch)} of {target}" if answer.branch else target
        click.echo(f"Would apply {count(taken, 'file')} to {where}.")
        _name_runnable(runnable)
    elif not answer.applied:
        _name_runnable(runnable)
        click.echo("Nothing was applied.", err=True)
        click.echo("Hint: look at them, then say --yes to take them too, or name other PATHs.", err=True)
    elif answer.branch:
        commit = output.clean(answer.commit or "")[:9]
        branch = output.clean(answer.branch)
        click.echo(f"Committed {count(taken, 'file')} on the new branch {branch} ({commit}); no file was touched.")
    else:
        click.echo(f"Applied {count(taken, 'file')} to {target}.")
        click.echo(f"`jupyter tasks apply {task.name} --undo` takes it back.", err=True)


def _files(files: Sequence[AppliedFile]) -> int:
    """Print each file with what becomes of it; how many are taken over."""
    shown = [file for file in files if file.action != "unchanged"]
    for file in shown:
        line = f"  {output.styled(f'{file.action:<9}', fg=_COLOURS.get(file.action))} {_name(file.path)}"
        detail = f": {output.clean(file.detail)}" if file.detail else ""
        click.echo(line + detail, err=file.action in _HELD)
    return sum(file.action not in _HELD for file in shown)


def _name_runnable(files: Sequence[AppliedFile]) -> None:
    if files:
        click.echo("These would run by themselves on your machine:", err=True)
    for file in files:
        click.echo(f"  {_name(file.path)} ({output.clean(file.runnable or '')})", err=True)


def _name(path: str) -> str:
    return output.clean(path).replace("\n", "?")


def _undone(answer: UndoResponse, *, as_json: bool) -> int:
    from jupyter_tasks.notebook.amounts import count
    from jupyter_tasks.notebook.project_words import home_short

    if as_json:
        output.print_json(answer)
    else:
        taken = _files(answer.files)
        if answer.undone:
            click.echo(f"Took back {count(taken, 'file')} in {output.clean(home_short(answer.target))}.")
        else:
            click.echo("Nothing was taken back: these files were changed since.", err=True)
            click.echo("Hint: put these files back as they were applied, then say --undo again.", err=True)
    return errors.OK if answer.undone else errors.FAILED


def _in_project(task: Task, path: str) -> str:
    """A path as the diff names it: an absolute one below the project is meant relative to it.

    Raises: InvalidInput for an absolute path elsewhere.
    """
    if not Path(path).is_absolute():
        return path.removeprefix("./").rstrip("/") or "."
    root = task.project.root if task.project else None
    if root is None or not Path(path).is_relative_to(root):
        raise InvalidInput(
            f"{path} is not in the project of {task.name}.", hint="Name files as `jupyter tasks diff` does."
        )
    return str(Path(path).relative_to(root))
