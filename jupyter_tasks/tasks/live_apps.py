"""Where an app of a workspace answers inside.

Owns the choice of the app that is shown, and its port; the connection to it is ``live``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from jupyter_tasks.errors import NotFound
from jupyter_tasks.templates.plan import App, WorkspacePlan

__all__ = ["AppTarget", "app_target"]

LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")


@dataclass(frozen=True, slots=True)
class AppTarget:
    """Where an app answers inside: its port there, and the path that it is opened at."""

    slug: str
    port: int
    path: str


def app_target(plan: WorkspacePlan, ports: Mapping[int, int], slug: str | None) -> AppTarget:
    """The app of that slug, else the preview, else the first that can be shown.

    Args: ports: where ports of the plan really are, if they are elsewhere.
    Raises: NotFound.
    """
    apps = [app for agent in plan.agents for app in agent.apps if _local_port(app)]
    shown = [app for app in apps if not app.hidden and (plan.task is None or app.id != plan.task.app_id)]
    wanted = slug or "preview"
    found = next((app for app in apps if app.slug == wanted), None)
    if found is None and slug is None:
        found = next(iter(sorted(shown, key=lambda app: app.order)), None)
    if found is None:
        known = ", ".join(app.slug for app in apps) or "none"
        raise NotFound(f'The task has no app "{wanted}" to show.', hint=f"Its apps: {known}.")
    port = _local_port(found)
    parts = urlsplit(found.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return AppTarget(found.slug, ports.get(port, port), path)


def _local_port(app: App) -> int:
    """The loopback port of an app's URL; 0 where it has none."""
    try:
        parts = urlsplit(app.url)
        if app.external or parts.scheme != "http" or parts.hostname not in LOOPBACK:
            return 0
        return parts.port or 80
    except ValueError:
        return 0
