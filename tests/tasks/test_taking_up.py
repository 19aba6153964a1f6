"""The turns in which a new engine takes up what runs."""

from __future__ import annotations

import anyio
import pytest

from jupyter_tasks.tasks.taking_up import AT_ONCE, LAST, PAUSE, TakingUp
from jupyter_tasks.testing.clock import FakeClock

pytestmark = pytest.mark.anyio


async def test_a_few_attach_at_a_time_and_all_of_them_before_the_first_rest() -> None:
    count, clock = 3 * AT_ONCE, FakeClock()
    turns = TakingUp(count, clock)
    attaching = most = attached = 0
    attached_at_rest: list[int] = []

    async def one() -> None:
        nonlocal attaching, most, attached
        async with turns.attach():
            attaching += 1
            most = max(most, attaching)
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            attaching, attached = attaching - 1, attached + 1
        async with turns.rest():
            attached_at_rest.append(attached)

    with anyio.fail_after(45):
        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(one)
            while len(attached_at_rest) < count:
                await clock.advance(PAUSE)
            await clock.advance(PAUSE)
    assert most == AT_ONCE
    assert attached_at_rest == [count] * count


async def test_rests_leave_room_between_them() -> None:
    clock = FakeClock()
    turns = TakingUp(2, clock)
    rested = 0

    async def one() -> None:
        nonlocal rested
        async with turns.attach():
            pass
        async with turns.rest():
            rested += 1

    with anyio.fail_after(45):
        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)
            await clock.advance(PAUSE / 2)
            assert rested == 1
            await clock.advance(PAUSE / 2)
            assert rested == 2
            await clock.advance(PAUSE)


async def test_one_whose_turn_fails_or_is_cancelled_holds_up_nobody() -> None:
    turns = TakingUp(3, FakeClock())

    async def hangs() -> None:
        async with turns.attach():
            await anyio.sleep_forever()

    with anyio.fail_after(45):
        async with anyio.create_task_group() as group:
            group.start_soon(hangs)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        with pytest.raises(ValueError, match="broken"):
            async with turns.attach():
                raise ValueError("broken")
        async with turns.attach():
            pass
        with anyio.CancelScope() as scope:
            async with turns.rest():
                scope.cancel()
        assert scope.cancelled_caught


async def test_one_that_never_comes_is_waited_for_a_while_only() -> None:
    clock = FakeClock()
    turns = TakingUp(2, clock)
    rested: list[float] = []

    async def one() -> None:
        async with turns.attach():
            pass
        async with turns.rest():
            rested.append(clock.monotonic())

    with anyio.fail_after(45):
        async with anyio.create_task_group() as group:
            group.start_soon(one)
            await clock.advance(LAST - 0.1)
            assert rested == []
            await clock.advance(0.1)
            assert rested == [pytest.approx(LAST)]
            await clock.advance(PAUSE)
