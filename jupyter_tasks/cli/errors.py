"""From an error to a sentence on stderr and an exit code.

Owns the table of exit codes (``--help`` shows it) and how the error tree falls into it.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from jupyter_tasks.errors import (
    AgentBusy,
    Conflict,
    EngineError,
    InvalidInput,
    LimitReached,
    NotFound,
    TasksError,
    TemplateInvalid,
)

__all__ = ["EXIT_CODES", "leave", "report"]

OK, FAILED, USAGE, NOT_FOUND, NEEDS_YOU, CONFLICT, LIMIT, NO_ENGINE, INTERRUPTED, PIPE = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    130,
    141,
)

EXIT_CODES = {
    OK: "done (with --wait or --follow: the agent is idle or complete)",
    FAILED: "failed (with --wait or --follow: also when the task failed or was paused; apply: nothing was applied)",
    USAGE: "the command line, a value (an unknown template, preset or parameter too) or the template is wrong",
    NOT_FOUND: "no such task or app",
    NEEDS_YOU: "the agent waits for your answer (with --wait or --follow)",
    CONFLICT: "not now: the task's status does not allow it",
    LIMIT: "a limit is reached",
    NO_ENGINE: "the engine cannot be reached or started",
    INTERRUPTED: "interrupted by Ctrl-C; the task goes on",
    PIPE: "the reader of the output went away",
}

# the first class that fits decides
_CODES: tuple[tuple[type[TasksError], int], ...] = (
    (LimitReached, LIMIT),
    (NotFound, NOT_FOUND),
    (InvalidInput, USAGE),
    (TemplateInvalid, USAGE),
    (Conflict, CONFLICT),
    (AgentBusy, CONFLICT),
    (EngineError, NO_ENGINE),
    (TasksError, FAILED),
)


def report(error: BaseException) -> int:
    """Say on stderr what happened and return the exit code for it. The command line's own errors included."""
    if os.environ.get("JUPYTER_TASKS_DEBUG") and not isinstance(error, SystemExit | click.exceptions.Exit):
        import traceback

        traceback.print_exception(error)
    while inner := getattr(error, "exceptions", None):  # a task group's: the first is the cause of the others
        error = inner[0]
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAILED
    if isinstance(error, BrokenPipeError):
        return PIPE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, TasksError):
        _say(error)
        return next(code for kind, code in _CODES if isinstance(error, kind))
    click.echo(f"Error: {error}" if isinstance(error, TimeoutError | OSError) else _unexpected(error), err=True)
    return FAILED


def leave(code: int) -> NoReturn:
    """End the process; quietly also where nobody reads what is still buffered."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = PIPE
    if code == PIPE:  # else the interpreter complains while it shuts down
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _say(error: TasksError) -> None:
    from jupyter_tasks.cli.output import clean

    lines = [f"Error: {error.message}"]
    lines += [f"  {line}" for line in error.detail.splitlines()]
    said = f"{error.message} {error.detail}"
    for wrong in error.validations:
        if wrong.detail not in said and error.message not in wrong.detail:  # coder's bodies say things twice
            lines.append(f"  {wrong.field}: {wrong.detail}")
    if isinstance(error, TemplateInvalid):
        lines += [finding.render() for finding in error.diagnostics]
    if error.hint:
        lines.append(f"Hint: {error.hint}")
    click.echo(clean("\n".join(lines)), err=True)


def _unexpected(error: BaseException) -> str:
    return (
        f"Error: Something that should not happen did: {type(error).__name__}: {error}\n"
        "Hint: JUPYTER_TASKS_DEBUG=1 shows where; please report it."
    )
