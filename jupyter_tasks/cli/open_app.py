"""``jupyter tasks open``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli.options import engine, task_argument
from jupyter_tasks.errors import VersionMismatch

if TYPE_CHECKING:
    from jupyter_tasks.notebook.client import Client

__all__ = ["open_command", "url_of"]


@click.command("open")
@task_argument
@click.option("--app", metavar="SLUG", help="App to open. [default: preview]")
@click.option("--print", "only_print", is_flag=True, help="Print the URL and open nothing.")
@click.option(
    "--browser",
    type=click.Choice(["default", "none"]),
    default="default",
    show_default=True,
    help="Browser to open it with, where stdout is a terminal.",
)
def open_command(task: str, app: str | None, only_print: bool, browser: str) -> None:  # fmt: skip
    """Open a task's preview, or another of its apps.

    The URL is a secret of its own: who has it sees the app, until the task is paused or deleted.
    """
    with engine() as client:
        url = url_of(client, task, app)
    click.echo(url)
    if browser == "default" and not only_print and sys.stdout.isatty():
        click.launch(url)


def url_of(client: Client, task: str, app: str | None) -> str:
    """A new URL for an app: below the Jupyter server around us, else on the engine's own loopback port.

    Raises: NotFound for an unknown app, AppUnreachable …
    """
    from jupyter_tasks.notebook.discovery import jupyter_server

    connection = client.connection
    server = connection if connection.socket is None else jupyter_server()
    if server is not None:
        return server.base + client.preview(task, app).path.lstrip("/")
    answer = client.preview(task, app, origin=True)
    if answer.url is None:
        raise VersionMismatch("The engine gave no URL for the app.", hint="Restart it: `jupyter tasks doctor`.")
    return answer.url
