"""Wait until a program waits, to interrupt it there.

Python looks for signals between two steps of its own; one that comes after the last look, and before the system call
that waits, is seen when that call returns: perhaps never. People press the key again; a test sends one signal.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from jupyter_tasks.testing.home import until

__all__ = ["interrupt_when_blocked", "until_blocked"]

_LOOKS = 5
_BETWEEN = 0.03


def until_blocked(process: int, thread: int | None = None) -> None:
    """Return when a thread (default: the first one) has stayed in one and the same wait for a while (Linux).

    Args: ``process`` and ``thread`` are the kernel's ids.
    """
    status = Path(f"/proc/{process}/task/{thread or process}/status")
    until(lambda: _stays(status), 30, lambda: status.read_text())


def interrupt_when_blocked(signum: int) -> threading.Thread:
    """A thread, not started, that sends the calling thread's process this signal when the caller has come to wait."""
    process, caller = os.getpid(), threading.get_native_id()

    def interrupt() -> None:
        until_blocked(process, caller)
        os.kill(process, signum)

    return threading.Thread(target=interrupt)


def _stays(status: Path) -> bool:
    seen = set()
    for _ in range(_LOOKS):
        lines = status.read_text().splitlines()
        seen.add(tuple(line for line in lines if line.startswith(("State:", "voluntary_ctxt_switches:"))))
        time.sleep(_BETWEEN)
    return len(seen) == 1 and "sleeping" in str(seen)
