"""Git, asked about a repository of the user's.

Owns how it is started: nothing that the repository's configuration names is run (no hook, no fsmonitor, no pager), no
lock is taken and no index refreshed, time and output are bounded. It is only ever asked; nothing here writes.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType

from jupyter_tasks.errors import ProgramMissing, WorkspaceFailed

__all__ = ["Git", "Question", "said"]

SECONDS = 60.0
MOST_OUTPUT = 256 << 20
MOST_WORD = 64 << 10

_SETTINGS = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.pager=cat", "core.untrackedCache=false"),
    *("core.quotePath=false", "protocol.allow=never", "gc.auto=0", "maintenance.auto=false", "color.ui=never"),
    *("safe.bareRepository=explicit", "core.askPass=", "credential.helper=", "submodule.recurse=false"),
)
_KEPT = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "PATH")


class Git:
    """Questions about the repository that ``directory`` is in. Raises: ProgramMissing without git."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which("git")
        if program is None:
            raise ProgramMissing(
                f"{directory} is in a git repository, but git is not installed.",
                hint='Install git, or start without the project: project "none" (`--project none`).',
            )
        self.directory = directory
        self._command = [program, *(word for setting in _SETTINGS for word in ("-c", setting))]
        self._environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
            "LC_ALL": "C",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1",
        }

    def ask(self, *words: str | bytes) -> Question:
        """Start git; read the answer from what is returned."""
        return Question([*self._command, *words], self.directory, self._environment)

    def line(self, *words: str | bytes) -> bytes | None:
        """The answer without its last line end; None where git says no."""
        with self.ask(*words) as question:
            answer = question.read()
        return answer.removesuffix(b"\n") if question.status == 0 else None


class Question:
    """One run of git. Leaving the ``with`` ends it, however far it has come; then ``status`` and ``error`` are known.

    Raises: WorkspaceFailed where it takes longer than a minute.
    """

    def __init__(self, command: Sequence[str | bytes], directory: Path, environment: dict[str, str]) -> None:
        self.status: int | None = None
        self.error = b""
        self._deadline = time.monotonic() + SECONDS
        self._errors = TemporaryFile()  # noqa: SIM115 - __exit__ closes it; a pipe that nobody reads would stop git
        self._process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            start_new_session=True,
        )

    def __enter__(self) -> Question:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process.stdout is not None:
            process.stdout.close()
        if kind is not None:
            process.kill()
        try:
            self.status = process.wait(timeout=max(0.1, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            self.status = process.wait()
        with self._errors as errors:
            errors.seek(0)
            self.error = errors.read(MOST_WORD)

    def read(self) -> bytes:
        """All that it says."""
        return b"".join(self.blocks())

    def words(self) -> Iterator[bytes]:
        """What it says, cut at each NUL byte, as it comes."""
        rest = b""
        for block in self.blocks():
            *whole, rest = (rest + block).split(b"\0")
            yield from whole
            if len(rest) > MOST_WORD:
                raise self._gone("an answer that makes no sense")
        if rest:
            yield rest

    def blocks(self) -> Iterator[bytes]:
        """What it says, as it comes."""
        if self._process.stdout is None:
            return
        descriptor = self._process.stdout.fileno()
        left = MOST_OUTPUT
        while True:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, self._deadline - time.monotonic()))
            if not ready:
                raise self._gone(f"no answer within {SECONDS:.0f} s")
            block = os.read(descriptor, 1 << 18)
            if not block:
                return
            left -= len(block)
            if left < 0:
                raise self._gone("an answer without end")
            yield block

    def _gone(self, what: str) -> WorkspaceFailed:
        return WorkspaceFailed(
            f"Git gave {what} about the project.", hint="Try again, or name a smaller directory (`--project DIR`)."
        )


def said(error: bytes) -> str:
    """What git wrote as an error, as one line for a person."""
    text = error.decode("utf-8", "replace").strip().partition("\n")[0]
    return "".join(letter if letter.isprintable() else " " for letter in text)[:300].removeprefix("fatal: ")
