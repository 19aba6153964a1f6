"""What the verbs of ``%tasks`` are made of: a verb, the tasks that it names, a question to the user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.notebook.magics_options import Option, Parsed

if TYPE_CHECKING:
    from jupyter_tasks.notebook.handle import TaskHandle
    from jupyter_tasks.notebook.magics import TaskMagics

__all__ = ["Verb", "agreed", "names", "one"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb: ``takes`` is how its arguments read, ``run`` what it does with them."""

    name: str
    takes: str
    about: str
    run: Callable[[TaskMagics, Parsed], object]
    options: tuple[Option, ...] = ()
    aliases: tuple[str, ...] = ()


def names(asked: Parsed) -> list[str]:
    """The words of the rest."""
    return asked.rest.split()


def one(magics: TaskMagics, asked: Parsed) -> TaskHandle:
    """The task that is named, else the latest. Raises: InvalidInput for several."""
    found = names(asked)
    if len(found) > 1:
        raise InvalidInput(f"One task at a time: {' '.join(found[:5])!r} are {len(found)}.")
    return magics.handle(found[0] if found else None)


def agreed(magics: TaskMagics, question: str) -> bool:
    """Whether the user says yes. Raises: InvalidInput where nobody can be asked."""
    from IPython.core.error import StdinNotImplementedError

    try:
        return bool(magics.host.ask_yes_no(question + " [y/N]", default="n"))
    except (StdinNotImplementedError, EOFError):
        raise InvalidInput("Nobody can be asked here.", hint="Add -y to do it without a question.") from None
