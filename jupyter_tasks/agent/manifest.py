"""The manifest of ``start``: what one build of a workspace runs, checked field by field.

Owns the values that the other modules read. Unknown fields are ignored, as the link's version rules say.
"""

from __future__ import annotations

from .wire import bad, flag, number, objects, seconds, text, variables, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Script:
    """A script that runs at the start, at the stop, or both."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.id = word(fields, "id")
        self.display_name = text(fields, "display_name", "")
        self.script = text(fields, "script", limit=1 << 20)
        self.log_path = text(fields, "log_path", "", limit=4096)
        self.blocking = flag(fields, "start_blocks_login")
        self.on_start = flag(fields, "run_on_start")
        self.on_stop = flag(fields, "run_on_stop")
        self.timeout = seconds(fields, "timeout", 0.0)


class App:
    """An app; ``url`` of its health check is "" where it has none. Times in seconds."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.id = word(fields, "id")
        self.slug = text(fields, "slug", "", limit=128)
        check = fields.get("healthcheck")
        if check is not None and not isinstance(check, dict):
            raise bad("healthcheck is an object or null")
        self.check_url = text(check, "url", limit=4096) if check else ""
        self.interval = max(0.1, seconds(check, "interval", 5.0)) if check else 0.0
        self.threshold = number(check, "threshold", 0, 1_000_000, 6) if check else 0


class MetadataItem:
    """A script whose output is shown. Times in seconds."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.key = word(fields, "key")
        self.script = text(fields, "script", limit=1 << 20)
        self.interval = max(1.0, seconds(fields, "interval", 0.0) or 10.0)
        self.timeout = seconds(fields, "timeout", 0.0) or self.interval


class Manifest:
    """Everything that ``start`` says. Raises: Refused where it is not what link.md says."""

    def __init__(self, fields: dict[str, Any]) -> None:
        agent = _object(fields, "agent")
        workspace = _object(fields, "workspace")
        self.build_id = word(fields, "build_id")
        self.agent_name = text(agent, "name", "main", limit=128)
        self.directory = text(agent, "dir", "", limit=4096)
        self.workspace_name = text(workspace, "name", "", limit=256)
        self.workspace_owner = text(workspace, "owner", "", limit=256)
        self.env = variables(fields, "env")
        self.token = text(fields, "token", "", limit=1024)
        self.watch_ports = flag(fields, "watch_ports")
        self.scripts = [Script(item) for item in objects(fields, "scripts", most=256)]
        self.apps = [App(item) for item in objects(fields, "apps", most=256)]
        self.metadata = [MetadataItem(item) for item in objects(fields, "metadata", most=256)]
        self.services = [
            (word(item, "name"), number(item, "port", 0, 65535, 0)) for item in objects(fields, "services", most=16)
        ]
        for names in ([s.id for s in self.scripts], [a.id for a in self.apps]):
            if len(set(names)) != len(names):
                raise bad("two scripts or two apps have the same id")


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name) or {}
    if not isinstance(value, dict):
        raise bad(f"{name} is an object")
    return value
