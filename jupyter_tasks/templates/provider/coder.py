"""The ``coder_*`` resources (terraform-provider-coder v2.17): arguments, defaults, checks, error texts.

Owns what stands in the workspace: agent, app, script, env, metadata, task, devcontainer. Parameters, presets and what
is known about the workspace are in ``parameter``, ``preset`` and ``workspace``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from jupyter_tasks.templates.hcl.types import BOOL, NUMBER, STRING, MapType
from jupyter_tasks.templates.hcl.values import UNKNOWN, Value
from jupyter_tasks.templates.provider.schema import Argument, Decoded, Draft, Kind, Nested, Schema

__all__ = ["AGENT_NAME", "KINDS", "is_uuid"]

AGENT_NAME = re.compile(r"(?i)[a-z0-9](-?[a-z0-9])*")
_SLUG = re.compile(r"[a-z0-9](-?[a-z0-9])*")
_SLUG_TEXT = "^[a-z0-9](-?[a-z0-9])*$"
_ENV_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NIL = "00000000-0000-0000-0000-000000000000"
_CRON_WORDS = re.compile(r"@(?:yearly|annually|monthly|weekly|daily|midnight|hourly|every \S+)")
_CRON_FIELD = re.compile(r"[\w*?/,\-]+")

_TEXT = Argument()
_NEEDED = Argument(required=True)
_ID = Argument(computed=True)


def is_uuid(text: str) -> bool:
    """Whether it is a UUID in the usual form."""
    return _UUID.fullmatch(text) is not None


def _choice(decoded: Decoded, name: str, allowed: tuple[str, ...]) -> None:
    value = decoded.text(name)
    if value and value not in allowed:
        quoted = " ".join(f'"{word}"' for word in allowed)
        raise decoded.error(name, f'expected {name} to be one of [{quoted}], got "{value}"')


def _icon(decoded: Decoded) -> None:
    try:
        urlsplit(decoded.text("icon"))
    except ValueError as problem:
        raise decoded.error("icon", "Invalid icon", f"{problem}.") from None


def _at_most(decoded: Decoded, name: str, size: int, summary: str) -> None:
    if len(decoded.text(name).encode()) > size:
        raise decoded.error(name, summary)


def _conflicts(decoded: Decoded, name: str, others: tuple[str, ...]) -> None:
    if decoded.given(name):
        for other in others:
            if decoded.given(other):
                raise decoded.error(name, "Conflicting configuration arguments", f'"{name}": conflicts with {other}')


def _unique(blocks: list[Decoded], name: str, summary: str) -> None:
    seen: set[str] = set()
    for block in blocks:
        if block.text(name) in seen:
            raise block.error(name, f'{summary} "{block.text(name)}"')
        seen.add(block.text(name))


_THRESHOLD = {"enabled": Argument(BOOL, required=True), "threshold": Argument(NUMBER, required=True)}
_DISPLAY_APPS: Mapping[str, bool] = {
    "vscode": True,
    "vscode_insiders": False,
    "web_terminal": True,
    "port_forwarding_helper": True,
    "ssh_helper": True,
}
_AGENT = Schema(
    {
        "id": _ID,
        "token": _ID,
        "init_script": _ID,
        "os": _NEEDED,
        "arch": _NEEDED,
        "auth": Argument(default="token"),
        "dir": _TEXT,
        "env": Argument(MapType("map", STRING)),
        "startup_script": _TEXT,
        "shutdown_script": _TEXT,
        "startup_script_behavior": Argument(default="non-blocking"),
        "connection_timeout": Argument(NUMBER, default=120),
        "troubleshooting_url": _TEXT,
        "motd_file": _TEXT,
        "order": Argument(NUMBER),
        "api_key_scope": Argument(default="all"),
    },
    {
        "metadata": Nested(
            Schema(
                {
                    "key": _NEEDED,
                    "script": _NEEDED,
                    "interval": Argument(NUMBER, required=True),
                    "display_name": _TEXT,
                    "timeout": Argument(NUMBER),
                    "order": Argument(NUMBER),
                }
            )
        ),
        "display_apps": Nested(
            Schema({name: Argument(BOOL, default=default) for name, default in _DISPLAY_APPS.items()}), 1
        ),
        "resources_monitoring": Nested(
            Schema(
                {},
                {"memory": Nested(Schema(_THRESHOLD), 1), "volume": Nested(Schema({"path": _NEEDED, **_THRESHOLD}))},
            ),
            1,
        ),
    },
)


def _agent(draft: Draft) -> Mapping[str, Value]:
    decoded = draft.decoded
    _choice(decoded, "os", ("linux", "darwin", "windows"))
    _choice(decoded, "arch", ("amd64", "armv7", "arm64"))
    clouds = ("google-instance-identity", "aws-instance-identity", "azure-instance-identity")
    _choice(decoded, "auth", ("token", *clouds))
    _choice(decoded, "startup_script_behavior", ("blocking", "non-blocking"))
    _choice(decoded, "api_key_scope", ("all", "no_user_data"))
    if (decoded.whole("connection_timeout") or 0) < 0:
        raise decoded.error("connection_timeout", "expected connection_timeout to be at least (0)")
    _unique(decoded.blocks["metadata"], "key", "duplicate agent metadata key")
    for item in decoded.blocks["metadata"]:
        if (item.whole("interval") or 0) < 0 or (item.whole("timeout") or 0) < 0:
            raise item.error("interval", "interval and timeout of metadata must not be negative")
    for monitoring in decoded.blocks["resources_monitoring"]:
        _monitoring(monitoring)
    _agent_name(draft)
    return {"id": draft.id, "token": draft.facts.inputs.agent_token, "init_script": "exec jupyter-tasks-agent\n"}


def _agent_name(draft: Draft) -> None:
    name, place = draft.name, draft.decoded.place
    if "_" in name:
        raise place.error(
            f'agent name "{name}" contains underscores which are no longer supported, please use hyphens instead'
            f' (regex: "(?i)^[a-z0-9](-?[a-z0-9])*$")'
        )
    if not AGENT_NAME.fullmatch(name):
        raise place.error(f'agent name "{name}" does not match regex "(?i)^[a-z0-9](-?[a-z0-9])*$"')


def _monitoring(decoded: Decoded) -> None:
    for item in (*decoded.blocks["memory"], *decoded.blocks["volume"]):
        if not 0 <= (item.whole("threshold") or 0) <= 100:
            raise item.error("threshold", "expected threshold to be in the range (0 - 100)")
    for volume in decoded.blocks["volume"]:
        if not volume.text("path").startswith("/"):
            raise volume.error("path", "volume path must be an absolute path")
    _unique(decoded.blocks["volume"], "path", "duplicate volume path")


_APP = Schema(
    {
        "id": _ID,
        "agent_id": _NEEDED,
        "slug": _NEEDED,
        "display_name": _TEXT,
        "icon": _TEXT,
        "url": _TEXT,
        "command": _TEXT,
        "subdomain": Argument(BOOL),
        "share": Argument(default="owner"),
        "external": Argument(BOOL, default=False),
        "group": _TEXT,
        "order": Argument(NUMBER),
        "hidden": Argument(BOOL, default=False),
        "open_in": Argument(default="slim-window"),
        "tooltip": _TEXT,
    },
    {
        "healthcheck": Nested(
            Schema(
                {
                    "url": _NEEDED,
                    "interval": Argument(NUMBER, required=True),
                    "threshold": Argument(NUMBER, required=True),
                }
            ),
            1,
        )
    },
)


def _app(draft: Draft) -> Mapping[str, Value]:
    decoded = draft.decoded
    slug = decoded.text("slug")
    if not _SLUG.fullmatch(slug):
        raise decoded.error(
            "slug",
            f'invalid "coder_app" slug, must be a valid hostname ("{_SLUG_TEXT}", cannot contain two consecutive'
            f' hyphens or start/end with a hyphen): "{slug}"',
        )
    _at_most(decoded, "display_name", 64, "display name is too long (max 64 characters)")
    _at_most(decoded, "group", 64, "group is too long (max 64 characters)")
    _at_most(decoded, "tooltip", 2048, "tooltip is too long (max 2048 characters)")
    _icon(decoded)
    _conflicts(decoded, "command", ("url", "subdomain", "healthcheck"))
    if decoded.flag("external"):
        _conflicts(decoded, "external", ("healthcheck", "command", "subdomain", "share"))
    if decoded.text("share") not in ("owner", "authenticated", "public"):
        raise decoded.error(
            "share",
            f'invalid app share "{decoded.text("share")}", must be one of "owner", "authenticated", "public"',
        )
    if decoded.text("open_in") not in ("tab", "slim-window"):
        raise decoded.error(
            "open_in",
            f'invalid "coder_app" open_in value, must be one of "tab", "slim-window": "{decoded.text("open_in")}"',
        )
    for check in decoded.blocks["healthcheck"]:
        if (check.whole("interval") or 0) < 1 or (check.whole("threshold") or 0) < 1:
            raise check.error("interval", "interval and threshold of a healthcheck must be at least 1")
    return {"id": draft.id}


_SCRIPT = Schema(
    {
        "id": _ID,
        "agent_id": _NEEDED,
        "display_name": _NEEDED,
        "script": _NEEDED,
        "icon": _TEXT,
        "log_path": _TEXT,
        "cron": _TEXT,
        "start_blocks_login": Argument(BOOL, default=False),
        "run_on_start": Argument(BOOL, default=False),
        "run_on_stop": Argument(BOOL, default=False),
        "timeout": Argument(NUMBER, default=0),
    }
)


def _script(draft: Draft) -> Mapping[str, Value]:
    decoded = draft.decoded
    cron = decoded.text("cron")
    if not (decoded.flag("run_on_start") or decoded.flag("run_on_stop") or cron):
        raise decoded.place.error('at least one of "run_on_start", "run_on_stop", or "cron" must be set')
    if decoded.flag("start_blocks_login") and not decoded.flag("run_on_start"):
        raise decoded.error("start_blocks_login", '"start_blocks_login" can only be set if "run_on_start" is "true"')
    fields = cron.split()
    plain = len(fields) == 6 and all(_CRON_FIELD.fullmatch(field) for field in fields)
    if cron and not plain and not _CRON_WORDS.fullmatch(cron):
        raise decoded.error(
            "cron",
            f'"{cron}" is not a valid cron expression: expected exactly 6 fields, found {len(fields)}',
            suggestion="The first field is the second." if len(fields) == 5 else "",
        )
    if decoded.given("timeout") and (decoded.whole("timeout") or 0) < 1:
        raise decoded.error("timeout", "expected timeout to be at least (1)")
    return {"id": draft.id}


def _env(draft: Draft) -> Mapping[str, Value]:
    if not _ENV_NAME.fullmatch(draft.decoded.text("name")):
        raise draft.decoded.error("name", "must be a valid environment variable name")
    _choice(draft.decoded, "merge_strategy", ("replace", "append", "prepend", "error"))
    return {"id": draft.id}


def _metadata(draft: Draft) -> Mapping[str, Value]:
    _unique(draft.decoded.blocks["item"], "key", "duplicate resource metadata key")
    _icon(draft.decoded)
    return {"id": draft.id}


def _ai_task(draft: Draft) -> Mapping[str, Value]:
    decoded, inputs = draft.decoded, draft.facts.inputs
    _conflicts(decoded, "app_id", ("sidebar_app",))
    bars = decoded.blocks["sidebar_app"]
    holder, name = (bars[0], "id") if bars else (decoded, "app_id")
    app = holder.values.get(name)
    if app is None or app == "":
        raise decoded.error("app_id", "'app_id' must be set")
    if app is not UNKNOWN and not is_uuid(str(app)):
        raise holder.error(name, f'expected "{name}" to be a valid UUID, got {app}')
    enabled = bool(inputs.task_id) and inputs.task_id != _NIL
    return {
        "id": inputs.task_id if enabled else draft.id,
        "app_id": app,
        "prompt": inputs.prompt,
        "enabled": enabled,
    }


def _devcontainer(draft: Draft) -> Mapping[str, Value]:
    if not draft.decoded.text("workspace_folder"):
        raise draft.decoded.error("workspace_folder", "workspace_folder must not be empty")
    return {"id": draft.id, "subagent_id": draft.facts.uuid(draft.address, "subagent")}


def _plain(draft: Draft) -> Mapping[str, Value]:
    return {"id": draft.id}


_ENV = Schema(
    {"id": _ID, "agent_id": _NEEDED, "name": _NEEDED, "value": _TEXT, "merge_strategy": Argument(default="replace")}
)
_METADATA = Schema(
    {
        "id": _ID,
        "resource_id": _NEEDED,
        "hide": Argument(BOOL),
        "icon": _TEXT,
        "daily_cost": Argument(NUMBER),
    },
    {
        "item": Nested(
            Schema(
                {
                    "key": _NEEDED,
                    "value": _TEXT,
                    "sensitive": Argument(BOOL, default=False),
                    "is_null": Argument(BOOL, computed=True),
                }
            )
        )
    },
)
_TASK = Schema(
    {"id": _ID, "app_id": _TEXT, "prompt": _ID, "enabled": Argument(BOOL, computed=True)},
    {"sidebar_app": Nested(Schema({"id": _NEEDED}), 1)},
)
_DEVCONTAINER = Schema(
    {"id": _ID, "agent_id": _NEEDED, "workspace_folder": _NEEDED, "config_path": _TEXT, "subagent_id": _ID}
)

KINDS: Mapping[tuple[str, str], Kind] = {
    ("managed", "coder_agent"): Kind(_AGENT, _agent),
    ("managed", "coder_app"): Kind(_APP, _app),
    ("managed", "coder_script"): Kind(_SCRIPT, _script),
    ("managed", "coder_env"): Kind(_ENV, _env),
    ("managed", "coder_metadata"): Kind(_METADATA, _metadata),
    ("managed", "coder_ai_task"): Kind(_TASK, _ai_task),
    ("managed", "coder_devcontainer"): Kind(_DEVCONTAINER, _devcontainer),
    ("managed", "coder_agent_instance"): Kind(Schema({"id": _ID, "agent_id": _NEEDED, "instance_id": _NEEDED}), _plain),
    ("managed", "coder_external_agent"): Kind(Schema({"id": _ID, "agent_id": _NEEDED}), _plain),
}
"""(mode, type) -> what it is."""
