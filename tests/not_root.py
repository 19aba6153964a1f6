"""Run a part of a test without root's right to read and write everything, in a child of its own."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

__all__ = ["without_root"]

_NOBODY = 65534


def without_root(tree: Path, check: Callable[[], None]) -> None:
    """Call ``check`` as a user who is not root and owns ``tree``.

    Raises:
        AssertionError: With the child's traceback, when ``check`` raised.
    """
    if os.geteuid() != 0:
        check()
        return
    for path in [tree, *tree.rglob("*")]:
        os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)
    for parent in tree.parents:
        if str(parent).startswith(tempfile.gettempdir() + "/"):
            parent.chmod(parent.stat().st_mode | 0o011)
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
