"""tostring, tolist … and what guards types."""

from __future__ import annotations

from jupyter_tasks.templates.hcl.conversion import ConversionError, convert
from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem, function
from jupyter_tasks.templates.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, SetType, Type
from jupyter_tasks.templates.hcl.values import Value

__all__: list[str] = []


def _declare(name: str, kind: Type) -> None:
    @function(name, _nullable=("v",), _unknown=True, v=DYNAMIC)
    def body(value: Value) -> Value:
        try:
            return convert(value, kind)
        except ConversionError as problem:
            raise FunctionProblem(f"Cannot convert: {problem}.", 0) from None


for _name, _kind in {
    "tostring": STRING,
    "tonumber": NUMBER,
    "tobool": BOOL,
    "tolist": ListType("list", DYNAMIC),
    "toset": SetType("set", DYNAMIC),
    "tomap": MapType("map", DYNAMIC),
}.items():
    _declare(_name, _kind)


@function("sensitive", _nullable=("value",), _unknown=True, value=DYNAMIC)
@function("nonsensitive", _nullable=("value",), _unknown=True, value=DYNAMIC)
def _same(value: Value) -> Value:
    """Nothing here is printed, so the mark makes no difference."""
    return value
