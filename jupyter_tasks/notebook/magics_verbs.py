"""The verbs of ``%tasks``: one table, one function each.

Owns what a verb takes and gives. Names are those of the shell (``jupyter tasks``). A task is named as there: a name,
``owner/name`` or a UUID; without one, most verbs mean the task that was made in this kernel last.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.notebook.amounts import count
from jupyter_tasks.notebook.magics_arguments import Verb, agreed, names, one
from jupyter_tasks.notebook.magics_daily import DAILY_VERBS
from jupyter_tasks.notebook.magics_options import Option, Parsed, help_of, near, parse

if TYPE_CHECKING:
    from jupyter_tasks.notebook.handle import Preview, TaskHandle
    from jupyter_tasks.notebook.magics import TaskMagics
    from jupyter_tasks.notebook.render_views import Diff, Logs, Messages, Table, Templates, Usage

__all__ = ["VERBS", "run"]

_HELP = Option(names=("-h", "--help"), help="show this")


def run(magics: TaskMagics, line: str, cell: str | None) -> object:
    """Carry out ``%tasks LINE``; ``cell`` is the text of ``%%tasks send``.

    Raises: InvalidInput for an unknown verb or wrong arguments; what the engine raises.
    """
    word, rest = [*line.strip().split(None, 1), "", ""][:2]
    if word in {"", "help", "-h", "--help"}:
        print(_overview())
        return None
    verb = _BY_WORD.get(word)
    if verb is None:
        raise InvalidInput(
            f"%tasks has no verb {word!r}.",
            hint=near(word, list(_BY_WORD)) + f"It knows {', '.join(v.name for v in VERBS)}; a prompt goes to %task.",
            code="unknown_verb",
        )
    asked = parse(rest, (*verb.options, _HELP), where=f"%tasks {verb.name}")
    if asked.on("help"):
        print(help_of(f"%tasks {verb.name} {verb.takes}".rstrip(), verb.about, (*verb.options, _HELP)))
        return None
    if cell is not None:
        if verb.name != "send":
            raise InvalidInput(f"%tasks {verb.name} takes no cell.", hint="Write it with one % sign.")
        asked = Parsed(asked.options, f"{asked.rest} {cell.strip(chr(10))}")
    return verb.run(magics, asked)


def _overview() -> str:
    width = max(len(f"{v.name} {v.takes}") for v in VERBS)
    rows = "\n".join(f"  {f'{v.name} {v.takes}':<{width}}  {v.about}" for v in VERBS)
    last = "TASK is a name, owner/name or UUID; without one: the task made here last."
    return f"%tasks VERB [options] …\n\n{rows}\n\n{last}"


# ---------------------------------------------------------------- verbs


def _list(magics: TaskMagics, asked: Parsed) -> Table:
    from jupyter_tasks.notebook.render_views import Table

    if asked.rest:
        raise InvalidInput(f"%tasks list takes no name, but {asked.rest!r} was given.", hint="%tasks status TASK.")
    status = asked.one("status")
    return Table(magics.session.client.list(f"status:{status}" if status else ""), _now())


def _status(magics: TaskMagics, asked: Parsed) -> Table:
    from jupyter_tasks.notebook.render_views import Table

    wanted: list[str] | list[None] = names(asked) or [None]
    return Table([magics.handle(name).snapshot for name in wanted], _now())


def _show(magics: TaskMagics, asked: Parsed) -> TaskHandle:
    return one(magics, asked)


def _messages(magics: TaskMagics, asked: Parsed) -> Messages:
    return one(magics, asked).messages()


def _logs(magics: TaskMagics, asked: Parsed) -> Logs:
    return one(magics, asked).logs(asked.one("kind") or "chat")


def _send(magics: TaskMagics, asked: Parsed) -> None:
    name, text = [*asked.rest.split(None, 1), "", ""][:2]
    if not text.strip():
        raise InvalidInput("What should be sent, and to which task?", hint="%tasks send TASK TEXT")
    handle = magics.handle(name)
    handle.send(text)
    print(f"Sent to {handle.name}.")


def _interrupt(magics: TaskMagics, asked: Parsed) -> None:
    handle = one(magics, asked)
    print(f"Interrupted {handle.name}." if handle.interrupt() else f"{handle.name} was not working.")


def _diff(magics: TaskMagics, asked: Parsed) -> Diff:
    return one(magics, asked).diff()


def _wait(magics: TaskMagics, asked: Parsed) -> TaskHandle:
    timeout = asked.one("timeout")
    try:
        seconds = float(timeout) if timeout is not None else None
    except ValueError:
        raise InvalidInput(f"--timeout {timeout!r} is not a number of seconds.", code="bad_option") from None
    return one(magics, asked).wait(seconds)


def _open(magics: TaskMagics, asked: Parsed) -> Preview:
    preview = one(magics, asked).preview(asked.one("app"))
    preview.open()
    return preview


def _pause(magics: TaskMagics, asked: Parsed) -> None:
    print(f"The {one(magics, asked).pause().name} task is being paused.")


def _resume(magics: TaskMagics, asked: Parsed) -> None:
    print(f"The {one(magics, asked).resume().name} task is resuming.")


def _delete(magics: TaskMagics, asked: Parsed) -> None:
    wanted = names(asked)
    if not wanted:
        raise InvalidInput("Which task should be deleted?", hint="%tasks delete TASK …")
    handles = [magics.handle(name) for name in wanted]
    listed = ", ".join(handle.name + _left(handle.snapshot.unapplied) for handle in handles)
    if not asked.on("yes") and not agreed(magics, f"Delete these tasks: {listed}?"):
        print("Nothing was deleted.")
        return
    for handle in handles:
        handle.delete(force=True)
        print(f"Deleted task {handle.name}.")


def _left(unapplied: int | None) -> str:
    return f" ({count(unapplied, 'changed file')} not applied)" if unapplied else ""


def _usage(magics: TaskMagics, _: Parsed) -> Usage:
    from jupyter_tasks.notebook.render_views import Usage

    return Usage.model_validate(magics.session.client.usage().model_dump())


def _templates(magics: TaskMagics, _: Parsed) -> Templates:
    from jupyter_tasks.notebook.render_views import Templates

    return Templates(magics.session.client.templates())


def _now() -> datetime:
    return datetime.now(timezone.utc)


VERBS: Sequence[Verb] = (
    Verb(
        name="list",
        takes="[--status STATUS]",
        about="your tasks, newest first",
        run=_list,
        options=(Option(names=("--status",), value="STATUS", help="only those with this status"),),
        aliases=("ls",),
    ),
    Verb(name="status", takes="[TASK …]", about="status and state, as a table", run=_status, aliases=("stat",)),
    Verb(name="show", takes="[TASK]", about="the handle, which displays as a live card", run=_show),
    Verb(name="messages", takes="[TASK]", about="the conversation", run=_messages),
    Verb(
        name="logs",
        takes="[--kind KIND] [TASK]",
        about="logs: chat, build, script or agent",
        run=_logs,
        options=(Option(names=("-k", "--kind"), value="KIND", help="chat, build, script or agent"),),
    ),
    Verb(name="send", takes="TASK TEXT", about="say something to the agent", run=_send),
    Verb(name="interrupt", takes="[TASK]", about="end the agent's turn", run=_interrupt),
    Verb(
        name="wait",
        takes="[--timeout S] [TASK]",
        about="until it is idle, done, failed or needs you",
        run=_wait,
        options=(Option(names=("--timeout",), value="SECONDS", help="at most so long"),),
    ),
    Verb(name="diff", takes="[TASK]", about="what the agent changed", run=_diff),
    Verb(
        name="open",
        takes="[--app SLUG] [TASK]",
        about="show its preview in a browser on this machine",
        run=_open,
        options=(Option(names=("--app",), value="SLUG", help="which app (default: preview)"),),
    ),
    Verb(name="pause", takes="[TASK]", about="stop the workspace; files stay", run=_pause),
    Verb(name="resume", takes="[TASK]", about="start the workspace again", run=_resume),
    Verb(
        name="delete",
        takes="[-y] TASK …",
        about="delete tasks and their workspaces",
        run=_delete,
        options=(Option(names=("-y", "--yes"), help="do not ask"),),
        aliases=("rm",),
    ),
    *DAILY_VERBS,
    Verb(name="usage", takes="", about="Agent Workspace Builds of this period", run=_usage),
    Verb(name="templates", takes="", about="templates to make tasks from", run=_templates),
)
_BY_WORD = {word: verb for verb in VERBS for word in (verb.name, *verb.aliases)}
