"""What kind of file system a path lies on.

Owns the reading of /proc/self/mountinfo and the list of those that more than one machine may write. SQLite's WAL needs
memory shared between processes, which a network file system does not give.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["file_system_of", "is_network", "parse_mounts"]

MOUNTS = Path("/proc/self/mountinfo")

_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"}
    | {"nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs", "wekafs"}
    | {f"fuse.{name}" for name in ("ceph", "davfs", "gcsfuse", "glusterfs", "juicefs", "moosefs", "rclone", "s3fs")}
    | {f"fuse.{name}" for name in ("smbnetfs", "sshfs", "vmhgfs-fuse")}
)


def is_network(kind: str) -> bool:
    """Whether other machines (or a virtual machine's host) may write to a file system of this kind."""
    return kind in _NETWORK


def file_system_of(path: Path, mounts: Path = MOUNTS) -> str:
    """The kind of the file system that holds ``path`` (which need not exist yet), "" where it cannot be known."""
    try:
        text = mounts.read_bytes()
    except OSError:
        return ""
    wanted = os.fsencode(os.path.realpath(path))
    kind = b""
    longest = -1
    for place, found in parse_mounts(text):
        inside = wanted == place or wanted.startswith(place.rstrip(b"/") + b"/")
        if inside and len(place) >= longest:  # of two mounts on one place the later one is seen
            longest, kind = len(place), found
    return kind.decode("utf-8", "replace")


def parse_mounts(text: bytes) -> list[tuple[bytes, bytes]]:
    """(place, kind) of every line of mountinfo; lines that are not of its form are left out."""
    found = []
    for line in text.split(b"\n"):
        head, separator, tail = line.partition(b" - ")
        fields = head.split(b" ")
        kind = tail.split(b" ")[0]
        if separator and len(fields) >= 5 and kind:
            found.append((_unescaped(fields[4]), kind))
    return found


def _unescaped(field: bytes) -> bytes:
    for escaped, plain in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        field = field.replace(escaped, plain)
    return field
