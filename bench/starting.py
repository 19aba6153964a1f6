"""What is paid before anything is asked for: the import in a kernel, the extension in a Jupyter server."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from bench.home import cpu_seconds, resident, spent
from bench.metrics import Metric, report
from jupyter_tasks.testing.home import until

__all__ = ["imports", "server_start"]


class Started(NamedTuple):
    """A Jupyter server at its first answer: seconds, seconds of processor time, MiB."""

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
    differences, so that neither the order nor what else the machine does decides. Processor time stands beside it.
    """
    for enabled in (False, True):
        _first_answer(enabled)
    pairs: list[dict[bool, Started]] = []
    for number in range(runs):
        order = (False, True) if number % 2 else (True, False)
        pairs.append({enabled: _first_answer(enabled) for enabled in order})
    plain = statistics.median(pair[False].seconds for pair in pairs)
    later = statistics.median(pair[True].seconds - pair[False].seconds for pair in pairs)
    cpu = statistics.median(pair[True].cpu - pair[False].cpu for pair in pairs)
    more = statistics.median(pair[True].memory - pair[False].memory for pair in pairs)
    against = {"without it": plain * 1000, "its processor time": cpu * 1000}
    return [
        report(
            Metric(
                metric="extension delays the first answer", value=later * 1000, unit="ms", target=150, against=against
            )
        ),
        report(Metric(metric="extension's memory at start", value=more, unit="MiB", target=15)),
    ]


def _first_answer(enabled: bool) -> Started:
    with tempfile.TemporaryDirectory(prefix="jt-server-") as place:
        port = _free_port()
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
            until(lambda: _answers(port), 60, "the Jupyter server does not answer")
            return Started(perf_counter() - began, cpu_seconds(process.pid), resident(process.pid))
        finally:
            process.terminate()
            process.wait()


def _answers(port: int) -> bool:
    import httpx

    try:
        return httpx.get(f"http://127.0.0.1:{port}/api?token=t", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
