"""JSON, base64, URLs, CSV."""

from __future__ import annotations

import base64
import binascii
import json
from decimal import Decimal, InvalidOperation
from urllib.parse import quote, unquote_plus

from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem, function
from jupyter_tasks.templates.hcl.types import DYNAMIC, STRING
from jupyter_tasks.templates.hcl.values import ListValue, ObjectValue, Value, from_python, number_text

__all__ = ["json_text"]

_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def json_text(value: Value) -> str:
    """Compact JSON with sorted keys; numbers in full; ``<``, ``>``, ``&`` escaped, as Go's encoder does."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).translate(_ESCAPES)
    if isinstance(value, (int, Decimal)):
        return number_text(value)
    if isinstance(value, dict):
        pairs = (f"{json_text(key)}:{json_text(item)}" for key, item in sorted(value.items()))
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, tuple):
        return f"[{','.join(json_text(item) for item in value)}]"
    raise FunctionProblem("the value is not known yet.")


@function("jsonencode", _nullable=("val",), val=DYNAMIC)
def _jsonencode(value: Value) -> Value:
    return json_text(value)


@function("jsondecode", str=STRING)
def _jsondecode(text: str) -> Value:
    try:
        return from_python(json.loads(text, parse_float=Decimal, parse_constant=_no_constant))
    except (ValueError, InvalidOperation, RecursionError) as problem:
        raise FunctionProblem(f"not valid JSON: {problem}.", 0) from None


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not JSON")


@function("base64encode", str=STRING)
def _base64encode(text: str) -> Value:
    return base64.b64encode(text.encode()).decode()


@function("base64decode", str=STRING)
def _base64decode(text: str) -> Value:
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True).decode()
    except binascii.Error:
        raise FunctionProblem("failed to decode base64 data.", 0) from None
    except UnicodeDecodeError:
        raise FunctionProblem("the result of decoding is not valid UTF-8.", 0) from None


@function("textencodebase64", string=STRING, encoding=STRING)
def _textencodebase64(text: str, encoding: str) -> Value:
    try:
        return base64.b64encode(text.encode(encoding)).decode()
    except (LookupError, UnicodeEncodeError):
        raise FunctionProblem(f"the text cannot be written as {encoding!r}.", 1) from None


@function("urlencode", str=STRING)
def _urlencode(text: str) -> Value:
    return quote(text, safe="-_.~ ").replace(" ", "+")


@function("urldecode", str=STRING)
def _urldecode(text: str) -> Value:
    return unquote_plus(text)


@function("csvdecode", str=STRING)
def _csvdecode(text: str) -> Value:
    import csv
    import io

    try:
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as problem:
        raise FunctionProblem(f"not valid CSV: {problem}.", 0) from None
    if not rows:
        raise FunctionProblem("missing header line.", 0)
    header, records = rows[0], [row for row in rows[1:] if row]
    if len(set(header)) != len(header):
        raise FunctionProblem("duplicate column name in the header.", 0)
    if any(len(row) != len(header) for row in records):
        raise FunctionProblem("wrong number of fields in a row.", 0)
    return ListValue(ObjectValue(sorted(zip(header, row, strict=True))) for row in records)
