"""How long nobody has used the engine: time that passed, not what the wall says."""

from __future__ import annotations

import pytest

from jupyter_tasks.server.activity import Activity
from jupyter_tasks.testing.clock import FakeClock


@pytest.mark.parametrize("seconds", [-86_400.0, 86_400.0])
@pytest.mark.anyio
async def test_a_wall_clock_that_jumps_ends_no_engine(seconds: float) -> None:
    clock = FakeClock()
    activity = Activity(clock)
    await clock.advance(10)
    clock.jump(seconds)
    assert activity.quiet_for() == 10
    activity.opened()
    await clock.advance(1000)
    assert activity.quiet_for() == 0
    activity.closed()
    await clock.advance(5)
    assert activity.quiet_for() == 5
    activity.touch()
    assert activity.quiet_for() == 0
