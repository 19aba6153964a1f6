"""What several test files evaluate with."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_tasks.templates.hcl import nodes
from jupyter_tasks.templates.hcl.diagnostics import Source
from jupyter_tasks.templates.hcl.evaluate import evaluate
from jupyter_tasks.templates.hcl.functions import FunctionContext
from jupyter_tasks.templates.hcl.scope import Budget, Scope
from jupyter_tasks.templates.hcl.syntax import parse_expression, parse_template
from jupyter_tasks.templates.hcl.values import Value

TEMPLATE = "Hi ${name}: %{ for x in list }<${x}>%{ endfor }"


class NoFiles:
    def read(self, path: str) -> bytes:
        raise AssertionError(path)

    def exists(self, path: str) -> bool:
        return False

    def list(self, path: str) -> list[str]:
        return []


class OnlyTemplate:
    """Knows ``local.template`` and nothing else."""

    def resolve(self, node: nodes.Reference, scope: Scope) -> tuple[Value, int]:
        if node.name == "local":
            return TEMPLATE, 1
        raise scope.place(node).error("undeclared")


def value_of(text: str, *, names: Mapping[str, Value] | None = None) -> Value:
    def render(name: str, body: str, variables: Mapping[str, Value]) -> Value:
        source = Source(name, body)
        return evaluate(parse_template(source), Scope(OnlyTemplate(), source, context, Budget(), variables))

    context = FunctionContext(NoFiles(), render)
    source = Source("expression", text)
    return evaluate(parse_expression(source), Scope(OnlyTemplate(), source, context, Budget(), names or {}))
