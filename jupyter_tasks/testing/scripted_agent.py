"""A terminal agent that follows a script, so that a conversation with an agent can be tested without one.

Owns the program: ``python -m jupyter_tasks.testing.scripted_agent script.json``. Standard library only, so that it runs
in any workspace.

The script is a list of steps, played in order, one for each line that is typed:

    [{"response": "Hello, what shall I do?"},
     {"expect": "say hi", "think_ms": 50, "response": "hi"},
     {"expect": "crash", "exit": 3}]

A step without ``expect`` is said without being asked. ``think_ms`` is how long a spinner turns first; ``osc`` (true)
tells its state by OSC 7501; ``title`` sets the window title; ``raw`` is written as it is, after the response; ``exit``
ends the program with that code. A line that is not the expected one ends it with code 1.
"""

from __future__ import annotations

import json
import os
import re
import sys
import termios
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["main"]

_ESCAPES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
_SPINNER = "|/-\\"
_TURN = 0.05


def _write(text: str) -> None:
    os.write(1, text.replace("\n", "\r\n").encode())


def _lines() -> Iterator[str]:
    """Typed lines, echoed; ends with the terminal or with Ctrl-D."""
    line, inside, pending = bytearray(), False, b""
    while True:
        data = pending + os.read(0, 65536)
        if data == pending:
            return
        pending = b""
        cut = data.rfind(b"\x1b")
        if cut >= 0 and not _ESCAPES.match(data, cut) and len(data) - cut < 16:
            data, pending = data[:cut], data[cut:]
        for piece in re.split(rb"(\x1b\[20[01]~)", data):
            if piece in (b"\x1b[200~", b"\x1b[201~"):
                inside = piece == b"\x1b[200~"
                continue
            for byte in _ESCAPES.sub(b"", piece):
                if byte == 4 and not inside:
                    return
                if byte in (8, 127):
                    del line[-1:]
                    _write("\b \b")
                elif byte == 13 and not inside:
                    text = line.decode("utf-8", "replace")
                    _write("\n")
                    line.clear()
                    yield text
                else:
                    line.append(byte)
                    os.write(1, b"\r\n" if byte in (10, 13) else bytes([byte]))


def _play(step: dict[str, Any]) -> None:
    osc = bool(step.get("osc"))
    if osc:
        _write("\x1b]7501;state=working:app=scripted\x1b\\")
    end = time.monotonic() + step.get("think_ms", 0) / 1000
    turn = 0
    while time.monotonic() < end:
        _write(f"\rThinking {_SPINNER[turn % 4]}")
        turn += 1
        time.sleep(min(_TURN, max(0.0, end - time.monotonic())))
    if turn:
        _write("\r\x1b[K")
    if "title" in step:
        _write(f"\x1b]2;{step['title']}\x07")
    if "response" in step:
        _write(step["response"] + "\n")
    if "raw" in step:
        os.write(1, step["raw"].encode())
    if "exit" in step:
        sys.exit(int(step["exit"]))
    if osc:
        _write("\x1b]7501;state=idle:app=scripted\x1b\\")


def main(argv: list[str] | None = None) -> int:
    """Play the script; 0 when it ended well, 1 when something else was typed, 2 for a wrong call."""
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m jupyter_tasks.testing.scripted_agent SCRIPT.json\n")
        return 2
    steps: list[dict[str, Any]] = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    saved = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        typed = _lines()
        for step in steps:
            if "expect" in step:
                _write("> ")
                line = next(typed, None)
                if line is None:
                    return 0
                if line.strip() != step["expect"]:
                    _write(f"expected {step['expect']!r}, got {line!r}\n")
                    return 1
            _play(step)
        _write("> ")
        for line in typed:
            _write(f"nothing more to say to {line!r}\n")
            return 1
        return 0
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)


if __name__ == "__main__":
    sys.exit(main())
