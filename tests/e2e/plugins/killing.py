"""A provisioner that ends its engine with SIGKILL at a step that a file names, once. Configured, not patched in.

The file ``kill-at`` in the state directory holds the step: "start:before", "start:progress:2", "start:after",
"stop:before", "stop:after", "delete:before", "delete:after".
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from jupyter_tasks.templates.plan import WorkspacePlan
from jupyter_tasks.workspaces.local import LocalProvisioner
from jupyter_tasks.workspaces.provisioner import ProgressReport, RunningWorkspace, WorkspaceRef


def _die(step: str) -> None:
    order = Path(os.environ["JUPYTER_TASKS_STATE_DIR"]) / "kill-at"
    with contextlib.suppress(FileNotFoundError):
        if order.read_text() == step:
            order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


class KillingProvisioner(LocalProvisioner):
    """The real one, in an engine that dies at the worst moment."""

    async def start(self, ref: WorkspaceRef, plan: WorkspacePlan, progress: ProgressReport) -> RunningWorkspace:
        _die("start:before")
        count = 0

        async def counted(line: str) -> None:
            nonlocal count
            count += 1
            await progress(line)
            _die(f"start:progress:{count}")

        running = await super().start(ref, plan, counted)
        _die("start:after")
        return running

    async def stop(self, workspace_id: str, progress: ProgressReport, *, grace: float = 0.0) -> None:
        _die("stop:before")
        await super().stop(workspace_id, progress, grace=grace)
        _die("stop:after")

    async def delete(self, workspace_id: str, progress: ProgressReport) -> None:
        _die("delete:before")
        await super().delete(workspace_id, progress)
        _die("delete:after")
