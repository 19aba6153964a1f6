"""The clock that tests turn by hand."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from jupyter_tasks.clock import Clock
from jupyter_tasks.testing.clock import FakeClock

pytestmark = pytest.mark.anyio


async def test_sleepers_wake_in_order_at_their_moment() -> None:
    clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.monotonic()))

    async with anyio.create_task_group() as group:
        group.start_soon(sleeper, "a", 3.0)
        group.start_soon(sleeper, "b", 1.0, 1.0, 5.0)
        await clock.advance(2.5)
        assert woken == [("b", 1.0), ("b", 2.0)]
        await clock.advance(10)
        assert woken[2:] == [("a", 3.0), ("b", 7.0)]
    assert clock.monotonic() == 12.5
    assert clock.sleepers == 0


async def test_it_is_a_clock_whose_wall_may_jump() -> None:
    clock = FakeClock()
    as_clock: Clock = clock
    before = as_clock.now()
    clock.jump(-3_600)
    assert as_clock.now() == before - timedelta(hours=1)
    assert clock.monotonic() == 0
    await clock.sleep(0)
    await clock.sleep(-1)
    await clock.advance(1)
    assert as_clock.now() == before - timedelta(hours=1) + timedelta(seconds=1)
