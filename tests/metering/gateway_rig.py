"""A gateway at a port of loopback, and an upstream whose every byte a test decides."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.metering.credentials import Credentials
from jupyter_tasks.metering.gateway import Gateway, Grant
from jupyter_tasks.store.llm_rows import LlmCall

SECRET = "sk-ant-api03-the-canary-of-this-test-0123456789"
TOKEN = "jt-the-token-of-this-test"


@dataclass
class Asked:
    """What the upstream was sent."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


Answering = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Upstream:
    """Answers with ``answer``; keeps what it was asked."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    answer: Answering | None = None
    handling: set[asyncio.Task[None]] = field(default_factory=set)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.handling.add(task)
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        self.handling.discard(task)
        writer.close()

    async def end(self) -> None:
        """End every connection."""
        for task in list(self.handling):
            task.cancel()
        await asyncio.gather(*self.handling)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first = await reader.readexactly(1)
        if first == b"\x16":  # TLS, which nobody speaks here
            return False
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = [(line.partition(": ")[0], line.partition(": ")[2]) for line in head[1:] if line]
        named = {key.lower(): value for key, value in headers}
        if "chunked" in named.get("transfer-encoding", ""):
            body = b""
            while (size := int(await reader.readline() or b"0", 16)) > 0:
                body += await reader.readexactly(size)
                await reader.readexactly(2)
            await reader.readexactly(2)
        else:
            body = await reader.readexactly(int(named.get("content-length", "0")))
        asked = Asked(head[0], headers, body)
        self.asked.append(asked)
        assert self.answer is not None
        await self.answer(asked, writer)
        return not writer.is_closing()


def whole(status: int, body: bytes, *headers: str, kind: str = "application/json") -> Answering:
    """One answer with a length."""

    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}", *headers]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        await writer.drain()

    return answer


def streamed(*pieces: bytes, end: bool = True, pause: float = 0.0) -> Answering:
    """Server-sent events in chunks; not ``end``: cut behind the last."""

    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in pieces:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(pause)
        if end:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        else:
            writer.close()

    return answer


def sse(name: str, data: Any) -> bytes:
    """One event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


@dataclass
class Rig:
    """The gateway, its clients, and what it wrote down."""

    upstream: Upstream
    credentials: Credentials
    gateway: Gateway
    client: httpx.AsyncClient
    port: int
    calls: list[LlmCall]
    grant: Grant

    async def written(self, number: int = 1) -> list[LlmCall]:
        """The calls, once there are so many."""
        with anyio.fail_after(40):
            while len(self.calls) < number:  # noqa: ASYNC110 -- the other end knows of no event
                await anyio.sleep(0.005)
        return self.calls

    async def post(self, path: str = "/anthropic/v1/messages", **options: Any) -> httpx.Response:
        headers = {"x-api-key": TOKEN, **options.pop("headers", {})}
        options.setdefault("json", {"model": "claude-haiku-4-5", "messages": []})
        return await self.client.post(path, headers=headers, **options)


@contextlib.asynccontextmanager
async def running(folder: Path, *, providers: frozenset[str] = frozenset(), **settings: Any) -> AsyncIterator[Rig]:
    """Everything, for one test. The credential is an API key of Anthropic's and of OpenAI's."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.handle, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    credentials = Credentials(folder / "state" / "keys.json", {})
    credentials.add("anthropic", SECRET, base_url=upstream.url)
    credentials.add("openai", SECRET, base_url=f"{upstream.url}/v1")
    calls: list[LlmCall] = []

    async def record(call: LlmCall) -> None:
        await anyio.lowlevel.checkpoint()
        calls.append(call)

    gateway = Gateway(credentials, record, SystemClock(), **settings)
    grant = Grant(task_id="task", build_id="build", token=TOKEN, providers=providers)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, lambda stream: gateway.serve(stream, grant))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=40) as client:
            try:
                yield Rig(upstream, credentials, gateway, client, port, calls, grant)
            finally:
                group.cancel_scope.cancel()
    await gateway.close()
    server.close()
    await upstream.end()


def rigged(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """A test whose ``rig`` runs in the test's own loop and task (a task group in an async fixture would not)."""

    @functools.wraps(test)
    async def with_rig(tmp_path: Path, **given: Any) -> None:
        async with running(tmp_path) as rig:
            wanted = {"rig": rig, "tmp_path": tmp_path, **given}
            await test(**{name: wanted[name] for name in inspect.signature(test).parameters})

    names = [name for name in inspect.signature(test).parameters if name not in ("rig", "tmp_path")]
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("tmp_path", *names)]
    with_rig.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return with_rig
