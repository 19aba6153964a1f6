"""``jupyter tasks answer``, and how a question of an agent reads in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli.options import complete_tasks, engine
from jupyter_tasks.cli.output import clean
from jupyter_tasks.errors import TasksError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from jupyter_tasks.models import Task

__all__ = ["answer_command", "say_question"]


def say_question(task: Task) -> None:
    """What the agent asks, on stderr: its options by number, and the command that answers. Nothing if it does not."""
    asked = task.attention
    if asked is None:
        return
    click.echo(clean(f"The task {task.name} needs you: {asked.text}"), err=True)
    for number, option in enumerate(asked.options, 1):
        click.echo(clean(f"  [{number}] {option.label}"), err=True)
    way = f"answer {task.name} 1" if asked.options else f'send {task.name} "…"'
    click.echo(f"Hint: `jupyter tasks {way}` answers, `jupyter tasks attach {task.name}` shows it.", err=True)


def _complete_options(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        with engine(start=False) as client:
            asked = client.get(ctx.params["task"]).attention
    except (TasksError, KeyError):
        return []
    options = asked.options if asked else []
    return [
        CompletionItem(str(number), help=clean(option.label))
        for number, option in enumerate(options, 1)
        if str(number).startswith(incomplete)
    ]


@click.command("answer")
@click.argument("task", shell_complete=complete_tasks)
@click.argument("option", shell_complete=_complete_options)
def answer_command(task: str, option: str) -> None:
    """Choose an option of what a task's agent asks.

    OPTION is its number as `jupyter tasks status` shows it, its words or its id.
    """
    from jupyter_tasks.notebook.choice import chosen

    with engine() as client:
        found = client.get(task)
        client.answer(found.id, chosen(found, option), found.attention.id if found.attention else None)
    click.echo(f"Answered {found.name}.")
