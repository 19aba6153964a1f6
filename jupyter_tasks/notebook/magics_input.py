"""Lets a prompt reach ``%task`` as it was typed.

IPython reads a cell before the magic does: it takes a line that ends in ``?`` for a request for help, strips ``>>>``
and ``In [1]:`` prompts and common indentation from the whole cell. All of that is wrong for a prompt ("%task why does
it fail?"). Owns the two input transformers that are faster, and how they are put in and taken out of a shell.
"""

from __future__ import annotations

import re
import tokenize
from typing import Any

from IPython.core.inputtransformer2 import (
    TokenTransformBase,
    assemble_continued_line,
    find_end_of_continued_line,
)

__all__ = ["install", "uninstall"]

_CELL = re.compile(r"%%(tasks?)(?:[ \t](.*))?$")
_LINE = re.compile(r"%(tasks?)[ \t](.*)$", re.DOTALL)


def install(shell: Any) -> None:
    """Put both transformers in front of IPython's own. Twice is once."""
    uninstall(shell)
    shell.input_transformer_manager.cleanup_transforms.insert(0, prompt_cell)
    shell.input_transformer_manager.token_transformers.insert(0, PromptLine)


def uninstall(shell: Any) -> None:
    """Take them out again."""
    manager = shell.input_transformer_manager
    manager.cleanup_transforms[:] = [t for t in manager.cleanup_transforms if t is not prompt_cell]
    manager.token_transformers[:] = [t for t in manager.token_transformers if t is not PromptLine]


def prompt_cell(lines: list[str]) -> list[str]:
    """A ``%%task`` cell as the call it means, its body untouched."""
    first = next((index for index, line in enumerate(lines) if line.strip()), None)
    match = _CELL.match(lines[first].rstrip()) if first is not None else None
    if match is None or first is None:
        return lines
    body = "".join(lines[first + 1 :])
    return [f"get_ipython().run_cell_magic({match[1]!r}, {match[2] or ''!r}, {body!r})\n"]


class PromptLine(TokenTransformBase):
    """``%task …`` and ``name = %task …`` (and ``%tasks``), whatever the line ends in."""

    priority = 1  # before HelpEnd, which claims the same place

    def __init__(self, start: tuple[int, int], percent: tuple[int, int]) -> None:
        super().__init__(start)  # type: ignore[no-untyped-call]
        self._percent = percent[0] - 1, percent[1]

    @classmethod
    def find(cls, tokens_by_line: list[list[tokenize.TokenInfo]]) -> PromptLine | None:
        """The first such line, if any."""
        for line in tokens_by_line:
            tokens = [t for t in line if t.type not in {tokenize.INDENT, tokenize.DEDENT}]
            place = _percent_place(tokens)
            if place is None:
                continue
            percent = tokens[place]
            if _LINE.match(percent.line[percent.start[1] :]):
                return cls(tokens[0].start, percent.start)
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """The line as the call it means."""
        row, column = self._percent
        end = find_end_of_continued_line(lines, row)
        match = _LINE.match(assemble_continued_line(lines, (row, column), end))
        if match is None:
            raise SyntaxError(lines[row])
        call = f"get_ipython().run_line_magic({match[1]!r}, {match[2]!r})\n"
        return [*lines[:row], lines[row][:column] + call, *lines[end + 1 :]]


def _percent_place(tokens: list[tokenize.TokenInfo]) -> int | None:
    """Where the ``%`` of a magic stands: first on its line, or right after the line's first top-level ``=``."""
    if tokens and tokens[0].string == "%":
        return 0
    depth = 0
    for place, token in enumerate(tokens[:-1]):
        if token.string in "([{" and token.string:
            depth += 1
        elif token.string in ")]}" and token.string:
            depth -= 1
        elif token.string == "=" and depth == 0:
            return place + 1 if tokens[place + 1].string == "%" else None
    return None
