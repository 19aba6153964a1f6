"""Input variables: types, defaults, nullability, validations.

Owns what a value given for a ``variable`` becomes, what stands in for a provider's key, and the conditions of
``validation``, ``precondition`` and ``postcondition``, which are all alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jupyter_tasks.templates.credentials import provider_of
from jupyter_tasks.templates.hcl import nodes
from jupyter_tasks.templates.hcl.conversion import ConversionError, convert
from jupyter_tasks.templates.hcl.diagnostics import HclError, Place, Source
from jupyter_tasks.templates.hcl.evaluate import evaluate
from jupyter_tasks.templates.hcl.scope import Scope
from jupyter_tasks.templates.hcl.syntax import parse_expression
from jupyter_tasks.templates.hcl.type_syntax import read_type
from jupyter_tasks.templates.hcl.types import BOOL, DYNAMIC, STRING, Type
from jupyter_tasks.templates.hcl.values import UNKNOWN, Value

__all__ = ["VariableProblem", "VariableReader"]


class VariableProblem(HclError):
    """A value given from outside for a root variable is wrong or missing; ``name`` says which."""

    def __init__(self, name: str, problem: HclError) -> None:
        super().__init__(problem.diagnostics)
        self.name = name


@dataclass(slots=True)
class VariableReader:
    """Reads variables; ``given`` are the texts that the caller has for those of the root module.

    ``token`` stands where a provider's key is asked for and not given; ``providers`` are those that were asked for.
    """

    given: Mapping[str, str]
    token: str = ""
    providers: dict[str, None] = field(default_factory=dict)
    _types: dict[int, Type] = field(default_factory=dict)

    def type(self, block: nodes.Block, scope: Scope) -> Type:
        """The declared type; any when there is none."""
        attribute = block.body.attributes.get("type")
        if attribute is None:
            return DYNAMIC
        if id(block) not in self._types:
            self._types[id(block)] = read_type(
                attribute.expression, attribute.source, lambda node: evaluate(node, scope)
            )
        return self._types[id(block)]

    def root(self, block: nodes.Block, scope: Scope) -> Value:
        """The value of a variable of the root module: the caller's text, else the default."""
        name = block.labels[0].text
        if name not in self.given:
            if "default" not in block.body.attributes and self.asks_for_key(block, scope):
                return self.stand_in(block, None, scope)
            try:
                return self.stand_in(block, self.default(block, scope), scope)
            except HclError as problem:
                missing = "default" not in block.body.attributes
                raise (VariableProblem(name, problem) if missing else problem) from None
        text = self.given[name]
        kind = self.type(block, scope)
        try:
            value: Value = text
            if kind is not STRING and kind is not DYNAMIC:
                source = Source(f"<value for var.{name}>", text)
                plain = kind.name in ("number", "bool")
                value = (
                    text
                    if plain
                    else evaluate(parse_expression(source), Scope(scope.names, source, scope.functions, scope.budget))
                )
            return self.settle(block, value, block.place, scope)
        except HclError as problem:
            raise VariableProblem(name, problem) from None

    def default(self, block: nodes.Block, scope: Scope) -> Value:
        """The default's value. Raises: HclError when there is none."""
        attribute = block.body.attributes.get("default")
        name = block.labels[0].text
        if attribute is None:
            raise block.place.error(
                "No value for required variable", f'The variable "{name}" is not set, and has no default value.'
            )
        value = evaluate(attribute.expression, scope)
        try:
            return convert(value, self.type(block, scope))
        except ConversionError as problem:
            raise attribute.value_place.error(
                "Invalid default value for variable", f"This default value is not compatible: {problem}."
            ) from None

    def settle(self, block: nodes.Block, value: Value, place: Place, scope: Scope) -> Value:
        """A given value as the declared type; null becomes the default where null is not allowed."""
        name = block.labels[0].text
        if value is None and not self._nullable(block, scope):
            if "default" in block.body.attributes:
                return self.default(block, scope)
            raise place.error("Required variable not set", f'The variable "{name}" must not be null.')
        try:
            return convert(value, self.type(block, scope))
        except ConversionError as problem:
            raise place.error(
                "Invalid value for input variable", f"The given value is not suitable for var.{name}: {problem}."
            ) from None

    def asks_for_key(self, block: nodes.Block, scope: Scope) -> bool:
        """Whether a variable is sensitive and has the name of a provider's key."""
        sensitive = block.body.attributes.get("sensitive")
        if sensitive is None or provider_of(block.labels[0].text) is None:
            return False
        return evaluate(sensitive.expression, scope) is True

    def stand_in(self, block: nodes.Block, value: Value, scope: Scope) -> Value:
        """The task token where a provider's key is asked for and nothing is there; else ``value`` itself."""
        if value not in (None, "") or not self.asks_for_key(block, scope):
            return value
        provider = provider_of(block.labels[0].text)
        if provider is not None:
            self.providers[provider] = None
        return self.token

    def validate(self, block: nodes.Block, scope: Scope) -> None:
        """Check every ``validation`` block. Raises: HclError."""
        for inner in block.body.blocks:
            if inner.type == "validation":
                try:
                    self.condition(inner, scope, "Invalid value for variable")
                except HclError as problem:
                    given = block.labels[0].text in self.given and not getattr(scope.names, "address", "")
                    raise (VariableProblem(block.labels[0].text, problem) if given else problem) from None

    def condition(self, block: nodes.Block, scope: Scope, summary: str) -> None:
        """Check ``condition``; when it is false, say ``error_message``. Raises: HclError."""
        condition = block.body.attributes.get("condition")
        message = block.body.attributes.get("error_message")
        if condition is None or message is None:
            raise block.place.error("Missing required argument", "condition and error_message are required.")
        found = evaluate(condition.expression, scope)
        try:
            answer = convert(found, BOOL)
        except ConversionError as problem:
            raise condition.value_place.error("Invalid condition result", f"{problem}.") from None
        if answer is UNKNOWN:
            return
        if answer is None:
            raise condition.value_place.error("Invalid condition result", "The condition must not be null.")
        if answer is False:
            text = evaluate(message.expression, scope)
            raise condition.value_place.error(summary, text if isinstance(text, str) else "")

    def _nullable(self, block: nodes.Block, scope: Scope) -> bool:
        attribute = block.body.attributes.get("nullable")
        return attribute is None or evaluate(attribute.expression, scope) is not False
