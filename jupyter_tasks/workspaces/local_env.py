"""What a local workspace finds in its environment.

Owns the variables that the workspace agent starts with (an allow-list: nothing of the engine's own environment gets
in but language and time zone) and the ports it gets where it shares the machine's network.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from jupyter_tasks.templates.plan import App, WorkspacePlan
from jupyter_tasks.workspaces.local_files import USER
from jupyter_tasks.workspaces.local_python import ENVIRONMENT
from jupyter_tasks.workspaces.ports import hold_port

__all__ = ["AGENTAPI_PORT", "MARK", "choose_ports", "login_shell", "workspace_env"]

MARK = "JUPYTER_TASKS_WORKSPACE"
"""Names the workspace in the environment of each of its processes."""

AGENTAPI_PORT = 3284

_KEPT = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MESSAGES", "TZ")
_SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_LOOPBACK = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104


def login_shell() -> str:
    """The shell of the workspace's user."""
    return shutil.which("bash", path="/usr/bin:/bin") or "/bin/sh"


def workspace_env(workspace_id: str, home: str, tmp: str, bins: Iterable[Path]) -> dict[str, str]:
    """The environment of the workspace agent. ``bins`` come after the home's own and before the system's."""
    own = f"{home}/{ENVIRONMENT}"
    path = [f"{home}/.local/bin", f"{home}/bin", f"{own}/bin", *map(str, bins), *_SYSTEM_PATH]
    env = {name: os.environ[name] for name in _KEPT if name in os.environ}
    env.setdefault("LANG", "C.UTF-8")
    return env | {
        "HOME": home,
        "USER": USER,
        "LOGNAME": USER,
        "SHELL": login_shell(),
        "PATH": ":".join(dict.fromkeys(path)),
        "TERM": "xterm-256color",
        "TMPDIR": tmp,
        "VIRTUAL_ENV": own,
        MARK: workspace_id,
    }


def _loopback_port(app: App) -> int | None:
    try:
        parts = urlsplit(app.url)
        return parts.port or 80 if parts.scheme in {"http", "https"} and parts.hostname in _LOOPBACK else None
    except ValueError:
        return None


def choose_ports(plan: WorkspacePlan) -> tuple[dict[int, int], dict[str, str]]:
    """A free port for each loopback port that the plan names and for AgentAPI's, and the variables that tell of them.

    All are held open together while they are chosen, so that no two are the same. Somebody may still listen at one
    before its program does: that program then says so.

    Raises: ``WorkspaceFailed`` where no port is free.
    """
    apps = [app for agent in plan.agents for app in agent.apps if not app.external]
    wanted = dict.fromkeys(port for port in map(_loopback_port, apps) if port is not None)
    wanted[AGENTAPI_PORT] = None
    held: list[socket.socket] = []
    ports: dict[int, int] = {}
    try:
        for port in wanted:
            listener = hold_port()
            held.append(listener)
            ports[port] = listener.getsockname()[1]
    finally:
        for listener in held:
            listener.close()
    return ports, port_env(plan, ports)


def port_env(plan: WorkspacePlan, ports: Mapping[int, int]) -> dict[str, str]:
    """``PORT`` is the preview app's (the app "preview", else the first that is not the agent's own)."""
    env = {"JUPYTER_TASKS_AGENTAPI_PORT": str(ports[AGENTAPI_PORT])}
    ai_app = plan.task.app_id if plan.task else ""
    apps = [a for agent in plan.agents for a in agent.apps if not a.external and _loopback_port(a) is not None]
    apps.sort(key=lambda app: (app.slug != "preview", app.id == ai_app, app.order))
    preview = next((app for app in apps if app.id != ai_app), None)
    port = None if preview is None else _loopback_port(preview)
    if port is not None and port in ports:
        env["PORT"] = str(ports[port])
    return env
