"""Run by test_local_denied.py where no user namespaces are to be had: prints what the provisioner does there."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import anyio

from jupyter_tasks.errors import SandboxUnavailable
from jupyter_tasks.templates.plan import Agent, AITask, App, WorkspacePlan
from jupyter_tasks.testing.provisioners import execute
from jupyter_tasks.workspaces.local import LocalProvisioner
from jupyter_tasks.workspaces.provisioner import WorkspaceRef


async def main(places: Path) -> None:
    provisioner = LocalProvisioner(state=places / "s", links=places / "l")
    apps = [
        App(id="1", slug="agent", url="http://localhost:3284"),
        App(id="2", slug="preview", url="http://localhost:8000"),
    ]
    agent = Agent(id="a", name="main", os="linux", arch="amd64", apps=apps)
    plan = WorkspacePlan(kind="local", transition="start", agents=[agent], task=AITask(id="t", app_id="1"))
    ordinary = WorkspaceRef(id="w1", name="w1", owner="me", build_id="b1", path=os.environ["PATH"])
    ours = WorkspaceRef(id="w2", name="w2", owner="me", build_id="b2", path=os.environ["PATH"], allow_unisolated=True)
    said: list[str] = []

    async def progress(line: str) -> None:
        said.append(line)

    told: dict[str, object] = {}
    for method in ("check", "start"):
        try:
            await (
                provisioner.check(ordinary, plan) if method == "check" else provisioner.start(ordinary, plan, progress)
            )
        except SandboxUnavailable as error:
            told[method] = [error.message, error.hint]
    told["left"] = [str(path) for path in places.rglob("*")]
    told["ours"] = (await provisioner.check(ours, plan)).kind
    run = await provisioner.start(ours, plan, progress)
    ran = await execute(run, "sh", "-c", "echo $HOME; echo $PORT; echo $JUPYTER_TASKS_AGENTAPI_PORT; pwd")
    told |= {"isolation": [run.isolation.kind, run.isolation.reason], "ports": run.ports, "home": run.home}
    told |= {"ran": ran.out.split(), "said": said}
    await provisioner.delete("w2", progress)
    told["after"] = list(await provisioner.list())
    sys.stdout.write(json.dumps(told))


anyio.run(main, Path(sys.argv[1]))
