"""What can be said about a module's names without evaluating anything.

Owns the search for undeclared variables, locals, resources, modules and functions in every expression, also in those
that no evaluation reaches, so that all of them are reported in one go.
"""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_tasks.errors import Diagnostic
from jupyter_tasks.templates.configuration import ModuleConfig
from jupyter_tasks.templates.hcl import nodes
from jupyter_tasks.templates.hcl.diagnostics import Place, Source, did_you_mean, undeclared
from jupyter_tasks.templates.hcl.functions import missing_function

__all__ = ["check_names", "data_named"]

_ALWAYS = frozenset({"each", "count", "self", "path", "terraform"})
_WORDS = frozenset(
    {"type", "providers", "provider", "depends_on", "ignore_changes", "replace_triggered_by", "iterator"}
)


def check_names(config: ModuleConfig) -> list[Diagnostic]:
    """Every name in the module's expressions that nothing declares."""
    finder = _Finder(config)
    for attribute in config.locals.values():
        finder.expression(attribute.expression, attribute.source, frozenset())
    for block in (*config.variables.values(), *config.outputs.values()):
        finder.body(block.body, frozenset())
    for module in config.modules.values():
        finder.body(module.block.body, frozenset())
    for resource in config.resources.values():
        finder.body(resource.block.body, frozenset())
    return finder.found


def data_named(node: nodes.Node, type_: str) -> set[str]:
    """The addresses of the data sources of one type that an expression names."""
    found: set[str] = set()
    for item, _ in _with_bound(node, frozenset()):
        if isinstance(item, nodes.Reference) and item.name == "data":
            words = [step.name for step in item.steps[:2] if isinstance(step, nodes.AttributeStep)]
            if len(words) == 2 and words[0] == type_:
                found.add(f"data.{type_}.{words[1]}")
    return found


class _Finder:
    def __init__(self, config: ModuleConfig) -> None:
        self.config = config
        self.found: list[Diagnostic] = []

    def body(self, body: nodes.Body, bound: frozenset[str]) -> None:
        for attribute in body.attributes.values():
            if attribute.name not in _WORDS:
                self.expression(attribute.expression, attribute.source, bound)
        for block in body.blocks:
            inner = bound
            if block.type == "dynamic" and block.labels:
                iterator = block.body.attributes.get("iterator")
                chosen = iterator.expression if iterator else None
                inner |= {chosen.name if isinstance(chosen, nodes.Reference) else block.labels[0].text}
            self.body(block.body, inner)

    def expression(self, node: nodes.Node, source: Source, bound: frozenset[str]) -> None:
        """Check what is in ``node``; ``bound`` are the names of the loops around it."""
        for item, names in _with_bound(node, bound):
            place = Place(source, item.start, item.end)
            if isinstance(item, nodes.Call):
                problem = missing_function(item.name.removeprefix("core::"))
                if problem:
                    at = Place(source, item.start, item.name_end)
                    self.found += at.error(problem[0], problem[1], suggestion=problem[2]).diagnostics
            elif isinstance(item, nodes.Reference) and item.name not in names:
                self._reference(item, place)

    def _reference(self, node: nodes.Reference, place: Place) -> None:
        words = [step.name for step in node.steps if isinstance(step, nodes.AttributeStep)]
        tables: dict[str, tuple[str, object]] = {
            "var": ("input variable", self.config.variables),
            "local": ("local value", self.config.locals),
            "module": ("module call", self.config.modules),
        }
        if node.name in _ALWAYS or not words:
            return
        if node.name in tables:
            what, table = tables[node.name]
            self._known(words[0], table, what, place)
        elif node.name == "data" and len(words) > 1:
            self._known(f"data.{words[0]}.{words[1]}", self.config.resources, "resource", place)
        elif node.name != "data":
            self._known(f"{node.name}.{words[0]}", self.config.resources, "resource", place)

    def _known(self, name: str, table: object, what: str, place: Place) -> None:
        if isinstance(table, dict) and name not in table:
            self.found += place.error(
                f"Reference to undeclared {what}",
                undeclared(what, name),
                suggestion=did_you_mean(name, table),
            ).diagnostics


def _with_bound(node: nodes.Node, bound: frozenset[str]) -> Iterator[tuple[nodes.Node, frozenset[str]]]:
    """Every node at or below ``node`` with the names that loops give it."""
    stack: list[tuple[nodes.Node, frozenset[str]]] = [(node, bound)]
    while stack:
        item, names = stack.pop()
        yield item, names
        if isinstance(item, nodes.For):
            inner = names | {item.value_name} | ({item.key_name} if item.key_name else set())
            stack.append((item.collection, names))
            stack += [(part, inner) for part in (item.key, item.value, item.condition) if part is not None]
        elif isinstance(item, nodes.ObjectItem):
            if item.name is None:
                stack.append((item.key, names))
            stack.append((item.value, names))
        else:
            stack += [(child, names) for child in nodes.children(item)]
