"""The offline agent's terminal: a line editor that takes pasted text, and plain output that wraps at the width.

Owns the terminal's mode and what is typed; not what it means. Without a terminal it reads plain lines.
"""

from __future__ import annotations

import codecs
import os
import re
import select
import signal
import sys
import textwrap

__all__ = ["Console"]

_PASTE_ON, _PASTE_OFF = "\x1b[200~", "\x1b[201~"
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|O.|[^\[\]O])")
_SHOWN_LINES = 4
_MOST = 4 * 1024 * 1024


class Console:
    """Use it as a context manager: it restores the terminal."""

    def __init__(self) -> None:
        self._tty = os.isatty(0)
        self._saved: list[int | list[bytes | int]] | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._woken, self._wake = os.pipe()

    def __enter__(self) -> Console:
        if self._tty:
            import termios

            self._saved = termios.tcgetattr(0)
            mode = termios.tcgetattr(0)
            # Ctrl-C stays a signal; Enter (CR) stays apart from the line feeds of pasted text; a canonical line
            # would hold 4,096 bytes at most
            mode[0] &= ~(termios.ICRNL | termios.IXON)
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            # Ctrl-C would also flush what is written: Linux does so after the signal, when its answer may stand there
            mode[3] |= termios.NOFLSH
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            termios.tcsetattr(0, termios.TCSADRAIN, mode)
            self._write("\x1b[?2004h")
        # a signal that comes in the very moment before a read would not end that read
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._woken)
        os.close(self._wake)
        if self._saved is not None:
            import termios

            try:
                self._write("\x1b[?2004l")
                termios.tcsetattr(0, termios.TCSADRAIN, self._saved)
            except (OSError, termios.error):
                pass  # the terminal is gone

    # ---------------------------------------------------------------- out

    def say(self, text: str = "") -> None:
        """Print text, wrapped at 78 columns or the terminal's width; lines that are indented stay as they are."""
        try:
            columns = os.get_terminal_size(1).columns or 80
        except OSError:  # not a terminal
            columns = 80
        width = max(min(columns - 2, 78), 20)
        for line in text.split("\n"):
            if len(line) <= width or line.startswith("  "):
                self._write(line + "\n")
            else:
                self._write("\n".join(textwrap.wrap(line, width, break_long_words=False)) + "\n")

    def signal(self, payload: str) -> None:
        """Tell the terminal our status (OSC 7501); a terminal that knows nothing of it shows nothing."""
        if self._tty:
            self._write(f"\x1b]7501;{payload}:app=offline\x1b\\")

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(1, data) :]

    # ---------------------------------------------------------------- in

    def ask(self, prompt: str = "> ") -> str | None:
        """The next message; None at the end of input (Ctrl-D, or the terminal is gone). Raises: KeyboardInterrupt."""
        self._write(prompt)
        if not self._tty:
            line = sys.stdin.readline()
            return line.rstrip("\n") if line else None
        return self._read_line()

    def _read_line(self) -> str | None:
        typed: list[str] = []
        size = 0
        while True:
            found = self._token()
            if found is None:
                return None
            if found.startswith(_PASTE_ON):
                pasted = found[len(_PASTE_ON) : -len(_PASTE_OFF)].replace("\r\n", "\n").replace("\r", "\n")
                if size + len(pasted) <= _MOST:
                    typed.append(pasted)
                    size += len(pasted)
                    self._write(_shown(pasted))
            elif found in ("\r", "\n"):
                self._write("\n")
                return "".join(typed)
            elif found == "\x04":
                if not typed:
                    self._write("\n")
                    return None
            elif found in ("\x08", "\x7f"):
                self._erase(typed, 1)
            elif found == "\x15":
                self._erase(typed, len(typed))
            elif found >= " " and not found.startswith("\x1b") and size < _MOST:
                typed.append(found)
                size += 1
                self._write(found)

    def _erase(self, typed: list[str], count: int) -> None:
        for piece in typed[len(typed) - count :] if count else []:
            self._write("\b \b" * (len(piece) if "\n" not in piece else 0))
        del typed[len(typed) - count :]

    def _token(self) -> str | None:
        """One character, one escape sequence, or one whole paste."""
        while True:
            text = self._pending
            if text.startswith(_PASTE_ON):
                end = text.find(_PASTE_OFF)
                if end >= 0:
                    return self._cut(end + len(_PASTE_OFF))
                if len(text) > _MOST:  # a paste without an end
                    return self._cut(1)
            elif text.startswith("\x1b"):
                found = _ESCAPE.match(text)
                if found:
                    return self._cut(found.end())
                if len(text) > 64:
                    return self._cut(1)
            elif text:
                return self._cut(1)
            if not self._fill():
                return None

    def _cut(self, length: int) -> str:
        token, self._pending = self._pending[:length], self._pending[length:]
        return token

    def _fill(self) -> bool:
        try:
            while 0 not in select.select([0, self._woken], [], [])[0]:
                os.read(self._woken, 4096)  # what it woke us for is raised here
            data = os.read(0, 65536)
        except OSError:
            return False
        self._pending += self._decoder.decode(data)
        return bool(data)


def _shown(pasted: str) -> str:
    lines = pasted.split("\n")
    shown = lines[:_SHOWN_LINES]
    if len(lines) > _SHOWN_LINES:
        shown.append(f"[… {len(lines) - _SHOWN_LINES:,} more lines]")
    return _ESCAPE.sub("", "\n  ".join(shown))
