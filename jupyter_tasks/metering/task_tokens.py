"""The tokens with which workspaces call the gateway.

Owns how one is made: from the build's id and a secret that only the engine has, so nothing has to be kept, a resumed
task (another build) has another token, and a token tells nothing about any other. It opens nothing by itself: the
gateway takes it on the reverse connections of that build's own workspace only.
"""

from __future__ import annotations

import base64
import hmac
import os
import secrets
import stat
from functools import cached_property
from pathlib import Path

from jupyter_tasks.errors import EngineUnavailable

__all__ = ["PREFIX", "TaskTokens"]

PREFIX = "jt-"
SECRET_BYTES = 32


class TaskTokens:
    """Tokens of builds. ``secret_file``: where the engine's own secret lies; it is made when it is first needed."""

    def __init__(self, secret_file: Path) -> None:
        self._file = secret_file

    def __repr__(self) -> str:
        return "TaskTokens()"

    def token(self, build_id: str) -> str:
        """The token of a build. Raises: EngineUnavailable when the secret cannot be read or made."""
        digest = hmac.digest(self._secret, b"task token\0" + build_id.encode(), "sha256")
        return PREFIX + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def matches(self, token: str, build_id: str) -> bool:
        """Whether it is that build's token, in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token(build_id).encode())

    @cached_property
    def _secret(self) -> bytes:
        try:
            try:
                return _read(self._file)
            except FileNotFoundError:
                _make(self._file)
                return _read(self._file)
        except OSError as error:
            raise EngineUnavailable(
                f"{self._file} cannot be read: {error.strerror or type(error).__name__}.",
                hint="Remove it: a new one is made, and running tasks have to be paused and resumed.",
            ) from None


def _read(file: Path) -> bytes:
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(0, "it is not a file that only you can read")
        secret = os.read(descriptor, SECRET_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(secret) != SECRET_BYTES:
        raise OSError(0, f"it does not hold {SECRET_BYTES} bytes")
    return secret


def _make(file: Path) -> None:
    """Whole or not at all, and of several that try at once the first one's."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(SECRET_BYTES))
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links; engines are single by their lock
            draft.rename(file)
            return
    finally:
        draft.unlink(missing_ok=True)
