"""Ways out of a workspace, tried from inside.

Owns the bait on this machine (listening sockets, a file, a secret in the environment), a program that tries to reach
it, and what it must not reach. The program proves itself first: run outside, it reaches every bait.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PROBE", "Bait", "bait", "probe_command", "reached_outside"]

SECRET_VARIABLE = "JUPYTER_TOKEN"  # noqa: S105

PROBE = r"""
import json, os, socket, sys
bait = json.loads(sys.argv[1])
reached = []

def dial(family, address, name, kind=socket.SOCK_STREAM):
    try:
        s = socket.socket(family, kind)
        s.settimeout(1)
        s.connect(address)
        s.close()
        reached.append(name)
    except OSError:
        pass

for path in bait["sockets"] + ["/var/run/docker.sock", "/run/docker.sock", "/run/dbus/system_bus_socket",
                               "/run/systemd/private", "/run/containerd/containerd.sock", "/run/podman/podman.sock"]:
    dial(socket.AF_UNIX, path, path)
for variable in ("SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST", "XAUTHORITY", "JUPYTER_TOKEN",
                 "JUPYTERHUB_API_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
    if variable in os.environ:
        reached.append("$" + variable)
for name in bait["abstract"]:
    dial(socket.AF_UNIX, "\0" + name, "@" + name)
for port in bait["ports"]:
    dial(socket.AF_INET, ("127.0.0.1", port), "port %d" % port)
dial(socket.AF_INET, ("169.254.169.254", 80), "metadata service")
dial(socket.AF_INET, ("1.1.1.1", 53), "the internet", socket.SOCK_DGRAM)
if hasattr(socket, "AF_VSOCK"):
    try:
        socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
        reached.append("vsock")
    except OSError:
        pass
for path in bait["files"]:
    if os.path.exists(path):
        reached.append(path)
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as f:
            if bait["process"].encode() in f.read().split(b"\0"):
                reached.append("process " + pid)
    except OSError:
        pass
for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/etc/passwd",
             "/usr/bin/env"):
    try:
        os.close(os.open(path, os.O_WRONLY))
        reached.append("write " + path)
    except OSError:
        pass
try:
    os.chmod("/dev/null", os.stat("/dev/null").st_mode & 0o777)
    if os.stat("/dev/null").st_ino in bait["inodes"]:
        reached.append("chmod /dev/null")
except OSError:
    pass
with open("/proc/self/status") as f:
    status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
    if int(status[name], 16):
        reached.append(name)
if status["NoNewPrivs"] != "1":
    reached.append("set-id programs")
print(json.dumps(reached))
"""


@dataclass(frozen=True, slots=True)
class Bait:
    """What lies about on this machine for the probe to reach, as its one argument."""

    sockets: tuple[str, ...]
    abstract: tuple[str, ...]
    ports: tuple[int, ...]
    files: tuple[str, ...]
    process: str
    inodes: tuple[int, ...]

    def to_json(self, more_sockets: Sequence[str] = ()) -> str:
        """As the probe reads it, with more unix sockets to try."""
        return json.dumps(
            {
                "sockets": [*self.sockets, *more_sockets],
                "abstract": self.abstract,
                "ports": self.ports,
                "files": self.files,
                "process": self.process,
                "inodes": self.inodes,
            }
        )


@contextlib.contextmanager
def bait(python: str = sys.executable) -> Iterator[Bait]:
    """Lay out the bait: loopback port, unix socket and file in /tmp, abstract socket, process, secret."""
    word = secrets.token_hex(6)
    before = os.environ.get(SECRET_VARIABLE)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bait-")))
        (folder / "secret").write_text(word, encoding="ascii")
        port, path, abstract = (
            stack.enter_context(socket.socket(family)) for family in (socket.AF_INET, socket.AF_UNIX, socket.AF_UNIX)
        )
        port.bind(("127.0.0.1", 0))
        path.bind(str(folder / "s.sock"))
        abstract.bind(f"\0bait-{word}")
        for listener in (port, path, abstract):
            listener.listen(16)
        process = subprocess.Popen([python, "-c", "import sys; sys.stdin.read()", word], stdin=subprocess.PIPE)
        stack.callback(process.wait, 10)
        assert process.stdin is not None
        stack.callback(process.stdin.close)
        os.environ[SECRET_VARIABLE] = word
        try:
            yield Bait(
                sockets=(str(folder / "s.sock"),),
                abstract=(f"bait-{word}",),
                ports=(port.getsockname()[1],),
                files=(str(folder / "secret"),),
                process=word,
                inodes=(Path("/dev/null").stat().st_ino,),
            )
        finally:
            if before is None:
                del os.environ[SECRET_VARIABLE]
            else:
                os.environ[SECRET_VARIABLE] = before


def probe_command(argument: str) -> list[str]:
    """The command that tries everything and prints a JSON list of what it reached."""
    return ["python3", "-I", "-c", PROBE, argument]


def reached_outside(laid: Bait) -> set[str]:
    """What the probe reaches without any isolation: everything laid out, or it proves nothing."""
    command = [sys.executable, *probe_command(laid.to_json())[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return set(json.loads(done.stdout))
