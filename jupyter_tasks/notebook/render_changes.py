"""A diff and what became of it, as text and as escaped HTML. Pure functions of wire values.

Every line is an agent's or a workspace's: cleaned for consoles, escaped for pages. No script, inline styles only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from jupyter_tasks.notebook.amounts import count
from jupyter_tasks.notebook.cell_lines import by_cell, cell_lines, without
from jupyter_tasks.notebook.project_words import home_short
from jupyter_tasks.notebook.render import clean, stat_words

if TYPE_CHECKING:
    from jupyter_tasks import models

__all__ = ["applied_lines", "diff_html", "diff_text", "lines_html", "undone_lines"]

_LONGEST_PATCH = 200_000  # characters of a patch shown in one output
_TINTS = {
    "added": "background:rgba(46,160,67,.18)",
    "deleted": "background:rgba(248,81,73,.18)",
    "at": "background:rgba(56,139,253,.15)",
    "file": "font-weight:bold",
    "cell": "font-weight:bold",
    "held": "background:rgba(248,81,73,.18)",
    "note": "opacity:.75",
}
"""Tints that suit light and dark."""
_HELD = frozenset({"conflict", "refused"})

Line = tuple[str, str]
"""What kind of line it is (a key of ``_TINTS``, or "" for a plain one), and its text."""


def diff_text(diff: models.DiffResponse) -> str:
    """Files with their counts, the patch, then notebooks by cell."""
    return "\n".join(text for _, text in _diff_lines(diff))


def diff_html(diff: models.DiffResponse) -> str:
    """The same with coloured lines, escaped."""
    (_, stat), *lines = _diff_lines(diff)
    return lines_html(stat, lines)


def lines_html(head: str, lines: Sequence[Line]) -> str:
    """A headline and tinted lines below it, escaped."""
    spans = (
        f'<span style="{_TINTS.get(kind, "")}{";" if kind in _TINTS else ""}display:block">{escape(line) or " "}</span>'
        for kind, line in lines
    )
    body = f'<pre style="overflow:auto;max-height:32em;line-height:1.4">{"".join(spans)}</pre>' if lines else ""
    return f"<div><strong>{escape(head)}</strong>{body}</div>"


def _diff_lines(diff: models.DiffResponse) -> list[Line]:
    lines: list[Line] = [("", stat_words(len(diff.files), diff.additions, diff.deletions))]
    for file in diff.files:
        counts = "binary" if file.binary else f"+{file.additions or 0} \u2212{file.deletions or 0}"
        name = f"{file.old_path} → {file.path}" if file.old_path and file.old_path != file.path else file.path
        lines.append(("", f"  {file.status:<12} {_one_line(name)}  {counts}"))
    notebooks = by_cell(diff)
    patch = without(diff.patch, [notebook.path for notebook in notebooks]) if notebooks else diff.patch
    room = _LONGEST_PATCH - len(patch)
    if patch:
        lines += [(_kind(line), clean(line)) for line in patch[:_LONGEST_PATCH].rstrip("\n").split("\n")]
    for notebook in notebooks:
        for kind, text in cell_lines(notebook):
            room -= len(text)
            if room < 0:
                break
            lines.append((kind, "  " + text if kind == "note" else _one_line(text)))
    for notebook in diff.notebooks:
        if notebook.error is not None:
            lines.append(("note", _one_line(f"{notebook.path} is shown as text: {notebook.error}")))
    if diff.truncated or room < 0:
        lines.append(("", "[there is more than what is shown]"))
    return lines


def _kind(line: str) -> str:
    if line.startswith(("+++ ", "--- ")):
        return ""
    return {"+": "added", "-": "deleted", "@": "at"}.get(line[:1], "")


# ---------------------------------------------------------------- apply


def applied_lines(answer: models.ApplyResponse) -> list[Line]:
    """What became (or would become) of each file, the verdict first."""
    files = _files(answer.files)
    taken = sum(file.action not in _HELD | {"unchanged"} for file in answer.files)
    held = any(file.action in _HELD for file in answer.files)
    target = _one_line(home_short(answer.target))
    if held:
        head = "Nothing would be applied." if answer.dry_run else "Nothing was applied."
    elif not taken:
        head = "Nothing to apply."
    elif answer.dry_run:
        head = f"Would apply {count(taken, 'file')} to {target}."
    elif not answer.applied:
        head = "Nothing was applied: look at what would run by itself, then say accept_runnable=True (or -y)."
    elif answer.branch:
        branch, commit = _one_line(answer.branch), _one_line(answer.commit or "")[:9]
        head = f"Committed {count(taken, 'file')} on the new branch {branch} ({commit}); no file was touched."
    else:
        head = f"Applied {count(taken, 'file')} to {target}; undo() takes it back."
    return [("", head), *files]


def undone_lines(answer: models.UndoResponse) -> list[Line]:
    """What was taken back, the verdict first."""
    taken = sum(file.action not in _HELD | {"unchanged"} for file in answer.files)
    target = _one_line(home_short(answer.target))
    head = f"Took back {count(taken, 'file')} in {target}."
    return [("", head if answer.undone else "Nothing was taken back: files were changed since."), *_files(answer.files)]


def _files(files: Iterable[models.AppliedFile]) -> Iterator[Line]:
    for file in files:
        if file.action == "unchanged":
            continue
        runs = f" (would run by itself: {_one_line(file.runnable)})" if file.runnable else ""
        detail = f": {_one_line(file.detail)}" if file.detail else ""
        kind = "held" if file.action in _HELD else file.action
        yield kind, f"  {file.action:<9} {_one_line(file.path)}{detail}{runs}"


def _one_line(text: str) -> str:
    return clean(text).replace("\n", "\ufffd")
