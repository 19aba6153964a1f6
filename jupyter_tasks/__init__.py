"""Jupyter Tasks: hand a prompt to a coding agent; it works in an isolated workspace of its own.

Owns the public names, loaded when they are first used (importing this costs next to nothing), and the hooks that
Jupyter Server and IPython look for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_tasks._version import __version__

if TYPE_CHECKING:
    from jupyter_tasks.notebook.client import AsyncClient, Client
    from jupyter_tasks.notebook.handle import TaskHandle

__all__ = ["AsyncClient", "Client", "TaskHandle", "__version__"]

_WHERE = {
    "AsyncClient": "jupyter_tasks.notebook.client",
    "Client": "jupyter_tasks.notebook.client",
    "TaskHandle": "jupyter_tasks.notebook.handle",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Called by Jupyter Server to find the extension."""
    from jupyter_tasks.server.extension import TasksExtension

    return [{"module": "jupyter_tasks", "app": TasksExtension}]


def load_ipython_extension(ipython: Any) -> None:
    """Called by ``%load_ext jupyter_tasks``."""
    from jupyter_tasks.notebook.magics import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Called by ``%unload_ext jupyter_tasks``."""
    from jupyter_tasks.notebook.magics import unload

    unload(ipython)
