"""A process that applies or undoes, and ends itself with SIGKILL at a step: python apply_victim.py TOP apply|undo STEP.

With STEP "" it prints the steps instead.
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


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], sys.argv[3])
