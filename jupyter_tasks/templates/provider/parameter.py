"""``data "coder_parameter"``: its forms, options and validation, checked in the provider's order.

Owns the truth table of form types, and every error text. A wrong value that somebody chose is a ParameterProblem, so
that the caller can be told about the field and not about the template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from jupyter_tasks.templates.hcl.diagnostics import HclError
from jupyter_tasks.templates.hcl.functions.matching import find
from jupyter_tasks.templates.hcl.functions.patterns import compile_pattern
from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem
from jupyter_tasks.templates.hcl.types import BOOL, NUMBER
from jupyter_tasks.templates.hcl.values import Value
from jupyter_tasks.templates.provider.schema import Argument, Decoded, Draft, Kind, Nested, Schema

__all__ = ["FORM_TYPES", "KINDS", "TYPES", "ParameterProblem"]

TYPES = ("string", "number", "bool", "list(string)")
FORM_TYPES: Mapping[tuple[str, bool], tuple[str, ...]] = {
    ("string", True): ("radio", "dropdown"),
    ("string", False): ("input", "textarea"),
    ("number", True): ("radio", "dropdown"),
    ("number", False): ("input", "slider"),
    ("bool", True): ("radio", "dropdown"),
    ("bool", False): ("checkbox", "switch"),
    ("list(string)", True): ("radio", "multi-select"),
    ("list(string)", False): ("tag-select",),
}
"""(type, has options) -> what it may be shown as, the default first."""

_ALL_FORMS = (
    "radio", "slider", "input", "dropdown", "checkbox", "switch", "multi-select", "tag-select", "textarea", "error",
)  # fmt: skip
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:[+-]?(?:inf(?:inity)?|nan))", re.ASCII)
_BOOLS = frozenset({"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"})


class ParameterProblem(HclError):
    """The value that was chosen for parameter ``name`` is wrong."""

    def __init__(self, name: str, problem: HclError) -> None:
        super().__init__(problem.diagnostics)
        self.name = name


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is checked: the parameter, its value, and whether somebody chose it."""

    decoded: Decoded
    type: str
    form: str
    value: str | None
    chosen: bool
    previous: str | None

    @property
    def label(self) -> str:
        return "Value" if self.chosen else "Default value"

    def error(self, summary: str, detail: str = "") -> HclError:
        place = self.decoded.place if self.chosen else self.decoded.at("default")
        return place.error(summary, detail)


_OPTION = Schema(
    {"name": Argument(required=True), "value": Argument(required=True), "description": Argument(), "icon": Argument()}
)
_VALIDATION = Schema(
    {
        "min": Argument(NUMBER),
        "max": Argument(NUMBER),
        "min_disabled": Argument(BOOL, computed=True),
        "max_disabled": Argument(BOOL, computed=True),
        "monotonic": Argument(),
        "regex": Argument(),
        "error": Argument(),
    }
)
_SCHEMA = Schema(
    {
        "id": Argument(computed=True),
        "value": Argument(computed=True),
        "optional": Argument(BOOL, computed=True),
        "name": Argument(required=True),
        "display_name": Argument(),
        "description": Argument(),
        "icon": Argument(),
        "type": Argument(default="string"),
        "form_type": Argument(),
        "styling": Argument(default="{}"),
        "mutable": Argument(BOOL, default=False),
        "default": Argument(),
        "order": Argument(NUMBER),
        "ephemeral": Argument(BOOL, default=False),
    },
    {"option": Nested(_OPTION), "validation": Nested(_VALIDATION, 1)},
)


def _complete(draft: Draft) -> Mapping[str, Value]:
    decoded, facts = draft.decoded, draft.facts
    name = decoded.text("name")
    if not name:
        raise decoded.error("name", "parameter name must not be empty")
    if decoded.text("type") not in TYPES:
        words = " ".join(f'"{word}"' for word in TYPES)
        raise decoded.error("type", f'expected type to be one of [{words}], got "{decoded.text("type")}"')
    if decoded.flag("ephemeral") and not decoded.flag("mutable"):
        raise decoded.error("ephemeral", "parameter can't be immutable and ephemeral")
    default = decoded.values.get("default")
    if decoded.flag("ephemeral") and default is None:
        raise decoded.error("ephemeral", "ephemeral parameter requires the default property")
    form = _form(decoded)
    _check_options(decoded, form)
    _check_styling(decoded)
    chosen = name in facts.parameters
    value = facts.parameters[name] if chosen else (default if isinstance(default, str) else None)
    subject = _Subject(decoded, decoded.text("type"), form, value, chosen, facts.inputs.previous_parameters.get(name))
    try:
        _check_value(subject)
    except HclError as problem:
        raise (ParameterProblem(name, problem) if chosen else problem) from None
    return {
        "id": draft.id,
        "value": value or "",
        "optional": default is not None,
        "form_type": form,
    }


def _form(decoded: Decoded) -> str:
    kind, form = decoded.text("type"), decoded.text("form_type")
    has_options = bool(decoded.blocks["option"])
    allowed = FORM_TYPES[kind, has_options]
    if not form:
        return allowed[0]
    if form == "error":
        return form
    if form not in _ALL_FORMS or form not in allowed:
        having = "when options exist" if has_options else "when options do not exist"
        raise decoded.error(
            "form_type",
            "Invalid form_type for parameter",
            f'"form_type" attribute="{form}" is not supported for "type"="{kind}" {having},'
            f" choose one of [{' '.join(allowed)}]",
        )
    return form


def _check_options(decoded: Decoded, form: str) -> None:
    names: set[str] = set()
    values: set[str] = set()
    kind = "string" if form == "multi-select" else decoded.text("type")
    for option in decoded.blocks["option"]:
        name, value = option.text("name"), option.text("value")
        if name in names:
            raise option.error(
                "name", "Option names must be unique.", f'multiple options found with the same name "{name}"'
            )
        if value in values:
            raise option.error(
                "value", "Option values must be unique.", f'multiple options found with the same value "{value}"'
            )
        names.add(name)
        values.add(value)
        if not _is_of_type(kind, value):
            raise option.error("value", f'Option "{name}" with value="{value}" is not of type "{kind}"')


def _check_styling(decoded: Decoded) -> None:
    try:
        json.loads(decoded.text("styling") or "{}")
    except ValueError as problem:
        raise decoded.error("styling", "Invalid styling", f"It must be JSON: {problem}.") from None


def _is_of_type(kind: str, value: str) -> bool:
    if kind == "number":
        return _FLOAT.fullmatch(value) is not None
    if kind == "bool":
        return value in _BOOLS
    return kind != "list(string)" or _string_list(value) is not None


def _string_list(value: str) -> list[str] | None:
    try:
        found = json.loads(value)
    except ValueError:
        return None
    if isinstance(found, list) and all(isinstance(item, str) for item in found):
        return found
    return None


def _check_value(subject: _Subject) -> None:
    rules = subject.decoded.blocks["validation"]
    if not rules and subject.value is None:
        return
    if subject.decoded.blocks["option"]:
        _check_membership(subject)
    if rules and subject.value is not None:
        _check_rules(subject, rules[0])
    if subject.value and not _is_of_type(subject.type, subject.value):
        raise subject.error(
            f'Parameter value is not of type "{subject.type}"',
            f'{subject.label} "{subject.value}" is not a {subject.type}.',
        )


def _check_membership(subject: _Subject) -> None:
    known = [option.text("value") for option in subject.decoded.blocks["option"]]
    value = subject.value or ""
    if subject.form == "multi-select":
        chosen = _string_list(value)
        if chosen is None:
            raise subject.error("When using list(string) type, value must be a json encoded list of strings")
        missing = [item for item in chosen if item not in known]
        if missing:
            raise subject.error(
                f"{subject.label}s must be a valid option",
                f'{subject.label} "{value}" is not a valid option, values "{", ".join(missing)}"'
                " are missing from the options",
            )
        return
    if value not in known:
        extra = "" if value else ". The value is empty, did you forget to set it with a default or from user input?"
        raise subject.error(
            f"{subject.label} must be a valid option{extra}",
            f'the value "{value}" must be defined as one of options: {", ".join(known)}',
        )


def _check_rules(subject: _Subject, rules: Decoded) -> None:
    detail = _broken_rule(subject, rules)
    if detail:
        where = "value" if subject.chosen else "default value"
        raise subject.error(f"Invalid parameter {where} according to 'validation' block", detail)


def _broken_rule(subject: _Subject, rules: Decoded) -> str:
    kind, value = subject.type, subject.value or ""
    least, most, direction, pattern = (rules.values.get(name) for name in ("min", "max", "monotonic", "regex"))
    if pattern and (least is not None or most is not None or direction):
        raise rules.error(
            "regex", "Conflicting configuration arguments", '"regex" conflicts with min, max and monotonic'
        )
    if kind != "number":
        if least is not None:
            return f"a min cannot be specified for a {kind} type"
        if most is not None:
            return f"a max cannot be specified for a {kind} type"
        if direction:
            return f"monotonic validation can only be specified for number types, not {kind} types"
    if kind != "string" and pattern:
        return f"a regex cannot be specified for a {kind} type"
    if kind == "bool" and value not in ("true", "false"):
        return 'boolean value can be either "true" or "false"'
    if kind == "string" and pattern:
        return _broken_pattern(rules, str(pattern), value)
    if kind == "number":
        return _broken_number(subject, rules, value)
    if kind == "list(string)" and _string_list(value) is None:
        return f'value "{value}" is not valid list of strings'
    return ""


def _broken_pattern(rules: Decoded, pattern: str, value: str) -> str:
    try:
        found = find(compile_pattern(pattern), value, most=1)
    except FunctionProblem as problem:
        raise rules.error("regex", "Invalid regex", problem.message) from None
    message = rules.text("error")
    if not message:
        return "an error must be specified with a regex validation"
    return "" if found else f'{message} (value "{value}" does not match "{pattern}")'


def _broken_number(subject: _Subject, rules: Decoded, value: str) -> str:
    if not _INTEGER.fullmatch(value) or len(value) > 19:
        return f'value "{value}" is not a number'
    amount, least, most = int(value), rules.whole("min"), rules.whole("max")
    custom = rules.text("error")
    for name, bound in (("min", least), ("max", most), ("value", amount)):
        custom = custom.replace(f"{{{name}}}", str(bound if bound is not None else 0))
    if least is not None and amount < least:
        return custom or f"value {amount} is less than the minimum {least}"
    if most is not None and amount > most:
        return custom or f"value {amount} is more than the maximum {most}"
    direction = rules.text("monotonic")
    if not direction:
        return ""
    if direction not in ("increasing", "decreasing"):
        return 'number monotonicity can be either "increasing" or "decreasing"'
    previous = subject.previous
    if previous is None or not _INTEGER.fullmatch(previous):
        return ""
    rising = direction == "increasing"
    if (amount < int(previous)) if rising else (amount > int(previous)):
        relation = "greater" if rising else "lower"
        return custom or f"parameter value '{amount}' must be equal or {relation} than previous value: {previous}"
    return ""


KINDS: Mapping[tuple[str, str], Kind] = {("data", "coder_parameter"): Kind(_SCHEMA, _complete)}
"""(mode, type) -> what it is."""
