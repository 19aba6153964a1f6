"""A workspace agent that lies: the far end of a link as an attacker inside a workspace would hold it.

Owns the lies that a link's engine side must survive. Each serves every connection to a socket in the same way, so a
conformance test can point any operation at it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_tasks.workspaces.provisioner import LinkAddress

__all__ = ["EVENT_LIES", "LIES", "TAPE_LIES", "Lie", "lying_agent"]

_OK = b'{"ok":true}\n'
_FLOOD = b"x" * 65536

Lie = Callable[[socket.socket, threading.Event], None]


def _say(*pieces: bytes) -> Lie:
    """Say this, whatever was asked, and close."""

    def lie(sock: socket.socket, _stop: threading.Event) -> None:
        for piece in pieces:
            sock.sendall(piece)

    return lie


def _say_and_hold(piece: bytes) -> Lie:
    """Say this and then nothing for ever."""

    def lie(sock: socket.socket, stop: threading.Event) -> None:
        sock.sendall(piece)
        stop.wait()

    return lie


def _flood(first: bytes, piece: bytes = _FLOOD) -> Lie:
    """Say the first piece once, the other one without end."""

    def lie(sock: socket.socket, stop: threading.Event) -> None:
        sock.sendall(first)
        while not stop.is_set():
            sock.sendall(piece)

    return lie


def _drip(sock: socket.socket, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        sock.sendall(b" ")


LIES: dict[str, Lie] = {
    "closes at once": _say(),
    "is silent": _say_and_hold(b""),
    "half a line, then silence": _say_and_hold(b'{"ok": tr'),
    "half a line, then closes": _say(b'{"ok": tr'),
    "one byte at a time": _drip,
    "a line without end": _flood(b'{"ok": true, "x": "'),
    "a huge line": _say(b'{"x":"' + b"y" * (2 << 20) + b'"}\n'),
    "not JSON": _say(b"hello\n"),
    "not UTF-8": _say(b'{"ok": "\xff\xfe"}\n'),
    "deep nesting": _say(b'{"ok":' + b"[" * 500_000 + b"\n"),
    "a list": _say(b"[1]\n"),
    "no ok": _say(b"{}\n"),
    "ok is a text": _say(b'{"ok": "true"}\n'),
    "refuses without a reason": _say(b'{"ok": false}\n'),
    "refuses with a number": _say(b'{"ok": false, "error": {"code": 5}}\n'),
    "an endless number": _say(b'{"ok": true, "head": ' + b"9" * 900_000 + b"}\n"),
    "infinity": _say(b'{"ok": true, "head": Infinity, "offset": 0}\n'),
    "nothing but ok": _say(_OK),
    "wrong types": _say(
        b'{"ok":true,"already":1,"pid":"1","head":true,"offset":[],"files":{},"closed":"no","boot_id":7}\n'
    ),
    "negative numbers": _say(b'{"ok":true,"already":null,"pid":-1,"head":-5,"offset":-5,"files":-1,"closed":false}\n'),
    "huge numbers": _say(b'{"ok":true,"pid":9999999999999,"head":9223372036854775807,"offset":0,"files":-0.5}\n'),
}
"""Lies that break any operation which reads more of its answer than ``ok``."""


TAPE_LIES: dict[str, Lie] = {
    "an offset before the one asked for": _say(b'{"ok":true,"offset":3,"head":100,"closed":false}\n'),
    "an offset beyond the head": _say(b'{"ok":true,"offset":200,"head":100,"closed":false}\n'),
    "more bytes than promised": _flood(b'{"ok":true,"offset":10,"head":1000,"closed":true,"exit":0}\n'),
    "an impossible exit": _say(b'{"ok":true,"offset":10,"head":10,"closed":true,"exit":70000}\n'),
}
"""Lies of ``terminal.read`` and ``log.read`` when offset 10 is asked for without ``follow``."""

_HEAD = b'{"ok":true,"boot_id":"b","head":5}\n'


def _events(*lines: bytes) -> Lie:
    return _say(_HEAD, *(line + b"\n" for line in lines))


EVENT_LIES: dict[str, Lie] = {
    "events go backwards": _events(
        b'{"type":"listening","seq":5,"ports":[]}', b'{"type":"listening","seq":4,"ports":[]}'
    ),
    "an event twice": _events(b'{"type":"listening","seq":5,"ports":[]}', b'{"type":"listening","seq":5,"ports":[]}'),
    "a gap backwards": _events(b'{"type":"listening","seq":5,"ports":[]}', b'{"type":"gap","seq":1}'),
    "a state backwards": _events(b'{"type":"gap","seq":9}', b'{"type":"state","seq":3,"lifecycle":"ready"}'),
    "an unknown lifecycle": _events(b'{"type":"lifecycle","seq":5,"state":"happy"}'),
    "an unknown health": _events(b'{"type":"app","seq":5,"id":"a","slug":"s","health":"fine"}'),
    "a port out of range": _events(b'{"type":"listening","seq":5,"ports":[70000]}'),
    "too many ports": _events(b'{"type":"listening","seq":5,"ports":[' + b"1," * 5000 + b"1]}"),
    "a text as a list": _events(b'{"type":"metadata","seq":5,"key":["k"],"value":"v"}'),
    "no type": _events(b'{"seq":5}'),
    "no number": _events(b'{"type":"lifecycle","state":"ready"}'),
    "a line without end": _flood(_HEAD),
    "ends": _events(),
}
"""Lies of ``watch`` with ``since`` 1."""


@contextmanager
def lying_agent(folder: Path, lie: Lie) -> Iterator[LinkAddress]:
    """Serve a lie on a socket in ``folder`` to every connection, in threads of its own."""
    path = folder / "lying.sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    stop = threading.Event()
    threads: list[threading.Thread] = []
    sockets: list[socket.socket] = []

    def serve(sock: socket.socket) -> None:
        try:
            with sock:
                sock.recv(65536)
                lie(sock, stop)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
        except OSError:
            return  # the other side has had enough

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sockets.append(sock)
            threads.append(threading.Thread(target=serve, args=(sock,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield LinkAddress(socket=path)
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in threads:
            thread.join()
        path.unlink(missing_ok=True)
