"""WorkspacePlan -> the manifest that ``start`` hands to a workspace agent (docs/link.md).

Owns the translation and nothing else: which values these are is the plan's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

from jupyter_tasks.templates.plan import Agent, App, WorkspacePlan
from jupyter_tasks.workspaces.provisioner import WorkspaceRef

__all__ = ["AGENTAPI_PORT", "SERVICES", "manifest"]

AGENTAPI_PORT = 3284
SERVICES = (("coder", 0), ("gateway", 0))
"""Loopback ports inside that ride reverse connections; 0 is any free one."""
TASK_TOKEN = "JUPYTER_TASKS_TASK_TOKEN"  # noqa: S105 - the variable's name
GATEWAY_URLS = {
    "ANTHROPIC_BASE_URL": "$JUPYTER_TASKS_GATEWAY_URL/anthropic",
    "OPENAI_BASE_URL": "$JUPYTER_TASKS_GATEWAY_URL/openai/v1",
}
"""Where agents look for their vendor, unless the template says otherwise; the workspace agent knows the port."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared, not bound


def manifest(
    plan: WorkspacePlan,
    agent: Agent,
    *,
    build_id: str,
    ref: WorkspaceRef,
    token: str,
    task_token: str = "",
    task_id: str | None,
    env: Mapping[str, str],
    ports: Mapping[int, int] | None = None,
    services: Sequence[tuple[str, int]] = SERVICES,
    own_network: bool = True,
) -> dict[str, object]:
    """What one agent of a plan runs.

    Args:
        token: CODER_AGENT_TOKEN for what runs inside (never the link's own).
        task_token: what the LLM gateway takes from this build's workspace; "" where there is no gateway.
        env: variables on top of the template's.
        ports: ``RunningWorkspace.ports``: where the network is shared, health checks go to the port that serves here.
        services: loopback ports inside, by name, that ride reverse connections; 0 is any free one.
        own_network: whether the workspace has a network of its own, whose listening ports are its own.
    """
    mapped = dict(ports or {})
    variables = {**agent.env, **env}
    if task_token:
        variables = {**GATEWAY_URLS, **variables, TASK_TOKEN: task_token}
    if AGENTAPI_PORT in mapped:
        variables.setdefault("JUPYTER_TASKS_AGENTAPI_PORT", str(mapped[AGENTAPI_PORT]))
    return {
        "build_id": build_id,
        "agent": {"id": agent.id, "name": agent.name, "dir": agent.dir},
        "workspace": {"id": ref.id, "name": ref.name, "owner": ref.owner},
        "task_id": task_id or "",
        "transition": plan.transition,
        "token": token,
        "env": variables,
        "scripts": [
            {
                "id": script.id,
                "display_name": script.display_name,
                "script": script.script,
                "log_path": script.log_path,
                "cron": script.cron,
                "start_blocks_login": script.start_blocks_login,
                "run_on_start": script.run_on_start,
                "run_on_stop": script.run_on_stop,
                "timeout": script.timeout,
            }
            for script in agent.scripts
        ],
        "apps": [_app(app, mapped) for app in agent.apps],
        "metadata": [
            {"key": item.key, "script": item.script, "interval": item.interval, "timeout": item.timeout}
            for item in agent.metadata
        ],
        "services": [{"name": name, "port": port} for name, port in services],
        "watch_ports": own_network,
    }


def _app(app: App, ports: Mapping[int, int]) -> dict[str, object]:
    check = app.healthcheck
    return {
        "id": app.id,
        "slug": app.slug,
        "url": app.url,
        "command": app.command,
        "healthcheck": None
        if check is None
        else {"url": _moved(check.url, ports), "interval": check.interval, "threshold": check.threshold},
    }


def _moved(url: str, ports: Mapping[int, int]) -> str:
    """A loopback URL with the port that serves it here; any other as it is."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
        if parts.hostname not in _LOOPBACK or port not in ports:
            return url
    except ValueError:
        return url
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return urlunsplit(parts._replace(netloc=f"{host}:{ports[port]}"))
