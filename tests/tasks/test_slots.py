"""At most so many tasks are active; the others wait in the order in which they asked."""

from __future__ import annotations

import anyio
import pytest

from jupyter_tasks.tasks.slots import Slots


@pytest.mark.anyio
async def test_later_ones_wait_with_their_place_and_move_up() -> None:
    slots = Slots(1)
    order: list[str] = []

    async def want(task: str, asked: str) -> None:
        await slots.acquire(task, asked)
        order.append(task)

    async with anyio.create_task_group() as group:
        await slots.acquire("first", "00")
        group.start_soon(want, "late", "02")
        group.start_soon(want, "early", "01")
        await anyio.wait_all_tasks_blocked()
        assert slots.waiting() == {"early": 1, "late": 2}
        slots.release("first")
        await anyio.wait_all_tasks_blocked()
        assert order == ["early"]
        assert slots.waiting() == {"late": 1}
        slots.release("early")
    assert order == ["early", "late"]
    assert slots.held == 1


@pytest.mark.anyio
async def test_one_that_no_longer_wants_leaves_the_queue() -> None:
    slots = Slots(1)
    slots.take("running")
    with anyio.move_on_after(0):
        await slots.acquire("gone", "01")
    assert slots.waiting() == {}
    slots.release("running")
    await slots.acquire("next", "02")
    assert slots.held == 1


@pytest.mark.anyio
async def test_a_task_that_holds_a_place_is_not_asked_to_wait() -> None:
    slots = Slots(1)
    slots.take("a")
    slots.take("b")  # found running after a restart: over the limit
    await slots.acquire("a", "00")
    assert slots.held == 2
