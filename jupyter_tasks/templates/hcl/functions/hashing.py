"""Hashes of text and of the template's files."""

from __future__ import annotations

import base64
import hashlib
import uuid

from jupyter_tasks.templates.hcl.functions.registry import FunctionContext, FunctionProblem, function
from jupyter_tasks.templates.hcl.types import STRING
from jupyter_tasks.templates.hcl.values import Value

__all__: list[str] = []


def _declare(algorithm: str) -> None:
    @function(algorithm, str=STRING)
    def text(value: str) -> Value:
        return hashlib.new(algorithm, value.encode(), usedforsecurity=False).hexdigest()

    @function(f"file{algorithm}", _context=True, path=STRING)
    def file(context: FunctionContext, path: str) -> Value:
        return hashlib.new(algorithm, context.files.read(path), usedforsecurity=False).hexdigest()

    if algorithm in ("sha256", "sha512"):

        @function(f"base64{algorithm}", str=STRING)
        def coded(value: str) -> Value:
            return base64.b64encode(hashlib.new(algorithm, value.encode()).digest()).decode()

        @function(f"filebase64{algorithm}", _context=True, path=STRING)
        def coded_file(context: FunctionContext, path: str) -> Value:
            return base64.b64encode(hashlib.new(algorithm, context.files.read(path)).digest()).decode()


for _algorithm in ("md5", "sha1", "sha256", "sha512"):
    _declare(_algorithm)

_NAMESPACES = {
    "dns": uuid.NAMESPACE_DNS,
    "url": uuid.NAMESPACE_URL,
    "oid": uuid.NAMESPACE_OID,
    "x500": uuid.NAMESPACE_X500,
}


@function("uuidv5", namespace=STRING, name=STRING)
def _uuidv5(namespace: str, name: str) -> Value:
    try:
        space = _NAMESPACES.get(namespace) or uuid.UUID(namespace)
    except ValueError:
        raise FunctionProblem("the namespace is neither dns, url, oid, x500 nor a UUID.", 0) from None
    return str(uuid.uuid5(space, name))
