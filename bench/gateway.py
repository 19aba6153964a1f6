"""What the LLM gateway adds to the first byte (issue 3). Against: the same upstream without it, in the same run.

Twenty streams at a time, each as an agent's: a POST of 16 kB on a kept connection, 30 ms until the answer begins,
then an event every 30 ms for a second. Through the gateway they take the whole way: loopback, the real workspace agent
in a process of its own, a reverse connection, the gateway with its tee and its row in a real store. Client and upstream
are processes too, so that nobody's work delays another's clock.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime, timezone
from pathlib import Path

from bench.metrics import Metric, percentile, report

STREAMS = 20
EVENTS = 30
THINKING, BETWEEN = 0.030, 0.030
TARGET = 3.0  # ms at p50
ROUNDS = 4
KEY, TOKEN = "sk-ant-api03-of-the-bench", "jt-of-the-bench"
EVENT = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"some words"}}\n\n'
LAST = b'event: message_delta\ndata: {"type":"message_delta","usage":{"input_tokens":9,"output_tokens":9}}\n\n'


def measure(runs: int) -> list[Metric]:
    """First bytes with and without the gateway. ``runs``: requests of each stream."""
    with program("upstream") as upstream, tempfile.TemporaryDirectory(prefix="jt-gateway-") as folder:
        port = int(first_line(upstream))
        direct, through, fresh = asyncio.run(both(Path(folder), port, max(2, runs // ROUNDS)))
    against = {
        "direct p50": percentile(direct, 0.5),
        "through p50": percentile(through, 0.5),
        "direct p95": percentile(direct, 0.95),
        "through p95": percentile(through, 0.95),
    }
    added = against["through p50"] - against["direct p50"]
    name = f"gateway adds to the first byte, {STREAMS} streams"
    alone = percentile(fresh, 0.5) - against["direct p50"]
    return [
        report(Metric(metric=name, value=added, unit="ms", target=TARGET, against=against)),
        report(Metric(metric=f"{name}, a new connection each", value=alone, unit="ms")),
    ]


async def both(folder: Path, upstream: int, runs: int) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds to the first byte: direct, through the gateway, and that with a new connection for each call."""
    import anyio

    from jupyter_tasks.clock import SystemClock
    from jupyter_tasks.metering.credentials import Credentials
    from jupyter_tasks.metering.gateway import PARKED, SERVICE, Gateway, Grant
    from jupyter_tasks.store.database import Database
    from jupyter_tasks.store.journal import Journal
    from jupyter_tasks.store.llm_rows import LlmCall, add_llm_call
    from jupyter_tasks.testing.agent_process import running_agent
    from jupyter_tasks.workspaces.link_events import StateSnapshot

    clock = SystemClock()
    credentials = Credentials(folder / "keys.json", {})
    credentials.add("anthropic", KEY, base_url=f"http://127.0.0.1:{upstream}")
    database = await Database.open(folder / "tasks.db", clock=clock)
    await database.write(_a_task)
    journal = Journal(database, clock)
    await journal.open()

    async def record(call: LlmCall) -> None:
        await journal.change(lambda change: add_llm_call(change.connection, call))

    gateway = Gateway(credentials, record, clock)
    grant = Grant(task_id="task", build_id="build", token=TOKEN)
    found: tuple[list[float], list[float], list[float]] = ([], [], [])
    with running_agent(folder / "agent") as agent:
        link = agent.link()
        await link.wait_ready(10)
        await link.start(
            {
                "build_id": "build",
                "agent": {"id": "a", "name": "main", "dir": "~"},
                "workspace": {"id": "w", "name": "w", "owner": "me"},
                "token": "t",
                "env": {},
                "services": [{"name": SERVICE, "port": 0}],
            }
        )
        async with aclosing(link.watch()) as events:
            snapshot = await anext(events)
        assert isinstance(snapshot, StateSnapshot)
        port = next(service.port for service in snapshot.services if service.name == SERVICE)
        async with anyio.create_task_group() as group:
            group.start_soon(
                lambda: link.serve_reverse(SERVICE, lambda stream: gateway.serve(stream, grant), parked=PARKED)
            )
            for _ in range(ROUNDS):
                found[0].extend(await client(upstream, "/v1/messages", runs, keep=True))
                found[1].extend(await client(port, "/anthropic/v1/messages", runs, keep=True))
                found[2].extend(await client(port, "/anthropic/v1/messages", max(1, runs // 2), keep=False))
            group.cancel_scope.cancel()
    await gateway.close()
    await database.close()
    return found


def _a_task(connection: object) -> None:
    from jupyter_tasks.store.task_rows import Asker, TaskRow, insert_task

    now = datetime.now(timezone.utc)
    texts = dict.fromkeys(
        (
            *("owner_id", "owner_name", "name", "display_name", "template_id", "template_version_id", "template_name"),
            *("template_display_name", "template_icon", "workspace_id", "prompt"),
        ),
        "x",
    )
    row = TaskRow(
        id="task",
        parameters={},
        preset=None,
        asker=Asker(),
        idempotency_key=None,
        created_at=now,
        updated_at=now,
        **texts,  # type: ignore[arg-type]
    )
    insert_task(connection, row)  # type: ignore[arg-type]


# -------------------------------------------------------------------- the processes beside


@contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of the processes below."""
    process = subprocess.Popen([sys.executable, "-m", "bench.gateway", *arguments], stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode()


async def client(port: int, path: str, runs: int, *, keep: bool) -> list[float]:
    """Let the other process call; milliseconds to each first byte."""
    arguments = ("-m", "bench.gateway", "client", str(port), path, str(runs), str(int(keep)))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return [float(each) for each in json.loads(out)]


class Upstream(asyncio.Protocol):
    """Answers every POST with a stream of events."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(body) >= length:
            self._data = body[length:]
            asyncio.get_running_loop().call_later(THINKING, self._send, 0)

    def _send(self, number: int) -> None:
        assert isinstance(self._transport, asyncio.Transport)
        if self._transport.is_closing():
            return
        event = LAST if number == EVENTS - 1 else EVENT
        piece = b"%x\r\n%s\r\n" % (len(event), event)
        if number == 0:
            kind = b"content-type: text/event-stream\r\ntransfer-encoding: chunked"
            piece = b"HTTP/1.1 200 OK\r\n" + kind + b"\r\nrequest-id: r\r\n\r\n" + piece
        if number == EVENTS - 1:
            self._transport.write(piece + b"0\r\n\r\n")
            return
        self._transport.write(piece)
        asyncio.get_running_loop().call_later(BETWEEN, self._send, number + 1)


async def be_upstream() -> None:
    """Until it is ended."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def be_client(port: int, path: str, runs: int, keep: bool) -> None:
    """Twenty streams, ``runs`` times each; prints milliseconds."""
    found: list[float] = []
    body = json.dumps({"model": "claude-haiku-4-5", "messages": "x" * 16_000}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: {TOKEN}\r\nanthropic-version: 2023-06-01\r\n"
    request = f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body

    async def stream() -> None:
        await asyncio.sleep(random.random() * (THINKING + EVENTS * BETWEEN))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(runs + 1):
            began = time.perf_counter()
            if not keep and number:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            await reader.readuntil(b"event: ")
            if number:  # the first one opens connections
                found.append((time.perf_counter() - began) * 1000)
            await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()

    await asyncio.gather(*(stream() for _ in range(STREAMS)))
    print(json.dumps(found))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["upstream"]:
            asyncio.run(be_upstream())
        case ["client", port, path, runs, keep]:
            asyncio.run(be_client(int(port), path, int(runs), keep == "1"))
        case _:
            measure(12)
