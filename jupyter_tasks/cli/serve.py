"""``jupyter tasks serve``."""

from __future__ import annotations

import sys

import click

__all__ = ["serve_command"]


@click.command("serve")
@click.option("--detached", is_flag=True, help="Start it in the background, unless it runs; print its socket.")
def serve_command(detached: bool) -> None:
    """Run the engine. There is no need to: whatever needs it starts it.

    It ends by itself when nothing works, no preview is open and nobody is connected. Workspaces outlive it.
    """
    if detached:
        from jupyter_tasks.launch import ensure_engine

        click.echo(str(ensure_engine(command=(sys.executable, "-m", "jupyter_tasks", "serve"))))
        return
    import gc

    gc.disable()  # nothing that is imported is garbage: to look for some is a quarter of the imports' time
    from jupyter_tasks.server.engine import serve

    gc.freeze()  # what was imported stays: no collection has to look through it again, which holds up every answer
    # What is frozen no longer counts, so by default every few thousand objects of the tasks themselves would be a
    # reason to look through all of them: a third of a second while a hundred tasks are taken up.
    gc.set_threshold(10_000, 20, 20)
    gc.enable()
    serve()
