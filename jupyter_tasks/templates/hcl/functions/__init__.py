"""Terraform's functions.

Owns the table of functions and how one is called; each family has a module of its own. A function is found by name
when it is first needed; ``try`` and ``can`` belong to the evaluator, because they take expressions, not values.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from jupyter_tasks.templates.hcl.diagnostics import did_you_mean
from jupyter_tasks.templates.hcl.functions.registry import (
    REGISTRY,
    Function,
    FunctionContext,
    FunctionProblem,
    Renderer,
    call,
)
from jupyter_tasks.templates.hcl.values import Value

__all__ = ["FunctionContext", "FunctionProblem", "Renderer", "function_names", "invoke", "missing_function"]

_FAMILIES = (
    "collection",
    "conversion",
    "encoding",
    "filesystem",
    "format",
    "hashing",
    "numeric",
    "strings",
    "time",
    "network",
)
_NOT_HERE = frozenset(
    {
        "abspath", "base64gzip", "bcrypt", "ephemeralasnull", "issensitive", "pathexpand", "rsadecrypt",
        "textdecodebase64", "type", "uuid", "yamldecode", "yamlencode",
    }
)  # fmt: skip


@cache
def _table() -> dict[str, Function]:
    for family in _FAMILIES:
        import_module(f"{__name__}.{family}")
    return REGISTRY


def function_names() -> frozenset[str]:
    """Every function that can be called."""
    return frozenset(_table()) | {"try", "can"}


def missing_function(name: str) -> tuple[str, str, str] | None:
    """Summary, detail and suggestion when there is no function of that name; None when there is."""
    if name in _table() or name in ("try", "can"):
        return None
    if name in _NOT_HERE:
        return "Unsupported function", f'Terraform\'s function "{name}" is not available here.', ""
    return (
        "Call to unknown function",
        f'There is no function named "{name}".',
        did_you_mean(name, function_names()),
    )


def invoke(name: str, values: list[Value], context: FunctionContext) -> Value:
    """Call the function of that name. Raises: FunctionProblem."""
    return call(_table()[name], values, context)
