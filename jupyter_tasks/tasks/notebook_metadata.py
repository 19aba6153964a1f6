"""Metadata of notebooks and cells merged by key.

Owns which keys are a person's (both changed one: a conflict) and which a program's (then ours stays: the kernel is one
of the user's machine, whether outputs are folded is a matter of taste, times come anew with the next run).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_tasks.tasks.notebook_valid import TRUST_MARKS

__all__ = ["merge_metadata"]

_PROGRAMS = frozenset(
    {
        *("kernelspec", "language_info", "orig_nbformat", "widgets", "toc", "vscode", "colab"),
        *("collapsed", "scrolled", "execution", "ExecuteTime", "executionInfo", "outputs_hidden", "source_hidden"),
    }
)
_WHOLE = frozenset({"kernelspec", "language_info"})  # half of one and half of the other is neither
_MISSING = object()


def merge_metadata(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Merge three versions of some metadata; marks of trust are left out.

    Returns: the metadata, in our order, and the keys ("jupytext.formats") that were changed on both sides.
    """
    clashes: list[str] = []
    return _merge(base, ours, theirs, "", False, clashes), clashes


def _merge(
    base: Mapping[str, Any],
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    prefix: str,
    lenient: bool,
    clashes: list[str],
) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key in dict.fromkeys((*ours, *theirs)):
        if key in TRUST_MARKS:
            continue
        old, here, there = (each.get(key, _MISSING) for each in (base, ours, theirs))
        chosen = here
        if there == old or here == there:
            chosen = here
        elif here == old:
            chosen = there
        elif key not in _WHOLE and isinstance(here, dict) and isinstance(there, dict):
            below = old if isinstance(old, dict) else {}
            chosen = _merge(below, here, there, f"{prefix}{key}.", lenient or key in _PROGRAMS, clashes)
        elif key == "tags" and isinstance(here, list) and isinstance(there, list):
            chosen = _tags(old if isinstance(old, list) else [], here, there)
        elif not lenient and key not in _PROGRAMS:
            clashes.append(f"{prefix}{key}"[:100])
        if chosen is not _MISSING:
            merged[key] = chosen
    return merged


def _tags(old: list[Any], here: list[Any], there: list[Any]) -> list[Any]:
    """Tags are a set: what either side added is there, what either removed is not."""
    kept = [each for each in here if each in there or each not in old]
    return kept + [each for each in there if each not in here and each not in old]
