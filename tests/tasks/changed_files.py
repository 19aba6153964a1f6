"""How many files of a tree are different, as the summary counts them."""

from __future__ import annotations

from pathlib import Path

from jupyter_tasks.tasks.review import Review


async def changed_files(review: Review, tree: Path) -> int:
    """Reads no more than the summary does."""
    async with review.trees(tree, contents=False) as trees:
        return trees.changed
