"""Paths that a workspace would have written into the user's project: which are never written.

Owns the rule; pure, over bytes. It holds for every file system that the project may later be copied to, because git and
editors look for ``.git`` in the spellings of all of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from jupyter_tasks.tasks.review_git import shown

__all__ = ["collision_sentence", "collisions", "folded", "refusal"]

MOST_PATH = 4096 - 256  # what Linux takes, less the project's own path
MOST_NAME = 255

# What HFS+ leaves out of a name (git's own list): ".g", U+200C, "it" is ".git" there.
_IGNORED = re.compile(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_SEPARATORS = re.compile(rb"[/\\]")


def refusal(path: bytes) -> str | None:
    """Why nothing is ever written there, as a sentence; None where it may be."""
    names = path.split(b"/")
    if not path or path.startswith(b"/") or b".." in names or b"." in names or b"" in names:
        return "It would leave the project."
    if b"\0" in path:
        return "Its name holds a zero byte."
    if len(path) > MOST_PATH or max(map(len, names)) > MOST_NAME:
        return "Its name is too long."
    if any(_is_git(name) for name in _SEPARATORS.split(path)):
        return "It belongs to git: only git writes there."
    return None


def _is_git(name: bytes) -> bool:
    """Whether some file system takes the name for ``.git``."""
    text = _IGNORED.sub("", name.decode("utf-8", "replace"))
    plain = text.split(":", 1)[0].rstrip(". ").casefold()  # NTFS: streams, and ends that do not count
    return plain == ".git" or re.fullmatch(r"git~\d+", plain) is not None


def folded(path: bytes) -> str:
    """The path as a file system sees it that knows no case and one form of each letter."""
    text = _IGNORED.sub("", path.decode("utf-8", "surrogateescape"))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def collisions(paths: Iterable[bytes]) -> dict[str, set[bytes]]:
    """Every path and directory of these by its folded name: more than one spelling of a name collide."""
    found: dict[str, set[bytes]] = {}
    seen: set[bytes] = set()
    for path in paths:
        while path and path not in seen:
            seen.add(path)
            found.setdefault(folded(path), set()).add(path)
            path = path.rpartition(b"/")[0]
    return {name: spellings for name, spellings in found.items() if len(spellings) > 1}


def collision_sentence(path: bytes, others: Iterable[bytes]) -> str:
    """Why a path that differs from another one in its case only is refused."""
    other = min(other for other in others if other != path)
    return f'Where case does not count it is the same file as "{shown(other)}".'
