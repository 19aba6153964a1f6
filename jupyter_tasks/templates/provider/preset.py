"""``data "coder_workspace_preset"``: a named set of parameter values.

Owns its checks. Prebuilt workspaces are read and checked, and nothing is built ahead from them.
"""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_tasks.templates.hcl.types import BOOL, NUMBER, STRING, MapType
from jupyter_tasks.templates.hcl.values import MapValue, Value
from jupyter_tasks.templates.provider.schema import Argument, Decoded, Draft, Kind, Nested, Schema

__all__ = ["KINDS"]

_PREBUILDS = Schema(
    {"instances": Argument(NUMBER, required=True)},
    {
        "expiration_policy": Nested(Schema({"ttl": Argument(NUMBER, required=True)}), 1),
        "scheduling": Nested(
            Schema(
                {"timezone": Argument(required=True)},
                {
                    "schedule": Nested(
                        Schema({"cron": Argument(required=True), "instances": Argument(NUMBER, required=True)})
                    )
                },
            ),
            1,
        ),
    },
)
_SCHEMA = Schema(
    {
        "id": Argument(computed=True),
        "name": Argument(required=True),
        "description": Argument(),
        "icon": Argument(),
        "default": Argument(BOOL, default=False),
        "parameters": Argument(MapType("map", STRING)),
    },
    {"prebuilds": Nested(_PREBUILDS, 1)},
)


def _complete(draft: Draft) -> Mapping[str, Value]:
    decoded = draft.decoded
    if not decoded.text("name"):
        raise decoded.error("name", 'expected "name" to not be an empty string')
    if len(decoded.text("description")) > 128:
        raise decoded.error("description", "expected length of description to be in the range (0 - 128)")
    if len(decoded.text("icon")) > 256:
        raise decoded.error("icon", "expected length of icon to be in the range (0 - 256)")
    for prebuilds in decoded.blocks["prebuilds"]:
        _prebuilds(prebuilds)
    parameters = decoded.values.get("parameters")
    return {"id": decoded.text("name"), "parameters": parameters if parameters is not None else MapValue()}


def _prebuilds(decoded: Decoded) -> None:
    if (decoded.whole("instances") or 0) < 0:
        raise decoded.error("instances", "expected instances to be at least (0)")
    for policy in decoded.blocks["expiration_policy"]:
        ttl = policy.whole("ttl") or 0
        if ttl and not 3_600 <= ttl <= 31_536_000:
            raise policy.error("ttl", '"ttl" must be 0 or between 3600 and 31536000, inclusive')
    for scheduling in decoded.blocks["scheduling"]:
        for schedule in scheduling.blocks["schedule"]:
            fields = schedule.text("cron").split()
            if len(fields) != 5:
                raise schedule.error("cron", "cron expression should have 5 fields")
            if fields[0] != "*":
                raise schedule.error("cron", "cron expression should be '*' for minute")


KINDS: Mapping[tuple[str, str], Kind] = {("data", "coder_workspace_preset"): Kind(_SCHEMA, _complete)}
"""(mode, type) -> what it is."""
