"""``coder stat cpu|mem|disk``: what the workspace uses, from ``/proc`` and its cgroup.

Owns the reading and the texts (Coder's: ``0.3/4 cores (8%)``, ``1.2/15.6 GiB (8%)``).
"""

from __future__ import annotations

import json
import os
import sys
import time

CGROUP = "/sys/fs/cgroup"
_SAMPLE = 0.1


def main(arguments: list[str]) -> int:
    """Run ``coder stat ARGUMENTS``. Returns: the exit status."""
    what = [word for word in arguments if not word.startswith("-")]
    host = "--host" in arguments
    as_json = "json" in arguments or "--output=json" in arguments
    path = "/"
    if "--path" in arguments[:-1]:
        path = arguments[arguments.index("--path") + 1]
    try:
        if what[:1] == ["cpu"]:
            used, total, unit = _cpu(host)
        elif what[:1] == ["mem"]:
            used, total, unit = _memory(host)
        elif what[:1] == ["disk"]:
            used, total, unit = _disk(path)
        else:
            sys.stderr.write("usage: coder stat cpu|mem|disk [--host] [--path DIR] [-o json]\n")
            return 2
    except OSError as problem:
        sys.stderr.write(f"coder stat: {problem}\n")
        return 1
    if as_json:
        sys.stdout.write(json.dumps({"used": used, "total": total, "unit": unit}) + "\n")
        return 0
    scale, label = (1.0, " cores") if unit == "cores" else (float(1 << 30), " GiB")
    share = f" ({used / total * 100:.0f}%)" if total else ""
    whole = f"/{total / scale:.3g}" if total else ""
    sys.stdout.write(f"{used / scale:.3g}{whole}{label}{share}\n")
    return 0


def _cpu(host: bool) -> tuple[float, float, str]:
    cores = float(os.cpu_count() or 1)
    own = None if host else _cgroup_usage()
    if own is None:
        return _host_cpu() * cores, cores, "cores"
    began = time.monotonic()
    time.sleep(_SAMPLE)
    used = ((_cgroup_usage() or own) - own) / 1e6 / (time.monotonic() - began)
    quota = _read(f"{CGROUP}/cpu.max").split()
    if len(quota) == 2 and quota[0].isdigit():
        cores = int(quota[0]) / int(quota[1])
    return used, cores, "cores"


def _cgroup_usage() -> float | None:
    for line in _read(f"{CGROUP}/cpu.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == "usage_usec" and value.isdigit():
            return float(value)
    return None


def _host_cpu() -> float:
    def times() -> tuple[int, int]:
        numbers = [int(word) for word in _read("/proc/stat").split("\n", 1)[0].split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4] if len(numbers) > 4 else 0

    all_before, idle_before = times()
    time.sleep(_SAMPLE)
    all_after, idle_after = times()
    passed = all_after - all_before
    return 1 - (idle_after - idle_before) / passed if passed else 0.0


def _memory(host: bool) -> tuple[float, float, str]:
    fields = {}
    for line in _read("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        fields[name] = float(value.split()[0]) * 1024 if value.split() else 0.0
    total = fields.get("MemTotal", 0.0)
    used = total - fields.get("MemAvailable", 0.0)
    current, limit = _read(f"{CGROUP}/memory.current").strip(), _read(f"{CGROUP}/memory.max").strip()
    if not host and current.isdigit():
        used = float(current)
        total = float(limit) if limit.isdigit() else total
    return used, total, "B"


def _disk(path: str) -> tuple[float, float, str]:
    found = os.statvfs(path)
    total = found.f_blocks * found.f_frsize
    return float(total - found.f_bavail * found.f_frsize), float(total), "B"


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(65536)
    except OSError:
        return ""
