"""Capabilities: unguessable, of a time, and gone when their task stops."""

from __future__ import annotations

from datetime import timedelta

import pytest
from anyio.abc import ByteStream

from jupyter_tasks.errors import NotFound
from jupyter_tasks.tasks.previews import LIFETIME, MOST, Capabilities
from jupyter_tasks.testing.clock import FakeClock


async def _dial() -> ByteStream:
    raise ConnectionRefusedError


def test_a_word_has_160_bits_or_more_and_fits_into_a_host_name() -> None:
    words = {Capabilities(FakeClock()).mint("t", "preview", _dial)[0] for _ in range(50)}
    assert len(words) == 50
    assert all(len(word) * 4 >= 160 and len(word) <= 63 for word in words)


@pytest.mark.anyio
async def test_revoking_ends_it_for_the_holder_too() -> None:
    known = Capabilities(FakeClock())
    word, capability = known.mint("t", "preview", _dial)
    other, _ = known.mint("u", "preview", _dial)
    with pytest.raises(ConnectionRefusedError):
        await capability.dial()
    known.revoke("t")
    assert known.find(word) is None
    with pytest.raises(NotFound):
        await capability.dial()
    assert known.find(other) is not None


def test_it_ends_by_itself_and_the_oldest_gives_way() -> None:
    clock = FakeClock()
    known = Capabilities(clock)
    first, capability = known.mint("t", "preview", _dial)
    assert capability.expires_at - clock.now() == LIFETIME > timedelta(0)
    newer = [known.mint("t", "preview", _dial)[0] for _ in range(MOST)]
    assert known.find(first) is None
    assert known.find(newer[0]) is not None
    assert known.find("no such word") is None


@pytest.mark.parametrize("seconds", [-86_400.0, 86_400.0])
@pytest.mark.anyio
async def test_a_wall_clock_that_jumps_neither_prolongs_nor_ends_it(seconds: float) -> None:
    clock = FakeClock()
    known = Capabilities(clock)
    word, _ = known.mint("t", "preview", _dial)
    clock.jump(seconds)
    assert known.find(word) is not None
    await clock.advance(LIFETIME.total_seconds())
    assert known.find(word) is None
