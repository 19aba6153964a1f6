"""``jupyter tasks``: the list of commands, and the frame around each of them.

Owns names, help lines and lazy loading (a command's module is imported when that command runs, so that ``--help`` and
completion stay quick), and what happens to whatever escapes a command. Exit codes are in ``errors``.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import NoReturn

import click

from jupyter_tasks._version import __version__
from jupyter_tasks.cli import errors

__all__ = ["cli", "main"]

PROGRAM = "jupyter tasks"
COMPLETE_VARIABLE = "_JUPYTER_TASKS_COMPLETE"

# name -> module of this package that has the command under that name, help line
_COMMANDS = {
    "create": ("create", "Create a task from a prompt."),
    "list": ("listing", "List tasks."),
    "status": ("status", "Show the status of a task."),
    "logs": ("logs", "Show a task's conversation, or the logs of its build and scripts."),
    "send": ("send", "Send input to a task."),
    "answer": ("answer", "Choose an option of what a task's agent asks."),
    "interrupt": ("send", "End the turn that a task's agent is working on."),
    "attach": ("attach", "Look at the agent's own terminal, or take it over."),
    "pause": ("lifecycle", "Pause a task: its workspace stops, its files stay."),
    "resume": ("lifecycle", "Resume a paused task, or build one in error again."),
    "delete": ("lifecycle", "Delete tasks and their workspaces."),
    "diff": ("diff", "Show what a task changed."),
    "apply": ("apply", "Take a task's changes over into your own files, or take them back."),
    "open": ("open_app", "Open a task's preview, or another of its apps."),
    "project": ("project", "Show what of your files a task's workspace would get."),
    "keys": ("keys", "Manage the credentials with which agents reach LLM providers."),
    "prune": ("prune", "Delete old tasks with their workspaces."),
    "usage": ("usage", "Show this period's Agent Workspace Builds."),
    "templates": ("templates", "List templates, or show one."),
    "doctor": ("doctor", "Check this machine and the engine."),
    "serve": ("serve", "Run the engine."),
    "uninstall": ("uninstall", "List, stop and remove everything that Jupyter Tasks made."),
    "completion": ("completion", "Print a completion script for your shell."),
}
_ALIASES = {"ls": "list", "stat": "status", "rm": "delete", "template": "templates"}


class _Lazy(click.Group):
    """A group that knows its commands by name alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = _ALIASES.get(cmd_name, cmd_name)
        if name not in _COMMANDS:
            return None
        module = import_module(f"jupyter_tasks.cli.{_COMMANDS[name][0]}")
        command = getattr(module, f"{name}_command")
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would make some code of its own of it, another in each version
            raise click.exceptions.Exit(errors.PIPE) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        short = {full: alias for alias, full in _ALIASES.items() if full != "templates"}
        rows = [(f"{n}, {short[n]}" if n in short else n, line) for n, (_, line) in _COMMANDS.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in errors.EXIT_CODES.items()])
        with formatter.section("Environment"):
            formatter.write_dl(
                [
                    ("JUPYTER_TASKS_URL", "address of the engine or of a Jupyter server's jupyter-tasks/"),
                    ("JUPYTER_TASKS_TOKEN", "token for it"),
                    ("JUPYTER_TASKS_STATE_DIR", "where tasks and workspaces are kept"),
                    ("JUPYTER_TASKS_DEBUG", "set to 1 to see where an error comes from"),
                    ("NO_COLOR", "set to anything for no colours"),
                ]
            )


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
def cli() -> None:
    """Hand a prompt to a coding agent; it works in an isolated workspace of its own.

    A TASK is named by its name, by owner/name or by its UUID.
    """


def main(argv: list[str] | None = None) -> NoReturn:
    """Run a command line and exit with a code of ``errors.EXIT_CODES``."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # an ASCII terminal shows "?" rather than a traceback
            stream.reconfigure(errors="replace")
    try:
        code = cli.main(
            args=argv,
            prog_name=PROGRAM,
            complete_var=COMPLETE_VARIABLE,
            standalone_mode=False,
            color=False if os.environ.get("NO_COLOR") else None,
        )
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the one place where everything ends in a sentence and a code
        code = errors.report(error)
    errors.leave(code if isinstance(code, int) else 0)
