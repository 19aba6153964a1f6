"""Lists, sets, maps and objects."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

from jupyter_tasks.templates.hcl.conversion import ConversionError, convert, make_set, unify_values
from jupyter_tasks.templates.hcl.functions.registry import MAX_ITEMS, FunctionProblem, function
from jupyter_tasks.templates.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, SetType
from jupyter_tasks.templates.hcl.values import (
    ListValue,
    MapValue,
    ObjectValue,
    SetValue,
    TupleValue,
    Value,
    equal,
    order_key,
)

__all__: list[str] = []
_STRINGS = ListType("list", STRING)
_LIST = ListType("list", DYNAMIC)
_SET = SetType("set", DYNAMIC)


def _sequence(value: Value, argument: int = 0) -> tuple[Value, ...]:
    if not isinstance(value, tuple):
        raise FunctionProblem("argument must be a list, tuple or set.", argument)
    return value


def _ordered(value: Value, argument: int) -> tuple[Value, ...]:
    if isinstance(value, SetValue):
        raise FunctionProblem("a set has no order; use tolist first.", argument)
    return _sequence(value, argument)


def _mapping(value: Value, argument: int = 0) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise FunctionProblem("argument must be a map or object.", argument)
    return value


def _whole(value: int | Decimal, argument: int) -> int:
    if not isinstance(value, int):
        raise FunctionProblem("a whole number is required.", argument)
    return value


def _like(source: Value, items: list[Value]) -> Value:
    """``items`` as a list where ``source`` is one, else as a tuple."""
    return TupleValue(items) if isinstance(source, TupleValue) else ListValue(items)


@function("length", value=DYNAMIC)
def _length(value: Value) -> Value:
    if isinstance(value, str):
        from jupyter_tasks.templates.hcl.functions.strings import graphemes

        return len(graphemes(value))
    if isinstance(value, (tuple, dict)):
        return len(value)
    raise FunctionProblem("argument must be a string, a collection type, or a structural type.", 0)


@function("element", list=DYNAMIC, index=NUMBER)
def _element(value: Value, index: int | Decimal) -> Value:
    items, at = _ordered(value, 0), _whole(index, 1)
    if not items:
        raise FunctionProblem("cannot use element function with an empty list.", 0)
    return items[at % len(items)]


@function("index", list=DYNAMIC, value=DYNAMIC)
def _index(value: Value, wanted: Value) -> Value:
    for at, item in enumerate(_sequence(value)):
        if equal(item, wanted) is True:
            return at
    raise FunctionProblem("item not found.", 1)


@function("contains", list=DYNAMIC, value=DYNAMIC)
def _contains(value: Value, wanted: Value) -> Value:
    return any(equal(item, wanted) is True for item in _sequence(value))


@function("concat", _variadic=True, seqs=DYNAMIC)
def _concat(*values: Value) -> Value:
    if not values:
        raise FunctionProblem("at least one argument is required.")
    items = [item for at, value in enumerate(values) for item in _ordered(value, at)]
    if any(isinstance(value, TupleValue) for value in values):
        return TupleValue(items)
    return _unified(items)


def _unified(items: list[Value]) -> ListValue:
    try:
        return ListValue(unify_values(items))
    except ConversionError as problem:
        raise FunctionProblem(f"{problem}.") from None


@function("flatten", list=DYNAMIC)
def _flatten(value: Value) -> Value:
    return TupleValue(_flat(_sequence(value)))


def _flat(items: tuple[Value, ...]) -> list[Value]:
    found: list[Value] = []
    for item in items:
        found += _flat(item) if isinstance(item, tuple) else [item]
    return found


@function("distinct", list=_LIST)
def _distinct(items: tuple[Value, ...]) -> Value:
    seen: dict[object, Value] = {}
    for item in items:
        seen.setdefault(order_key(item), item)
    return ListValue(seen.values())


@function("compact", list=_STRINGS)
def _compact(items: tuple[Value, ...]) -> Value:
    return ListValue(item for item in items if item is not None and item != "")


@function("chunklist", list=_LIST, size=NUMBER)
def _chunklist(items: tuple[Value, ...], size: int | Decimal) -> Value:
    step = _whole(size, 1)
    if step < 0:
        raise FunctionProblem("the size argument must be positive.", 1)
    step = step or max(1, len(items))
    return ListValue(ListValue(items[at : at + step]) for at in range(0, len(items), step))


@function("slice", list=DYNAMIC, start_index=NUMBER, end_index=NUMBER)
def _slice(value: Value, start: int | Decimal, end: int | Decimal) -> Value:
    items, first, last = _sequence(value), _whole(start, 1), _whole(end, 2)
    if isinstance(value, SetValue):
        raise FunctionProblem("cannot slice a set, because its elements do not have indices.", 0)
    if not 0 <= first <= last:
        raise FunctionProblem("start index must not be negative or greater than end index.", 1)
    if last > len(items):
        raise FunctionProblem("end index must not be greater than the length of the list.", 2)
    return _like(value, list(items[first:last]))


@function("reverse", list=DYNAMIC)
def _reverse(value: Value) -> Value:
    return _like(value, list(reversed(_sequence(value))))


@function("sort", list=_STRINGS)
def _sort(items: tuple[str, ...]) -> Value:
    if None in items:
        raise FunctionProblem("elements must not be null.", 0)
    return ListValue(sorted(items))


@function("one", list=DYNAMIC)
def _one(value: Value) -> Value:
    items = _sequence(value)
    if len(items) > 1:
        raise FunctionProblem("must be a list, set, or tuple value with either zero or one elements.", 0)
    return items[0] if items else None


@function("coalesce", _variadic=True, _nullable=("vals",), vals=DYNAMIC)
def _coalesce(*values: Value) -> Value:
    try:
        unified = unify_values(values)
    except ConversionError:
        raise FunctionProblem("all arguments must have the same type.") from None
    for value in unified:
        if value is not None and value != "":
            return value
    raise FunctionProblem("no non-null, non-empty-string arguments.")


@function("coalescelist", _variadic=True, _nullable=("vals",), vals=DYNAMIC)
def _coalescelist(*values: Value) -> Value:
    for at, value in enumerate(values):
        if value is not None and _sequence(value, at):
            return value
    raise FunctionProblem("no non-null arguments with elements.")


@function("alltrue", list=ListType("list", BOOL))
def _alltrue(items: tuple[Value, ...]) -> Value:
    return all(item is True for item in items)


@function("anytrue", list=ListType("list", BOOL))
def _anytrue(items: tuple[Value, ...]) -> Value:
    return any(item is True for item in items)


@function("range", _variadic=True, params=NUMBER)
def _range(*values: int | Decimal) -> Value:
    if not 1 <= len(values) <= 3:
        raise FunctionProblem("must have one, two, or three arguments.")
    start, end = (0, values[0]) if len(values) == 1 else values[:2]
    step = values[2] if len(values) == 3 else (1 if end >= start else -1)
    if step == 0 or ((end > start) != (step > 0) and end != start):
        raise FunctionProblem("the step leads away from the end.", 2)
    found: list[Value] = []
    at = start
    while (at < end) if step > 0 else (at > end):
        found.append(at)
        if len(found) > 1024:
            raise FunctionProblem("more than 1024 values were generated.")
        at = at + step
    return ListValue(found)


@function("keys", inputMap=DYNAMIC)
def _keys(value: Value) -> Value:
    names = sorted(_mapping(value))
    return TupleValue(names) if isinstance(value, ObjectValue) else ListValue(names)


@function("values", mapping=DYNAMIC)
def _values(value: Value) -> Value:
    items = [item for _, item in sorted(_mapping(value).items())]
    return TupleValue(items) if isinstance(value, ObjectValue) else ListValue(items)


@function("lookup", _variadic=True, _nullable=("default",), inputMap=DYNAMIC, key=STRING, default=DYNAMIC)
def _lookup(value: Value, key: str, *default: Value) -> Value:
    found = _mapping(value)
    if key in found:
        return found[key]
    if len(default) == 1:
        return default[0]
    raise FunctionProblem(f"the given object has no attribute {key!r} and no default was given.", 1)


@function("merge", _variadic=True, _nullable=("maps",), maps=DYNAMIC)
def _merge(*values: Value) -> Value:
    merged: dict[str, Value] = {}
    given = [value for value in values if value is not None]
    for at, value in enumerate(given):
        merged.update(_mapping(value, at))
    if given and all(isinstance(value, MapValue) for value in given):
        unified = _unified(list(merged.values()))
        return MapValue(sorted(zip(merged, unified, strict=True)))
    return ObjectValue(sorted(merged.items()))


@function("zipmap", keys=_STRINGS, values=DYNAMIC)
def _zipmap(keys: tuple[str, ...], values: Value) -> Value:
    items = _sequence(values, 1)
    if len(keys) != len(items):
        raise FunctionProblem(f"number of keys ({len(keys)}) does not match number of values ({len(items)}).")
    if None in keys:
        raise FunctionProblem("keys must not be null.", 0)
    pairs = sorted(dict(zip(keys, items, strict=True)).items())
    return MapValue(pairs) if isinstance(values, ListValue) else ObjectValue(pairs)


@function("matchkeys", values=_LIST, keys=_LIST, searchset=_LIST)
def _matchkeys(values: tuple[Value, ...], keys: tuple[Value, ...], wanted: tuple[Value, ...]) -> Value:
    if len(values) != len(keys):
        raise FunctionProblem("length of keys and values should be equal.", 1)
    pairs = zip(values, keys, strict=True)
    return ListValue(value for value, key in pairs if any(equal(key, item) is True for item in wanted))


@function("transpose", values=DYNAMIC)
def _transpose(value: Value) -> Value:
    found: dict[str, list[Value]] = {}
    for name, items in sorted(_mapping(value).items()):
        for item in convert(items, _STRINGS) or ():  # type: ignore[union-attr]
            found.setdefault(str(item), []).append(name)
    return MapValue(sorted((key, ListValue(sorted(map(str, names)))) for key, names in found.items()))


@function("setproduct", _variadic=True, sets=DYNAMIC)
def _setproduct(*values: Value) -> Value:
    if len(values) < 2:
        raise FunctionProblem("at least two arguments are required.")
    size = 1
    for at, value in enumerate(values):
        size *= len(_sequence(value, at))
    if size > MAX_ITEMS:
        raise FunctionProblem(f"more than {MAX_ITEMS} combinations.")
    items: list[Value] = [TupleValue(row) for row in product(*(_sequence(value) for value in values))]
    if all(isinstance(value, SetValue) for value in values):
        return make_set(items)
    return ListValue(items)


@function("setunion", _variadic=True, sets=_SET)
def _setunion(*values: tuple[Value, ...]) -> Value:
    return make_set(item for value in values for item in value)


@function("setintersection", _variadic=True, first_set=_SET, other_sets=_SET)
def _setintersection(first: tuple[Value, ...], *others: tuple[Value, ...]) -> Value:
    return make_set(item for item in first if all(_in(item, other) for other in others))


@function("setsubtract", a=_SET, b=_SET)
def _setsubtract(one: tuple[Value, ...], two: tuple[Value, ...]) -> Value:
    return make_set(item for item in one if not _in(item, two))


@function("setsymmetricdifference", _variadic=True, first_set=_SET, other_sets=_SET)
def _setsymmetricdifference(first: tuple[Value, ...], *others: tuple[Value, ...]) -> Value:
    found = first
    for other in others:
        found = make_set([*(x for x in found if not _in(x, other)), *(x for x in other if not _in(x, found))])
    return make_set(found)


def _in(wanted: Value, items: tuple[Value, ...]) -> bool:
    return any(equal(item, wanted) is True for item in items)
