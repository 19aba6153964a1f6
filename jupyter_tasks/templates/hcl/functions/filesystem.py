"""Files of the template's own tree; nothing else can be read."""

from __future__ import annotations

import base64
import posixpath
import re

from jupyter_tasks.templates.hcl.conversion import make_set
from jupyter_tasks.templates.hcl.functions.registry import FunctionContext, FunctionProblem, function
from jupyter_tasks.templates.hcl.types import DYNAMIC, STRING
from jupyter_tasks.templates.hcl.values import Value

__all__ = ["glob_pattern"]


def _text(context: FunctionContext, path: str) -> str:
    try:
        return context.files.read(path).decode()
    except UnicodeDecodeError:
        raise FunctionProblem(f"contents of {path!r} are not valid UTF-8; use the filebase64 function.", 0) from None


@function("file", _context=True, path=STRING)
def _file(context: FunctionContext, path: str) -> Value:
    return _text(context, path)


@function("filebase64", _context=True, path=STRING)
def _filebase64(context: FunctionContext, path: str) -> Value:
    return base64.b64encode(context.files.read(path)).decode()


@function("fileexists", _context=True, path=STRING)
def _fileexists(context: FunctionContext, path: str) -> Value:
    return context.files.exists(path)


@function("fileset", _context=True, path=STRING, pattern=STRING)
def _fileset(context: FunctionContext, path: str, pattern: str) -> Value:
    wanted = glob_pattern(pattern)
    return make_set(name for name in context.files.list(path) if wanted.fullmatch(name))


@function("templatefile", _context=True, path=STRING, vars=DYNAMIC)
def _templatefile(context: FunctionContext, path: str, variables: Value) -> Value:
    return _render(context, path, _text(context, path), variables)


@function("templatestring", _context=True, template=STRING, vars=DYNAMIC)
def _templatestring(context: FunctionContext, template: str, variables: Value) -> Value:
    return _render(context, "templatestring", template, variables)


def _render(context: FunctionContext, name: str, text: str, variables: Value) -> Value:
    if not isinstance(variables, dict):
        raise FunctionProblem("the variables must be given as an object or map.", 1)
    for key in variables:
        if not re.fullmatch(r"[^\W\d][\w-]*", key):
            raise FunctionProblem(f"invalid template variable name {key!r}.", 1)
    return context.render(name, text, variables)


def glob_pattern(pattern: str) -> re.Pattern[str]:
    """fileset's pattern: ``*`` within a name, ``**`` over directories, ``?``, ``[a-z]``, ``{a,b}``."""
    made, at, braces = "", 0, 0
    pattern = posixpath.normpath(pattern)
    while at < len(pattern):
        mark = pattern[at]
        if pattern.startswith("**/", at):
            made, at = made + "(?:[^/]+/)*", at + 2
        elif pattern.startswith("**", at):
            made, at = made + ".*", at + 1
        elif mark in "*?":
            made += "[^/]*" if mark == "*" else "[^/]"
        elif mark == "[" and (found := re.compile(r"\[[!^]?[^\]/]+\]").match(pattern, at)):
            body = found[0][1:-1].replace("\\", "\\\\")
            made += f"[^/{body[1:]}]" if body[0] in "!^" else f"[{body}]"
            at = found.end() - 1
        elif mark == "{":
            made, braces = made + "(?:", braces + 1
        elif braces and mark in ",}":
            made, braces = made + ("|" if mark == "," else ")"), braces - (mark == "}")
        else:
            made += re.escape(mark)
        at += 1
    try:
        return re.compile(made)
    except re.error:
        raise FunctionProblem(f"invalid glob pattern {pattern!r}.", 1) from None


@function("basename", path=STRING)
def _basename(path: str) -> Value:
    stripped = path.rstrip("/")
    return posixpath.basename(stripped) or ("/" if path else ".")


@function("dirname", path=STRING)
def _dirname(path: str) -> Value:
    return posixpath.normpath(posixpath.dirname(path)) if path else "."
