"""A process that answers where the engine does, with ``FakeService`` behind it.

Run ``python -m jupyter_tasks.testing.engine``. For tests of whoever starts, reaches or loses an engine: like the real
one it holds the lock, serves the real HTTP application on the real socket, and ends on SIGTERM and on a hand-over.
``--version X`` is the version that it claims.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import signal
import time

from jupyter_tasks import places

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Serve until told to end; ends at once with status 3 when another engine runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", default="")
    options = parser.parse_args(arguments)
    descriptor = os.open(places.engine_lock(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + 1  # a client that only looks holds the lock for a moment
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SystemExit(3) from None
            time.sleep(0.02)
    asyncio.run(_serve(options.version))


async def _serve(version: str) -> None:
    from jupyter_tasks.server.app import make_app
    from jupyter_tasks.server.listening import EngineServer
    from jupyter_tasks.testing.service import FakeService

    ended = asyncio.Event()
    service = FakeService()
    claimed = {"mode": "process", "pid": os.getpid()} | ({"version": version} if version else {})
    app = make_app(service, info=lambda: service.info().model_copy(update=claimed), handover=ended.set)
    server = EngineServer(app)
    server.bind_socket(places.engine_socket())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    service.end_streams()
    await server.close()


if __name__ == "__main__":
    main()
