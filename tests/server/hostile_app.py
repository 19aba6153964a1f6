"""An app as an agent might write it: a raw HTTP/1.1 server that does what it should not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

BIG = 10 * 1024 * 1024

EVIL = (
    "Set-Cookie: sid=evil; Path=/",
    "set-cookie: sid2=evil",
    "Access-Control-Allow-Origin: http://evil.test",
    "Access-Control-Allow-Credentials: true",
    "Service-Worker-Allowed: /",
    'Clear-Site-Data: "*"',
    "Strict-Transport-Security: max-age=99",
    "Refresh: 0; url=http://evil.test/",
    "Referrer-Policy: unsafe-url",
    "Cross-Origin-Resource-Policy: same-origin",
    'Alt-Svc: h3=":443"',
    "WWW-Authenticate: Basic",
    "Content-Security-Policy: img-src 'none'",
    "X-App: yes",
    "Connection: close, X-Hop",
    "X-Hop: gone",
)


@dataclass
class HostileApp:
    """``port`` to reach it; ``seen`` what it was asked: (method, target, headers, body size)."""

    port: int = 0
    seen: list[tuple[str, str, list[tuple[str, str]], int]] = field(default_factory=list)
    open: int = 0
    sent: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = [(line.partition(":")[0], line.partition(":")[2].strip()) for line in head[1:] if line]
        size = await _body(reader, {name.lower(): value for name, value in headers})
        self.seen.append((method, target, headers, size))
        path = target.partition("?")[0]
        if path == "/ws":
            await _websocket(reader, writer, {name.lower(): value for name, value in headers})
        elif path.startswith("/redirect"):
            location = unquote(target.partition("?to=")[2])
            await _say(writer, "302 Found", [f"Location: {location}", *EVIL], b"")
        elif path == "/sse":
            await _start(writer, "200 OK", ["Content-Type: text/event-stream", *EVIL])
            for number in range(3):
                writer.write(f"data: {number}\n\n".encode())
                await writer.drain()
                await asyncio.sleep(0.05)
        elif path == "/forever":
            await _start(writer, "200 OK", ["Content-Type: text/event-stream"])
            while True:
                writer.write(b": x\n\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        elif path == "/endless":
            await _start(writer, "200 OK", ["Content-Type: application/octet-stream"])
            while True:
                writer.write(b"e" * 65536)
                await writer.drain()
                self.sent += 65536
        elif path == "/message":
            await _say(writer, "200 OK", ["Content-Type: application/json", *EVIL], b'{"ok": true}')
        elif path == "/big":
            await _start(writer, "200 OK", [f"Content-Length: {BIG}"])
            for _ in range(BIG // 65536):
                writer.write(b"z" * 65536)
                await writer.drain()
        elif path == "/cut":
            await _start(writer, "200 OK", ["Content-Length: 1000"])
            writer.write(b"only this")
        elif path == "/status":
            status = target.partition("?")[2]
            await _start(writer, f"{status} Whatever", ["Content-Length: 0", *EVIL])
        elif path == "/garbage":
            writer.write(b"\x00\x01 this is no HTTP\r\n\r\n")
        elif path == "/unasked":
            await _start(writer, "101 Switching Protocols", ["Upgrade: websocket", "Connection: Upgrade"])
        elif path == "/range":
            await _say(writer, "206 Partial Content", ["Content-Range: bytes 0-3/10"], b"abcd")
        else:
            await _say(writer, "200 OK", ["Content-Type: text/html", *EVIL], json.dumps(headers).encode())


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> int:
    if headers.get("transfer-encoding") == "chunked":
        size = 0
        while count := int((await reader.readline()).strip() or b"0", 16):
            await reader.readexactly(count + 2)
            size += count
        return size
    left = size = int(headers.get("content-length", 0))
    while left:
        left -= len(await reader.readexactly(min(left, 65536)))
    return size


async def _start(writer: asyncio.StreamWriter, status: str, headers: list[str]) -> None:
    writer.write(("\r\n".join([f"HTTP/1.1 {status}", *headers]) + "\r\n\r\n").encode("latin-1"))
    await writer.drain()


async def _say(writer: asyncio.StreamWriter, status: str, headers: list[str], body: bytes) -> None:
    await _start(writer, status, [*headers, f"Content-Length: {len(body)}"])
    writer.write(body)
    await writer.drain()


async def _websocket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]) -> None:
    if headers.get("upgrade") != "websocket":
        await _say(writer, "426 Upgrade Required", list(EVIL), b"")
        return
    digest = hashlib.sha1((headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    accept = base64.b64encode(digest).decode()
    await _start(
        writer,
        "101 Switching Protocols",
        ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}", "Set-Cookie: ws=evil"],
    )
    while True:
        first, second = await reader.readexactly(2)
        size = second & 127
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await reader.readexactly(8), "big")
        mask = await reader.readexactly(4)
        data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(await reader.readexactly(size)))
        if first & 15 == 8:
            return
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        writer.write(bytes([first]) + length + data)
        await writer.drain()


@asynccontextmanager
async def hostile_app() -> AsyncIterator[HostileApp]:
    """Run one on a port of its own."""
    app = HostileApp()
    server = await asyncio.start_server(app, "127.0.0.1", 0)
    app.port = server.sockets[0].getsockname()[1]
    try:
        yield app
    finally:
        server.close()
        for _ in range(200):
            if not app.open:
                break
            await asyncio.sleep(0.01)
        assert not app.open, "a connection to the app was left open"
