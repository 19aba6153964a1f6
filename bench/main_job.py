"""How fast the main job is (issue 2). Against: the raw floor of each, in the same run.

Runs in a home of its own with the real engine, the real sandbox, the real agent.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.metrics import Metric, percentile, report
from jupyter_tasks import models
from jupyter_tasks.notebook.client import Client
from jupyter_tasks.testing.home import Home, until

TEMPLATE = Path(__file__).parent / "templates" / "signalling"


def run(options: argparse.Namespace) -> list[Metric]:
    """All of it, in an order that keeps the machine idle for what wants that."""
    metrics = [*imports(options.runs), *server_start(max(5, options.runs // 4))]
    with fresh_home() as home, home.client() as client:
        client.usage()  # the engine runs from here on
        metrics += first_byte(home, client, options.runs)
        metrics += sandbox(home, client, options.runs)
        metrics += status_change(home, client, options.runs)
    with fresh_home() as home, home.client() as client:
        metrics += many(home, client, options.tasks)
    return metrics


@contextmanager
def fresh_home() -> Iterator[Home]:
    """A home whose engine lets many tasks be active and whose agent makes no pauses."""
    home = Home(Path(tempfile.mkdtemp(prefix="jt-bench-")))
    home.env["JUPYTER_TASKS_OFFLINE_DELAY"] = "0"
    home.config("c.TasksEngine.max_active = 1000\n")
    templates = home.root / "data" / "tasks" / "templates"
    templates.mkdir(parents=True)
    (templates / "signalling").symlink_to(TEMPLATE)
    try:
        yield home
    finally:
        home.end()


# -------------------------------------------------------------------- imports and the server's start


def imports(runs: int) -> list[Metric]:
    """``import jupyter_tasks`` in a fresh interpreter, the interpreter's own start subtracted."""
    ours, floor = [], []
    for _ in range(runs):
        floor.append(spent([sys.executable, "-c", "pass"]))
        ours.append(spent([sys.executable, "-c", "import jupyter_tasks"]))
    value = (statistics.median(ours) - statistics.median(floor)) * 1000
    bare = statistics.median(floor) * 1000
    return [report(Metric(metric="import jupyter_tasks", value=value, unit="ms", target=60, against={"python": bare}))]


def server_start(runs: int) -> list[Metric]:
    """Time to the first answer of a Jupyter server, with the extension and without it, alternating."""
    times: dict[bool, list[float]] = {True: [], False: []}
    memory: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(runs):
        for enabled in (False, True):
            taken, resident = first_answer(enabled)
            times[enabled].append(taken)
            memory[enabled].append(resident)
    plain, ours = statistics.median(times[False]) * 1000, statistics.median(times[True]) * 1000
    more = statistics.median(memory[True]) - statistics.median(memory[False])
    return [
        report(
            Metric(
                metric="extension delays the first answer",
                value=ours - plain,
                unit="ms",
                target=150,
                against={"without it": plain},
            )
        ),
        report(Metric(metric="extension's memory at start", value=more, unit="MiB", target=15)),
    ]


def first_answer(enabled: bool) -> tuple[float, float]:
    """Seconds until a Jupyter server answers, and its megabytes then."""
    with tempfile.TemporaryDirectory(prefix="jt-server-") as place:
        port = free_port()
        env = {
            **os.environ,
            "HOME": place,
            "JUPYTER_CONFIG_DIR": f"{place}/c",
            "JUPYTER_DATA_DIR": f"{place}/d",
            "JUPYTER_RUNTIME_DIR": f"{place}/r",
            "JUPYTER_TASKS_STATE_DIR": f"{place}/s",
            "JUPYTER_TASKS_RUNTIME_DIR": f"{place}/t",
        }
        wanted = {"ServerApp": {"jpserver_extensions": {"jupyter_tasks": enabled}}}
        Path(place, "c").mkdir()
        Path(place, "c", "jupyter_server_config.json").write_text(json.dumps(wanted))
        began = time.perf_counter()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}"),
                *("--IdentityProvider.token=t", f"--ServerApp.root_dir={place}"),
            ],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: answers(port), 60, "the Jupyter server does not answer")
            return time.perf_counter() - began, resident(process.pid)
        finally:
            process.terminate()
            process.wait()


def answers(port: int) -> bool:
    """Whether a Jupyter server answers there."""
    import httpx

    try:
        return httpx.get(f"http://127.0.0.1:{port}/api?token=t", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


# -------------------------------------------------------------------- one task


def first_byte(home: Home, client: Client, runs: int) -> list[Metric]:
    """POST to the first byte of the agent's terminal; the agent's own start on a plain PTY subtracted."""
    alone, ours = [], []
    for number in range(runs + 3):
        own = agent_alone()
        began = time.perf_counter()
        task = client.create(models.CreateTaskRequest(template="signalling", input="wait"))
        taken = first_terminal_byte(client, task.id) - began
        client.delete(task.id)
        until(lambda task=task: not workspace_of(home, task).exists(), 30)  # type: ignore[misc]
        if number >= 3:
            alone.append(own)
            ours.append(taken)
    own = statistics.median(alone)
    return [
        report(
            Metric(
                metric="POST to the agent's first byte, its own start subtracted, p50",
                value=(statistics.median(ours) - own) * 1000,
                unit="ms",
                target=150,
                against={"the agent alone on a PTY": own * 1000},
            )
        )
    ]


def first_terminal_byte(client: Client, task: str) -> float:
    """When the first byte of the agent's terminal is there."""
    from jupyter_tasks.errors import TasksError

    deadline = time.perf_counter() + 30
    while time.perf_counter() < deadline:
        try:
            with client.terminal(task, offset=0, follow=True) as terminal:
                for _chunk in terminal:
                    return time.perf_counter()
        except TasksError:
            time.sleep(0.003)
    raise TimeoutError("the agent's terminal stayed empty")


def agent_alone() -> float:
    """Seconds from exec to the first byte of the same agent on a PTY, without any of ours."""
    import pty

    began = time.perf_counter()
    pid, descriptor = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-I", str(TEMPLATE / "files" / "agent.py")])
    os.read(descriptor, 1)
    taken = time.perf_counter() - began
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(descriptor)
    return taken


def workspace_of(home: Home, task: models.Task) -> Path:
    """Where the workspace of a task lies."""
    return home.state / "workspaces" / str(task.workspace_id)


def sandbox(home: Home, client: Client, runs: int) -> list[Metric]:
    """The sandbox's start to its first command, beside bubblewrap with every namespace and one bind."""
    task = client.create(models.CreateTaskRequest(template="signalling", input="wait"))
    client.wait(task.id, timeout=60)
    real = sandbox_of(home, task)
    bare = [real[0], "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "true"]
    ours, floor = [], []
    for number in range(runs + 3):
        for argv, into in ((bare, floor), (real, ours)):
            taken = spent(argv)
            if number >= 3:
                into.append(taken)
    client.delete(task.id)
    return [
        report(
            Metric(
                metric="sandbox start to first command, p50",
                value=statistics.median(ours) * 1000,
                unit="ms",
                target=25,
                against={"bwrap, one bind": statistics.median(floor) * 1000},
            )
        )
    ]


def sandbox_of(home: Home, task: models.Task) -> list[str]:
    """The command line of a running workspace's sandbox, with ``true`` as its program and without its descriptors."""
    wanted = str(workspace_of(home, task)).encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            command = command_of(entry)
            if command and command[0].endswith(b"bwrap") and any(wanted in word for word in command):
                words = [word.decode() for word in command[: command.index(b"--")]]
                for option in ("--info-fd", "--block-fd", "--sync-fd", "--seccomp"):
                    if option in words:
                        del words[words.index(option) : words.index(option) + 2]
                return [*words, "--", "true"]
    raise LookupError("the workspace is not in a bubblewrap sandbox")


def command_of(entry: Path) -> list[bytes]:
    """A process's command line; [] when it has ended."""
    try:
        return (entry / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


# -------------------------------------------------------------------- status


def status_change(home: Home, client: Client, runs: int) -> list[Metric]:
    """A change in the terminal to the SSE event at a client: signalled by the agent, and found by stability."""
    found: dict[str, list[float]] = {}
    for how, rounds in (("osc7501", runs), ("stability", max(5, runs // 4))):
        task = client.create(models.CreateTaskRequest(template="signalling", input="wait", parameters={"how": how}))
        client.wait(task.id, timeout=60)
        found[how] = changes(home, client, task, rounds)
        client.delete(task.id)
    return [
        report(
            Metric(
                metric=f"status change to SSE event, {how}, p95",
                value=percentile(found[how], 0.95) * 1000,
                unit="ms",
                target=target,
                against={"p50": percentile(found[how], 0.5) * 1000},
            )
        )
        for how, target in (("osc7501", 150.0), ("stability", 2200.0))
    ]


def changes(home: Home, client: Client, task: models.Task, rounds: int) -> list[float]:
    """Seconds from the agent's word that it is done (it writes the time down) to the event that says idle."""
    heard: list[float] = []
    came = threading.Event()

    def listen() -> None:
        worked = False
        for event in client.events(after=None, task=task.id):
            if event.data.get("deleted"):
                return
            if event.type is models.EventType.task and event.data.get("state") == "working":
                worked = True
            elif event.type is models.EventType.task and worked and event.data.get("state") == "idle":
                worked = False
                heard.append(time.time())
                came.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    time.sleep(0.5)
    taken = []
    stamp = workspace_of(home, task) / "home" / "project" / "done-at"
    for _ in range(rounds):
        came.clear()
        stamp.unlink(missing_ok=True)
        client.send(task.id, "work")
        assert came.wait(30), home.log()
        taken.append(heard[-1] - float(until(lambda: stamp.exists() and stamp.read_text(), 5)))
    return taken


# -------------------------------------------------------------------- many


def many(home: Home, client: Client, count: int) -> list[Metric]:
    """So many idle tasks: memory of each part, the event loop's lag, and a kill -9 of the engine."""
    for _ in range(count):
        client.create(models.CreateTaskRequest(template="signalling", input="wait"))
    until(lambda: all(task.summary in ("Idle", "Ready to review") for task in client.list()), 600, home.log())
    pid = home.engine_pid()
    assert pid is not None
    agents = [resident(found) for found in agent_pids(home)]
    metrics = [
        Metric(metric=f"engine, {count} idle tasks", value=resident(pid), unit="MiB", target=400),
        Metric(
            metric="workspace agent, median of all",
            value=statistics.median(agents),
            unit="MiB",
            target=12,
            against={"largest": max(agents), "agents": len(agents)},
        ),
    ]
    lags = answers_under_load(client, 200)
    metrics.append(
        Metric(
            metric="answer of the engine (loop lag and work), p99",
            value=percentile(lags, 0.99) * 1000,
            unit="ms",
            target=50,
            against={"p50": percentile(lags, 0.5) * 1000},
        )
    )
    metrics.append(reattached(home, client, count))
    return [report(metric) for metric in metrics]


def answers_under_load(client: Client, times: int) -> list[float]:
    """How long the engine takes for a word about itself: an upper bound of its loop's lag."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        client.buildinfo()
        taken.append(time.perf_counter() - began)
        time.sleep(0.01)
    return taken


def reattached(home: Home, client: Client, count: int) -> Metric:
    """kill -9 of the engine to the moment when every task is attached again."""
    home.kill_engine()
    began = time.perf_counter()
    with home.client() as fresh:
        fresh.usage()
        answered = time.perf_counter() - began
        until(lambda: sum(attached(fresh, task) for task in fresh.list()) == count, 60, home.log())
    return Metric(
        metric=f"engine killed, {count} tasks reattached",
        value=time.perf_counter() - began,
        unit="s",
        target=2,
        against={"engine answers": answered},
    )


def attached(client: Client, task: models.Task) -> bool:
    """Whether the engine holds this task's terminal again."""
    from jupyter_tasks.errors import TasksError

    try:
        with client.terminal(task.id, offset=-1, follow=False):
            return True
    except TasksError:
        return False


# -------------------------------------------------------------------- measuring


def spent(argv: list[str]) -> float:
    """Seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return time.perf_counter() - began


def resident(pid: int) -> float:
    """MiB of resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def agent_pids(home: Home) -> list[int]:
    """The workspace agents of a home's workspaces."""
    commands = ((int(entry.name), command_of(entry)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    inside = [pid for pid, words in commands if b"--socket" in words and not words[0].endswith(b"bwrap")]
    mine = str(home.root).encode()
    return [pid for pid in inside if mine in Path(f"/proc/{pid}/mountinfo").read_bytes()]


def free_port() -> int:
    """A loopback port that nobody uses now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
