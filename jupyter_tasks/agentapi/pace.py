"""When an agent's screen is worth a look, and when it has been still long enough.

Owns the moments that this follows from, as seconds of the monotonic clock. Not the looking, nor what it means.
"""

from __future__ import annotations

from jupyter_tasks.clock import Clock

__all__ = ["READY_TIMEOUT", "STABILITY", "Pace"]

READY_TIMEOUT = 30.0
STABILITY = 2.0
_LOOK_AFTER = 0.025
_LOOK_EVERY = 0.05


class Pace:
    """The moments of one screen.

    Args:
        clock: time.
        still: seconds without a change after which a program that draws no input box seems to wait; None: it draws one.
        ready_timeout: seconds after which an agent that never looks ready is driven all the same.
        stability: seconds without a change after which the screen counts as still.
    """

    def __init__(self, clock: Clock, *, still: float | None, ready_timeout: float, stability: float) -> None:
        self._clock, self._still, self._stability = clock, still, stability
        started = clock.monotonic()
        self._changed_at = started
        self._looked_at = float("-inf")
        self._ready_by = started + ready_timeout
        self._dirty_since: float | None = None
        self.fed_at = started
        """When the terminal's last bytes came."""

    @property
    def dirty(self) -> bool:
        """Whether bytes came since the last look."""
        return self._dirty_since is not None

    def fed(self) -> bool:
        """Bytes came; whether they are the first since the last look."""
        self.fed_at = self._clock.monotonic()
        if self._dirty_since is not None:
            return False
        self._dirty_since = self.fed_at
        return True

    def ask(self) -> None:
        """A look is wanted though nothing came."""
        self._dirty_since = self._clock.monotonic()

    def looked(self) -> None:
        """The screen is looked at now."""
        self._looked_at = self._clock.monotonic()
        self._dirty_since = None

    def changed(self) -> None:
        """The look showed another screen: it changed with the last bytes."""
        self._changed_at = self.fed_at

    def stir(self) -> None:
        """Begin to count anew how long the screen has been still."""
        self._changed_at = self._clock.monotonic()

    def look_due(self) -> bool:
        """Whether it is time for a look."""
        return self._dirty_since is not None and self._clock.monotonic() >= self._next_look(self._dirty_since)

    def stable(self) -> bool:
        """Whether the screen counts as still."""
        return not self.dirty and self._clock.monotonic() >= self._changed_at + self._stability

    def lies_still(self) -> bool:
        """Whether a program that draws no input box was still for long enough to wait for one."""
        return self._still is not None and not self.dirty and self._clock.monotonic() >= self._changed_at + self._still

    def overdue(self) -> bool:
        """Whether the agent should have looked ready by now."""
        return self._clock.monotonic() >= self._ready_by

    def moments(self, asked: float, *, ready: bool) -> list[float]:
        """When one of these answers is another than at the moment ``asked``, though nothing happens.

        Args:
            asked: not after these answers were taken: what came about in between is a moment that has passed.
            ready: the agent takes input.
        """
        moments: list[float] = []
        if self._dirty_since is not None:
            moments.append(self._next_look(self._dirty_since))
        elif asked < self._changed_at + self._stability:
            moments.append(self._changed_at + self._stability)
        if not ready:
            moments.append(self._ready_by)
            still_at = self._changed_at + (self._still or 0.0)
            if asked < still_at:
                moments.append(still_at)
        return moments

    def _next_look(self, dirty_since: float) -> float:
        return max(dirty_since + _LOOK_AFTER, self._looked_at + _LOOK_EVERY)
