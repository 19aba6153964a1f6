"""``exec``: one program with its three streams as frames on a link connection.

Owns the frames: 1 byte stream (0 stdin, 1 stdout, 2 stderr, 3 exit), 4 bytes big-endian length, payload. An empty
stdin frame is its end. The program ends with the connection.
"""

from __future__ import annotations

import os
import signal
import struct

from .spawn import kill_group
from .streams import Stream
from .wire import Refused, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .loop import Timer
    from .processes import Processes
    from .server import Connection

FRAME_LIMIT = 1 << 20
LINGER = 1.0  # how long the output of programs left behind is waited for after the exit
STDIN, STDOUT, STDERR, EXIT = range(4)


class Exec:
    """A running program whose owner is a connection."""

    def __init__(self, processes: Processes, connection: Connection, *, timeout: float) -> None:
        self._processes = processes
        self._loop = processes.loop
        self._connection = connection
        self._stream = connection.stream
        self._timeout = timeout
        self._timer: Timer | None = None
        self._outputs: list[Stream] = []
        self._input: Stream | None = None
        self._buffer = bytearray()
        self._code: int | None = None
        self._timed_out = False
        self._pid = 0

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, *, stdin: bool) -> None:
        """Start the program and answer. Raises: Refused."""
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        in_read, in_write = os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), -1)
        try:
            self._pid = self._processes.start(argv, env, cwd, (in_read, out_write, err_write), self._ended)
        except OSError as problem:
            for fd in (out_read, err_read, in_write):
                if fd >= 0:
                    os.close(fd)
            raise Refused("failed", f"the program cannot be started: {problem}") from None
        finally:
            for fd in (out_write, err_write, in_read):
                os.close(fd)
        self._connection.answer({"pid": self._pid})
        if in_write >= 0:
            self._input = Stream(self._loop, in_write)
            self._input.on_drain = self._stream.resume
        for number, fd in ((STDOUT, out_read), (STDERR, err_read)):
            self._open_output(number, fd)
        if self._timeout:
            self._timer = self._loop.later(self._timeout, self._overdue)
        self._stream.on_data = self._received
        self._stream.on_eof = self._stream.close  # stdin has a frame for its end: this is the caller gone
        self._stream.on_drain = self._drained
        self._stream.on_close = self._abandoned
        self._stream.resume()
        self._received(self._connection.take_rest())

    def _open_output(self, number: int, fd: int) -> None:
        output = Stream(self._loop, fd)

        def forward(data: bytes) -> None:
            self._stream.write(struct.pack(">BI", number, len(data)) + data)
            if self._stream.full:
                for one in self._outputs:
                    one.pause()

        output.on_data = forward
        output.on_eof = output.close
        output.on_close = lambda: self._output_closed(output)
        self._outputs.append(output)
        output.resume()

    def _drained(self) -> None:
        for output in self._outputs:
            output.resume()

    def _output_closed(self, output: Stream) -> None:
        self._outputs.remove(output)
        self._maybe_finish()

    def _received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 5:
            number, length = struct.unpack_from(">BI", self._buffer)
            if number != STDIN or length > FRAME_LIMIT:
                self._stream.close()
                return
            if len(self._buffer) < 5 + length:
                return
            payload = bytes(self._buffer[5 : 5 + length])
            del self._buffer[: 5 + length]
            self._feed(payload)

    def _feed(self, payload: bytes) -> None:
        if self._input is None:
            return
        if not payload:
            self._input.finish()
            return
        self._input.write(payload)
        if self._input.full:
            self._stream.pause()

    def _overdue(self) -> None:
        self._timed_out = True
        kill_group(self._pid, signal.SIGKILL)

    def _ended(self, code: int) -> None:
        self._code = code
        if self._timer is not None:
            self._timer.cancel()
        if self._input is not None:
            self._input.close()
            self._stream.resume()
        self._loop.later(LINGER, self._stop_waiting)
        self._maybe_finish()

    def _stop_waiting(self) -> None:
        for output in list(self._outputs):
            output.drain()
        if self._stream.full:  # the reader is slow, and its bytes are still in the pipe
            self._loop.later(LINGER, self._stop_waiting)
            return
        for output in list(self._outputs):
            output.close()

    def _maybe_finish(self) -> None:
        if self._code is None or self._outputs or self._stream.closed:
            return
        payload = encode({"code": self._code, "timed_out": self._timed_out})
        self._stream.write(struct.pack(">BI", EXIT, len(payload)) + payload)
        self._stream.finish()

    def _abandoned(self) -> None:
        if self._code is None:
            kill_group(self._pid, signal.SIGKILL)
        for output in list(self._outputs):
            output.close()
        if self._input is not None:
            self._input.close()
