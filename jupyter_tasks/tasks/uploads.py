"""Files that come through AgentAPI's upload route, put into the workspace.

Owns where they go: a folder named by their content, below the workspace's own temporary directory.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import AsyncIterator

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.workspaces.connection import Link

__all__ = ["upload"]

ROOT = "/tmp/agentapi-uploads"  # noqa: S108 - a path inside the workspace, whose /tmp is its own


async def upload(link: Link, name: str, data: bytes) -> str:
    """Write ``data`` to a new file inside; returns its path there. Raises: InvalidInput, LinkError."""
    base = name.rsplit("/", 1)[-1]
    if not base or base in (".", "..") or "\0" in base or len(base.encode("utf-8", "replace")) > 255:
        raise InvalidInput(f"{name[:80]!r} is not a file name.")
    folder = f"{ROOT}/{hashlib.sha256(data).hexdigest()[:16]}"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(base)
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
    await link.archive_write(folder, _pieces(packed.getvalue()))
    return f"{folder}/{base}"


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 64 << 10):
        yield data[start : start + (64 << 10)]
