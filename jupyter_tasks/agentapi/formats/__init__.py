"""What is peculiar to each agent's terminal, one file per agent: data and small functions.

Owns the ``FORMATS`` registry and how an agent is recognised by its command. The agent types and their aliases are
AgentAPI's. Rules for ``Format`` are in ``base``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module

from jupyter_tasks.agentapi.formats.base import Format
from jupyter_tasks.errors import InvalidInput

__all__ = ["AGENT_TYPES", "Format", "agent_type", "format_for"]

AGENT_TYPES = (
    "claude",
    "goose",
    "aider",
    "codex",
    "gemini",
    "copilot",
    "amp",
    "cursor",
    "auggie",
    "amazonq",
    "opencode",
    "custom",
)
_ALIASES = {"cursor-agent": "cursor", "q": "amazonq"}


@cache
def format_for(name: str) -> Format:
    """The format of an agent type.

    Raises: InvalidInput when there is no such type.
    """
    if name not in AGENT_TYPES:
        raise InvalidInput(f"invalid agent type: {name}", hint=f"Known types: {', '.join(AGENT_TYPES)}.")
    found: Format = import_module(f"{__name__}.{name}").FORMAT
    return found


def agent_type(named: str, argv: Sequence[str] = ()) -> str:
    """The agent type that was named (or an alias of it), else the one that ``argv[0]`` literally names, else "custom".

    Raises: InvalidInput when a type was named that there is not.
    """
    if named:
        return format_for(_ALIASES.get(named, named)).name
    first = argv[0] if argv else ""
    first = _ALIASES.get(first, first)
    return first if first in AGENT_TYPES else "custom"
