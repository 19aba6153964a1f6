"""The ``/etc`` of a sandboxed workspace.

Owns which files and directories of this machine's ``/etc`` are shown (how system libraries find what is in /usr;
neither secrets nor anybody's habits) and the few that say who and where the workspace is. Files are copied, because a
mount costs 0.3 ms of every start; directories are mounted over empty ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from jupyter_tasks.workspaces.local_tree import remove_tree

__all__ = ["EMPTY", "shown_directories", "write_etc"]

_FILES = (
    "bash.bashrc",
    "debian_version",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "locale.alias",
    "locale.conf",
    "localtime",
    "mime.types",
    "os-release",
    "pki/tls/cert.pem",
    "pki/tls/openssl.cnf",
    "profile",
    "protocols",
    "redhat-release",
    "services",
    "shells",
    "ssl/cert.pem",
    "ssl/openssl.cnf",
    "timezone",
)

_DIRECTORIES = (
    "alternatives",
    "crypto-policies",
    "fonts",
    "ld.so.conf.d",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "profile.d",
    "ssl/certs",
    "terminfo",
)

_LARGEST = 4 << 20

EMPTY = ".empty"
"""A file with nothing in it, which is shown in place of others."""


def shown_directories() -> Sequence[str]:
    """Names below ``/etc`` of the directories to mount; each exists in what ``write_etc`` made."""
    return [name for name in _DIRECTORIES if Path("/etc", name).is_dir()]


def write_etc(
    etc: Path, *, user: str, ids: tuple[int, int], home: str, hostname: str, shell: str, workspace_id: str
) -> None:
    """Bring the directory ``etc`` up to date: what did not change since the last start is left as it is."""
    uid, gid = ids
    own = {
        "passwd": f"{user}:x:{uid}:{gid}:{user}:{home}:{shell}\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        "group": f"{user}:x:{gid}:\nnogroup:x:65534:\n",
        "hosts": f"127.0.0.1 localhost {hostname}\n::1 localhost ip6-localhost\n",
        "hostname": f"{hostname}\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
        EMPTY: "",
        "machine-id": hashlib.sha256(workspace_id.encode()).hexdigest()[:32] + "\n",
    }
    directories = shown_directories()
    etc.mkdir(mode=0o755, exist_ok=True)
    for name in directories:
        (etc / name).mkdir(mode=0o755, parents=True, exist_ok=True)
    for name in _FILES:
        _copy(Path("/etc", name), etc / name)
    for name, text in own.items():
        path = etc / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
    tops = {name.split("/")[0] for name in (*_FILES, *directories, *own)}
    for path in etc.iterdir():
        if path.name not in tops:
            remove_tree(path)


def _copy(source: Path, target: Path) -> None:
    """Copy a file unless the copy is as new; one that is missing, too large or unreadable is not there inside."""
    with contextlib.suppress(OSError):
        there = source.stat()
        with contextlib.suppress(FileNotFoundError):
            here = target.stat()
            if (here.st_mtime_ns, here.st_size) == (there.st_mtime_ns, there.st_size):
                return
        if there.st_size > _LARGEST:
            return
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o644)
        os.utime(target, ns=(there.st_atime_ns, there.st_mtime_ns))
        return
    with contextlib.suppress(OSError):
        if not source.exists():
            target.unlink(missing_ok=True)
