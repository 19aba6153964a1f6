"""Run a part of a test without root's right to read and write everything."""

from __future__ import annotations

import contextlib
import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["not_root", "without_root"]

_NOBODY = 65534


def without_root(tree: Path, check: Callable[[], None]) -> None:
    """Call ``check`` in a child of its own, as a user who is not root and owns ``tree``.

    Raises:
        AssertionError: With the child's traceback, when ``check`` raised.
    """
    if os.geteuid() != 0:
        check()
        return
    _hand_over(tree)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
            check()
        except BaseException:  # noqa: BLE001 - the parent tells it
            os.write(writing, traceback.format_exc().encode()[-60_000:])
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    assert status == 0, said or f"the child ended with {status}"


@contextlib.contextmanager
def not_root(tree: Path) -> Iterator[None]:
    """The same for the whole process while the block lasts, where a child cannot be had (an event loop runs)."""
    if os.geteuid() != 0:
        yield
        return
    _hand_over(tree)
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(_NOBODY)
    os.seteuid(_NOBODY)  # of every thread: glibc sees to it
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def _hand_over(tree: Path) -> None:
    for path in [tree, *tree.rglob("*")]:
        os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)
    for parent in tree.parents:
        if str(parent).startswith(tempfile.gettempdir() + "/"):
            parent.chmod(parent.stat().st_mode | 0o011)
