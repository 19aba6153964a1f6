"""Descriptors of processes (Linux 5.3), also where Python was built without them.

Owns the two system calls. Pythons of conda and python-build-standalone are compiled against old kernel headers and
lack ``os.pidfd_open`` on every kernel: there the calls are made by their numbers, which all processors share.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable
from functools import cache

__all__ = ["available", "kill_by_number", "open_by_number", "pidfd_kill", "pidfd_open"]

_SEND_SIGNAL = 424
_OPEN = 434


def open_by_number(pid: int) -> int:
    """``os.pidfd_open`` without its help. Raises: OSError."""
    return _call(_OPEN, pid, 0)


def kill_by_number(fd: int) -> None:
    """SIGKILL to the process of a descriptor. Raises: OSError."""
    _call(_SEND_SIGNAL, fd, int(signal.SIGKILL), None, 0)


def _call(*arguments: int | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.syscall(*(one if one is None else ctypes.c_long(one) for one in arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def pidfd_open(pid: int) -> int:
    """A descriptor of the process ``pid``, not inherited. Raises: ProcessLookupError when there is none, OSError."""
    known: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    return known(pid) if known is not None else open_by_number(pid)


def pidfd_kill(fd: int) -> None:
    """SIGKILL to the process of a descriptor. Raises: ProcessLookupError when it has ended, OSError."""
    known = getattr(signal, "pidfd_send_signal", None)
    if known is not None:
        known(fd, signal.SIGKILL)
    else:
        kill_by_number(fd)


@cache
def available() -> bool:
    """Whether this kernel has them."""
    with contextlib.suppress(OSError, AttributeError):
        os.close(pidfd_open(os.getpid()))
        return True
    return False
