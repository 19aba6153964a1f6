"""The ``.git`` of a workspace: the user's history to read, and a place for the agent's own commits.

Owns what is in it: HEAD, its branch, the index, and where the user's objects are read from. No remotes (their addresses
hold credentials), no hooks, no other branches, and of the configuration only how files are to be read.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jupyter_tasks.tasks.project_git import Git
from jupyter_tasks.tasks.project_index import IndexWriter
from jupyter_tasks.tasks.project_repository import Head, Repository, read_small

__all__ = ["Settings", "lay_out_git_dir", "read_settings"]

_MOST_EXCLUDES = 64 << 10
_CORE = {
    b"core.autocrlf": (b"true", b"false", b"input"),
    b"core.eol": (b"lf", b"crlf", b"native"),
    b"core.safecrlf": (b"true", b"false", b"warn"),
    b"core.filemode": (b"true", b"false"),
    b"core.symlinks": (b"true", b"false"),
    b"core.ignorecase": (b"true", b"false"),
    b"core.precomposeunicode": (b"true", b"false"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the user's configuration: how files are read, who commits in this repository alone, and what is ignored."""

    core: Sequence[tuple[str, str]]
    name: str = ""
    mail: str = ""
    excludes: bytes = b""


def read_settings(git: Git, repository: Repository, home: Path, *, identity: bool) -> Settings:
    """What holds for this repository. ``identity``: also name and mail, where it sets its own."""
    with git.ask("config", "--list", "--show-scope", "--includes", "-z") as question:
        words = list(question.words())
    values: dict[bytes, bytes] = {}
    own: dict[bytes, bytes] = {}
    for scope, setting in zip(words[::2], words[1::2], strict=False):
        name, _, value = setting.partition(b"\n")
        values[name] = value
        if scope in (b"local", b"worktree"):
            own[name] = value
    core = [(name[5:].decode(), values[name].decode()) for name, known in _CORE.items() if values.get(name) in known]
    configured = os.fsdecode(values.get(b"core.excludesfile", b""))
    usual = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "git", "ignore")
    listed = (
        Path(os.fspath(home) + configured[1:] if configured.startswith("~/") else configured) if configured else usual
    )
    excludes = [read_small(each, _MOST_EXCLUDES) for each in (listed, repository.common / "info" / "exclude")]
    return Settings(
        core,
        own.get(b"user.name", b"").decode("utf-8", "replace") if identity else "",
        own.get(b"user.email", b"").decode("utf-8", "replace") if identity else "",
        b"\n".join(excludes),
    )


def lay_out_git_dir(
    top: Path,
    repository: Repository,
    head: Head,
    settings: Settings,
    objects: Sequence[Path],
    index: IndexWriter,
    own_links: Sequence[bytes],
    now: datetime,
) -> None:
    """Make ``top/.git``. ``own_links`` are links that were put into the tree and are none of the project's.

    Raises: OSError.
    """
    place = top / ".git"
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info", "logs/refs/heads"):
        (place / name).mkdir(parents=True)
    (place / "config").write_text(_config(settings, sha256=repository.sha256), encoding="utf-8")
    (place / "objects" / "info" / "alternates").write_bytes(b"".join(_quoted(each) + b"\n" for each in objects))
    ignored = b"".join(b"/" + link + b"\n" for link in own_links)
    (place / "info" / "exclude").write_bytes(settings.excludes + b"\n" + ignored)
    if repository.shallow:
        (place / "shallow").write_bytes(read_small(repository.common / "shallow", 16 << 20))
    _point(place, head, now)
    index.write(place / "index")


def _point(place: Path, head: Head, now: datetime) -> None:
    line = ""
    if head.commit is not None:
        none = "0" * len(head.commit)
        stamp = int(now.timestamp())
        line = f"{none} {head.commit} Jupyter Tasks <> {stamp} +0000\tjupyter-tasks: the project as it was\n"
        (place / "logs" / "HEAD").write_text(line)
    if head.branch is None:
        (place / "HEAD").write_text(f"{head.commit or ''}\n" if head.commit else "ref: refs/heads/main\n")
        return
    (place / "HEAD").write_bytes(b"ref: refs/heads/" + os.fsencode(head.branch) + b"\n")
    if head.commit is not None:
        for file, text in (
            (place / "refs" / "heads" / head.branch, head.commit + "\n"),
            (place / "logs" / "refs" / "heads" / head.branch, line),
        ):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


def _config(settings: Settings, *, sha256: bool) -> str:
    lines = ["[core]", f"\trepositoryformatversion = {int(sha256)}", "\tbare = false", "\tlogallrefupdates = true"]
    lines += [f"\t{name} = {value}" for name, value in settings.core]
    if sha256:
        lines += ["[extensions]", "\tobjectformat = sha256"]
    lines += ["[gc]", "\tauto = 0"]
    if settings.name or settings.mail:
        lines += ["[user]"]
        lines += [
            f"\t{key} = {_value(value)}" for key, value in (("name", settings.name), ("email", settings.mail)) if value
        ]
    return "\n".join(lines) + "\n"


def _value(text: str) -> str:
    clean = "".join(letter if letter.isprintable() else " " for letter in text)[:200]
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quoted(path: Path) -> bytes:
    raw = os.fsencode(path)
    if b"\n" not in raw:
        return raw
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
