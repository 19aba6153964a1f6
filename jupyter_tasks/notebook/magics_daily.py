"""The verbs of ``%tasks`` for daily work: apply and undo, answer, keys, prune.

Owns what they take and give; what they do is the handle's and the client's.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.notebook.choice import options_line
from jupyter_tasks.notebook.magics_arguments import Verb, agreed, one
from jupyter_tasks.notebook.magics_options import Option, Parsed
from jupyter_tasks.notebook.render import clean

if TYPE_CHECKING:
    from jupyter_tasks.notebook.magics import TaskMagics
    from jupyter_tasks.notebook.render_views import Applied, Keys, Pruned, Undone

__all__ = ["DAILY_VERBS"]

_YES = ("-y", "--yes")


def _apply(magics: TaskMagics, asked: Parsed) -> Applied:
    words = _words(asked, "apply")
    handle = magics.handle(words[0] if words else None)
    branch, message = asked.one("branch"), asked.one("message")
    if message is not None and branch is None:
        raise InvalidInput("--message is the message of a commit: it goes with --branch.", code="bad_option")
    apply = partial(handle.apply, *words[1:], branch=branch, message=message, target=asked.one("target"))
    done = apply(dry_run=asked.on("dry-run"), accept_runnable=asked.on("yes"))
    runnable = [file.path for file in done.files if file.runnable]
    held = any(file.action in {"conflict", "refused"} for file in done.files)
    if done.applied or done.dry_run or asked.on("yes") or held or not runnable:
        return done
    if not agreed(magics, f"These would run by themselves: {', '.join(map(repr, runnable))}. Take them too?"):
        return done
    return apply(accept_runnable=True)


def _undo(magics: TaskMagics, asked: Parsed) -> Undone:
    return one(magics, asked).undo()


def _answer(magics: TaskMagics, asked: Parsed) -> None:
    name, option = [*asked.rest.split(None, 1), "", ""][:2]
    handle = magics.handle(name or None)
    if not option.strip():
        question = handle.attention
        raise InvalidInput(
            f"{handle.name} asks: {clean(question.text)}" if question else f"{handle.name} does not ask anything.",
            hint=f"%tasks answer {handle.name} OPTION"
            + (f", one of {clean(options_line(question))}" if question and question.options else ""),
        )
    handle.answer(option)
    print(f"Answered {handle.name}.")


def _keys(magics: TaskMagics, asked: Parsed) -> Keys:
    from jupyter_tasks.notebook.render_views import Keys

    if asked.rest.split() not in ([], ["list"]):
        raise InvalidInput(
            "%tasks keys only lists credentials: what is typed into a notebook is saved with it.",
            hint="Run `jupyter tasks keys add PROVIDER` in a terminal.",
        )
    return Keys(magics.session.client.keys().keys)


def _prune(magics: TaskMagics, asked: Parsed) -> Pruned:
    from jupyter_tasks import models
    from jupyter_tasks.notebook.render_views import Pruned

    if asked.rest:
        raise InvalidInput(f"%tasks prune takes no name, but {asked.rest!r} was given.", hint="%tasks delete TASK.")
    request = models.PruneRequest(
        older_than=_days(asked.one("older-than")), include_unapplied=asked.on("include-unapplied")
    )
    client = magics.session.client
    found = client.prune(request)
    leaving = [task.name for task in found.tasks if task.action == "delete"]
    if leaving and not asked.on("dry-run"):
        if not asked.on("yes") and not agreed(magics, f"Delete {', '.join(leaving)}?"):
            print("Nothing was deleted.")
        else:
            found = client.prune(request.model_copy(update={"dry_run": False}))
    return Pruned.model_validate(found.model_dump())


def _days(text: str | None) -> float | None:
    try:
        days = None if text is None else float(text)
    except ValueError:
        days = -1.0
    if days is not None and not 0 <= days < float("inf"):
        raise InvalidInput(f"--older-than {text!r} is not a number of days.", code="bad_option")
    return days


def _words(asked: Parsed, verb: str) -> list[str]:
    """The rest as a shell reads it: paths may have blanks. Raises: InvalidInput for an unclosed quote."""
    try:
        return shlex.split(asked.rest)
    except ValueError:
        raise InvalidInput(f"%tasks {verb}: a quote is not closed.", code="bad_option") from None


DAILY_VERBS: Sequence[Verb] = (
    Verb(
        name="apply",
        takes="[options] [TASK [PATH …]]",
        about="take its changes over into your own files: all or nothing",
        run=_apply,
        options=(
            Option(names=("--branch",), value="NAME", help="make a commit on this new branch, and touch no file"),
            Option(names=("-m", "--message"), value="TEXT", help="of that commit (else the prompt)"),
            Option(names=("--target",), value="DIR", help="where the project is now, if it was moved"),
            Option(names=("-n", "--dry-run"), help="show what would be done"),
            Option(names=_YES, help="also take files that would run by themselves"),
        ),
    ),
    Verb(name="undo", takes="[TASK]", about="take the newest apply back", run=_undo),
    Verb(name="answer", takes="TASK OPTION", about="choose an option of what the agent asks", run=_answer),
    Verb(name="keys", takes="[list]", about="credentials that the engine holds, without their secrets", run=_keys),
    Verb(
        name="prune",
        takes="[--dry-run] [--older-than DAYS]",
        about="delete old tasks; shows them and asks",
        run=_prune,
        options=(
            Option(names=("-n", "--dry-run"), help="only show what would be deleted"),
            Option(names=("--older-than",), value="DAYS", help="since the task was last changed"),
            Option(names=("--include-unapplied",), help="also tasks whose changes were not applied"),
            Option(names=_YES, help="do not ask"),
        ),
    ),
)
