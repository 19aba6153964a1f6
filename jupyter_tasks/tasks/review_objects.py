"""Git's objects, written by ourselves: a pack of blobs, trees and a commit, and the index that belongs to it.

Owns the formats (pack version 2, index version 2, SHA-256 objects). Git never sees a directory that a workspace can
write: it gets these, and compares them. SHA-256, because with SHA-1 an agent could make two files of one name.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Union

__all__ = ["Pack", "TreeOf", "object_id", "write_tree"]

TreeOf = dict[bytes, Union[tuple[bytes, bytes], "TreeOf"]]
"""A directory: name -> (mode, id) of a file, or a directory."""

_CODES = {"commit": 1, "tree": 2, "blob": 3}
_FAR = 1 << 31
_STORED = 0  # to compress took two thirds of the time in which a task waits for its base


def object_id(kind: str, data: bytes) -> bytes:
    """The id of an object, 32 bytes."""
    return hashlib.sha256(b"%s %d\0" % (kind.encode(), len(data)) + data).digest()


class Pack:
    """A pack in the making. ``known`` are objects that git has elsewhere: they are not written again."""

    def __init__(self, objects: Path, known: Collection[bytes] = ()) -> None:
        self._directory = objects / "pack"
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._known = known
        self._written: dict[bytes, tuple[int, int]] = {}  # id -> (checksum of its bytes in the pack, offset)
        self._file = (self._directory / "pack.part").open("wb+")
        self._file.write(b"PACK" + struct.pack(">II", 2, 0))
        self._offset = 12

    def add(self, kind: str, data: bytes) -> bytes:
        """Write an object, once; returns its id."""
        name = object_id(kind, data)
        if name not in self._known and name not in self._written:
            raw = _header(_CODES[kind], len(data)) + zlib.compress(data, _STORED)
            self._written[name] = (zlib.crc32(raw), self._offset)
            self._file.write(raw)
            self._offset += len(raw)
        return name

    def finish(self, *, durable: bool = False) -> None:
        """Make it a pack that git reads; ``durable``: it survives a power cut."""
        part = self._directory / "pack.part"
        with self._file as file:
            if not self._written:
                part.unlink()
                return
            file.seek(8)
            file.write(struct.pack(">I", len(self._written)))
            file.seek(0)
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
            file.write(digest.digest())
            file.flush()
            if durable:
                os.fsync(file.fileno())
        index = self._directory / f"pack-{digest.hexdigest()}.idx"
        with index.open("wb") as file:
            file.write(_index(self._written, digest.digest()))
            file.flush()
            if durable:
                os.fsync(file.fileno())
        part.rename(index.with_suffix(".pack"))

    def close(self) -> None:
        """Give up what was not finished."""
        self._file.close()


def _header(code: int, size: int) -> bytes:
    first = code << 4 | size & 0x0F
    size >>= 4
    out = bytearray()
    while size:
        out.append(first | 0x80)
        first = size & 0x7F
        size >>= 7
    out.append(first)
    return bytes(out)


def _index(written: Mapping[bytes, tuple[int, int]], pack: bytes) -> bytes:
    names = sorted(written)
    below = [0] * 256
    for name in names:
        below[name[0]] += 1
    for byte in range(1, 256):
        below[byte] += below[byte - 1]
    near: list[int] = []
    far: list[int] = []
    for name in names:
        offset = written[name][1]
        if offset < _FAR:
            near.append(offset)
        else:
            near.append(_FAR | len(far))
            far.append(offset)
    count = len(names)
    body = b"\xfftOc" + struct.pack(">I", 2) + struct.pack(">256I", *below) + b"".join(names)
    body += struct.pack(f">{count}I", *(written[name][0] for name in names))
    body += struct.pack(f">{count}I", *near) + struct.pack(f">{len(far)}Q", *far) + pack
    return body + hashlib.sha256(body).digest()


def write_tree(pack: Pack, tree: TreeOf) -> bytes:
    """Write a directory and all below it; returns its id. Empty directories are left out, as git does."""
    lines = []
    for name, value in tree.items():
        if isinstance(value, tuple):
            lines.append((name, value[0], name, value[1]))
        elif value:
            lines.append((name + b"/", b"40000", name, write_tree(pack, value)))
    return pack.add("tree", b"".join(mode + b" " + name + b"\0" + own for _, mode, name, own in sorted(lines)))
