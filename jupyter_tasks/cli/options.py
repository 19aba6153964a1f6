"""Options and arguments that several commands share, and how a command gets its client.

Owns their names, defaults and checks, and completion of task and template names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jupyter_tasks.cli import output
from jupyter_tasks.errors import TasksError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem
    from pydantic import BaseModel

    from jupyter_tasks.notebook.client import Client

__all__ = ["Shape", "confirm", "engine", "read_input", "shaped", "task_argument", "yes_option"]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Cells = Mapping[str, Callable[[Any], str]]


@contextmanager
def engine(*, start: bool = True) -> Iterator[Client]:
    """A client, closed at the end; ``start`` an engine where none runs."""
    from jupyter_tasks.notebook.client import Client

    with Client(start=start) as client:
        yield client


@dataclass(frozen=True, slots=True)
class Shape:
    """How the user wants a result: as JSON, or as a table of these columns."""

    json: bool
    columns: Sequence[str]
    cells: Cells

    def show(self, rows: Sequence[Any], value: BaseModel | Sequence[BaseModel] | Mapping[str, Any]) -> None:
        """Print ``value`` as JSON or ``rows`` as a table."""
        if self.json:
            output.print_json(value)
        else:
            click.echo(output.table(rows, self.columns, self.cells))


def shaped(cells: Cells, default: str) -> Callable[[F], F]:
    """Options ``-o/--output``, ``--json``, ``-c/--column``; the command gets ``shape``. ``default`` is its columns."""

    def decorate(function: F) -> F:
        def pick(ctx: click.Context, param: click.Parameter, value: str) -> Shape:
            columns = [name.strip().lower() for name in value.split(",") if name.strip()]
            for name in columns:
                if name not in cells:
                    raise click.BadParameter(f'no column "{name}"; there are {", ".join(cells)}.')
            as_json = ctx.params.pop("as_json", False) or ctx.params.pop("output", "table") == "json"
            ctx.params.pop("output", None)
            return Shape(as_json, columns, cells)

        options = (
            click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", is_eager=True),
            click.option("--json", "as_json", is_flag=True, is_eager=True, help="The same as -o json."),
            click.option(
                "-c", "--column", "shape", default=default, show_default=True, metavar="NAME,…", callback=pick,
                help=f"Columns of the table: {', '.join(cells)}.",
            ),
        )  # fmt: skip
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def task_argument(function: F) -> F:
    """The argument TASK."""
    return click.argument("task", shell_complete=complete_tasks)(function)


def yes_option(function: F) -> F:
    """The option ``-y/--yes``."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(function)


def confirm(question: str, yes: bool, *, hint: str = "") -> None:
    """Ask, unless told not to. ``hint``: what else could be done, where nobody can answer.

    Raises: click.UsageError where nobody can answer; click.exceptions.Exit(1) on a no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(" ".join(filter(None, ("There is no terminal to ask on: say --yes.", hint))))
    if not click.confirm(output.clean(question), err=True):
        click.echo("Canceled.", err=True)
        raise click.exceptions.Exit(1)


def read_input(given: str | None, stdin: bool, missing: str) -> str:
    """What the user wants to say: the argument, or stdin for ``--stdin`` and ``-``.

    Raises: click.UsageError with ``missing`` when there is neither, or both.
    """
    if stdin and given not in {None, "-"}:
        raise click.UsageError("Give the input as an argument or on stdin, not both.")
    if stdin or given == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace").removesuffix("\n")
    if given is None:
        raise click.UsageError(missing)
    return given


def complete_tasks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of tasks, for the shell; nothing when no engine runs."""
    from click.shell_completion import CompletionItem

    try:
        with engine(start=False) as client:
            found = client.list("owner:me")
    except TasksError:
        return []
    return [CompletionItem(task.name, help=task.summary.value) for task in found if task.name.startswith(incomplete)]


def complete_templates(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of templates, for the shell."""
    from click.shell_completion import CompletionItem

    try:
        with engine(start=False) as client:
            found = client.templates()
    except TasksError:
        return []
    return [CompletionItem(one.name, help=one.display_name) for one in found if one.name.startswith(incomplete)]
