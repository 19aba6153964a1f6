"""A coding agent that starts before the shim that asks for it is ready to ask.

Owns the hint: ``agentapi``'s launcher, a line of sh, writes its process id into a pipe and then becomes the shim. To
start that interpreter takes longer than everything else on the way to the agent, and what it would say can be read
from /proc at once. Nothing depends on it: where anything is unusual the hint is dropped, and the shim asks as ever.
"""

from __future__ import annotations

import os
import stat

from .wire import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .loop import Loop

PIPE = "early"
_SHIM = "agentapi"


class Hints:
    """The pipe at ``path``. ``begin(pid, request)`` is called for every process that is about to register."""

    def __init__(self, loop: Loop, path: str, begin: Callable[[int, dict[str, Any]], object]) -> None:
        self._loop = loop
        self._begin = begin
        self._buffer = b""
        try:
            if os.path.lexists(path):
                os.unlink(path)
            os.mkfifo(path, 0o600)
            # for both: so that it never ends, and no writer ever waits
            self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return  # the launcher finds no pipe
        loop.watch(self._fd, 1, self._ready)

    def _ready(self, _mask: int) -> None:
        try:
            self._buffer = (self._buffer + os.read(self._fd, 4096))[-64:]
        except BlockingIOError:
            return
        while b"\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\n")
            if line.isdigit() and len(line) < 10:
                try:
                    request = announced(int(line))
                    if request is not None:
                        self._begin(int(line), request)
                except Refused:
                    pass  # the shim will be told


def announced(pid: int) -> dict[str, Any] | None:
    """What the shim in that process will register; None where only the shim can tell."""
    from .shims.agentapi import Wrong, parse, registration

    try:
        words = _fields(f"/proc/{pid}/cmdline")
        given = dict(field.split("=", 1) for field in _fields(f"/proc/{pid}/environ") if "=" in field)
        place = os.readlink(f"/proc/{pid}/cwd")
        stdin = os.stat(f"/proc/{pid}/fd/0").st_mode
    except OSError:
        return None
    # "sh …/agentapi server …", or already "python … -c CODE agentapi server …"
    begin = next((n for n, word in enumerate(words[:8]) if os.path.basename(word) == _SHIM), len(words))
    if words[begin + 1 : begin + 2] != ["server"] or not stat.S_ISCHR(stdin):
        return None
    if not given:
        return None  # it becomes the shim just now: the kernel shows no variables then, and no PATH finds no agent
    try:
        options, command = parse(words[begin + 2 :], given)
    except Wrong:
        return None
    if options["exit"] or options["pid-file"]:
        return None
    return registration(options, command, given, place)


def _fields(path: str) -> list[str]:
    """A file of NUL-ended texts. Raises: OSError."""
    with open(path, "rb") as file:
        return file.read(4 << 20).decode("utf-8", "replace").split("\0")[:-1]
