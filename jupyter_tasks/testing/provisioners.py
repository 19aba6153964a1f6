"""The conformance kit for provisioners: what every one of them has to do, as cases that its author runs.

    @pytest.mark.anyio
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    async def test_conforms(case, tmp_path):
        await case.run(ProvisionerBench(make=..., starter=..., template=...))

Owns the cases and the bench they run on. A case raises AssertionError with a sentence. Nothing is faked: real
workspaces are started, and programs run in them over the link.
"""

from __future__ import annotations

import json
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.to_thread

from jupyter_tasks.errors import InvalidInput, TasksError
from jupyter_tasks.templates.plan import Agent, LocalWorkspace, Mount, WorkspacePlan
from jupyter_tasks.testing.provisioner_escapes import bait, probe_command, reached_outside
from jupyter_tasks.workspaces.provisioner import Exit, Provisioner, RunningWorkspace, WorkspaceRef

__all__ = ["CASES", "ProvisionerBench", "ProvisionerCase", "Ran", "execute"]

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that ran inside: exit code and what it wrote."""

    code: int
    out: str
    err: str


@dataclass(kw_only=True)
class ProvisionerBench:
    """What a case needs.

    ``make`` gives a new provisioner over the same places each time, as an engine has after a restart. ``starter`` is
    what another process calls to get one: ``module:function`` and the function's text arguments. ``plan`` is planned
    for ``local`` limits. ``left`` tells, as sentences, what is still there of a workspace that was deleted, ``agents``
    how many workspace agents of it run.
    """

    make: Callable[[], Provisioner]
    starter: Sequence[str]
    template: Path
    path: str = ""
    left: Callable[[str], Sequence[str]] = field(default=lambda workspace_id: ())
    agents: Callable[[str], int] = field(default=lambda workspace_id: 1)
    plan: Callable[[LocalWorkspace], WorkspacePlan] = field(default=lambda local: _plan(local))

    def ref(self, build_id: str = "build-1") -> WorkspaceRef:
        """A workspace of this case's own."""
        return WorkspaceRef(
            id=f"w-{secrets.token_hex(6)}", name="conformance", owner="kit", build_id=build_id, path=self.path
        )

    def local(self, *, memory: int = 512 * _MIB, processes: int = 128) -> WorkspacePlan:
        """A plan with the bench's template files and these limits."""
        return self.plan(LocalWorkspace(memory=memory, processes=processes, files=self.template))


def _plan(local: LocalWorkspace) -> WorkspacePlan:
    agent = Agent(id="agent", name="main", os="linux", arch="amd64", dir="~/project")
    return WorkspacePlan(kind="local", transition="start", agents=[agent], local=local)


@dataclass(frozen=True, slots=True)
class ProvisionerCase:
    """One thing that every provisioner does. ``isolation``: only for workspaces that are isolated."""

    name: str
    run: Callable[[ProvisionerBench], Awaitable[None]]
    isolation: bool = False


async def _silent(line: str) -> None:
    assert line, "a progress line is empty"


async def execute(run: RunningWorkspace, *argv: str, timeout: float = 30.0) -> Ran:
    """Run a program inside, over the link, as docs/link.md says."""
    return await anyio.to_thread.run_sync(_execute, run, argv, timeout)


def _execute(run: RunningWorkspace, argv: Sequence[str], timeout: float) -> Ran:
    asked = {"v": 1, "op": "exec", "token": run.token, "argv": argv, "env": {}, "cwd": "", "stdin": False}
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(timeout)
        link.connect(str(run.address.socket))
        link.sendall(json.dumps(asked | {"timeout": timeout}).encode() + b"\n")
        with link.makefile("rb") as answers:
            first = json.loads(answers.readline())
            assert first["ok"], f"the workspace agent refused to run {argv[0]}: {first}"
            said = {1: b"", 2: b"", 3: b""}
            while head := answers.read(5):
                said[head[0]] += answers.read(int.from_bytes(head[1:], "big"))
    return Ran(int(json.loads(said[3])["code"]), said[1].decode(errors="replace"), said[2].decode(errors="replace"))


async def _shell(run: RunningWorkspace, script: str) -> str:
    ran = await execute(run, "sh", "-c", script)
    assert ran.code == 0, f"{script!r} failed inside with {ran.code}: {ran.out}{ran.err}"
    return ran.out.strip()


async def _remove(bench: ProvisionerBench, workspace_id: str) -> None:
    """Delete, and look that nothing is left."""
    provisioner = bench.make()
    await provisioner.delete(workspace_id, _silent)
    assert workspace_id not in await provisioner.list(), "delete left something that list() finds"
    left = list(bench.left(workspace_id))
    assert not left, f"delete left {left}"


async def one_build_is_one_start(bench: ProvisionerBench) -> None:
    """start() again for the same build returns what runs, also from another engine; another build replaces it."""
    ref, plan = bench.ref(), bench.local()
    first = await bench.make().start(ref, plan, _silent)
    try:
        again = await bench.make().start(ref, plan, _silent)
        assert again == first, "starting one build twice made two workspaces"
        assert await bench.make().find(ref.id) == first, "find() does not find what start() started"
        other = await bench.make().start(replace(ref, build_id="build-2"), plan, _silent)
        assert other.token != first.token, "another build kept the token"
        assert other.build_id == "build-2", "another build has the old one's id"
        await _shell(other, "true")
    finally:
        await _remove(bench, ref.id)


async def nothing_to_do_is_fine(bench: ProvisionerBench) -> None:
    """find, wait, stop and delete of what never was; stop and delete twice."""
    ref, provisioner = bench.ref(), bench.make()
    assert await provisioner.find(ref.id) is None, "find() found what never was"
    with anyio.fail_after(40):
        assert (await provisioner.wait(ref.id)).reason, "wait() gave no reason"
    await provisioner.stop(ref.id, _silent)
    await provisioner.delete(ref.id, _silent)
    await provisioner.start(ref, bench.local(), _silent)
    await provisioner.stop(ref.id, _silent)
    await provisioner.stop(ref.id, _silent)
    assert await provisioner.find(ref.id) is None, "a stopped workspace is found"
    assert ref.id in await provisioner.list(), "a stopped workspace is not listed"
    await _remove(bench, ref.id)
    await _remove(bench, ref.id)


async def resume_keeps_files(bench: ProvisionerBench) -> None:
    """Template files come once, with their modes; what the workspace wrote is there after stop and start."""
    ref, plan = bench.ref(), bench.local()
    names = sorted(path.name for path in bench.template.iterdir())
    try:
        run = await bench.make().start(ref, plan, _silent)
        there = (await _shell(run, "cd ~/project && ls -A")).split()
        assert there == names, f"the template's files are {names}, the workspace has {there}"
        await _shell(run, f"cd ~/project && rm -rf ./{names[0]} && echo kept > mine && echo home > ~/mine")
        await bench.make().stop(ref.id, _silent)
        run = await bench.make().start(replace(ref, build_id="build-2"), plan, _silent)
        assert await _shell(run, "cat ~/project/mine ~/mine") == "kept\nhome", "a resume lost the workspace's files"
        gone = await execute(run, "test", "-e", f"{run.home}/project/{names[0]}")
        assert gone.code != 0, "a resume brought back a template file that the agent had removed"
    finally:
        await _remove(bench, ref.id)


async def delete_removes_what_resists(bench: ProvisionerBench) -> None:
    """Directories without permissions, deep trees, names that are no text and links out of the workspace."""
    ref, provisioner = bench.ref(), bench.make()
    outside = bench.template / sorted(path.name for path in bench.template.iterdir())[0]
    run = await provisioner.start(ref, bench.local(), _silent)
    script = (
        "import os; os.chdir(os.path.expanduser('~')); os.makedirs('ro/a'); open('ro/a/f','w').close();"
        "os.chmod('ro/a',0o500); os.chmod('ro',0); os.mkdir(b'\\xff\\n'); os.symlink('/','root');"
        f"os.symlink({str(outside)!r}, 'out'); os.mkfifo('pipe')\n"
        "for i in range(600): os.mkdir('d'*200); os.chdir('d'*200)"
    )
    ran = await execute(run, "python3", "-I", "-c", script)
    assert ran.code == 0, ran.err
    await _remove(bench, ref.id)
    assert outside.exists(), "delete followed a link out of the workspace"


async def wait_tells_of_the_end(bench: ProvisionerBench) -> None:
    """wait() returns when the workspace agent is killed, in another engine than started it, with a reason."""
    ref = bench.ref()
    run = await bench.make().start(ref, bench.local(), _silent)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, _kill_agent, run)
            with anyio.fail_after(60):
                assert (await bench.make().wait(ref.id)).reason, "wait() gave no reason"
        assert await bench.make().find(ref.id) is None, "a workspace without its agent is still found"
    finally:
        await _remove(bench, ref.id)


def _kill_agent(run: RunningWorkspace) -> None:
    try:  # $PPID of what the agent runs is the agent
        _execute(run, ["sh", "-c", "sleep 300 & kill -9 $PPID"], 40)
    except (OSError, ValueError):
        return  # the connection ended with the agent


async def survives_its_engine(bench: ProvisionerBench) -> None:
    """An engine that ends, however, leaves its workspaces running, and the next one finds them."""
    ref = bench.ref()
    ended = await anyio.to_thread.run_sync(_start_elsewhere, bench, ref, 0)
    try:
        assert ended == -signal.SIGKILL, f"the starter ended with {ended}, not by kill -9 after its start"
        run = await bench.make().find(ref.id)
        assert run is not None, "nothing is found after the engine was killed"
        await _shell(run, "true")
    finally:
        await _remove(bench, ref.id)


async def killed_anywhere(bench: ProvisionerBench, every: int = 29) -> None:
    """kill -9 of the engine at step after step of a start: starting again gives exactly one workspace that works."""
    step, ended = 1, -9
    while ended == -signal.SIGKILL:
        ref = bench.ref()
        ended = await anyio.to_thread.run_sync(_start_elsewhere, bench, ref, step)
        try:
            assert ended in (0, -signal.SIGKILL), f"the starter failed with {ended} at step {step}"
            run = await bench.make().start(ref, bench.local(), _silent)
            names = sorted(path.name for path in bench.template.iterdir())
            assert (await _shell(run, "cd ~/project && ls -A")).split() == names, f"files are lost after step {step}"
            agents = bench.agents(ref.id)
            assert agents == 1, f"{agents} workspace agents run after a kill at step {step}"
        finally:
            await _remove(bench, ref.id)
        step += every


def _start_elsewhere(bench: ProvisionerBench, ref: WorkspaceRef, step: int) -> int:
    """Start in another process that kills itself at its ``step``-th act on the system (0: when all is done)."""
    plan = bench.local().local
    assert plan is not None
    command = [sys.executable, "-m", "jupyter_tasks.testing.provisioner_starter", str(step), ref.id, ref.build_id]
    command += [str(bench.template), ref.path, *bench.starter]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode not in (0, -signal.SIGKILL):
        sys.stderr.write(done.stderr)
    return done.returncode


async def nothing_gets_out(bench: ProvisionerBench) -> None:
    """No host socket, process, file, secret or network is reachable from inside, another workspace's link neither."""
    ref, other = bench.ref(), bench.ref()
    with bait() as laid:
        outside = await anyio.to_thread.run_sync(reached_outside, laid)
        missed = {laid.files[0], laid.sockets[0], f"@{laid.abstract[0]}", f"port {laid.ports[0]}"} - outside
        assert not missed, f"the probe proves nothing: outside it does not reach {missed}"
        try:
            neighbour = await bench.make().start(other, bench.local(), _silent)
            run = await bench.make().start(ref, bench.local(), _silent)
            sockets = [str(neighbour.address.socket), str(run.address.socket)]
            ran = await execute(run, *probe_command(laid.to_json(sockets)), timeout=60)
            assert ran.code == 0, ran.err
            assert json.loads(ran.out) == [], f"from inside one reaches {ran.out.strip()}"
        finally:
            await _remove(bench, ref.id)
            await _remove(bench, other.id)


async def bombs_are_bounded(bench: ProvisionerBench) -> None:
    """A memory bomb ends its workspace with that reason; a fork bomb is bounded or ends it with that reason."""
    memory = "b=[]\nwhile True: b.append(bytearray(b'x')*(8<<20))"
    # 512 processes, eight times the limit, and no more: where only a look now and then holds the bound, one without end
    # comes to thousands before it is ended, and holds up everything else on this machine for seconds
    forks = "import os,time\nfor _ in range(9):\n  try: os.fork()\n  except OSError: time.sleep(.05)\ntime.sleep(60)"
    assert (await _bomb(bench, memory)).limit == "memory", "a memory bomb was not ended for its memory"
    assert (await _bomb(bench, forks)).limit in {"processes", "memory"}, "a fork bomb was not ended"


async def _bomb(bench: ProvisionerBench, program: str) -> Exit:
    ref, provisioner = bench.ref(), bench.make()
    run = await provisioner.start(ref, bench.local(memory=192 * _MIB, processes=64), _silent)
    ended: list[Exit] = []
    try:
        async with anyio.create_task_group() as tasks:

            async def throw() -> None:
                try:
                    await execute(run, "python3", "-I", "-c", program, timeout=30)
                except (OSError, ValueError, TasksError):
                    return  # the link went with the workspace

            tasks.start_soon(throw)
            with anyio.move_on_after(30):
                ended.append(await provisioner.wait(ref.id))
            if not ended:  # bounded: it goes on, and the workspace still answers
                await provisioner.stop(ref.id, _silent)
                ended.append(Exit(reason="bounded", limit="processes"))
    finally:
        await _remove(bench, ref.id)
    return ended[0]


async def fills_once(bench: ProvisionerBench) -> None:
    """``fill`` is called once, over the template's files, and its failure leaves nothing half made."""
    filled: list[Path] = []

    def fill(home: Path, target: Path) -> None:
        assert target.is_relative_to(home), "the target lies outside of the home"
        assert sorted(path.name for path in bench.template.iterdir()) == sorted(path.name for path in target.iterdir())
        (target / "mine").write_text("filled")
        filled.append(target)
        if len(filled) == 1:
            raise InvalidInput("the first time")

    ref, plan = replace(bench.ref(), fill=fill), bench.local()
    try:
        with suppress(InvalidInput):
            await bench.make().start(ref, plan, _silent)
            raise AssertionError("a fill that failed was passed over")
        run = await bench.make().start(ref, plan, _silent)
        assert await _shell(run, "cat ~/project/mine && rm ~/project/mine") == "filled", (
            "what was filled in is not there"
        )
        await bench.make().stop(ref.id, _silent)
        run = await bench.make().start(replace(ref, build_id="build-2"), plan, _silent)
        gone = await execute(run, "test", "-e", f"{run.home}/project/mine")
        assert len(filled) == 2, "a resume filled again"
        assert gone.code != 0, "a resume brought back what the workspace had removed"
    finally:
        await _remove(bench, ref.id)


async def shows_read_only(bench: ProvisionerBench) -> None:
    """``mounts`` are seen at their own paths, also one below another, never written, and again after a resume."""
    with tempfile.TemporaryDirectory(prefix="jt-shown-") as name:
        shown = Path(name)
        (shown / "in" / "side").mkdir(parents=True)
        (shown / "data.csv").write_text("1,2\n")
        mounts = [Mount(source=each, target=each) for each in (shown / "in", shown)]
        ref, plan = replace(bench.ref(), mounts=mounts), bench.local()
        try:
            for build in ("build-1", "build-2"):
                run = await bench.make().start(replace(ref, build_id=build), plan, _silent)
                assert await _shell(run, f"cat {shown}/data.csv") == "1,2", "a mount is not seen"
                if run.isolation.kind != "none":
                    script = f"for f in data.csv new in/new in/side/new; do echo x > {shown}/$f && exit 1; done; exit 0"
                    ran = await execute(run, "sh", "-c", script)
                    assert ran.code == 0, "a mount can be written"
                await bench.make().stop(ref.id, _silent)
            assert (shown / "data.csv").read_text() == "1,2\n", "a mount was written"
        finally:
            await _remove(bench, ref.id)


CASES: Sequence[ProvisionerCase] = (
    ProvisionerCase("one_build_is_one_start", one_build_is_one_start),
    ProvisionerCase("nothing_to_do_is_fine", nothing_to_do_is_fine),
    ProvisionerCase("resume_keeps_files", resume_keeps_files),
    ProvisionerCase("fills_once", fills_once),
    ProvisionerCase("shows_read_only", shows_read_only),
    ProvisionerCase("delete_removes_what_resists", delete_removes_what_resists),
    ProvisionerCase("wait_tells_of_the_end", wait_tells_of_the_end),
    ProvisionerCase("survives_its_engine", survives_its_engine),
    ProvisionerCase("killed_anywhere", killed_anywhere),
    ProvisionerCase("nothing_gets_out", nothing_gets_out, isolation=True),
    ProvisionerCase("bombs_are_bounded", bombs_are_bounded, isolation=True),
)
