"""Where things lie on this machine.

Owns the names of the state directory (database, workspaces, templates: survives a reboot), the runtime directory
(sockets, lock: does not) and the engine's socket. Standard library only: every client imports it.

    JUPYTER_TASKS_STATE_DIR    overrides the state directory
    JUPYTER_TASKS_RUNTIME_DIR  overrides the runtime directory (else XDG_RUNTIME_DIR, else the temporary folder)
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from jupyter_tasks.errors import EngineUnavailable

__all__ = ["engine_lock", "engine_log", "engine_socket", "links_dir", "runtime_dir", "state_dir"]


def state_dir() -> Path:
    """The directory that holds everything worth keeping; may not exist yet.

    ``JUPYTER_TASKS_STATE_DIR``, else ``tasks`` below Jupyter's data directory (``JUPYTER_DATA_DIR`` counts).
    """
    named = os.environ.get("JUPYTER_TASKS_STATE_DIR")
    if named:
        return Path(named).absolute()
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()).absolute() / "tasks"


def runtime_dir() -> Path:
    """The directory of sockets and locks, made if need be: ours alone (0700), local, with a short name.

    One for each state directory, so that two of them never share an engine. Not under the home: that may be long
    (a socket's path holds 107 bytes) or on a network.

    Raises: EngineUnavailable when it cannot be made, or a directory of that name belongs to somebody else.
    """
    named = os.environ.get("JUPYTER_TASKS_RUNTIME_DIR")
    if named:
        parent = Path(named).absolute()
    else:
        session = os.environ.get("XDG_RUNTIME_DIR")
        if session and os.access(session, os.W_OK):
            parent = Path(session) / "jupyter-tasks"
        else:
            parent = Path(tempfile.gettempdir()) / f"jupyter-tasks-{os.getuid()}"
    _make_private(parent)
    key = hashlib.sha256(os.fsencode(state_dir())).hexdigest()[:12]
    own = parent / key
    _make_private(own)
    return own


def engine_socket() -> Path:
    """The unix socket on which the engine of this user answers (0600)."""
    return runtime_dir() / "engine.sock"


def engine_lock() -> Path:
    """The file whose kernel lock says that an engine runs; the kernel releases it on kill -9."""
    return runtime_dir() / "engine.lock"


def engine_log() -> Path:
    """Where a detached engine writes its log."""
    return state_dir() / "engine.log"


def links_dir() -> Path:
    """The directory that holds one folder a workspace, with nothing in it but that workspace's link socket."""
    path = runtime_dir() / "links"
    _make_private(path)
    return path


def _make_private(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:  # also where somebody else's file has the name: then a Jupyter server may be the way
        raise EngineUnavailable(
            f"{path} cannot be made: {error.strerror or type(error).__name__}.",
            hint="Name another place in JUPYTER_TASKS_RUNTIME_DIR.",
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise EngineUnavailable(
            f"{path} is not a directory of yours.",
            hint="Remove it, or name another place in JUPYTER_TASKS_RUNTIME_DIR.",
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)
