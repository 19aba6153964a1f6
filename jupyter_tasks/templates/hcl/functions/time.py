"""Times: RFC 3339 text in, RFC 3339 text out. ``timestamp`` is the one moment that the plan was given."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from jupyter_tasks.templates.hcl.functions.registry import FunctionContext, FunctionProblem, function
from jupyter_tasks.templates.hcl.types import STRING
from jupyter_tasks.templates.hcl.values import UNKNOWN, Value

__all__: list[str] = []

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DURATION = re.compile(r"[+-]?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+|[+-]?0", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _read(text: str, argument: int) -> datetime:
    found = _RFC3339.fullmatch(text)
    try:
        if found:
            zone = "+00:00" if found[3] in "Zz" else found[3]
            return datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}")
    except ValueError:
        pass
    raise FunctionProblem(f"{text!r} is not a valid RFC 3339 timestamp.", argument)


def _write(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")


@function("timestamp", _context=True)
@function("plantimestamp", _context=True)
def _timestamp(context: FunctionContext) -> Value:
    return _write(context.now.astimezone(timezone.utc)) if context.now else UNKNOWN


@function("timeadd", timestamp=STRING, duration=STRING)
def _timeadd(moment: str, duration: str) -> Value:
    start = _read(moment, 0)
    if not _DURATION.fullmatch(duration):
        raise FunctionProblem(f"{duration!r} is not a valid duration.", 1)
    seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(duration))
    try:
        return _write(start + timedelta(seconds=-seconds if duration.startswith("-") else seconds))
    except OverflowError:
        raise FunctionProblem("the result is out of range.", 1) from None


@function("timecmp", timestamp_a=STRING, timestamp_b=STRING)
def _timecmp(one: str, two: str) -> Value:
    first, second = _read(one, 0), _read(two, 1)
    return (first > second) - (first < second)


_VERBS = {
    "YYYY": "%Y", "YY": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "DD": "%d", "EEEE": "%A", "EEE": "%a",
    "hh": "%H", "HH": "%I", "AA": "%p", "mm": "%M", "ss": "%S",
}  # fmt: skip
_FORMAT = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|.", re.DOTALL)


@function("formatdate", format=STRING, time=STRING)
def _formatdate(pattern: str, text: str) -> Value:
    moment = _read(text, 1)

    def verb(found: re.Match[str]) -> str:
        if found[1] is not None:
            return found[1].replace("''", "'")
        if found[2] is None:
            return found[0]
        word = found[0]
        if word in _VERBS:
            return moment.strftime(_VERBS[word])
        single = {"M": moment.month, "D": moment.day, "h": moment.hour, "H": moment.hour % 12 or 12}
        single |= {"m": moment.minute, "s": moment.second}
        if word in single:
            return str(single[word])
        if word == "aa":
            return moment.strftime("%p").lower()
        offset = moment.strftime("%z")
        zones = {
            "Z": f"{offset[:3]}:{offset[3:]}",
            "ZZZZ": offset,
            "ZZZZZ": f"{offset[:3]}:{offset[3:]}",
            "ZZZ": offset,
        }
        if word in zones:
            return ("Z" if word == "Z" else "UTC") if offset == "+0000" and word in ("Z", "ZZZ") else zones[word]
        raise FunctionProblem(f"unsupported format verb {word!r}.", 0)

    return _FORMAT.sub(verb, pattern)
