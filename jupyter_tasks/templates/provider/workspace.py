"""Data sources that say what is known: workspace, owner, task, provisioner, tags, external authentication, secrets.

Owns their attributes. The values come from the plan's inputs, never from the environment.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from urllib.parse import urlsplit

from jupyter_tasks.templates.hcl.types import BOOL, NUMBER, STRING, ListType, MapType
from jupyter_tasks.templates.hcl.values import ListValue, Value
from jupyter_tasks.templates.provider.coder import is_uuid
from jupyter_tasks.templates.provider.schema import Argument, Draft, Kind, Schema

__all__ = ["KINDS"]

_NIL = "00000000-0000-0000-0000-000000000000"
_C = Argument(computed=True)
_CB = Argument(BOOL, computed=True)
_CN = Argument(NUMBER, computed=True)
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "armv7"}


def _workspace(draft: Draft) -> Mapping[str, Value]:
    given = draft.facts.inputs
    address = urlsplit(given.access_url)
    running = 1 if given.transition == "start" else 0
    return {
        "id": given.workspace_id,
        "name": given.workspace_name,
        "transition": "destroy" if given.transition == "delete" else given.transition,
        "start_count": running,
        "access_url": given.access_url,
        "access_port": address.port or (443 if address.scheme == "https" else 80),
        "template_id": given.template_id,
        "template_name": given.template_name,
        "template_version": given.template_version,
        "is_prebuild": False,
        "prebuild_count": 0,
        "is_prebuild_claim": False,
        "owner": given.owner_name,
        "owner_id": given.owner_id,
        "owner_name": given.owner_full_name or given.owner_name,
        "owner_email": given.owner_email,
    }


def _owner(draft: Draft) -> Mapping[str, Value]:
    given = draft.facts.inputs
    return {
        "id": given.owner_id,
        "name": given.owner_name,
        "full_name": given.owner_full_name or given.owner_name,
        "email": given.owner_email,
        "ssh_public_key": "",
        "ssh_private_key": "",
        "session_token": "",
        "oidc_access_token": "",
        "login_type": "",
        "groups": ListValue(),
        "rbac_roles": ListValue(),
    }


def _task(draft: Draft) -> Mapping[str, Value]:
    given = draft.facts.inputs
    task = given.task_id or ""
    if task and not is_uuid(task):
        raise draft.decoded.place.error("Invalid task id", f"{task!r} is not a UUID.")
    enabled = bool(task) and task != _NIL
    return {
        "id": task if enabled else draft.id,
        "prompt": given.prompt if enabled else "",
        "enabled": enabled,
    }


def _provisioner(draft: Draft) -> Mapping[str, Value]:
    machine = platform.machine().lower()
    return {
        "id": draft.id,
        "os": platform.system().lower(),
        "arch": _ARCHITECTURES.get(machine, machine),
    }


def _tags(draft: Draft) -> Mapping[str, Value]:
    return {"id": draft.id}


def _external_auth(draft: Draft) -> Mapping[str, Value]:
    decoded = draft.decoded
    if not decoded.flag("optional"):
        raise decoded.place.error(
            "External authentication is not available",
            f'"{decoded.text("id")}" is required, but no external authentication is configured.',
            suggestion="Set optional = true if the template works without.",
        )
    return {"access_token": ""}


def _secret(draft: Draft) -> Mapping[str, Value]:
    decoded = draft.decoded
    if bool(decoded.text("env")) == bool(decoded.text("file")):
        raise decoded.place.error("Invalid secret", 'Exactly one of "env" and "file" must be set.')
    raise decoded.place.error(
        "Secrets are not available", decoded.text("help_message") or "No secret store is configured."
    )


_WORKSPACE = Schema(
    dict.fromkeys(
        (
            "id", "name", "transition", "access_url", "template_id", "template_name", "template_version",
            "owner", "owner_id", "owner_name", "owner_email",
        ),
        _C,
    )
    | {"start_count": _CN, "access_port": _CN, "prebuild_count": _CN, "is_prebuild": _CB, "is_prebuild_claim": _CB}
)  # fmt: skip
_OWNER = Schema(
    dict.fromkeys(
        (
            "id", "name", "full_name", "email", "ssh_public_key", "ssh_private_key", "session_token",
            "oidc_access_token", "login_type",
        ),
        _C,
    )
    | {"groups": Argument(ListType("list", STRING), computed=True)}
)  # fmt: skip

KINDS: Mapping[tuple[str, str], Kind] = {
    ("data", "coder_workspace"): Kind(_WORKSPACE, _workspace),
    ("data", "coder_workspace_owner"): Kind(_OWNER, _owner),
    ("data", "coder_task"): Kind(Schema({"id": _C, "prompt": _C, "enabled": _CB}), _task),
    ("data", "coder_provisioner"): Kind(Schema({"id": _C, "os": _C, "arch": _C}), _provisioner),
    ("data", "coder_workspace_tags"): Kind(
        Schema({"id": _C, "tags": Argument(MapType("map", STRING), required=True)}), _tags
    ),
    ("data", "coder_external_auth"): Kind(
        Schema({"id": Argument(required=True), "optional": Argument(BOOL, default=False), "access_token": _C}),
        _external_auth,
    ),
    ("data", "coder_secret"): Kind(
        Schema(
            {
                "id": _C,
                "env": Argument(),
                "file": Argument(),
                "help_message": Argument(required=True),
                "value": _C,
            }
        ),
        _secret,
    ),
}
"""(mode, type) -> what it is."""
