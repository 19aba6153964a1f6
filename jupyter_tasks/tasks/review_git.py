"""Git, asked to compare two trees of our own making.

Owns how it is started (no configuration but what stands here, no program but itself, bounded output and time) and what
its answer means. It runs in a bare repository that only the engine writes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import anyio
from anyio.abc import ByteReceiveStream

from jupyter_tasks.errors import ProgramMissing, WorkspaceFailed
from jupyter_tasks.models import DiffFile

__all__ = ["ComparedTrees", "compare", "parse_list", "shown"]

TIMEOUT = 60.0
MOST_LIST = 32 << 20
MOST_SAID = 4096
_RENAMES = 400  # of so many files on both sides the contents are compared to find what was renamed

_SETTINGS = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.attributesFile=/dev/null", "core.pager=cat"),
    *("core.quotePath=false", "core.bigFileThreshold=4m", "core.untrackedCache=false", "core.commitGraph=false"),
    *("protocol.allow=never", "gc.auto=0", "maintenance.auto=false"),
)
_DIFF = (
    *("diff-tree", "-r", f"-l{_RENAMES}", "--find-renames", "--no-ext-diff", "--no-textconv", "--no-color"),
    *("--no-relative", "--ignore-submodules=none", "--src-prefix=a/", "--dst-prefix=b/", "--unified=3"),
)
_STATUS = {b"A": "added", b"D": "deleted", b"M": "modified", b"R": "renamed", b"T": "type_changed"}


@dataclass(frozen=True, slots=True)
class ComparedTrees:
    """``patch`` may have been cut, ``files`` too: then ``truncated`` is true."""

    files: Sequence[DiffFile]
    patch: str
    truncated: bool


async def compare(git_dir: Path, objects: Path, old: bytes, new: bytes, *, max_bytes: int) -> ComparedTrees:
    """What differs between two trees.

    Args:
        git_dir: a bare repository.
        objects: another directory of objects, where the newer ones are.
        old, new: ids of trees.
        max_bytes: of the patch.

    Raises: ProgramMissing without git, WorkspaceFailed when it fails or takes too long.
    """
    program = shutil.which("git")
    if program is None:
        raise ProgramMissing("The changes cannot be shown: git is not installed.", hint="Install git (2.29 or newer).")
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    command = [program, *settings, f"--git-dir={git_dir}", *_DIFF]
    trees = [old.hex(), new.hex()]
    answers: dict[str, _Answer] = {}

    async def ask(name: str, options: list[str], most: int) -> None:
        answers[name] = await _run([*command, *options, *trees, "--"], _environment(git_dir, objects), git_dir, most)

    try:
        with anyio.fail_after(TIMEOUT):
            async with anyio.create_task_group() as group:
                group.start_soon(ask, "list", ["--raw", "--numstat", "-z"], MOST_LIST)
                group.start_soon(ask, "patch", ["--patch"], max_bytes)
    except TimeoutError as error:
        raise WorkspaceFailed(
            f"Comparing the files of the workspace took longer than {TIMEOUT:.0f} s.", hint="Try again later."
        ) from error
    listed, patch = answers["list"].checked(), answers["patch"].checked()
    text = patch.output[: patch.output.rfind(b"\n") + 1] if patch.cut else patch.output
    return ComparedTrees(parse_list(listed.output), text.decode("utf-8", "replace"), listed.cut or patch.cut)


def _environment(git_dir: Path, objects: Path) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "HOME": str(git_dir),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
    }


@dataclass(frozen=True, slots=True)
class _Answer:
    """What git wrote; ``cut``: there was more, and it was ended."""

    output: bytes
    cut: bool
    status: int
    said: str

    def checked(self) -> _Answer:
        """Itself. Raises: ProgramMissing for a git that is too old, WorkspaceFailed when it failed."""
        if self.cut or self.status == 0:
            return self
        if "objectformat" in self.said.lower() or "repository extension" in self.said:
            raise ProgramMissing("The changes cannot be shown: this git is too old.", hint="Install git 2.29 or newer.")
        raise WorkspaceFailed(
            f"Git could not compare the files of the workspace (status {self.status}).",
            detail=f"It said: {self.said}" if self.said else "",
            hint="The files themselves are untouched.",
        )


async def _run(command: list[str], environment: dict[str, str], cwd: Path, most: int) -> _Answer:
    """Run git to its end, or until it has written more than ``most`` bytes. When this is cancelled, it is killed."""
    output, said = bytearray(), bytearray()
    process = await anyio.open_process(
        command, stdin=subprocess.DEVNULL, env=environment, cwd=cwd, start_new_session=True
    )
    async with process:
        async with anyio.create_task_group() as group:
            group.start_soon(_collect, process.stderr, said, MOST_SAID)
            await _collect(process.stdout, output, most, until_full=True)
            if len(output) > most:
                process.kill()
        status = await process.wait()
    words = "".join(each if each.isprintable() else " " for each in said.decode("utf-8", "replace")).strip()
    return _Answer(bytes(output[:most]), len(output) > most, status, words)


async def _collect(stream: ByteReceiveStream | None, into: bytearray, most: int, until_full: bool = False) -> None:
    """Read to the end, keep about ``most`` bytes; ``until_full``: stop once there are more."""
    if stream is None:
        return
    async for block in stream:
        if len(into) <= most:
            into += block
        if until_full and len(into) > most:
            return


def parse_list(listed: bytes) -> list[DiffFile]:
    """The files of ``--raw --numstat -z``: first every change, then in the same order its lines. A list that was cut
    gives what is whole in it."""
    words = listed.split(b"\0")
    words.pop()  # what follows the last end of a word
    at = 0
    changes: list[tuple[str, bytes, bytes | None]] = []
    while at < len(words) and words[at].startswith(b":"):
        kind = words[at].rpartition(b" ")[2][:1]
        paths = 2 if kind in (b"R", b"C") else 1
        names = words[at + 1 : at + 1 + paths]
        at += 1 + paths
        if len(names) == paths:
            changes.append((_STATUS.get(kind, "modified"), names[-1], names[0] if paths == 2 else None))
    files = []
    for status, path, old in changes:
        counts = words[at].split(b"\t") if at < len(words) else []
        at += 3 if old is not None else 1
        added, deleted = (_number(counts[0]), _number(counts[1])) if len(counts) >= 3 else (None, None)
        files.append(
            DiffFile(
                path=shown(path),
                old_path=None if old is None else shown(old),
                status=cast("_Status", status),
                additions=added,
                deletions=deleted,
                binary=len(counts) >= 3 and added is None,
            )
        )
    return files


_Status = Literal["added", "deleted", "modified", "renamed", "type_changed"]


def shown(path: bytes) -> str:
    """A path as text: bytes that are not UTF-8 become \\xff."""
    return path.decode("utf-8", "backslashreplace")


def _number(word: bytes) -> int | None:
    return int(word) if word.isdigit() and len(word) < 20 else None
