"""Where an expression is evaluated: the names around it, its file, and the bounds.

Owns no meaning: what a name stands for is the business of ``Names`` (a module instance).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from jupyter_tasks.templates.hcl import nodes
from jupyter_tasks.templates.hcl.diagnostics import Place, Source
from jupyter_tasks.templates.hcl.functions import FunctionContext
from jupyter_tasks.templates.hcl.values import Value

__all__ = ["MAX_STEPS", "MAX_TEXT", "Budget", "Names", "Scope"]

MAX_STEPS = 300_000
MAX_TEXT = 16 * 1024 * 1024


class Names(Protocol):
    """What bare names stand for."""

    def resolve(self, node: nodes.Reference, scope: Scope) -> tuple[Value, int]:
        """The value of ``node`` and how many of its steps that used up. Raises: HclError."""


@dataclass(slots=True)
class Budget:
    """How much more may be evaluated: a bound against templates that grow without end."""

    steps: int = MAX_STEPS
    text: int = MAX_TEXT


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression is evaluated: its file, the names around it, and those of loops (``local``)."""

    names: Names
    source: Source
    functions: FunctionContext
    budget: Budget
    local: Mapping[str, Value] = field(default_factory=dict)

    def place(self, node: nodes.Node) -> Place:
        """Where ``node`` stands."""
        return Place(self.source, node.start, node.end)

    def with_local(self, **names: Value) -> Scope:
        """This scope with more loop names."""
        return replace(self, local={**self.local, **names})
