"""``jupyter tasks prune``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli import output
from jupyter_tasks.cli.options import confirm, engine, yes_option

if TYPE_CHECKING:
    from jupyter_tasks.models import PrunedTask

__all__ = ["prune_command"]


def _size(task: PrunedTask) -> str:
    from jupyter_tasks.notebook.amounts import size

    return size(task.bytes)


_CELLS: Mapping[str, Callable[[PrunedTask], str]] = {
    "name": lambda task: task.name,
    "action": lambda task: task.action,
    "size": _size,
    "unapplied": lambda task: "" if task.unapplied is None else str(task.unapplied),
    "reason": lambda task: " ".join(task.reason.split()),
}


@click.command("prune")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be deleted, and ask nothing.")
@click.option("--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="[default: the settings' own]")
@click.option("--include-unapplied", is_flag=True, help="Also tasks whose changes were not applied.")
@yes_option
@click.option("-o", "--output", "shape", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as -o json.")
def prune_command(
    dry_run: bool, older_than: float | None, include_unapplied: bool, yes: bool, shape: str, as_json: bool
) -> None:
    """Delete old tasks with their workspaces.

    Shows them and asks. A task whose changes were not applied is kept, unless you say otherwise.
    """
    from jupyter_tasks import models
    from jupyter_tasks.notebook.amounts import count, size

    as_json = as_json or shape == "json"
    request = models.PruneRequest(older_than=older_than, include_unapplied=include_unapplied)
    with engine() as client:
        found = client.prune(request)
        leaving = [task for task in found.tasks if task.action == "delete"]
        if found.tasks and not as_json:
            click.echo(output.table(found.tasks, list(_CELLS), _CELLS))
        if leaving and not dry_run:
            confirm(f"Delete {count(len(leaving), 'task')} ({size(found.bytes)})?", yes)
            found = client.prune(request.model_copy(update={"dry_run": False}))
            leaving = [task for task in found.tasks if task.action == "delete"]
    if as_json:
        output.print_json(found)
    elif not found.dry_run:
        click.echo(f"Deleted {count(len(leaving), 'task')}; {size(found.bytes)} freed.")
    elif leaving:
        click.echo(f"Would delete {count(len(leaving), 'task')} ({size(found.bytes)}).")
    else:
        click.echo("Nothing to delete.", err=True)
