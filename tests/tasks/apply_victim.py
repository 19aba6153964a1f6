"""Applies or undoes in processes that end themselves with SIGKILL at a step. Each line of input is one: TOP, apply or
undo, STEP, with tabs between; each is answered with how it ended. Where STEP is empty, the steps are printed first.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import anyio
from apply_lab import CLOCK, Project

from jupyter_tasks.models import ApplyRequest
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.journal import Journal


async def main(top: Path, what: str, end: str) -> None:
    database = await Database.open(top / "tasks.db", clock=CLOCK)
    journal = Journal(database, CLOCK)
    await journal.open()

    def step(name: str) -> None:
        if not end:
            sys.stdout.write(name + "\n")
        elif name == end:
            os.kill(os.getpid(), signal.SIGKILL)

    apply = Project(top, journal).apply_of(step=step)
    await (apply.apply(ApplyRequest()) if what == "apply" else apply.undo())
    await database.close()


def run(line: str) -> None:
    """One of them, in a process of its own."""
    top, what, end = line.rstrip("\n").split("\t")
    child = os.fork()
    if child == 0:
        anyio.run(main, Path(top), what, end)
        sys.stdout.flush()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    sys.stdout.write(f"ended {os.waitstatus_to_exitcode(status)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for line in sys.stdin:
        run(line)
