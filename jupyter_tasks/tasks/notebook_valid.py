"""What an agent wrote into a notebook, made valid nbformat 4 and untrusted.

Owns the schema as far as it is needed to repair a cell: what is missing is added, what nbformat does not allow there is
dropped. Applied to what is taken from an agent's notebook, never to what the user has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_tasks.tasks.notebook_cells import Cell

__all__ = [
    "TRUST_MARKS",
    "valid_attachments",
    "valid_cell",
    "valid_cell_metadata",
    "valid_count",
    "valid_metadata",
    "valid_outputs",
]

TRUST_MARKS = frozenset({"signature", "trusted"})
"""What says in metadata that somebody vouches for the outputs."""

_JSON_TYPE = re.compile(r"application/(.*\+)?json")

_Check = Callable[[Any], bool]


def valid_cell(cell: Cell, source: str | list[str]) -> dict[str, Any]:
    """A cell without its id, as nbformat wants it.

    Args:
        cell: of the agent's notebook.
        source: its source, in the form that the notebook has it.
    """
    value: dict[str, Any] = {"cell_type": cell.kind, "metadata": valid_cell_metadata(cell.metadata), "source": source}
    if cell.kind == "code":
        value["execution_count"] = valid_count(cell.value.get("execution_count"))
        value["outputs"] = valid_outputs(cell.value.get("outputs"))
    elif attachments := valid_attachments(cell.value.get("attachments")):
        value["attachments"] = attachments
    return value


def valid_count(value: Any) -> int | None:
    """An execution count."""
    return value if _count(value) else None


def valid_outputs(value: object) -> list[dict[str, Any]]:
    """The outputs of a code cell that nbformat allows."""
    found = []
    for each in value if isinstance(value, list) else ():
        shape = _OUTPUTS.get(_word(each.get("output_type"))) if isinstance(each, dict) else None
        if shape is None:
            continue
        output = {key: each[key] for key in each if key == "output_type" or key in shape}
        output = {"metadata": {}, "execution_count": None, **output} if "data" in shape else output
        output = {key: output[key] for key in output if key == "output_type" or key in shape}
        if output.keys() - {"output_type"} == shape.keys() and all(shape[key](output[key]) for key in shape):
            output |= {"metadata": _untrusted(output["metadata"])} if "metadata" in output else {}
            found.append(output)
    return found


def valid_cell_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a cell without what nbformat forbids and without marks of trust."""
    return _allowed(metadata, _CELL_METADATA)


def valid_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a notebook without what nbformat forbids and without marks of trust."""
    return _allowed(metadata, _METADATA)


def valid_attachments(value: object) -> dict[str, Any]:
    """The files within a Markdown or raw cell."""
    return {key: each for key, each in value.items() if _bundle(each)} if isinstance(value, dict) else {}


# ---------------------------------------------------------------- checks


def _allowed(metadata: Mapping[str, Any], checks: Mapping[str, _Check]) -> dict[str, Any]:
    return {key: each for key, each in _untrusted(metadata).items() if key not in checks or checks[key](each)}


def _untrusted(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in metadata.items() if key not in TRUST_MARKS}


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _text(value: object) -> bool:
    return isinstance(value, str)


def _lines(value: object) -> bool:
    return isinstance(value, str) or _list_of_text(value)


def _list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _object(value: object) -> bool:
    return isinstance(value, dict)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _count(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)


def _bundle(value: object) -> bool:
    return isinstance(value, dict) and all(_JSON_TYPE.fullmatch(key) or _lines(each) for key, each in value.items())


def _tags(value: Any) -> bool:
    return _list_of_text(value) and len(set(value)) == len(value) and all(each and "," not in each for each in value)


def _name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip("\r\n"))


def _texts(*required: str, optional: tuple[str, ...] = ()) -> _Check:
    def check(value: object) -> bool:
        return (
            isinstance(value, dict)
            and all(isinstance(value.get(key), str) for key in required)
            and all(isinstance(value.get(key, ""), str) for key in optional)
        )

    return check


def _jupyter(value: object) -> bool:
    return isinstance(value, dict) and all(_flag(value.get(key, True)) for key in ("outputs_hidden", "source_hidden"))


def _language(value: Any) -> bool:
    plain = _texts("name", optional=("file_extension", "mimetype", "pygments_lexer"))
    return plain(value) and isinstance(value.get("codemirror_mode", ""), (str, dict))


def _scrolled(value: object) -> bool:
    return value is True or value is False or value == "auto"


def _times(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


_CELL_METADATA: Mapping[str, _Check] = {
    "tags": _tags,
    "name": _name,
    "jupyter": _jupyter,
    "execution": _times,
    "collapsed": _flag,
    "scrolled": _scrolled,
    "format": _text,
}
_METADATA: Mapping[str, _Check] = {
    "kernelspec": _texts("name", "display_name"),
    "language_info": _language,
    "orig_nbformat": lambda value: type(value) is int and value >= 1,
    "title": _text,
    "authors": lambda value: isinstance(value, list) and all(map(_object, value)),
}
_OUTPUTS: Mapping[str, Mapping[str, _Check]] = {
    "execute_result": {"data": _bundle, "metadata": _object, "execution_count": _count},
    "display_data": {"data": _bundle, "metadata": _object},
    "stream": {"name": _text, "text": _lines},
    "error": {"ename": _text, "evalue": _text, "traceback": _list_of_text},
}
