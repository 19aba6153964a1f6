"""Ports of this machine for programs that are told one and open it later.

Owns the choice of a port: never one that the kernel gives to connections.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

from jupyter_tasks.errors import WorkspaceFailed

__all__ = ["hold_port"]

_LOWEST = 10_000  # below lie the ports that people's own servers like
_TRIES = 200


def hold_port() -> socket.socket:
    """A socket that holds a free port of 127.0.0.1; close it when the program that is told of it may have it.

    The port lies outside the range that the kernel takes the near ends of connections from: between here and the
    program's own ``listen``, any program on the machine may make one, also the very one that looks whether it listens.

    Raises: WorkspaceFailed where no port is free.
    """
    taken = _ephemeral()
    choice = [port for port in range(_LOWEST, 65536) if port not in taken]
    tries = [*random.sample(choice, min(len(choice), _TRIES)), 0]  # the kernel's own choice where it leaves nothing
    for port in tries:
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
        else:
            return listener
    raise WorkspaceFailed("No port of this machine is free for a workspace that shares its network.")


def _ephemeral() -> range:
    """The ports that the kernel gives to connections (ip(7): ip_local_port_range)."""
    try:
        first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        return range(int(first), int(last) + 1)
    except (OSError, ValueError):
        return range(32768, 61000)
