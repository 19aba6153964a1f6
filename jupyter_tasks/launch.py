"""Reaching the engine, and starting it where none runs: the first client that needs it does (design D9).

Owns the start of a detached engine, the wait until it answers, and the hand-over to a newer version. Standard library
only: kernel, shell and Jupyter server all call it. That there is one engine is the engine's own lock's doing
(``places.engine_lock``): two that are started at once race for it, and every client reaches the winner.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_tasks import places
from jupyter_tasks._version import __version__
from jupyter_tasks.errors import EngineUnavailable

__all__ = [
    "engine_environment",
    "engine_info",
    "engine_runs",
    "ensure_engine",
    "ensure_engine_async",
    "hand_over",
    "stop_engine",
]

_ASK = 2.0  # seconds a running engine may take for a word about itself
_PAUSE = 0.02  # seconds between looks at an engine that starts or ends
_END = 10.0
_LOG_BYTES = 4 * 1024 * 1024
_TAIL_LINES = 6
_TAIL_BYTES = 8 * 1024

# Everything else stays behind, above all Jupyter's own tokens (JUPYTER_TOKEN, JUPYTERHUB_API_TOKEN, JPY_API_TOKEN …).
_NAMES = """
    HOME USER LOGNAME SHELL PATH LANG LANGUAGE TZ TMPDIR
    PYTHONPATH PYTHONHOME PYTHONUTF8 PYTHONIOENCODING PYTHONDONTWRITEBYTECODE VIRTUAL_ENV CONDA_PREFIX LD_LIBRARY_PATH
    JUPYTER_CONFIG_DIR JUPYTER_CONFIG_PATH JUPYTER_DATA_DIR JUPYTER_PATH JUPYTER_PLATFORM_DIRS JUPYTER_PREFER_ENV_PATH
    JUPYTER_NO_CONFIG SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
    DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_TLS_VERIFY DOCKER_CERT_PATH DBUS_SESSION_BUS_ADDRESS
    ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN CLAUDE_CODE_OAUTH_TOKEN ANTHROPIC_BASE_URL OPENAI_API_KEY OPENAI_BASE_URL
    OPENROUTER_API_KEY OPENROUTER_BASE_URL GEMINI_API_KEY GOOGLE_API_KEY GOOGLE_GEMINI_BASE_URL
"""
_ALLOWED = frozenset(_NAMES.split())
_ALLOWED_BEGINNINGS = ("LC_", "XDG_", "JUPYTER_TASKS_")
_NEVER = frozenset({"JUPYTER_TASKS_TOKEN", "JUPYTER_TASKS_URL"})  # a client's way to an engine, not the engine's


def ensure_engine(timeout: float = 30.0, *, command: Sequence[str] | None = None) -> Path:
    """The socket of an engine that answers and is not older than we are; started, or handed over, if need be.

    Args:
        timeout: seconds for all of it.
        command: what starts one, by default this Python with this package.

    Raises: EngineUnavailable, with the last lines of its log as ``detail``.
    """
    path = places.engine_socket()
    deadline = time.monotonic() + timeout
    info = engine_info(path)
    if info is not None and _newer(__version__, str(info.get("version", ""))) and info.get("mode") == "process":
        # an old engine that does not make room in time is still one: its wire says whether it will do
        if not hand_over(timeout=min(_END, timeout / 2)):
            return path
        info = None
    if info is None:
        _start(path, deadline, timeout, command or (sys.executable, "-m", "jupyter_tasks", "serve"))
    return path


async def ensure_engine_async(timeout: float = 30.0) -> Path:
    """``ensure_engine`` without blocking the event loop."""
    import anyio
    import anyio.to_thread

    return await anyio.to_thread.run_sync(
        ensure_engine, timeout, limiter=anyio.CapacityLimiter(1), abandon_on_cancel=True
    )


def engine_info(path: Path | None = None, timeout: float = _ASK) -> dict[str, Any] | None:
    """What the engine says of itself (``buildinfo``); None when none answers within ``timeout`` seconds."""
    answer = _ask("GET", "/api/v2/buildinfo", path or places.engine_socket(), timeout)
    if answer is None or answer[0] != 200:
        return None
    try:
        info = json.loads(answer[1])
    except ValueError:
        return None
    return info if isinstance(info, dict) else None


def engine_runs() -> bool:
    """Whether an engine holds the lock, answering or not (the kernel lets go of it on kill -9)."""
    try:
        descriptor = os.open(places.engine_lock(), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def hand_over(timeout: float = _END) -> bool:
    """Ask the running engine to end, its workspaces running on. Whether it is gone within ``timeout`` seconds."""
    path = places.engine_socket()
    heard = _ask("POST", "/api/v2/engine/handover", path, _ASK) is not None
    # one that stands still for longer than we listen has been asked all the same
    return _gone(timeout if heard or path.exists() else 0.0)


def stop_engine(timeout: float = _END) -> bool:
    """End the running engine; workspaces run on.

    Returns: False when none ran.
    Raises: EngineUnavailable when it does not end in time.
    """
    if not engine_runs():
        return False
    if hand_over(timeout / 2):
        return True
    pid = _peer_pid(places.engine_socket())
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    if not _gone(timeout / 2):
        raise EngineUnavailable(
            f"The engine (process {pid or 'unknown'}) does not end.",
            hint="Look into its log, then end the process.",
            detail=_tail(0),
        )
    return True


def engine_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a detached engine gets of an environment: nothing of Jupyter's tokens, nothing it does not need."""
    return {
        name: value
        for name, value in environ.items()
        if name not in _NEVER and (name in _ALLOWED or name.startswith(_ALLOWED_BEGINNINGS))
    }


# ---------------------------------------------------------------- starting


def _start(path: Path, deadline: float, timeout: float, command: Sequence[str]) -> None:
    already = engine_runs()  # it starts, or ends, or hangs: ours waits for the lock
    pid, begun = (None, 0) if already else _spawn(command, deadline)
    while time.monotonic() < deadline:
        info = engine_info(path, timeout=max(0.1, min(_ASK, deadline - time.monotonic()))) if path.exists() else None
        if info is not None:
            if pid is not None and info.get("pid") != pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)  # it lost the race: it need not wait for its turn
            return
        if (pid is None or not _alive(pid)) and not engine_runs():
            if pid is not None:
                raise EngineUnavailable(
                    "The engine of Jupyter Tasks ended as it started.",
                    detail=_tail(begun),
                    hint=f"Its log is {places.engine_log()}; `jupyter tasks serve` shows the error.",
                )
            pid, begun = _spawn(command, deadline)  # the one that held the lock is gone
        time.sleep(_PAUSE)
    raise EngineUnavailable(
        f"The engine of Jupyter Tasks did not answer within {timeout:.0f} seconds.",
        detail=_tail(begun),
        hint=f"Its log is {places.engine_log()}; `jupyter tasks doctor` says what is wrong.",
    )


def _spawn(command: Sequence[str], deadline: float) -> tuple[int, int]:
    """Start ``command`` detached, before ``deadline``. Returns: its process id, and the size of the log before it."""
    descriptor = _open_log(places.engine_log())
    try:
        begun = os.fstat(descriptor).st_size
        # by way of a shell that ends at once: the engine is nobody's child here, so it leaves no zombie behind
        started = subprocess.run(
            ["/bin/sh", "-c", '"$@" </dev/null >&2 & echo $!', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=descriptor,
            cwd="/",
            env=engine_environment(),
            start_new_session=True,
            check=True,
            timeout=max(_END, deadline - time.monotonic()),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineUnavailable(
            "The engine of Jupyter Tasks could not be started.", detail=type(error).__name__
        ) from error
    finally:
        os.close(descriptor)
    return int(started.stdout), begun


def _open_log(log: Path) -> int:
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if log.stat().st_size > _LOG_BYTES:
                log.replace(log.with_suffix(".log.1"))
        return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EngineUnavailable(
            f"The engine of Jupyter Tasks could not be started: {log} cannot be written ({error.strerror}).",
            hint="Make it writable for your user, or name another place in JUPYTER_TASKS_STATE_DIR.",
        ) from error


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return False
        try:  # a system without /proc
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _tail(begun: int) -> str:
    """The last lines of the log after ``begun`` bytes."""
    try:
        with places.engine_log().open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begun if begun < size else 0, size - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(line for line in text.splitlines()[-_TAIL_LINES:] if line.strip())


# ---------------------------------------------------------------- asking


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("engine", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _ask(method: str, target: str, path: Path, timeout: float) -> tuple[int, bytes] | None:
    connection = _UnixConnection(path, timeout)
    try:
        connection.request(method, target)
        answer = connection.getresponse()
        return answer.status, answer.read(65536)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _peer_pid(path: Path) -> int | None:
    """The process at the other end of the socket: the kernel says so, not the engine."""
    if not hasattr(socket, "SO_PEERCRED"):
        info = engine_info(path)
        return info["pid"] if info and isinstance(info.get("pid"), int) else None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_ASK)
        try:
            sock.connect(str(path))
            raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return None
    pid, uid, _ = struct.unpack("3i", raw)
    return int(pid) if uid == os.getuid() else None


def _gone(timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while engine_runs():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE)
    return True


def _newer(ours: str, theirs: str) -> bool:
    """Whether version ``ours`` is newer. An unknown version is not older: nobody is thrown out for a strange name."""
    mine, other = _numbers(ours), _numbers(theirs)
    return bool(mine and other) and mine > other


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()
