"""The workspace agent as one file that any Python >= 3.9 runs.

Owns building the zipapp from the installed package and caching it by content. Byte code of this Python goes in beside
the sources (unchecked, so that no clock matters): a workspace with the same Python starts 60 ms sooner, any other one
compiles the sources.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import sys
import tempfile
import zipfile
from importlib.machinery import SourceFileLoader
from pathlib import Path

from jupyter_tasks.errors import StoreReadOnly
from jupyter_tasks.places import state_dir

__all__ = ["agent_archive"]

_SOURCES = Path(__file__).resolve().parent.parent / "agent"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the archive depends on its content alone


def agent_archive(*, directory: Path | None = None) -> Path:
    """The archive with the agent, its shims and the offline agent, built if need be (0644; its name holds its hash).

    Args: directory: where archives are kept, ``agent`` in the state directory by default.
    Raises: StoreReadOnly when it cannot be written.
    """
    files = _files()
    digest = hashlib.sha256(sys.version.encode())
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    folder = directory if directory is not None else state_dir() / "agent"
    target = folder / f"agent-{digest.hexdigest()[:16]}.pyz"
    if target.is_file():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(target, _pack(files))
    except OSError as problem:
        raise StoreReadOnly(
            f"The workspace agent cannot be written to {folder}.",
            detail=problem.strerror or "",
            hint="Make room there or name another state directory in JUPYTER_TASKS_STATE_DIR.",
        ) from problem
    return target


def _files() -> dict[str, bytes]:
    """Sources by their name in the archive: ``agent/…`` and, where it is installed, ``offline/…``."""
    found = {"__main__.py": b"from agent.__main__ import main\n\nmain()\n"}
    for path in sorted(_SOURCES.rglob("*.py")):
        parts = path.relative_to(_SOURCES).parts
        name = "/".join(parts if parts[0] == "offline" else ("agent", *parts))
        found[name] = path.read_bytes()
    return found


def _pack(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            _add(archive, name, content)
            _add(archive, name + "c", _byte_code(name, content))
    return buffer.getvalue()


def _byte_code(name: str, content: bytes) -> bytes:
    """An unchecked hash-based pyc (PEP 552)."""
    import marshal

    code = SourceFileLoader("agent", name).source_to_code(content, name)
    flags = 0b01  # hash-based, not checked against the source
    head = importlib.util.MAGIC_NUMBER + flags.to_bytes(4, "little") + importlib.util.source_hash(content)
    return head + marshal.dumps(code)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    # stored, not deflated: the agent would pay for zlib at every start
    archive.writestr(entry, content, zipfile.ZIP_STORED)


def _write(target: Path, content: bytes) -> None:
    fd, name = tempfile.mkstemp(dir=target.parent, prefix=".agent-")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
