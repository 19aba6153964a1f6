"""The notebooks among the changed files, once more by cell.

Owns which of them are compared, and how much of it; how is known to ``notebook_diff``. What they hold is read by git
from objects that only the engine wrote, never from the workspace.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jupyter_tasks.errors import TasksError
from jupyter_tasks.models import DiffFile, NotebookDiff
from jupyter_tasks.tasks.apply_git import Objects, private_environment
from jupyter_tasks.tasks.review_base import Listing
from jupyter_tasks.tasks.review_git import shown
from jupyter_tasks.tasks.review_tree import stands_for_large

__all__ = ["compare_notebooks", "has_notebooks"]

MOST_NOTEBOOKS = 20
MOST_BYTES = 20 << 20

_SUFFIX = ".ipynb"
_TOO_LARGE = f"The notebook is larger than {MOST_BYTES >> 20} MB."


def has_notebooks(files: Sequence[DiffFile]) -> bool:
    """Whether any of these files is a notebook."""
    return any(_is_notebook(each) for each in files)


def compare_notebooks(
    git_dir: Path, objects: Path, files: Sequence[DiffFile], base: Listing, now: Listing
) -> list[NotebookDiff]:
    """The changed notebooks by cell; the first ``MOST_NOTEBOOKS``. Blocks.

    Args:
        git_dir: holds the base.
        objects: holds what is new.
        files: what changed.
        base: the files that there were.
        now: the files that there are.
    """
    wanted = [each for each in files if _is_notebook(each)][:MOST_NOTEBOOKS]
    environment = private_environment(git_dir) | {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects)}
    store = Objects(git_dir, environment)
    try:
        before, after = _by_name(base), _by_name(now)
        return [_compare(store, each, before, after) for each in wanted]
    finally:
        store.close()


def _is_notebook(file: DiffFile) -> bool:
    return file.path.lower().endswith(_SUFFIX) or (file.old_path or "").lower().endswith(_SUFFIX)


def _by_name(files: Listing) -> dict[str, bytes]:
    """Ids of the notebooks by their path as it is shown; links are none."""
    suffix = _SUFFIX.encode()
    return {
        shown(path): name
        for path, (mode, name) in files.items()
        if path.lower().endswith(suffix) and mode.startswith(b"100")
    }


def _compare(store: Objects, file: DiffFile, before: dict[str, bytes], after: dict[str, bytes]) -> NotebookDiff:
    from jupyter_tasks.tasks.notebook_diff import diff_notebooks

    try:
        sides = []
        for name in (before.get(file.old_path or file.path), after.get(file.path)):
            content = None if name is None else store.read(name)
            if content is not None and (len(content) > MOST_BYTES or stands_for_large(content)):
                return NotebookDiff(path=file.path, error=_TOO_LARGE)
            sides.append(content)
    except TasksError as error:
        return NotebookDiff(path=file.path, error=error.message)
    return diff_notebooks(file.path, *sides)
