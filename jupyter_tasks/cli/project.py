"""``jupyter tasks project``, and the options that say what of the user's files goes into a workspace."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jupyter_tasks.cli import output
from jupyter_tasks.cli.options import engine

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from jupyter_tasks.models import ProjectInfo

__all__ = ["asked_of", "project_command", "project_options", "say"]

F = TypeVar("F", bound=Callable[..., Any])

_CARRIED = ("CLAUDE.md", "AGENTS.md", "skills", "settings", "git identity")
_LEFT_OUT = {"path": lambda each: each.path, "reason": lambda each: each.reason}


def _complete_carried(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in _CARRIED if name.lower().startswith(incomplete.lower())]


_FURTHER = (
    click.option("--files", multiple=True, metavar="GLOB", help="Also take ignored files that match. May be repeated."),
    click.option(
        "--mount", "mounts", multiple=True, metavar="DIR", type=click.Path(file_okay=False),
        help="Show this directory read-only, at its own path. May be repeated.",
    ),
    click.option(
        "--carry", multiple=True, metavar="NAME", shell_complete=_complete_carried,
        help=f"Copy only this of your agent's set-up ({', '.join(_CARRIED)}). May be repeated. [default: all]",
    ),
    click.option("--no-carry", is_flag=True, help="Copy nothing of your agent's set-up."),
    click.option("--large", is_flag=True, help="Also where it is over 1 GB or 50,000 files."),
)  # fmt: skip


def project_options(function: F) -> F:
    """Options ``--files``, ``--mount``, ``--carry``, ``--no-carry`` and ``--large``."""
    for option in reversed(_FURTHER):
        function = option(function)
    return function


def asked_of(
    project: str | None, files: Sequence[str], mounts: Sequence[str], carry: Sequence[str], no_carry: bool, large: bool
) -> dict[str, Any]:
    """These options as fields of ``models.ProjectRequest``: directories absolute, for the engine has another cwd.

    Raises: click.UsageError.
    """
    if carry and no_carry:
        raise click.UsageError("--carry and --no-carry exclude each other.")
    return {
        "project": project if project in {None, "none"} else _absolute(str(project)),
        "directory": _here(),
        "files": list(files),
        "mounts": [_absolute(mount) for mount in mounts],
        "carry": [] if no_carry else list(carry) or None,
        "large": large,
    }


def _here() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - Path.cwd() says the same in a longer way
    except OSError:  # it was deleted under us
        return None


def _absolute(directory: str) -> str:
    return os.path.abspath(Path(directory).expanduser())  # noqa: PTH100 - links stay as the user named them


def say(info: ProjectInfo, *, err: bool = False) -> None:
    """What went (or would go) in, in a few lines."""
    from jupyter_tasks.notebook.project_words import lines

    for line in lines(info):
        click.echo(output.clean(line).replace("\n", "?"), err=err)


@click.command("project")
@click.argument("directory", required=False, metavar="[DIR]", type=click.Path())
@project_options
@click.option("--left-out", is_flag=True, help="List what stays behind, and why.")
@click.option("-o", "--output", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as -o json.")
def project_command(
    directory: str | None, files: tuple[str, ...], mounts: tuple[str, ...], carry: tuple[str, ...], no_carry: bool,
    large: bool, left_out: bool, shape: str, as_json: bool,
) -> None:  # fmt: skip
    """Show what of your files a task's workspace would get. Nothing is made.

    Without DIR: the git repository around this directory, else this directory itself; `none` is nothing.
    """
    from jupyter_tasks import models

    request = models.ProjectRequest(**asked_of(directory, files, mounts, carry, no_carry, large))
    with engine() as client:
        info = client.survey(request)
    if as_json or shape == "json":
        output.print_json(info)
        return
    _table(info)
    if left_out and info.left_out:
        click.echo("\n" + output.table(info.left_out, list(_LEFT_OUT), _LEFT_OUT))
        if info.left_out_count > len(info.left_out):
            click.echo(f"… and {info.left_out_count - len(info.left_out):,} more")
    elif info.left_out_count:
        click.echo("--left-out lists what stays behind, --files takes it along.", err=True)


def _table(info: ProjectInfo) -> None:
    from jupyter_tasks.notebook.amounts import size
    from jupyter_tasks.notebook.project_words import home_short

    nothing = info.root is None
    rows = [
        ("kind", {"git": "git repository", "directory": "directory", "none": "no files of yours"}[info.kind]),
        ("root", home_short(info.root or "")),
        ("starts in", info.subdirectory),
        ("branch", info.branch or (f"detached at {info.head[:9]}" if info.head else "")),
        ("files", "" if nothing else f"{info.files:,}"),
        ("size", "" if nothing else size(info.bytes)),
        ("left out", _left_out(info)),
        ("read-only", "\n".join(map(home_short, info.mounts))),
        ("set-up", ", ".join(info.carried)),
        ("notes", "\n".join(info.notes)),
    ]
    shown = [row for row in rows if row[1]]
    cells = {"what": lambda row: row[0], "value": lambda row: row[1]}
    click.echo(output.table(shown, list(cells), cells).split("\n", 1)[1])


def _left_out(info: ProjectInfo) -> str:
    if not info.left_out_count:
        return ""
    names = ", ".join(each.path for each in info.left_out[:5])
    return f"{info.left_out_count:,}: {names}{' …' if info.left_out_count > 5 else ''}"
