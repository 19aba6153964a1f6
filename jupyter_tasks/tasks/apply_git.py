"""Git as apply uses it: to read objects, and to merge text.

Owns how it is started there: no hook, filter, attribute, file system monitor, signature or external program runs, time
and output are bounded. ``apply_branch`` says what is asked of it in the user's repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_tasks.errors import LimitReached, ProgramMissing, WorkspaceFailed

__all__ = ["Objects", "git", "merge_text", "private_environment", "program", "said_by"]

TIMEOUT = 60.0
MERGE_SECONDS = 10.0
READ_SECONDS = 300.0
MOST_OUTPUT = 64 << 20
MOST_TEXT = 8 << 20
MOST_HELD = 512 << 20

_SETTINGS = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.attributesFile=/dev/null", "core.pager=cat"),
    *("core.untrackedCache=false", "core.splitIndex=false", "index.sparse=false", "core.sparseCheckout=false"),
    *("core.commitGraph=false", "core.protectHFS=true", "core.protectNTFS=true", "core.quotePath=false"),
    *("commit.gpgSign=false", "gc.auto=0", "maintenance.auto=false", "protocol.allow=never"),
    *("user.useConfigOnly=true", "submodule.recurse=false", "feature.experimental=false"),
)
_KEPT = ("HOME", "XDG_CONFIG_HOME", "USER", "LOGNAME", "TMPDIR", "TZ")
_ALWAYS = {
    "LC_ALL": "C",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}


def program() -> str:
    """Where git is. Raises: ProgramMissing."""
    found = shutil.which("git")
    if found is None:
        raise ProgramMissing("Changes cannot be applied: git is not installed.", hint="Install git (2.29 or newer).")
    return found


def private_environment(home: Path) -> dict[str, str]:
    """For git where nothing of the user's counts."""
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CEILING_DIRECTORIES": str(home.parent),
        **_ALWAYS,
    }


def user_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """For git in the user's own repository: their name and their ``safe.directory`` count."""
    return {"PATH": os.defpath, **{name: environment[name] for name in _KEPT if name in environment}, **_ALWAYS}


def git(
    words: Sequence[str | bytes],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    given: bytes = b"",
    timeout: float = TIMEOUT,
) -> subprocess.CompletedProcess[bytes]:
    """Run git to its end, whatever it answers.

    Raises: ProgramMissing, WorkspaceFailed when it takes too long, LimitReached when it writes too much.
    """
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    command: list[str | bytes] = [program(), *settings, *words]
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(
                command,
                input=given,
                stdout=output,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=dict(environment),
                timeout=timeout,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as error:
            raise WorkspaceFailed(f"Git took longer than {timeout:.0f} s ({cwd}).", hint="Try again later.") from error
        if output.tell() > MOST_OUTPUT:
            raise LimitReached(f"Git listed more than {MOST_OUTPUT >> 20} MiB ({cwd}).", hint="Apply to the files.")
        output.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, output.read(), done.stderr)


def said_by(done: subprocess.CompletedProcess[bytes]) -> str:
    """The last words of a git that failed, as one line."""
    text = done.stderr.decode("utf-8", "replace").strip()
    line = text.splitlines()[-1] if text else f"status {done.returncode}"
    return "".join(each if each.isprintable() else " " for each in line)[:500]


class Objects:
    """What files hold, by id, from one repository. Close it."""

    def __init__(self, git_dir: Path, environment: Mapping[str, str]) -> None:
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        self._process = subprocess.Popen(
            [program(), *settings, f"--git-dir={git_dir}", "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=git_dir,
            env=dict(environment),
            start_new_session=True,
        )
        self._watch = threading.Timer(READ_SECONDS, self._process.kill)  # a git that hangs must not hold the thread
        self._watch.daemon = True
        self._watch.start()
        self._held = 0

    def read(self, name: bytes) -> bytes:
        """What the file of this id holds. Raises: WorkspaceFailed where there is none, LimitReached."""
        given, output = self._process.stdin, self._process.stdout
        if given is None or output is None:
            raise _unreadable(name)
        try:
            given.write(name.hex().encode() + b"\n")
            given.flush()
            words = output.readline().split()
            if len(words) != 3 or words[1] != b"blob":
                raise _unreadable(name)
            size = int(words[2])
            self._held += size
            if self._held > MOST_HELD:
                raise LimitReached(
                    f"The changes hold more than {MOST_HELD >> 20} MiB.",
                    hint="Apply them in parts: name files or directories.",
                )
            content = output.read(size + 1)
        except OSError as error:
            raise _unreadable(name) from error
        if len(content) != size + 1:
            raise _unreadable(name)
        return content[:-1]

    def close(self) -> None:
        """End it."""
        self._watch.cancel()
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        self._process.wait()


def _unreadable(name: bytes) -> WorkspaceFailed:
    return WorkspaceFailed(
        f"Git could not read what a file held (object {name.hex()[:12]}).",
        hint="Nothing was changed. Is git 2.29 or newer, and the disk of the state directory in order?",
    )


def merge_text(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Three versions of a text merged by line; None where both sides changed the same lines, or it is none."""
    sides = {"base": base, "ours": ours, "theirs": theirs}
    if any(b"\0" in content or len(content) > MOST_TEXT for content in sides.values()):
        return None
    with tempfile.TemporaryDirectory(prefix="jupyter-tasks-merge-") as place:
        for name, content in sides.items():
            (Path(place) / name).write_bytes(content)
        words = ["merge-file", "-p", "-q", "ours", "base", "theirs"]
        try:
            environment = private_environment(Path(place))
            done = git(words, cwd=Path(place), environment=environment, timeout=MERGE_SECONDS)
        except WorkspaceFailed:
            return None
    return done.stdout if done.returncode == 0 else None
