"""What goes wrong with a database, in sentences.

Owns the translation of driver errors into ``StoreError``: nobody above ``store`` sees one of SQLAlchemy's, and none of
them carries the values of a statement (a prompt may be among them).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from jupyter_tasks.errors import StoreError, StoreReadOnly, TasksError

__all__ = ["as_store_errors", "disk_as_store_errors", "translated"]

_LATER = "Then try again: nothing that was acknowledged is lost."

_SQLITE: tuple[tuple[str, type[StoreError], str, str], ...] = (
    ("is full", StoreReadOnly, "could not be written: the disk is full", f"Free some space on that disk. {_LATER}"),
    (
        "readonly database",
        StoreReadOnly,
        "cannot be written: the file, its directory or the disk is read-only",
        "Make it writable for your user, or name another place in JUPYTER_TASKS_STATE_DIR.",
    ),
    (
        "is locked",
        StoreReadOnly,
        "cannot be written: another program holds its lock",
        f"Close whatever has that file open (`fuser` names it). {_LATER}",
    ),
    (
        "i/o error",
        StoreReadOnly,
        "cannot be read or written: the disk reports an error",
        "Look at the disk (full, over its quota, or failing); `dmesg` may say more.",
    ),
    (
        "unable to open",
        StoreReadOnly,
        "cannot be opened",
        "Make the file and its directory yours and writable, or name another place in JUPYTER_TASKS_STATE_DIR.",
    ),
    (
        "malformed",
        StoreError,
        "is damaged",
        "Move it away and put a copy of yours (or its newest .backup file) in its place.",
    ),
    (
        "not a database",
        StoreError,
        "is not a database",
        "Move that file away, or name another place in JUPYTER_TASKS_STATE_DIR.",
    ),
)


@contextmanager
def as_store_errors(where: str) -> Iterator[None]:
    """Within it, errors of the database come out as ``StoreError``; ``where`` names the store (without secrets)."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise translated(error, where) from error


@contextmanager
def disk_as_store_errors(where: str) -> Iterator[None]:
    """Within it, errors of the file system come out as ``StoreReadOnly``."""
    try:
        yield
    except TasksError:  # some of ours are also OSErrors; whoever raised them has said it all
        raise
    except OSError as error:
        raise StoreReadOnly(
            f"The store {where} cannot be opened: {error.strerror or type(error).__name__}.",
            hint="Make its directory yours and writable, look at the disk that holds it, or name another place in"
            " JUPYTER_TASKS_STATE_DIR.",
        ) from error


def translated(error: Exception, where: str) -> StoreError:
    """One error of the database, as ours."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(error, IntegrityError):
        return StoreError(
            f"The store {where} refused a change that contradicts what it holds.",
            hint="Please report this: it is a mistake of Jupyter Tasks.",
            detail=type(cause).__name__,
        )
    if isinstance(cause, sqlite3.Error):
        said = str(cause).lower()
        for word, kind, what, hint in _SQLITE:
            if word in said:
                return kind(f"The store {where} {what}.", hint=hint, detail=f"(SQLite: {cause})")
        return StoreError(f"The store {where} failed.", hint="The engine's log has more.", detail=f"(SQLite: {cause})")
    if isinstance(error, DBAPIError):
        return _of_server(cause, where)
    return StoreError(
        f"The store {where} was asked something that makes no sense.",
        hint="Please report this: it is a mistake of Jupyter Tasks.",
        detail=type(error).__name__,
    )


def _of_server(cause: Exception, where: str) -> StoreError:
    state = getattr(cause, "sqlstate", None) or ""
    if state in ("25006", "53100") or state.startswith("42501"):
        what = "the disk is full" if state == "53100" else "the server does not let this user write"
        return StoreReadOnly(
            f"The store {where} cannot be written: {what}.",
            hint="Ask its administrator.",
            detail=f"(SQLSTATE {state})",
        )
    if not state or state[:2] in ("08", "57", "28", "3D"):
        return StoreError(
            f"The store {where} cannot be reached.",
            hint="Check that the server runs and that c.TasksEngine.store_url is right.",
            detail=f"({type(cause).__name__}{', SQLSTATE ' + state if state else ''})",
            retryable=True,
        )
    return StoreError(
        f"The store {where} failed.", hint="The engine's log has more.", detail=f"({type(cause).__name__}, {state})"
    )
