"""``jupyter tasks usage``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli import output
from jupyter_tasks.cli.options import Shape, engine, shaped

if TYPE_CHECKING:
    from jupyter_tasks.models import UsageResponse

__all__ = ["usage_command"]


def _period(usage: UsageResponse) -> str:
    return f"{usage.period.start:%Y-%m-%d} to {usage.period.end:%Y-%m-%d}"


_CELLS = {
    "actual": lambda usage: str(usage.actual),
    "included": lambda usage: str(usage.included),
    "limit": lambda usage: "none" if usage.limit is None else f"{usage.limit} ({usage.enforcement})",
    "period": _period,
    "active": lambda usage: f"{usage.active} of {usage.max_active}",
}


@click.command("usage")
@shaped(_CELLS, "actual,included,period,active")
def usage_command(shape: Shape) -> None:
    """Show this period's Agent Workspace Builds: every start of a task's workspace is one."""
    with engine() as client:
        usage = client.usage()
    shape.show([usage], usage)
    for warning in usage.warnings:
        click.echo(output.clean(f"Warning: {warning}"), err=True)
