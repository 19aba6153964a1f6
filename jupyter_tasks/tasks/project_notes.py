"""What a user should know about their repository before an agent works on a copy of it.

Owns the sentences of ``ProjectInfo.notes`` about git.
"""

from __future__ import annotations

import os

from jupyter_tasks.tasks.project_listing import Listing, Wanted
from jupyter_tasks.tasks.project_repository import Head, Repository, read_small
from jupyter_tasks.tasks.review_git import shown

__all__ = ["notes_on"]

_POINTER = b"version https://git-lfs.github.com/spec/"
_MOST_POINTER = 1024
_MOST_NAMED = 3


def notes_on(repository: Repository, head: Head, listing: Listing, wanted: Wanted) -> list[str]:
    """One sentence for each thing that is out of the ordinary."""
    notes = []
    if head.commit is None:
        notes.append("It has no commit yet.")
    elif head.branch is None:
        notes.append("HEAD is detached: inside it is, too.")
    state = repository.state()
    if state is not None:
        notes.append(f"You are in the middle of {state}: the files come as they are, git inside knows nothing of it.")
    if repository.shallow:
        notes.append("It is a shallow clone: older history is not there.")
    if listing.submodules:
        notes.append(f"Files of {_named(listing.submodules)} come along as plain files, without their git history.")
    empty = [entry.path for entry in listing.index if entry.mode == 0o160000 and entry.path not in listing.submodules]
    if empty:
        notes.append(f"Submodules without files: {_named(empty)} (`git submodule update --init` gets them).")
    if any(entry.sparse for entry in listing.index):
        notes.append("It is a sparse checkout: files outside of it do not come along.")
    if b"partialclonefilter" in read_small(repository.common / "config").lower():
        notes.append("It is a partial clone: history that was never fetched is not there.")
    pointers = _pointers(listing, wanted)
    if pointers:
        notes.append(f"Git LFS files that were never fetched come as pointers: {_named(pointers)} (`git lfs pull`).")
    return notes


def _pointers(listing: Listing, wanted: Wanted) -> list[bytes]:
    """Tracked files whose content is in Git LFS and not here."""
    attributes = [path for path, _ in listing.entries if path.rpartition(b"/")[2] == b".gitattributes"]
    if not any(b"filter=lfs" in read_small(wanted.root / os.fsdecode(path)) for path in attributes):
        return []
    small = [entry.path for entry in listing.index if entry.times is None or entry.times[3] < _MOST_POINTER]
    return [path for path in small if read_small(wanted.root / os.fsdecode(path), 64).startswith(_POINTER)]


def _named(paths: list[bytes]) -> str:
    names = ", ".join(shown(path) for path in paths[:_MOST_NAMED])
    return names if len(paths) <= _MOST_NAMED else f"{names} and {len(paths) - _MOST_NAMED} more"
