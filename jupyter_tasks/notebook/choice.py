"""Which option of an agent's question a user means: its number, its id or its words. For notebook and shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_tasks.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from jupyter_tasks.models import Attention, Task

__all__ = ["chosen", "options_line"]


def chosen(task: Task, option: str | int) -> str:
    """The id of an option of the task's ``attention``; ``option`` is its number (from 1), id or label.

    Raises: Conflict where there is nothing to choose; InvalidInput, which names the options.
    """
    asked = task.attention
    if asked is None:
        raise Conflict(f"The agent of {task.name} does not ask anything.", hint="Say something to it with send.")
    if not asked.options:
        raise Conflict(
            f"The agent of {task.name} asks for words, not for an option.", hint="Answer it with send.", retryable=False
        )
    wanted = str(option).strip()
    for each in asked.options:
        if each.id == wanted:
            return each.id
    alike = [each for each in asked.options if each.label.casefold() == wanted.casefold()]
    if len(alike) == 1:
        return alike[0].id
    if wanted.isascii() and wanted.isdecimal() and len(wanted) < 10 and 1 <= int(wanted) <= len(asked.options):
        return asked.options[int(wanted) - 1].id
    raise InvalidInput(
        f'"{wanted}" is no answer to what the agent of {task.name} asks.', hint=f"Say one of {options_line(asked)}."
    )


def options_line(asked: Attention) -> str:
    """``[1] Yes, [2] No``."""
    return ", ".join(f"[{number}] {each.label}" for number, each in enumerate(asked.options, 1))
