"""``jupyter tasks usage``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli import output
from jupyter_tasks.cli.options import Shape, engine, shaped

if TYPE_CHECKING:
    from jupyter_tasks.models import UsageResponse

__all__ = ["usage_command"]


def _period(usage: UsageResponse) -> str:
    return f"{usage.period.start:%Y-%m-%d} to {usage.period.end:%Y-%m-%d}"


def _tokens(usage: UsageResponse) -> str:
    from jupyter_tasks.notebook.amounts import tokens

    return tokens(usage.tokens)


def _cost(usage: UsageResponse) -> str:
    from jupyter_tasks.notebook.amounts import money

    return money(usage.cost)


_DEFAULT = "actual,included,period,active"
_CELLS = {
    "actual": lambda usage: str(usage.actual),
    "included": lambda usage: str(usage.included),
    "limit": lambda usage: "none" if usage.limit is None else f"{usage.limit} ({usage.enforcement})",
    "period": _period,
    "active": lambda usage: f"{usage.active} of {usage.max_active}",
    "tokens": _tokens,
    "cost": _cost,
}


@click.command("usage")
@shaped(_CELLS, _DEFAULT)
def usage_command(shape: Shape) -> None:
    """Show this period's Agent Workspace Builds: every start of a task's workspace is one.

    Where agents reached a provider through the engine, also the tokens and what they cost.
    """
    with engine() as client:
        usage = client.usage()
    if list(shape.columns) == _DEFAULT.split(","):
        further = [name for name in ("tokens", "cost") if _CELLS[name](usage)]
        shape = replace(shape, columns=[*shape.columns, *further])
    shape.show([usage], usage)
    for warning in usage.warnings:
        click.echo(output.clean(f"Warning: {warning}"), err=True)
