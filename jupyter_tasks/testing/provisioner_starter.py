"""An engine of one start only, which kills itself at a given step: ``python -m`` for the conformance kit.

A step is an act on the system that Python's audit hooks see (a file opened or renamed, a directory made, a process
started): wherever the provisioner's author puts them, each is tried.

    provisioner_starter STEP WORKSPACE BUILD TEMPLATE PATH MODULE:FUNCTION [ARGUMENT…]
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio

from jupyter_tasks.templates.plan import Agent, LocalWorkspace, WorkspacePlan
from jupyter_tasks.workspaces.provisioner import WorkspaceRef

_ACTS = {"os.mkdir", "os.rename", "os.remove", "os.chmod", "os.rmdir", "subprocess.Popen", "os.symlink", "open"}


def main(step: int, workspace_id: str, build_id: str, template: str, path: str, where: str, *arguments: str) -> None:
    """Start, then die: at the ``step``-th act, or with step 0 when the workspace runs."""
    module, _, name = where.partition(":")
    provisioner = getattr(import_module(module), name)(*arguments)
    agent = Agent(id="agent", name="main", os="linux", arch="amd64", dir="~/project")
    local = LocalWorkspace(memory=512 << 20, processes=128, files=Path(template))
    plan = WorkspacePlan(kind="local", transition="start", agents=[agent], local=local)
    ref = WorkspaceRef(id=workspace_id, name="conformance", owner="kit", build_id=build_id, path=path)
    left = step
    watching = False

    def act(event: str, values: tuple[Any, ...]) -> None:
        nonlocal left
        # only what changes something counts: a file that is opened for reading is no step
        if not watching or event not in _ACTS or (event == "open" and not (values[2] or 0) & os.O_ACCMODE):
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    async def progress(line: str) -> None:
        nonlocal watching
        watching = step > 0

    async def start() -> None:
        await provisioner.start(ref, plan, progress)

    sys.addaudithook(act)
    anyio.run(start)
    if step == 0:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
