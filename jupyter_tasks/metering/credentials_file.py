"""The file in which credentials lie: ``keys.json``, 0600, in the engine's own directory.

Owns reading it safely (ours, a plain file, nobody else's to read), writing it atomically, and noticing that it has
changed. What the entries mean is said by ``credentials``.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_tasks.errors import Forbidden, InvalidInput, StoreReadOnly

__all__ = ["KeysFile"]

VERSION = 1
MOST_BYTES = 1 << 20

Stamp = tuple[int, int, int, int, int]


class KeysFile:
    """The entries by provider. A file that is changed by hand or by another process counts at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: Stamp | None = None
        self._entries: Mapping[str, Mapping[str, Any]] = {}

    def entries(self) -> Mapping[str, Mapping[str, Any]]:
        """What is in it; nothing where there is no file. Raises: Forbidden when others could read or have made it,
        InvalidInput when it cannot be understood."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            self._stamp, self._entries = None, {}
            return self._entries
        except OSError as error:
            raise self._unsafe(
                "it is a symbolic link" if self.path.is_symlink() else error.strerror or "it cannot be read"
            ) from None
        try:
            found = os.fstat(descriptor)
            self._check(found)
            stamp = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
            if stamp != self._stamp:
                with os.fdopen(os.dup(descriptor), "rb") as file:
                    self._entries = _parsed(file.read(MOST_BYTES + 1), self.path)
                self._stamp = stamp
        finally:
            os.close(descriptor)
        return self._entries

    def write(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """Put these in place of what is there, whole or not at all. Raises: StoreReadOnly."""
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(self.path.parent.stat().st_mode) & 0o077:
                self.path.parent.chmod(0o700)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="utf-8") as file:
                json.dump({"version": VERSION, "keys": entries}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise StoreReadOnly(
                f"{self.path} cannot be written: {error.strerror or type(error).__name__}.",
                hint="Nothing was changed.",
            ) from None

    def _check(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise self._unsafe("it is not a plain file")
        if found.st_uid != os.geteuid():
            raise self._unsafe("it belongs to somebody else")
        if found.st_mode & 0o077:
            raise self._unsafe("others may read it", f"`chmod 600 {self.path}` mends it, if nobody has seen it.")

    def _unsafe(self, why: str, hint: str = "") -> Forbidden:
        return Forbidden(
            f"{self.path} is not used: {why}.",
            hint=hint or "Move it away and add your keys again: `jupyter tasks keys add PROVIDER`.",
            code="keys_unsafe",
        )


def _parsed(data: bytes, path: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        if len(data) > MOST_BYTES:
            raise ValueError
        keys = json.loads(data)["keys"]
        if not all(isinstance(entry, dict) and isinstance(entry["secret"], str) for entry in keys.values()):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # the cause is left out: it would quote the file
        raise InvalidInput(
            f"{path} cannot be understood.",
            hint="Move it away and add your keys again: `jupyter tasks keys add PROVIDER`.",
            code="keys_unsafe",
        ) from None
    return dict(keys)
