"""What is paid before anything is asked for: the import in a kernel, the extension in a Jupyter server.

A server's start takes a second and more and the extension some hundredths of one, so a careless difference says
nothing; it has even been negative, for five reasons, each of which is mended: the other extensions (JupyterLab alone
varies by more than ours costs) are switched off; who waited for the answer asked every 20 ms with a client that took
processor time from the server (now it waits in one connection); processor time was read in the kernel's ticks of 10 ms,
at a moment that was up to one such question late (now: the kernel's own sum, once the server has been ended, and long
enough after the answer that work which is only put off is counted); there were too few pairs; and the order of sets,
which is another in every process, costs a library of Jupyter's own half a second now and then (now: the same seed in
both of a pair). Pairs still differ by a tenth of a second and more, which is more than the extension costs: the spread
beside the median says so. A negative figure can still come: the cost is below what can be measured so.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from bench.home import cpu_seconds, resident, spent
from bench.metrics import Metric, report
from jupyter_tasks.testing.home import free_port

__all__ = ["imports", "server_start"]

_PATIENCE = 60.0  # seconds
_SETTLED = 0.5  # seconds after the answer, for what a server puts off until then


class Started(NamedTuple):
    """A Jupyter server's start: seconds to its first answer, seconds of processor time until it rests, MiB."""

    seconds: float
    cpu: float
    memory: float


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
    """Time to the first answer of a Jupyter server, with the extension and without it.

    In pairs whose order alternates, behind one start of each that is not counted: what differs is the median of the
    differences, so that neither the order nor what else the machine does decides. ``spread`` is the middle half of
    the differences: a figure that is smaller than it says little. Processor time stands beside it.
    """
    for enabled in (False, True):
        _start(enabled, 0)
    pairs: list[dict[bool, Started]] = []
    for number in range(runs):
        order = (False, True) if number % 2 else (True, False)
        pairs.append({enabled: _start(enabled, number) for enabled in order})
    plain = statistics.median(pair[False].seconds for pair in pairs)
    later = [pair[True].seconds - pair[False].seconds for pair in pairs]
    cpu = [pair[True].cpu - pair[False].cpu for pair in pairs]
    more = statistics.median(pair[True].memory - pair[False].memory for pair in pairs)
    against = {
        "without it": plain * 1000,
        "spread": _middle_half(later) * 1000,
        "its processor time": statistics.median(cpu) * 1000,
        "spread of that": _middle_half(cpu) * 1000,
    }
    value = statistics.median(later) * 1000
    return [
        report(Metric(metric="extension delays the first answer", value=value, unit="ms", target=150, against=against)),
        report(Metric(metric="extension's memory at start", value=more, unit="MiB", target=15)),
    ]


def _middle_half(values: list[float]) -> float:
    lower, _, upper = statistics.quantiles(values, n=4)
    return upper - lower


def _start(enabled: bool, seed: int) -> Started:
    with tempfile.TemporaryDirectory(prefix="jt-server-", ignore_cleanup_errors=True) as place:
        port = free_port()
        env = {
            **os.environ,
            "HOME": place,
            "PYTHONHASHSEED": str(seed),  # some orders cost a library of Jupyter's own half a second more
            "JUPYTER_CONFIG_DIR": f"{place}/c",
            "JUPYTER_DATA_DIR": f"{place}/d",
            "JUPYTER_RUNTIME_DIR": f"{place}/r",
            "JUPYTER_TASKS_STATE_DIR": f"{place}/s",
            "JUPYTER_TASKS_RUNTIME_DIR": f"{place}/t",
        }
        wanted = {"ServerApp": {"jpserver_extensions": {**_others(), "jupyter_tasks": enabled}}}
        Path(place, "c").mkdir()
        Path(place, "c", "jupyter_server_config.json").write_text(json.dumps(wanted))
        began = perf_counter()
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
            _wait_for_answer(port)
            seconds, memory = perf_counter() - began, resident(process.pid)
            time.sleep(_SETTLED)
            children = sum(map(cpu_seconds, _descendants(process.pid)))
        finally:
            process.send_signal(signal.SIGKILL)  # its end is not its start: nothing of that is to be counted
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        return Started(seconds, usage.ru_utime + usage.ru_stime + children, memory)


def _others() -> dict[str, bool]:
    """Every other extension that is switched on here, switched off."""
    from jupyter_core.paths import jupyter_config_path
    from jupyter_server.extension.config import ExtensionConfigManager

    manager: Any = ExtensionConfigManager(read_config_path=jupyter_config_path())
    return dict.fromkeys(manager.get_jpserver_extensions(), False)


def _wait_for_answer(port: int) -> None:
    """Return with the first byte: one connection, made as soon as the server listens, waits until it serves.

    Raises: TimeoutError.
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), _PATIENCE) as connection:
                connection.sendall(b"GET /api?token=t HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                if connection.recv(64).startswith(b"HTTP/1.1 200"):
                    return
        except ConnectionError:
            pass
        time.sleep(0.002)
    raise TimeoutError("the Jupyter server does not answer")


def _descendants(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    listed = [Path(f"/proc/{pid}/task/{task.name}/children") for task in Path(f"/proc/{pid}/task").iterdir()]
    children = [int(child) for file in listed for child in file.read_text().split()]
    return [each for child in children for each in (child, *_descendants(child))]
