"""Keeping a credential out of what an upstream answers.

Owns the search for its bytes in a stream. They are overwritten by as many asterisks, so that lengths stay true; a byte
is held back only while it may be the beginning of the secret.
"""

from __future__ import annotations

__all__ = ["Redactor", "redacted"]


def redacted(data: bytes, secret: bytes) -> bytes:
    """``data`` with every occurrence of the secret overwritten."""
    return data.replace(secret, b"*" * len(secret)) if secret else data


class Redactor:
    """The same for a stream, wherever it was cut into pieces."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What may go on now."""
        data = redacted(self._held + piece if self._held else piece, self._secret)
        kept = self._beginning(data)
        if not kept:
            self._held = b""
            return data
        self._held = data[-kept:]
        return data[:-kept]

    def finish(self) -> bytes:
        """What was held back, now that nothing follows."""
        held, self._held = self._held, b""
        return held

    def _beginning(self, data: bytes) -> int:
        """How many bytes at the end are a beginning of the secret."""
        secret = self._secret
        place = data.find(secret[:1], max(0, len(data) - len(secret) + 1)) if secret else -1
        while place >= 0:
            if secret.startswith(data[place:]):
                return len(data) - place
            place = data.find(secret[:1], place + 1)
        return 0
