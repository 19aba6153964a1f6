"""How a notification leaves: a command of the user's, or a webhook.

Owns the process (no shell, an environment of its own, ended with its whole group when it takes too long, bounded
output) and the request (no redirect, retried, its address in no log: it may hold a secret). Neither ever raises: what
goes wrong is logged, and the task goes on.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import anyio
from anyio.abc import Process

from jupyter_tasks.clock import Clock

if TYPE_CHECKING:
    import httpx

__all__ = ["is_loopback", "post", "run_command"]

_log = logging.getLogger(__name__)

RETRIES = (1.0, 5.0)  # seconds before the second and the third try
MOST_OUTPUT = 2_000
_READ_ON = 0.5  # seconds that what a command left behind may still write
_PASSED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"),
        *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "no_proxy"),
    }
)

Payload = Mapping[str, Any]


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    from ipaddress import ip_address

    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


async def run_command(command: Sequence[str], payload: Payload, *, timeout: float) -> bool:
    """Run a command with ``payload`` as JSON on its standard input and in ``JUPYTER_TASKS_…``.

    Args:
        command: program and arguments; no shell.
        timeout: seconds; then it and what it started are killed.

    Returns: whether it ended with 0.
    """
    try:
        process = await anyio.open_process(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(payload),
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        _log.warning("the notification command cannot be run: %s", getattr(error, "strerror", None) or error)
        return False
    said = bytearray()
    async with process:
        try:
            with anyio.move_on_after(timeout) as scope:
                await _talk(process, json.dumps(payload).encode(), said)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
    if scope.cancelled_caught:
        _log.warning("the notification command took longer than %g s and was ended", timeout)
    elif process.returncode:
        _log.warning("the notification command failed with %d: %s", process.returncode, _shown(said))
    elif said:
        _log.info("the notification command says: %s", _shown(said))
    return process.returncode == 0


async def _talk(process: Process, given: bytes, said: bytearray) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_give, process, given)
        read = anyio.Event()
        group.start_soon(_listen, process, said, read)
        await process.wait()
        with anyio.move_on_after(_READ_ON):  # it may have left something behind that holds its output open
            await read.wait()
        group.cancel_scope.cancel()


async def _give(process: Process, given: bytes) -> None:
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        if process.stdin is not None:
            await process.stdin.send(given)
            await process.stdin.aclose()


async def _listen(process: Process, said: bytearray, read: anyio.Event) -> None:
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        if process.stdout is not None:
            async for part in process.stdout:
                said += part[: MOST_OUTPUT - len(said)]
    read.set()


def _shown(said: bytearray) -> str:
    text = said.decode("utf-8", "replace").strip()
    return "".join(each if each.isprintable() else " " for each in text)


def _environment(payload: Payload) -> dict[str, str]:
    passed = {key: value for key, value in os.environ.items() if key in _PASSED or key.startswith("LC_")}
    flat = {**payload, **{f"task_{key}": value for key, value in payload["task"].items()}}
    named = {f"JUPYTER_TASKS_{key.upper()}": str(value) for key, value in flat.items() if key != "task"}
    return passed | {key: value.replace("\0", "") for key, value in named.items()}


async def post(url: str, payload: Payload, *, clock: Clock, timeout: float) -> bool:
    """POST ``payload`` as JSON; once more, twice, where that may help.

    Args:
        url: told to nobody.
        clock: waits between the tries.
        timeout: seconds for each of them.

    Returns: whether it was taken (2xx).
    """
    body = json.dumps(payload).encode()
    problem = ""
    for pause in (0.0, *RETRIES):
        if pause:
            await clock.sleep(pause)
        problem, again = await _try(url, body, timeout)
        if not again:
            break
    if problem:
        _log.warning("the notification webhook failed: %s", problem)
    return not problem


async def _try(url: str, body: bytes, timeout: float) -> tuple[str, bool]:
    """Returns: what went wrong, "" for nothing, and whether to try again."""
    import httpx

    headers = {"content-type": "application/json", "user-agent": "jupyter-tasks", "connection": "close"}
    try:
        with anyio.fail_after(timeout):
            request = httpx.Request("POST", url, content=body, headers=headers | _authorization(url))
            async with _transport(url) as transport:  # no client: that logs every URL
                answer = await transport.handle_async_request(request)
                await answer.aclose()
    except TimeoutError:
        return f"no answer within {timeout:g} s", True
    except (httpx.HTTPError, OSError) as error:
        return type(error).__name__, True
    except (httpx.InvalidURL, ValueError) as error:
        return type(error).__name__, False
    if 200 <= answer.status_code < 300:
        return "", False
    return f"HTTP status {answer.status_code}", answer.status_code in (408, 429) or answer.status_code >= 500


def _authorization(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    if not parts.username:
        return {}
    named = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"authorization": "Basic " + base64.b64encode(named.encode()).decode()}


def _transport(url: str) -> httpx.AsyncHTTPTransport:
    from urllib.request import getproxies, proxy_bypass

    import httpx

    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = None if is_loopback(host) or proxy_bypass(host) else getproxies().get(parts.scheme)
    return httpx.AsyncHTTPTransport(proxy=proxy)
