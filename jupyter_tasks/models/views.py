"""Looking into a workspace: previews of its apps, the agent's terminal."""

from __future__ import annotations

from datetime import datetime

from jupyter_tasks.models.base import Wire

__all__ = ["PreviewRequest", "PreviewResponse", "TerminalInput", "TerminalInputResponse"]


class PreviewRequest(Wire):
    """POST …/preview: which app, else the one with slug ``preview``. ``origin`` asks for a URL on the engine's own
    loopback port (``http://<cap>.localhost:<port>/``), for a shell without any Jupyter server."""

    app: str | None = None
    origin: bool = False


class PreviewResponse(Wire):
    """A capability. ``path`` is relative to the server's ``…/jupyter-tasks/``; ``url`` only with ``origin``."""

    app: str
    path: str
    url: str | None = None
    expires_at: datetime


class TerminalInput(Wire):
    """POST …/terminal: keystrokes (base64) and/or a new size. The same ``key`` again is not typed again."""

    data: str | None = None
    key: str | None = None
    cols: int | None = None
    rows: int | None = None


class TerminalInputResponse(Wire):
    """Whether ``data`` had been typed before."""

    already: bool = False
