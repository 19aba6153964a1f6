"""The user's project on its way into a workspace.

Owns the decision what it is (``survey``), what is told of it (``Survey.info``) and putting it there (``Survey.fill``).
The user's own files are read only. Parts: ``project_places`` (what may never go), ``project_repository``,
``project_listing`` (which files), ``project_copy``, ``project_git_dir`` (the workspace's own ``.git``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import InvalidInput, WorkspaceFailed
from jupyter_tasks.models import LeftOut, ProjectInfo, ProjectRequest
from jupyter_tasks.tasks.project_copy import copy_tree
from jupyter_tasks.tasks.project_git import Git
from jupyter_tasks.tasks.project_git_dir import lay_out_git_dir, read_settings
from jupyter_tasks.tasks.project_index import IndexWriter
from jupyter_tasks.tasks.project_json import from_json, to_json
from jupyter_tasks.tasks.project_listing import Listing, Wanted, list_project
from jupyter_tasks.tasks.project_notes import notes_on
from jupyter_tasks.tasks.project_places import Places, absolute
from jupyter_tasks.tasks.project_repository import Repository, find_repository, head_of, object_directories
from jupyter_tasks.tasks.review_git import shown
from jupyter_tasks.templates.plan import Mount
from jupyter_tasks.workspaces.sandbox_command import inner_ids

__all__ = ["MOST_LEFT_OUT", "Chosen", "Survey", "choose", "survey"]

MOST_LEFT_OUT = 100
COPY_SECONDS = 600.0
NOTHING = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was decided about the user's files for one task. ``wanted`` is None where nothing of theirs goes in.

    ``objects`` are where git finds the history, ``shown`` the directories that are asked to be seen read-only.
    """

    wanted: Wanted | None
    subdirectory: str
    objects: tuple[Path, ...]
    shown: tuple[Mount, ...]
    identity: bool
    home: Path
    told: ProjectInfo
    clock: Clock
    left_later: list[tuple[bytes, str]] = field(default_factory=list, compare=False)

    @property
    def mounts(self) -> Sequence[Mount]:
        """What the workspace sees read-only at its own path, at each start; what is gone since is left away."""
        objects = [Mount(source=each, target=each) for each in self.objects]
        return [mount for mount in (*self.shown, *objects) if mount.source.is_dir()]

    def info(self) -> ProjectInfo:
        """What went in, or would."""
        known = {each.path for each in self.told.left_out}
        later = [LeftOut(path=shown(path), reason=reason) for path, reason in self.left_later]
        later = [each for each in later if each.path not in known]
        return self.told.model_copy(
            update={
                "left_out": [*self.told.left_out, *later][:MOST_LEFT_OUT],
                "left_out_count": self.told.left_out_count + len(later),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Everything that was decided, for the store."""
        return to_json(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], *, clock: Clock) -> Survey:
        """The inverse of ``to_json``. Raises: ValueError, KeyError, TypeError on what it did not write."""
        return cls(clock=clock, **from_json(kept))

    def fill(self, home: Path, target: Path) -> None:
        """Put the project into the new workspace's directory ``target`` (a ``workspaces.provisioner.Fill``). Blocks.

        The project is looked at anew. Raises: InvalidInput where it is gone or has become too large, WorkspaceFailed,
        ProgramMissing, OSError when the disk is full.
        """
        del home  # the project is all that this one knows of
        if self.wanted is None:
            return
        if not self.wanted.root.is_dir():
            raise InvalidInput(
                f"The project {self.wanted.root} is gone.", hint="Put it back and resume the task, or make a new task."
            )
        self.left_later.clear()
        listing = list_project(self.wanted, self.clock)
        index = self._copy(listing, target)
        links = self._link_mounts(self.wanted, target)
        repository = self.wanted.repository
        if repository is not None and index is not None:
            git = Git(self.wanted.root)
            settings = read_settings(git, repository, self.home, identity=self.identity)
            lay_out_git_dir(target, repository, head_of(git), settings, self.objects, index, links, self.clock.now())
        (target / self.subdirectory).mkdir(parents=True, exist_ok=True)

    def _copy(self, listing: Listing, target: Path) -> IndexWriter | None:
        assert self.wanted is not None  # noqa: S101 - fill has looked
        repository = self.wanted.repository
        index = None
        if repository is not None and self.objects:
            index = IndexWriter(listing.index, _written(repository), inner_ids(), sha256=repository.sha256)
        deadline = self.clock.monotonic() + COPY_SECONDS
        _make_room(listing, target)

        def left_out(path: bytes, reason: str) -> None:
            self.left_later.append((path, reason))
            if index is not None:
                index.leave_out(path)

        for path, reason in listing.left_out:
            left_out(path, reason)
        copied = index.copied if index is not None else _nobody
        late = lambda: self.clock.monotonic() > deadline  # noqa: E731
        copy_tree(self.wanted.root, target, listing.entries, copied, left_out, late)
        return index

    def _link_mounts(self, wanted: Wanted, target: Path) -> list[bytes]:
        """A link in the place of each directory of the project that is seen at its own path instead."""
        made = []
        for mount in self.shown:
            if not mount.source.is_relative_to(wanted.root) or mount.source == wanted.root:
                continue
            relative = mount.source.relative_to(wanted.root)
            place = target / relative
            if not any(above.is_symlink() for above in (place, *place.parents)):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(mount.target)
                made.append(os.fsencode(relative))
        return made


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which directory is the project, and where in it the agent is to work. ``root`` is None where there is none."""

    root: Path | None
    start: Path | None = None
    repository: Repository | None = None
    note: str = ""

    @property
    def subdirectory(self) -> str:
        """Where the agent works, below ``root``; "" for the root itself."""
        below = "" if self.root is None or self.start is None else os.fspath(self.start.relative_to(self.root))
        return "" if below == "." else below


def survey(ask: ProjectRequest, *, clock: Clock, home: Path, chosen: Chosen | None = None) -> Survey:
    """Decide what of the user's files goes into a workspace, and count it. Blocks; makes nothing.

    Args:
        ask: what they asked for.
        clock: bounds the counting.
        home: the user's home, which never goes in.
        chosen: what ``choose`` said of it, where it was asked before.

    Raises: InvalidInput (also where the project is too large), ProgramMissing, WorkspaceFailed.
    """
    places = Places.of(home)
    shown_mounts = tuple(places.mounts(ask, home))
    nothing = Survey(
        wanted=None,
        subdirectory="",
        objects=(),
        shown=shown_mounts,
        identity=ask.carry is None or "git identity" in ask.carry,
        home=home,
        told=ProjectInfo(mounts=[shown(os.fsencode(mount.target)) for mount in shown_mounts]),
        clock=clock,
    )
    if chosen is None:
        chosen = choose(ask, home=home)
    if chosen.root is None:
        notes = [chosen.note] if chosen.note else []
        return replace(nothing, told=nothing.told.model_copy(update={"notes": notes}))
    return _look(nothing, chosen, chosen.root, ask, places)


def choose(ask: ProjectRequest, *, home: Path) -> Chosen:
    """Which directory is the project; without one, ``note`` says why ("": none was wanted). Blocks; counts nothing.

    Raises: InvalidInput where the project that was named cannot be one, ProgramMissing, WorkspaceFailed.
    """
    places = Places.of(home)
    if ask.project == NOTHING or (ask.project is None and not ask.directory):
        return Chosen(None)
    explicit = ask.project is not None
    base = absolute(ask.directory, home, None) if ask.directory else None
    named = absolute(ask.project, home, base) if ask.project is not None else base
    if named is None:
        return Chosen(None)
    try:
        directory = named.resolve(strict=True)
        if not directory.is_dir():
            raise NotADirectoryError
    except (OSError, RuntimeError):
        if explicit:
            raise InvalidInput(
                f"The project {named} is not a directory.", hint="Name an existing directory, or `--project none`."
            ) from None
        return Chosen(None, note=f"No files came along: {named} is not a directory.")
    why = places.refusal(directory)
    if why is not None:
        if explicit:
            raise InvalidInput(
                f"{named} cannot be the project: it {why}.", hint="Name a directory below it (`--project DIR`)."
            )
        return Chosen(None, note=f"No files came along: {directory} {why}. `--project DIR` names a project.")
    repository, note = find_repository(directory)
    if repository is not None:
        why = places.refusal(repository.top)
        if why is None:
            return Chosen(repository.top, directory, repository, note)
        note = f"The git repository {repository.top} is not the project, because it {why}; {directory} alone is."
    return Chosen(directory, directory, None, note)


def _look(nothing: Survey, chosen: Chosen, root: Path, ask: ProjectRequest, places: Places) -> Survey:
    wanted = Wanted(
        root=root,
        repository=chosen.repository,
        files=tuple(ask.files),
        mounts=tuple(mount for mount in nothing.shown if not root.is_relative_to(mount.source)),
        hidden=tuple(places.hidden_below(root)),
        large=ask.large,
    )
    listing = list_project(wanted, nothing.clock)
    notes = [chosen.note] if chosen.note else []
    objects: list[Path] = []
    update: dict[str, Any] = {"kind": "directory"}
    if chosen.repository is not None:
        objects, hidden = _objects(chosen.repository, places)
        head = head_of(Git(root))
        notes += hidden + notes_on(chosen.repository, head, listing, wanted)
        update = {"kind": "git", "head": head.commit, "branch": head.branch and shown(os.fsencode(head.branch))}
    update |= {
        "root": shown(os.fsencode(root)),
        "subdirectory": shown(os.fsencode(chosen.subdirectory)),
        "files": listing.files,
        "bytes": listing.bytes,
        "left_out": [LeftOut(path=shown(path), reason=why) for path, why in listing.left_out[:MOST_LEFT_OUT]],
        "left_out_count": len(listing.left_out),
        "notes": notes,
    }
    return replace(
        nothing,
        wanted=wanted,
        subdirectory=chosen.subdirectory,
        objects=tuple(objects),
        told=nothing.told.model_copy(update=update),
    )


def _objects(repository: Repository, places: Places) -> tuple[list[Path], list[str]]:
    """Where the history can be read from, and a note where it cannot be shown."""
    good, bad = object_directories(repository.common)
    bad += [each for each in good if _is_hidden(each, places)]
    own = (repository.common / "objects").resolve()
    if own in bad:
        return [], [f"Its history is not shown: {own} may not be seen by a workspace. There is no git inside."]
    notes = [f"Part of its history is not shown: {each} may not be seen by a workspace." for each in bad]
    return [each for each in good if each not in bad], notes


def _is_hidden(directory: Path, places: Places) -> bool:
    if places.refusal(directory) is not None:
        return True
    below = [directory.relative_to(home) for home in places.homes if directory.is_relative_to(home)]
    return any(each.parts[:1] and each.parts[0].startswith(".") for each in below)


def _written(repository: Repository) -> int:
    try:
        return (repository.git_dir / "index").stat().st_mtime_ns
    except OSError:
        return 0


def _make_room(listing: Listing, target: Path) -> None:
    """Raises: WorkspaceFailed where the disk would be full, before anything is copied."""
    disk = os.statvfs(target)
    free = disk.f_bavail * disk.f_frsize
    if listing.bytes > free:
        raise WorkspaceFailed(
            f"The project of {listing.bytes:,} bytes does not fit on the disk of the workspace ({free:,} are free).",
            hint="Free some disk space, then resume the task.",
        )


def _nobody(path: bytes, source: os.stat_result, copy: os.stat_result, content: bytes | None) -> None:
    """Where there is no git, nobody wants to know."""
