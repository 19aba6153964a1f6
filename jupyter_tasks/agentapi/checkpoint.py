"""What a conversation leaves to its successor after a restart of the engine: four numbers.

Owns their reading. What is done with them is ``terminal``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["NO_ANCHOR", "restored"]

NO_ANCHOR = -1


def restored(checkpoint: Mapping[str, object] | None, offset: int) -> tuple[int, int, bool, bool]:
    """(live from, anchor at, ready, frozen) of a checkpoint; what it does not hold, or no longer can, is left out.

    Args:
        checkpoint: what was stored.
        offset: where the recording begins now.
    """
    if checkpoint is None or checkpoint.get("v") != 1:
        return offset, NO_ANCHOR, False, checkpoint is not None
    live_from, anchor_at = checkpoint.get("offset"), checkpoint.get("anchor_at")
    if not isinstance(live_from, int) or not isinstance(anchor_at, int):
        return offset, NO_ANCHOR, False, True
    lost = offset > 0 and anchor_at <= offset
    return max(live_from, offset), anchor_at, bool(checkpoint.get("ready")), lost or bool(checkpoint.get("frozen"))
