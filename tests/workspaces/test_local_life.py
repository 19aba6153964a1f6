"""What the kit does not ask of every provisioner: limits by other roads, reboots, reused pids, what is seen inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.errors import TasksError, WorkspaceFailed
from jupyter_tasks.templates.plan import Agent, LocalWorkspace, Mount, WorkspacePlan
from jupyter_tasks.testing.provisioners import execute
from jupyter_tasks.workspaces.local import LocalProvisioner
from jupyter_tasks.workspaces.local_env import MARK
from jupyter_tasks.workspaces.processes import marked
from jupyter_tasks.workspaces.provisioner import Exit, RunningWorkspace, WorkspaceRef
from jupyter_tasks.workspaces.sandbox import Bubblewrap, SandboxProbe

FOUND = SandboxProbe(SystemClock()).find()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("anyio_backend"),
    pytest.mark.skipif(not isinstance(FOUND, Bubblewrap), reason="no user namespaces here"),
]


async def silent(line: str) -> None:
    return None


def plan(**local: object) -> WorkspacePlan:
    agent = Agent(id="a", name="main", os="linux", arch="amd64")
    return WorkspacePlan(
        kind="local",
        transition="start",
        agents=[agent],
        local=LocalWorkspace(**local),  # type: ignore[arg-type]
    )


def ref(python_env: Path | None = None, path: str | None = None) -> WorkspaceRef:
    return WorkspaceRef(
        id="w1", name="My work", owner="me", build_id="b1", python_env=python_env, path=path or os.environ["PATH"]
    )


@pytest.fixture
def local(short: Path, monkeypatch: pytest.MonkeyPatch) -> LocalProvisioner:
    monkeypatch.setenv("JUPYTER_TASKS_STATE_DIR", str(short / "s"))
    return LocalProvisioner(state=short / "s", links=short / "l", disk=64 << 20)


@pytest.fixture
async def clean(local: LocalProvisioner) -> AsyncIterator[None]:
    yield
    await local.delete("w1", silent)
    assert marked(MARK, "w1") == []


async def python(run: RunningWorkspace, program: str, *arguments: str) -> str:
    ran = await execute(run, "python3", "-I", "-c", program, *arguments)
    assert ran.code == 0, ran.err
    return ran.out.strip()


async def ends(local: LocalProvisioner, run: RunningWorkspace, program: str) -> Exit:
    """How the workspace ends that runs this program."""

    async def throw() -> None:
        try:
            await execute(run, "python3", "-I", "-c", program)
        except (OSError, ValueError, TasksError):
            return  # the link went with the workspace

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(throw)
        with anyio.fail_after(40):
            return await local.wait("w1")


@pytest.mark.anyio
async def test_files_in_memory_count_as_memory(local: LocalProvisioner, clean: None) -> None:
    run = await local.start(ref(), plan(memory=96 << 20), silent)
    fill = "b=bytearray(90<<20)\nfor i in range(0,len(b),4096): b[i]=1\nimport time\nf=open('/dev/shm/f','wb')\n"
    ended = await ends(local, run, fill + "f.write(bytes(20<<20)); f.flush(); time.sleep(30)")
    assert ended.limit == "memory"


@pytest.mark.anyio
async def test_disk_is_bounded(local: LocalProvisioner, clean: None) -> None:
    run = await local.start(ref(), plan(), silent)
    fill = "import os,time\nf=open(os.path.expanduser('~/project/big'),'wb')\ntime.sleep(.5)\n"
    ended = await ends(local, run, fill + "for _ in range(140): f.write(bytes(1<<20))\nf.flush(); time.sleep(30)")
    assert ended.limit == "disk"
    assert "64 MiB" in ended.reason
    big = local.project_dir("w1", "~/project") / "big"
    assert big.stat().st_size > 64 << 20, "files stay when a limit ends the workspace"
    run = await local.start(ref(), plan(), silent)  # resumed to be cleaned up
    with anyio.move_on_after(1.5):
        raise AssertionError(f"it was ended again: {await local.wait('w1')}")
    await python(run, "import os; os.unlink(os.path.expanduser('~/project/big'))")


@pytest.mark.anyio
async def test_reboot_and_reused_pids(local: LocalProvisioner, short: Path, clean: None) -> None:
    record = short / "s/workspaces/w1/run.json"
    for field, value, reason in (("boot", "another boot", "restarted"), ("start_time", 1, "ended")):
        run = await local.start(ref(), plan(), silent)
        await python(run, "open('/home/coder/kept','w').close()")
        written = json.loads(record.read_text())
        await local.stop("w1", silent)
        written["process"] |= {"pid": os.getpid(), field: value}  # as if we had got its pid
        record.write_text(json.dumps(written))
        record.with_name("exit.json").unlink()
        assert await local.find("w1") is None
        assert reason in (await local.wait("w1")).reason
        await local.stop("w1", silent)
    assert (short / "s/workspaces/w1/home/kept").exists()


@pytest.mark.anyio
async def test_stop_says_so_and_grace_is_given(local: LocalProvisioner, clean: None) -> None:
    await local.start(ref(), plan(), silent)
    reasons: list[str] = []

    async def wait() -> None:
        reasons.append((await local.wait("w1")).reason)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.sleep(0.05)
        before = anyio.current_time()
        await local.stop("w1", silent, grace=0.3)
    assert anyio.current_time() - before >= 0.3
    assert reasons == ["The workspace was stopped."]


@pytest.mark.anyio
async def test_agent_that_cannot_start_is_a_sentence(short: Path) -> None:
    broken = short / "broken.pyz"
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("agent/__init__.py", "raise SystemExit('no such luck')")
    local = LocalProvisioner(state=short / "s", links=short / "l", archive=lambda: broken)
    with pytest.raises(WorkspaceFailed, match="no such luck"):
        await local.start(ref(), plan(), silent)
    assert await local.find("w1") is None
    assert "ended" in (await local.wait("w1")).reason
    await local.delete("w1", silent)


@pytest.mark.anyio
async def test_environments_programs_and_mounts_are_seen(
    local: LocalProvisioner, short: Path, clean: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment of another place, an npm-like program in the home, a mount; none of their neighbours."""
    home = short / "user"
    env = home / "work/.venv"
    venv.create(env, symlinks=True)
    (env / "pip.conf").write_text("index-url = https://me:secret@example.invalid\n")
    tool = home / ".npm/lib/node_modules/tool/cli.sh"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/usr/bin/env sh\necho tool runs\n")
    tool.chmod(0o755)
    (home / ".npm/bin").mkdir()
    (home / ".npm/bin/tool").symlink_to("../lib/node_modules/tool/cli.sh")
    (home / ".npm/token").write_text("secret")
    (home / "data").mkdir()
    (home / "data/a.csv").write_text("1,2\n")
    monkeypatch.setenv("HOME", str(home))
    path = os.pathsep.join([str(home / ".npm/bin"), os.environ["PATH"]])
    asked = plan(programs=["tool"], mounts=[Mount(source=home / "data", target=Path("/mnt/data"))])
    run = await local.start(ref(env, path), asked, silent)
    ran = await execute(run, "sh", "-c", "tool && command -v python && cat /mnt/data/a.csv && hostname && id -un")
    assert ran.out.split("\n")[:5] == ["tool runs", "/home/coder/.venv/bin/python", "1,2", "My-work", "coder"], ran.err
    hidden = ["token", "data"]
    seen = f"import os,sys; print([n for n in {hidden!r} if os.path.exists(sys.argv[1] + n)])"
    assert await python(run, seen, f"{home}/.npm/") == "[]"
    assert await python(run, "import sys; print(repr(open(sys.argv[1]).read()))", f"{env}/pip.conf") == "''"
    for target in ("/mnt/data/x", str(env / "x"), "/usr/x", "/etc/x", "/x", str(tool)):
        ran = await execute(run, "sh", "-c", f"echo x >> {target}")
        assert ran.code != 0, f"{target} can be written from inside"


def wheel(directory: Path) -> Path:
    """The smallest wheel there is."""
    path = directory / "tinything-1.0-py3-none-any.whl"
    info = "tinything-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("tinything.py", "here = __file__\n")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "tinything.py,,\n")
    return path


@pytest.mark.anyio
@pytest.mark.parametrize("sandbox", ["require", pytest.param("off", marks=pytest.mark.slow)])
async def test_packages_are_installed_into_the_workspace(
    local: LocalProvisioner, clean: None, template: Path, sandbox: str
) -> None:
    """The caller's environment is imported from; what is installed goes to the workspace, and stays there."""
    local.sandbox = sandbox
    wheel(template)
    run = await local.start(ref(), plan(files=template), silent)
    install = "pip install --no-index --no-deps --disable-pip-version-check project/*.whl"
    ran = await execute(
        run, "sh", "-c", f"cd && {install} && python -c 'import tinything, anyio; print(tinything.here)'"
    )
    assert ran.code == 0, ran.out + ran.err
    assert ran.out.split()[-1].startswith(f"{run.home}/.venv/lib/")
    await local.stop("w1", silent)
    run = await local.start(ref(), plan(files=template), silent)
    assert (await execute(run, "python", "-c", "import tinything")).code == 0


@pytest.mark.anyio
async def test_kernel_keyring_and_files_of_the_record_are_out_of_reach(local: LocalProvisioner, clean: None) -> None:
    run = await local.start(ref(), plan(cpu_share=50), silent)
    refused = (
        "import ctypes,os; c=ctypes.CDLL(None,use_errno=True);"
        "keyctl=250 if os.uname().machine=='x86_64' else 219; print(c.syscall(keyctl,0,-3,0), ctypes.get_errno())"
    )
    assert await python(run, refused) == "-1 1"
    inherited = "import os,resource as r; print(r.getrlimit(r.RLIMIT_CORE)[0], open('/proc/self/oom_score_adj').read())"
    assert (await python(run, inherited)).split() == ["0", "700"]
    assert await python(run, "import os; print(os.getpriority(os.PRIO_PROCESS, 0))") == "10"
    fds = "import os; print([os.readlink('/proc/1/fd/'+f) for f in os.listdir('/proc/1/fd')])"
    assert "run.json" not in await python(run, fds)
    everything = (
        "import os; print([p for d,_,f in os.walk('/run') for p in f if p in ('run.json','exit.json','alive.lock')])"
    )
    assert await python(run, everything) == "[]"


@pytest.mark.anyio
async def test_state_inside_a_shown_environment_is_hidden(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment may hold Jupyter's data directory, with the records and tokens of every workspace."""
    env = short / "venv"
    venv.create(env, symlinks=True)
    state = env / "share/jupyter/tasks"
    monkeypatch.setenv("JUPYTER_TASKS_STATE_DIR", str(state))
    local = LocalProvisioner(state=state, links=short / "l")
    run = await local.start(ref(env), plan(), silent)
    look = "import os,sys; print(os.path.exists(sys.argv[1] + '/bin/python'), os.listdir(sys.argv[2]))"
    assert await python(run, look, str(env), str(state)) == "True []"
    await local.delete("w1", silent)


def test_caller_who_is_not_root(short: Path) -> None:
    """A start as uid 1000 (in a user namespace when the tests run as root)."""
    assert isinstance(FOUND, Bubblewrap)
    program = (
        "import anyio, os, sys, pathlib\n"
        "from test_local_life import LocalProvisioner, plan, ref, silent, execute\n"
        "async def main(places):\n"
        "  local = LocalProvisioner(state=places/'s', links=places/'l')\n"
        "  run = await local.start(ref(), plan(), silent)\n"
        "  ran = await execute(run, 'sh', '-c', 'id -u; touch ~/mine; echo x > /dev/null && stat -c %u ~/mine')\n"
        "  before = (await local.usage('w1')).memory\n"
        "  await execute(run, 'dd', 'if=/dev/zero', 'of=/dev/shm/f', 'bs=1M', 'count=8')\n"
        "  grown = (await local.usage('w1')).memory - before\n"
        "  print(os.geteuid(), run.isolation.kind, *ran.out.split(), before > 2 << 20, grown > 7 << 20)\n"
        "  await local.delete('w1', silent)\n"
        "anyio.run(main, pathlib.Path(sys.argv[1]))\n"
    )
    inner = [str(FOUND.path), "--unshare-user", "--uid", "1000", "--gid", "1000", "--dev-bind", "/", "/", "--"]
    command = [*(inner if os.geteuid() == 0 else []), sys.executable, "-c", program, str(short)]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "JUPYTER_TASKS_STATE_DIR": str(short / "s")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)
    assert done.returncode == 0, done.stderr
    uid = os.geteuid() or 1000
    assert done.stdout.split() == [str(uid), "bubblewrap", str(uid), str(uid), "True", "True"]
