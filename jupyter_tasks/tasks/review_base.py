"""The base of a review on disk: a bare repository with one commit, and beside it what it holds.

Owns the layout of that directory. It is made whole or not at all, and survives a power cut once it is there.

    HEAD, config, refs/…   written anew before each use
    objects/pack           the files, trees and the commit of the base
    base.json              {"tree", "commit", "files": {path: [mode, id]}, "stamps": {path: stamp}}
    new-*                  objects of a comparison that is running
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from jupyter_tasks.tasks.review_objects import Pack, TreeOf, write_tree
from jupyter_tasks.tasks.review_stamps import Stamp
from jupyter_tasks.tasks.review_tree import TreeReader

__all__ = ["Base", "Listing", "load_base", "save_base", "snapshot", "tree_of", "workplace"]

_FILE = "base.json"
_STALE_SECONDS = 3600
_CONFIG = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n"

Listing = dict[bytes, tuple[bytes, bytes]]
"""path -> (mode, id of its content)"""


@dataclass(frozen=True, slots=True)
class Base:
    """A tree as it was. A file that has its stamp still is as it was."""

    tree: bytes
    commit: bytes
    files: Listing
    stamps: Mapping[bytes, Stamp] = field(default_factory=dict)


def load_base(git_dir: Path) -> Base | None:
    """The base that is there, ready for git; None where there is none."""
    try:
        kept = json.loads((git_dir / _FILE).read_text())
    except FileNotFoundError:
        return None
    files = {os.fsencode(path): (mode.encode(), bytes.fromhex(name)) for path, (mode, name) in kept["files"].items()}
    stamps = {os.fsencode(path): _stamp(*stamp) for path, stamp in kept.get("stamps", {}).items()}
    base = Base(bytes.fromhex(kept["tree"]), bytes.fromhex(kept["commit"]), files, stamps)
    _lay_out(git_dir, base)
    return base


def save_base(git_dir: Path, reader: TreeReader, now: datetime) -> None:
    """Make the base from a tree. Raises: OSError, and what the reader raises."""
    git_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f"{git_dir.name}.part-", dir=git_dir.parent))
    try:
        pack = Pack(part / "objects")
        try:
            files = snapshot(reader, partial(pack.add, "blob"), {})
            tree = tree_of(files, pack)
            who = f"Jupyter Tasks <> {int(now.timestamp())} +0000"
            text = f"tree {tree.hex()}\nauthor {who}\ncommitter {who}\n\nThe workspace as it began\n"
            commit = pack.add("commit", text.encode())
            pack.finish(durable=True)
        finally:
            pack.close()
        kept = {path: (mode.decode(), name.hex()) for path, (mode, name) in files.items()}
        names = {os.fsdecode(path): value for path, value in kept.items()}
        stamps = {os.fsdecode(path): stamp for path, stamp in reader.stamps.items()}
        text = json.dumps({"tree": tree.hex(), "commit": commit.hex(), "files": names, "stamps": stamps})
        with (part / _FILE).open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _lay_out(part, Base(tree, commit, files))
        part.rename(git_dir)
        _sync_directory(git_dir.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _stamp(changed: int, modified: int, size: int, inode: int) -> Stamp:
    return int(changed), int(modified), int(size), int(inode)


def snapshot(reader: TreeReader, keep: Callable[[bytes], bytes], base: Listing) -> Listing:
    """Every file of a tree; ``keep`` is given its content and returns its id. What could not be read counts as it was
    in ``base``."""
    files: Listing = {}
    for found in reader.files():
        files[found.path] = base[found.path] if found.unchanged else (found.mode, keep(found.content))
    unknown = {each.path for each in reader.skipped if each.unknown}
    if unknown:
        for path, entry in base.items():
            parts = path.split(b"/")
            if any(b"/".join(parts[:depth]) in unknown for depth in range(1, len(parts) + 1)):
                files.setdefault(path, entry)
    return files


@contextmanager
def workplace(git_dir: Path) -> Iterator[Path]:
    """A directory for the objects of one comparison; gone afterwards, and so are those of comparisons that were
    killed."""
    for left in git_dir.glob("new-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    objects = Path(tempfile.mkdtemp(prefix="new-", dir=git_dir))
    try:
        yield objects
    finally:
        shutil.rmtree(objects, ignore_errors=True)


def tree_of(files: Listing, pack: Pack) -> bytes:
    """Write the directories of these files; returns the id of the topmost."""
    return write_tree(pack, _nested(files))


def _nested(files: Listing) -> TreeOf:
    top: TreeOf = {}
    for path, entry in files.items():
        *directories, name = path.split(b"/")
        place = top
        for directory in directories:
            below = place.setdefault(directory, {})
            if isinstance(below, tuple):  # a file has taken the place of a directory that could not be read
                break
            place = below
        else:
            place[name] = entry
    return top


def _lay_out(git_dir: Path, base: Base) -> None:
    refs = git_dir / "refs" / "jupyter-tasks"
    refs.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file, text in (
        (git_dir / "HEAD", "ref: refs/heads/none\n"),
        (git_dir / "config", _CONFIG),
        (refs / "base", base.commit.hex() + "\n"),
    ):
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
