"""``jupyter tasks list``."""

from __future__ import annotations

import click

from jupyter_tasks.cli.columns import TASK_CELLS, warn_unisolated
from jupyter_tasks.cli.options import Shape, engine, shaped

__all__ = ["list_command"]

_STATUSES = ("pending", "initializing", "active", "paused", "error", "unknown")


@click.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only tasks with this status.")
@click.option("-a", "--all", "everyone", is_flag=True, help="Tasks of every user that you may see.")
@click.option("--user", metavar="NAME", help="Tasks of this user.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the tasks' IDs, one a line.")
@shaped(TASK_CELLS, "name,status,state,state changed,message")
def list_command(status: str | None, everyone: bool, user: str | None, quiet: bool, shape: Shape) -> None:
    """List tasks, newest first: your own, unless told otherwise."""
    if everyone and user:
        raise click.UsageError("--all and --user exclude each other.")
    terms = [] if everyone else [_term("owner", user or "me")]
    if status:
        terms.append(_term("status", status))
    with engine() as client:
        tasks = client.list(" ".join(terms))
    if quiet:
        for task in tasks:
            click.echo(task.id)
    elif tasks or shape.json:
        shape.show(tasks, tasks)
        warn_unisolated(tasks)
    else:
        click.echo("No tasks found.", err=True)


def _term(key: str, value: str) -> str:
    if any(char in value for char in '":'):
        raise click.BadParameter(f'"{value}" cannot be searched for.')
    return f'{key}:"{value}"'
