"""Reads what stands on a magic's own line. Pure: text in, values out.

A line is options first, then a rest that is never split, unquoted or otherwise read: quotes, backslashes and braces
in a prompt stay as typed. ``--`` ends the options. The value of an option may be quoted as in a shell.
"""

from __future__ import annotations

import difflib
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from jupyter_tasks.errors import InvalidInput

__all__ = ["TASK_OPTIONS", "Option", "Parsed", "help_of", "near", "parse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: its spellings, what its value is called ("" for a switch), what it does."""

    names: tuple[str, ...]
    value: str = ""
    help: str = ""
    many: bool = False

    @property
    def key(self) -> str:
        """What it is called in ``Parsed``."""
        return self.names[-1].lstrip("-")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A line: options by key (every value in order; a switch has none), and the rest as typed."""

    options: dict[str, list[str]] = field(default_factory=dict)
    rest: str = ""

    def one(self, key: str, default: str | None = None) -> str | None:
        """The last value given for an option."""
        return self.options[key][-1] if self.options.get(key) else default

    def on(self, key: str) -> bool:
        """Whether a switch was given."""
        return key in self.options

    def pairs(self, key: str) -> dict[str, str]:
        """``k=v`` values as a mapping. Raises: InvalidInput when there is no ``=``."""
        found: dict[str, str] = {}
        for text in self.options.get(key, []):
            name, equals, value = text.partition("=")
            if not equals or not name:
                raise InvalidInput(f"--{key} {text!r} is not of the form name=value.", code="bad_option")
            found[name] = value
        return found


TASK_OPTIONS = (
    Option(names=("-t", "--template"), value="TEMPLATE", help="template to make the workspace from"),
    Option(names=("-p", "--preset"), value="PRESET", help="preset of the template"),
    Option(names=("--parameter",), value="NAME=VALUE", help="parameter of the template; may be repeated", many=True),
    Option(names=("--name",), value="NAME", help="name of the task (else one is made from the prompt)"),
    Option(names=("--project",), value="DIR|none", help="what of your files goes in (else the repository around you)"),
    Option(names=("--files",), value="GLOB", help="also take ignored files that match; may be repeated", many=True),
    Option(names=("--mount",), value="DIR", help="show a directory read-only at its path; may be repeated", many=True),
    Option(names=("--large",), help="also where it is over 1 GB or 50,000 files"),
    Option(names=("--no-carry",), help="copy nothing of your agent's set-up"),
    Option(names=("-o", "--output"), value="VARIABLE", help="also bind the task to this variable"),
    Option(names=("--wait",), help="wait until the agent is idle, done, failed or needs you"),
    Option(names=("--raw",), help="fill no {name}: the prompt goes as typed"),
    Option(names=("-h", "--help"), help="show this"),
)


def parse(line: str, options: Sequence[Option], *, where: str) -> Parsed:
    """``line`` as options and rest.

    Args:
        line: what follows the magic's name.
        options: which options there are.
        where: the magic as the user wrote it, for error messages.

    Raises: InvalidInput for an unknown option, a missing value, an unclosed quote, or one option given twice.
    """
    known = {name: option for option in options for name in option.names}
    found: dict[str, list[str]] = {}
    place = _skip_blanks(line, 0)
    while line[place : place + 1] == "-" and not _is_blank(line[place + 1 : place + 2]):
        word, place = _word(line, place, where)
        if word == "--":
            return Parsed(found, line[place + 1 :].rstrip("\r\n") if place < len(line) else "")
        name, equals, value = word.partition("=")
        option = known.get(name)
        if option is None:
            raise InvalidInput(
                f"{where} has no option {name}.",
                hint=near(name, known) + "A prompt that begins with a dash goes after -- .",
                code="bad_option",
            )
        if option.key in found and not option.many:
            raise InvalidInput(f"{where}: {name} is given twice.", code="bad_option")
        values = found.setdefault(option.key, [])
        if not option.value:
            if equals:
                raise InvalidInput(f"{where}: {name} takes no value.", code="bad_option")
        elif equals:
            values.append(value)
        else:
            place = _skip_blanks(line, place)
            if place >= len(line):
                raise InvalidInput(f"{where}: {name} needs a value ({option.value}).", code="bad_option")
            value, place = _word(line, place, where)
            values.append(value)
        place = _skip_blanks(line, place)
    return Parsed(found, line[place:].rstrip())


def near(word: str, words: Sequence[str] | dict[str, Option]) -> str:
    """ "Did you mean …? " with the nearest of ``words``, or nothing."""
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.55)
    return f"Did you mean {close[0]}? " if close else ""


def help_of(usage: str, about: str, options: Sequence[Option]) -> str:
    """The text of ``--help``."""
    rows = [(", ".join(o.names) + (f" {o.value}" if o.value else ""), o.help) for o in options]
    width = max((len(left) for left, _ in rows), default=0)
    listed = "".join(f"\n  {left:<{width}}  {right}" for left, right in rows)
    return f"{usage}\n\n{about}\n{listed}".rstrip()


def _is_blank(char: str) -> bool:
    return not char or char.isspace()


def _skip_blanks(line: str, place: int) -> int:
    while place < len(line) and line[place].isspace():
        place += 1
    return place


def _word(line: str, place: int, where: str) -> tuple[str, int]:
    """The shell word at ``place`` and the place of the blank (or the end) after it."""
    source = io.StringIO(line[place:])
    lexer = shlex.shlex(source, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        word = lexer.get_token()
    except ValueError as error:
        raise InvalidInput(f"{where}: {line[place:]!r} has a quote that is not closed.", code="bad_option") from error
    read = source.tell()
    ended_by_blank = read > 0 and line[place + read - 1].isspace()
    return word or "", place + read - (1 if ended_by_blank else 0)
