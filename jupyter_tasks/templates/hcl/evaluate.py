"""An expression -> its value, with Terraform's (>= 1.12) semantics.

Owns what every kind of node means: short-circuit logic, conditionals whose branches agree on a type, splats, ``for``,
templates. What a bare name means is the business of ``Names`` (a module instance); what a function does, of
``functions``. Nothing here reads a file, the environment or the clock.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from jupyter_tasks.templates.hcl import nodes, operations
from jupyter_tasks.templates.hcl.access import follow, index
from jupyter_tasks.templates.hcl.conversion import ConversionError, convert
from jupyter_tasks.templates.hcl.diagnostics import HclError, Place
from jupyter_tasks.templates.hcl.functions import FunctionProblem, invoke, missing_function
from jupyter_tasks.templates.hcl.scope import MAX_STEPS, MAX_TEXT, Scope
from jupyter_tasks.templates.hcl.types import STRING, type_name, unify
from jupyter_tasks.templates.hcl.values import (
    UNKNOWN,
    ListValue,
    ObjectValue,
    SetValue,
    TupleValue,
    Value,
    is_number,
    type_of,
)

__all__ = ["evaluate"]


def evaluate(node: nodes.Expression, scope: Scope) -> Value:
    """The value of ``node``. Raises: HclError with the place of what is wrong."""
    budget = scope.budget
    budget.steps -= 1
    if budget.steps < 0:
        raise scope.place(node).error(
            "Template does too much work", f"More than {MAX_STEPS} steps were needed to evaluate it."
        )
    return _RULES[type(node)](node, scope)


def _literal(node: nodes.Literal, scope: Scope) -> Value:
    return node.value


def _reference(node: nodes.Reference, scope: Scope) -> Value:
    if node.name in scope.local:
        return follow(scope.local[node.name], node.steps, scope) if node.steps else scope.local[node.name]
    value, used = scope.names.resolve(node, scope)
    return follow(value, node.steps[used:], scope) if used < len(node.steps) else value


def _traversal(node: nodes.Traversal, scope: Scope) -> Value:
    return follow(evaluate(node.target, scope), node.steps, scope)


def _computed_index(node: nodes.Index, scope: Scope) -> Value:
    target = evaluate(node.target, scope)
    return index(target, evaluate(node.key, scope), scope.place(node.key))


_ITEM = "\0item"


def _splat_item(node: nodes.SplatItem, scope: Scope) -> Value:
    return scope.local[_ITEM]


def _splat(node: nodes.Splat, scope: Scope) -> Value:
    target = evaluate(node.target, scope)
    if target is UNKNOWN:
        return UNKNOWN
    if target is None:
        return TupleValue()
    found = target if isinstance(target, tuple) else (target,)
    items = [evaluate(node.each, scope.with_local(**{_ITEM: item})) for item in found]
    return ListValue(items) if isinstance(target, (ListValue, SetValue)) else TupleValue(items)


def _unary(node: nodes.Unary, scope: Scope) -> Value:
    value = evaluate(node.operand, scope)
    try:
        return operations.negate(node.operator, value)
    except ConversionError as problem:
        raise scope.place(node.operand).error("Invalid operand", f"Unsuitable value: {problem}.") from None


def _binary(node: nodes.Binary, scope: Scope) -> Value:
    spine = [node]
    while isinstance(spine[-1].left, nodes.Binary):
        spine.append(spine[-1].left)
    value = evaluate(spine[-1].left, scope)
    for item in reversed(spine):
        value = _apply(item, value, scope)
    return value


def _apply(node: nodes.Binary, left: Value, scope: Scope) -> Value:
    at: nodes.Expression = node.left
    try:
        if node.operator in ("&&", "||"):
            return _logic(node, left, scope)
        right = evaluate(node.right, scope)
        if node.operator not in ("==", "!="):
            operations.numeric(left)
            at = node.right
        return operations.binary(node.operator, left, right)
    except ConversionError as problem:
        raise scope.place(at).error(
            "Invalid operand", f'Unsuitable value for the operand of "{node.operator}": {problem}.'
        ) from None
    except operations.ArithmeticProblem as problem:
        raise scope.place(node).error("Operation failed", str(problem)) from None


def _logic(node: nodes.Binary, left: Value, scope: Scope) -> Value:
    """Short-circuit: the right side counts only where the left does not decide. In ``&&`` null is as good as false."""
    deciding = node.operator == "||"
    if left is None and not deciding:
        return False
    first = None if left is None else operations.logical(left)
    if first is deciding:
        return first
    right = evaluate(node.right, scope)
    if right is None and not deciding:
        return False
    try:
        second = operations.logical(right)
    except ConversionError as problem:
        detail = f'Unsuitable value for the operand of "{node.operator}": {problem}.'
        raise scope.place(node.right).error("Invalid operand", detail) from None
    if first is None and second is not True:
        raise scope.place(node.left).error("Invalid operand", 'The operand of "||" must not be null.')
    return second if second is deciding or first is not UNKNOWN else UNKNOWN


def _conditional(node: nodes.Conditional, scope: Scope) -> Value:
    found = evaluate(node.condition, scope)
    try:
        answer = operations.logical(found)
    except ConversionError as problem:
        raise scope.place(node.condition).error(
            "Incorrect condition type", f"The condition must be true or false: {problem}."
        ) from None
    if answer is UNKNOWN:
        return UNKNOWN
    taken, other = (node.yes, node.no) if answer else (node.no, node.yes)
    value = evaluate(taken, scope)
    try:
        unused = evaluate(other, scope)
    except HclError as problem:
        if problem.static:
            raise
        return value
    mine, theirs = type_of(value), type_of(unused)
    kind = unify([mine, theirs])
    if kind is None:
        yes, no = (mine, theirs) if answer else (theirs, mine)
        raise scope.place(node).error(
            "Inconsistent conditional result types",
            "The true and false result expressions must have consistent types."
            f" The 'true' value is {type_name(yes)}, but the 'false' value is {type_name(no)}.",
        )
    return value if kind == mine else convert(value, kind)


def _parentheses(node: nodes.Parentheses, scope: Scope) -> Value:
    return evaluate(node.inner, scope)


def _tuple(node: nodes.TupleLiteral, scope: Scope) -> Value:
    return TupleValue([evaluate(item, scope) for item in node.items])


def _object(node: nodes.ObjectLiteral, scope: Scope) -> Value:
    found: dict[str, Value] = {}
    for item in node.items:
        if item.name is not None:
            found[item.name] = evaluate(item.value, scope)
            continue
        place = scope.place(item.key)
        if isinstance(item.key, nodes.Reference):
            raise place.error(
                "Ambiguous attribute key",
                "If this expression is a reference, wrap it in parentheses; if it is a name with dots, quote it.",
            )
        key = evaluate(item.key, scope)
        value = evaluate(item.value, scope)
        if key is UNKNOWN:
            return UNKNOWN
        found[_key(key, place)] = value
    return ObjectValue(sorted(found.items()))


def _key(key: Value, place: Place) -> str:
    try:
        name = convert(key, STRING)
    except ConversionError as problem:
        raise place.error("Incorrect key type", f"Can't use this value as a key: {problem}.") from None
    if not isinstance(name, str):
        raise place.error("Null value as key", "Can't use a null value as a key.")
    return name


def _pairs(node: nodes.For, collection: Value, scope: Scope) -> list[tuple[Value, Value]]:
    if isinstance(collection, dict):
        return sorted(collection.items())
    if isinstance(collection, SetValue):
        return [(item, item) for item in collection]
    if isinstance(collection, tuple):
        return list(enumerate(collection))
    what = "A null value" if collection is None else f"A {type_name(type_of(collection))}"
    raise scope.place(node.collection).error(
        "Iteration over non-iterable value", f"{what} cannot be used as the collection in a 'for' expression."
    )


def _for(node: nodes.For, scope: Scope) -> Value:
    collection = evaluate(node.collection, scope)
    if collection is UNKNOWN:
        return UNKNOWN
    items: list[Value] = []
    named: dict[str, Value] = {}
    groups: dict[str, list[Value]] = {}
    for key, value in _pairs(node, collection, scope):
        names = {node.key_name: key} if node.key_name else {}
        inner = scope.with_local(**{**names, node.value_name: value})
        if node.condition is not None:
            included = _included(node.condition, inner)
            if included is UNKNOWN:
                return UNKNOWN
            if not included:
                continue
        if node.key is None:
            items.append(evaluate(node.value, inner))
            continue
        made = evaluate(node.key, inner)
        if made is UNKNOWN:
            return UNKNOWN
        name = _key(made, scope.place(node.key))
        if node.group:
            groups.setdefault(name, []).append(evaluate(node.value, inner))
        elif name in named:
            raise scope.place(node.key).error(
                "Duplicate object key",
                f"Two different items produced the key \"{name}\" in this 'for' expression.",
                suggestion="If duplicates are expected, use the ellipsis (...) after the value to group them.",
            )
        else:
            named[name] = evaluate(node.value, inner)
    if node.key is None:
        return TupleValue(items)
    named = {name: TupleValue(found) for name, found in groups.items()} if node.group else named
    return ObjectValue(sorted(named.items()))


def _included(node: nodes.Expression, scope: Scope) -> object:
    try:
        return operations.logical(evaluate(node, scope))
    except ConversionError as problem:
        raise scope.place(node).error(
            "Invalid 'for' condition", f"The 'if' clause must be true or false: {problem}."
        ) from None


def _template(node: nodes.Template, scope: Scope) -> Value:
    texts: list[str] = []
    unknown = False
    for part in node.parts:
        value = evaluate(part, scope)
        if value is UNKNOWN:
            unknown = True
        elif isinstance(value, str):
            texts.append(value)
        else:
            texts.append(_as_text(value, part, scope))
    return UNKNOWN if unknown else _bounded("".join(texts), node, scope)


def _as_text(value: Value, node: nodes.Expression, scope: Scope) -> str:
    place = scope.place(node)
    if value is None:
        raise place.error(
            "Invalid template interpolation value",
            "The expression result is null. Cannot include a null value in a string template.",
        )
    try:
        return str(convert(value, STRING))
    except ConversionError as problem:
        raise place.error(
            "Invalid template interpolation value",
            f"Cannot include this value in a string template: {problem}.",
            suggestion="Use jsonencode or join to make text of it." if not is_number(value) else "",
        ) from None


def _bounded(text: str, node: nodes.Expression, scope: Scope) -> str:
    """The text as every string is: composed (NFC), and counted against the bound."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    scope.budget.text -= len(text)
    if scope.budget.text < 0:
        raise scope.place(node).error("Template makes too much text", f"More than {MAX_TEXT} characters.")
    return text


def _wrap(node: nodes.Wrap, scope: Scope) -> Value:
    return evaluate(node.inner, scope)


def _join(node: nodes.TemplateJoin, scope: Scope) -> Value:
    found = _for(node.loop, scope)
    if not isinstance(found, tuple) or UNKNOWN in found:
        return UNKNOWN
    return _bounded("".join(str(item) for item in found), node, scope)


def _call(node: nodes.Call, scope: Scope) -> Value:
    if node.name in ("try", "can"):
        return _attempt(node, scope)
    name = node.name.removeprefix("core::")
    place = Place(scope.source, node.start, node.name_end)
    unknown = missing_function(name)
    if unknown:
        summary, detail, suggestion = unknown
        problem = place.error(summary, detail, suggestion=suggestion)
        problem.static = True
        raise problem
    values = [evaluate(argument, scope) for argument in node.arguments]
    if node.expand:
        last = values.pop()
        if last is UNKNOWN:
            return UNKNOWN
        if not isinstance(last, tuple):
            at = scope.place(node.arguments[-1])
            raise at.error("Invalid expanding argument value", "The argument before ... must be a list, tuple or set.")
        values += last
    try:
        result = invoke(name, values, scope.functions)
    except FunctionProblem as found:
        index = found.argument
        exact = index is not None and index < len(node.arguments)
        at = scope.place(node.arguments[index]) if exact and index is not None else scope.place(node)
        summary = "Invalid function argument" if exact else f'Error in function call to "{node.name}"'
        raise at.error(summary, found.message) from None
    return _bounded(result, node, scope) if isinstance(result, str) else result


def _attempt(node: nodes.Call, scope: Scope) -> Value:
    if not node.arguments:
        raise scope.place(node).error("Not enough function arguments", f'"{node.name}" needs an expression.')
    if node.name == "can" and len(node.arguments) > 1:
        raise scope.place(node).error("Too many function arguments", '"can" takes one expression.')
    failed: list[HclError] = []
    for argument in node.arguments:
        try:
            value = evaluate(argument, scope)
        except HclError as problem:
            if problem.static:
                raise
            failed.append(problem)
        else:
            return value if node.name == "try" else True
    if node.name == "can":
        return False
    reasons = "; ".join(dict.fromkeys(problem.diagnostics[0].summary for problem in failed))
    raise scope.place(node).error('Error in function call to "try"', f"None of its expressions has a value: {reasons}.")


_RULES: dict[type, Callable[[Any, Scope], Value]] = {
    nodes.Literal: _literal,
    nodes.Reference: _reference,
    nodes.Traversal: _traversal,
    nodes.Index: _computed_index,
    nodes.SplatItem: _splat_item,
    nodes.Splat: _splat,
    nodes.Call: _call,
    nodes.Unary: _unary,
    nodes.Binary: _binary,
    nodes.Conditional: _conditional,
    nodes.Parentheses: _parentheses,
    nodes.TupleLiteral: _tuple,
    nodes.ObjectLiteral: _object,
    nodes.For: _for,
    nodes.Template: _template,
    nodes.Wrap: _wrap,
    nodes.TemplateJoin: _join,
}
