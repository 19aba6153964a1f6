"""``jupyter tasks diff``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from jupyter_tasks.cli import output
from jupyter_tasks.cli.options import engine, task_argument

if TYPE_CHECKING:
    from jupyter_tasks.models import DiffFile, DiffResponse

__all__ = ["diff_command", "show"]

_BAR = 40  # characters
_COLOURS = (("+++", {"bold": True}), ("---", {"bold": True}), ("diff ", {"bold": True}), ("index ", {"bold": True}),
            ("@@", {"fg": "cyan"}), ("+", {"fg": "green"}), ("-", {"fg": "red"}))  # fmt: skip
_CELL_STYLES: Mapping[str, dict[str, Any]] = {
    "file": {"bold": True}, "cell": {"bold": True}, "at": {"fg": "cyan"}, "added": {"fg": "green"},
    "deleted": {"fg": "red"}, "note": {"dim": True},
}  # fmt: skip


@click.command("diff")
@task_argument
@click.option("--stat", "form", flag_value="stat", help="Files and numbers of lines only.")
@click.option("--name-only", "form", flag_value="names", help="Names of files only.")
@click.option("--patch", "form", flag_value="patch", default="patch", help="The whole patch. This is the default.")
@click.option(
    "--notebooks",
    type=click.Choice(["cells", "text"]),
    help="Show notebooks by cell, or as the JSON that they are. [default: cells on a terminal, text in a pipe]",
)
@click.option("--raw", is_flag=True, help="The same as --notebooks text: the patch as git makes it.")
@click.option("-o", "--output", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as -o json.")
def diff_command(task: str, form: str, notebooks: str | None, raw: bool, shape: str, as_json: bool) -> None:
    """Show what a task changed since its workspace began.

    In a pipe the patch is what git apply takes.
    """
    if raw and notebooks == "cells":
        raise click.UsageError("--raw and --notebooks cells exclude each other.")
    with engine() as client:
        found = client.diff(task)
    if as_json or shape == "json":
        output.print_json(found)
    else:
        show(found, form, cells=False if raw else None if notebooks is None else notebooks == "cells")


def show(diff: DiffResponse, form: str, *, cells: bool | None = None) -> None:
    """Print a diff; ``form`` is patch, stat or names. ``cells``: notebooks by cell; None: where a person reads it."""
    if not diff.files:
        click.echo("No changes.", err=True)
    elif form == "names":
        click.echo("\n".join(output.clean(file.path) for file in diff.files))
    elif form == "stat":
        _stat(diff)
    elif sys.stdout.isatty() if cells is None else cells:
        _by_cell(diff)
    else:
        _patch(diff.patch)
    for left_out in diff.skipped:
        click.echo(output.clean(f"Not shown: {left_out.path} ({left_out.reason})"), err=True)
    if diff.truncated and form == "patch":
        click.echo("The patch is longer than is sent and was cut; --stat names every file.", err=True)


def _patch(patch: str) -> None:
    if not sys.stdout.isatty():
        # as it is, for git apply: click would take escape sequences out of text, not out of bytes
        click.echo(patch.encode("utf-8", "surrogateescape"), nl=not patch.endswith("\n"))
        return
    for line in patch.removesuffix("\n").split("\n"):
        style = next((style for start, style in _COLOURS if line.startswith(start)), {})
        click.echo(output.styled(output.clean(line), **style))


def _by_cell(diff: DiffResponse) -> None:
    from jupyter_tasks.notebook.cell_lines import by_cell, cell_lines, without

    notebooks = by_cell(diff)
    rest = without(diff.patch, [notebook.path for notebook in notebooks])
    if rest:
        _patch(rest)
    for notebook in notebooks:
        for kind, line in cell_lines(notebook):
            text = output.clean(line).replace("\n", "?")
            click.echo(output.styled(f"  {text}" if kind == "note" else text, **_CELL_STYLES.get(kind, {})))
    for notebook in diff.notebooks:
        if notebook.error is not None:
            click.echo(output.clean(f"{notebook.path} is shown as text: {notebook.error}"), err=True)


def _stat(diff: DiffResponse) -> None:
    width = max(len(output.clean(_name(file))) for file in diff.files)
    most = max((file.additions or 0) + (file.deletions or 0) for file in diff.files)
    scale = min(1.0, _BAR / most) if most else 1.0
    for file in diff.files:
        click.echo(f" {output.clean(_name(file)):<{width}} | {_extent(file, scale)}")
    count = len(diff.files)
    click.echo(
        f" {count} file{'s' if count != 1 else ''} changed, {diff.additions} insertion"
        f"{'s' if diff.additions != 1 else ''}(+), {diff.deletions} deletion{'s' if diff.deletions != 1 else ''}(-)"
    )


def _name(file: DiffFile) -> str:
    return f"{file.old_path} => {file.path}" if file.old_path and file.old_path != file.path else file.path


def _extent(file: DiffFile, scale: float) -> str:
    if file.binary or file.additions is None or file.deletions is None:
        return "Bin"
    plus, minus = (round(count * scale) or (1 if count else 0) for count in (file.additions, file.deletions))
    bar = output.styled("+" * plus, fg="green") + output.styled("-" * minus, fg="red")
    return f"{file.additions + file.deletions:>4} {bar}".rstrip()
