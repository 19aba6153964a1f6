"""Keystrokes as they come over the wire.

Owns their decoding and its error texts.
"""

from __future__ import annotations

import base64
import binascii
from uuid import uuid4

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.models import TerminalInput

__all__ = ["keystrokes"]

MOST = 64 << 10


def keystrokes(request: TerminalInput) -> tuple[bytes, str]:
    """The bytes to type and their key. Raises: InvalidInput."""
    try:
        data = base64.b64decode(request.data or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("data is not base64.") from error
    if len(data) > MOST:
        raise InvalidInput("More than 64 KiB of keystrokes at once.", hint="Send them in pieces.")
    return data, f"keys-{request.key or uuid4()}"
