"""What a task is called when the user does not say.

Owns Coder's rules: a name of at most 32 characters ``[a-z0-9-]`` that ends in four random hexadecimal digits, and a
display name of at most 64. Tried in order: a model (``Namer``, where there is one), the prompt, two random words.
Naming never fails, and holds nobody up for longer than ``NAMER_SECONDS``.
"""

from __future__ import annotations

import logging
import random
import re
from typing import NamedTuple, Protocol

from jupyter_tasks.errors import FieldError, InvalidInput
from jupyter_tasks.tasks.words import ADJECTIVES, SURNAMES

__all__ = [
    "MOST_DISPLAY_NAME",
    "MOST_NAME",
    "Namer",
    "Names",
    "check_name",
    "from_prompt",
    "generate",
    "name_task",
    "random_name",
    "valid_name",
]

_log = logging.getLogger(__name__)

MOST_NAME = 32
MOST_DISPLAY_NAME = 64
NAMER_SECONDS = 2.0
_MOST_STEM = 27  # leaves room for "-" and four digits
_NAME = re.compile(r"[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*")
_RESERVED = frozenset({"new", "create"})
_system = random.SystemRandom()


class Names(NamedTuple):
    """What a task is called: in addresses and commands, and to a person."""

    name: str
    display_name: str


class Namer(Protocol):
    """A model that reads prompts."""

    async def propose(self, prompt: str) -> tuple[str, str] | None:
        """A name of at most 27 characters ``[a-z0-9-]`` and a display name of at most 64, or None. May raise."""


def valid_name(name: str) -> bool:
    """Whether a user may call a task so: letters, digits and single hyphens between them, at most 32, not reserved."""
    return len(name) <= MOST_NAME and _NAME.fullmatch(name) is not None and name.lower() not in _RESERVED


def check_name(name: str) -> None:
    """Raises: InvalidInput when ``valid_name`` says no."""
    if valid_name(name):
        return
    if name.lower() in _RESERVED:
        detail = f"The name {name!r} is reserved."
    elif len(name) > MOST_NAME:
        detail = f"A name has at most {MOST_NAME} characters; this one has {len(name)}."
    else:
        detail = "A name is made of letters and digits, with single hyphens between them."
    raise InvalidInput(
        "Unable to create a Task with the provided name.",
        detail=detail,
        hint="Choose another name, or leave it out and one is made.",
        validations=(FieldError("name", detail),),
    )


async def name_task(prompt: str, *, namer: Namer | None = None, rng: random.Random | None = None) -> Names:
    """Names for a task with this prompt, a model's if it answers in time."""
    import anyio

    if namer is not None:
        proposed = None
        try:
            with anyio.move_on_after(NAMER_SECONDS):
                proposed = await namer.propose(prompt)
        except Exception as error:  # noqa: BLE001 - naming is a convenience: whatever a model does, the task is made
            _log.warning("no name from the model: %s", type(error).__name__)
        if proposed is not None and (names := _checked(*proposed)) is not None:
            return _suffixed(names, rng)
    return generate(prompt, rng)


def generate(prompt: str, rng: random.Random | None = None) -> Names:
    """Names for a task with this prompt, without a model."""
    stem = from_prompt(prompt)
    if stem is None:
        name = random_name(rng)
        stem = Names(name, _capitalized(name.replace("-", " ")))
    return _suffixed(stem, rng)


def from_prompt(prompt: str) -> Names | None:
    """What a prompt's first words give, not suffixed yet: (name, display name); None where they give no name."""
    line = _plain(prompt.strip()[:4096])
    slug = _cut(line, _MOST_STEM).lower().replace(" ", "-")
    name = re.sub(r"-+", "-", re.sub(r"[^a-z0-9-]+", "", slug)).strip("-")
    if not name:
        return None
    return Names(name, _capitalized(_cut(line, MOST_DISPLAY_NAME, ellipsis=True)))


def random_name(rng: random.Random | None = None) -> str:
    """An adjective and a surname, not suffixed yet."""
    rng = rng or _system
    return f"{rng.choice(ADJECTIVES)}-{rng.choice(SURNAMES)}"[:_MOST_STEM].rstrip("-")


def _suffixed(names: Names, rng: random.Random | None) -> Names:
    return Names(f"{names.name}-{(rng or _system).randrange(1 << 16):04x}", names.display_name)


def _checked(name: str, display_name: str) -> Names | None:
    """A model's proposal, if it keeps to the rules. "task-unnamed" is how a model says that it has none."""
    display = _plain(display_name)
    if len(name) > _MOST_STEM or name != name.lower() or not valid_name(name) or name == "task-unnamed":
        return None
    return Names(name, _capitalized(_cut(display or name, MOST_DISPLAY_NAME, ellipsis=True)))


def _cut(text: str, most: int, *, ellipsis: bool = False) -> str:
    """The whole words that fit into ``most`` characters; a first word that is longer is cut."""
    if len(text) <= most:
        return text
    room = most - 1 if ellipsis else most
    words = re.match(r"(.*\S)\s", text[: room + 1], re.DOTALL)
    return (words[1] if words else text[:room]) + ("…" if ellipsis else "")


def _plain(text: str) -> str:
    """On one line, without what a terminal would obey."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _capitalized(text: str) -> str:
    first = text[:1].upper()
    return (first if len(first) == 1 else text[:1]) + text[1:]  # some letters have a capital of two
