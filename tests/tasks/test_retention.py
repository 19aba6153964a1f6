"""Old tasks go; unapplied work and what is in use stay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import journal_in
from stored_tasks import stored_task

from jupyter_tasks.errors import Conflict, InvalidInput, WorkspaceFailed
from jupyter_tasks.models import PrunedTask, PruneRequest, Summary
from jupyter_tasks.store.journal import Journal
from jupyter_tasks.store.task_rows import mark_deleted
from jupyter_tasks.tasks.retention import Retention, RetentionRule, TaskFacts, decide
from jupyter_tasks.tasks.retention_facts import StoredFacts, size_below
from jupyter_tasks.testing.clock import FakeClock

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
OLD = TaskFacts(
    id="t",
    name="old",
    summary=Summary.paused,
    finished=True,
    busy=False,
    changed_at=NOW - timedelta(days=40),
    bytes=1 << 20,
    unapplied=0,
)
RULE = RetentionRule(days=30)


def one(task: TaskFacts, rule: RetentionRule = RULE) -> PrunedTask:
    (found,) = decide([task], NOW, rule)
    return found


@pytest.mark.parametrize(
    ("changes", "action", "reason"),
    [
        ({}, "delete", "It has not changed for 40 days."),
        ({"summary": Summary.failed}, "delete", "It has not changed for 40 days."),
        ({"changed_at": NOW - timedelta(days=29, hours=23)}, "keep", "It changed 29 days ago."),
        ({"changed_at": NOW + timedelta(days=2)}, "keep", "It changed less than a day ago."),
        ({"unapplied": 1}, "keep", "1 changed file was not applied."),
        ({"unapplied": 3}, "keep", "3 changed files were not applied."),
        ({"unapplied": None}, "keep", "Whether its changes were applied is not known."),
        ({"summary": Summary.working}, "keep", "It is working."),
        ({"summary": Summary.starting}, "keep", "It is starting."),
        ({"summary": Summary.needs_you}, "keep", "It needs you."),
        ({"summary": Summary.idle, "finished": False}, "keep", "It is in use."),
        ({"busy": True}, "keep", "It is in use."),
    ],
)
def test_each_task(changes: dict[str, Any], action: str, reason: str) -> None:
    found = one(replace(OLD, **changes))
    assert (found.action, found.reason) == (action, reason)


def test_unapplied_work_goes_only_when_asked() -> None:
    asked = RetentionRule(days=30, include_unapplied=True)
    assert one(replace(OLD, unapplied=3), asked).action == "delete"
    assert one(replace(OLD, unapplied=None), asked).action == "delete"
    assert one(replace(OLD, unapplied=3, summary=Summary.needs_you), asked).action == "keep"


def test_a_full_disk_takes_the_oldest_first() -> None:
    tasks = [
        replace(OLD, id=f"t{days}", name=f"t{days}", changed_at=NOW - timedelta(days=days), bytes=10 << 30)
        for days in (0, 3, 5, 7)
    ]
    tasks.append(replace(OLD, id="x", name="x", changed_at=NOW - timedelta(days=9), bytes=5 << 30, unapplied=1))
    found = decide(tasks, NOW, RetentionRule(days=None, disk=30 << 30))
    assert [(each.name, each.action) for each in found] == [
        ("x", "keep"),
        ("t7", "delete"),
        ("t5", "delete"),
        ("t3", "keep"),
        ("t0", "keep"),
    ]
    assert found[1].reason == "All workspaces fill 45.0 GiB, more than 30.0 GiB."
    tight = decide(tasks, NOW, RetentionRule(days=None, disk=1))
    assert [each.name for each in tight if each.action == "keep"] == ["x", "t0"], "what is fresh stays"


FACTS = st.builds(
    TaskFacts,
    id=st.uuids().map(str),
    name=st.just("n"),
    summary=st.sampled_from(Summary),
    finished=st.booleans(),
    busy=st.booleans(),
    changed_at=st.integers(-5, 400).map(lambda days: NOW - timedelta(days=days)),
    bytes=st.integers(0, 1 << 40),
    unapplied=st.none() | st.integers(0, 5),
)


@given(st.lists(FACTS, max_size=8), st.none() | st.floats(0, 1e9), st.none() | st.integers(0, 1 << 40))
def test_never_what_is_in_use_nor_unapplied(tasks: list[TaskFacts], days: float | None, disk: int | None) -> None:
    by_id = {each.id: each for each in tasks}
    found = decide(tasks, NOW, RetentionRule(days=days, disk=disk))
    assert sorted(each.id for each in found) == sorted(by_id)
    for each in found:
        task = by_id[each.id]
        if each.action == "delete":
            assert task.unapplied == 0
            assert task.finished
            assert not task.busy
            assert task.summary not in (Summary.working, Summary.starting, Summary.needs_you)
        assert each.reason.endswith(".")


# ---------------------------------------------------------------- prune and the daily run


class Facts:
    """Some tasks, which may change."""

    def __init__(self, *tasks: TaskFacts) -> None:
        self.tasks = {each.id: each for each in tasks}
        self.now = dict(self.tasks)
        self.deleted: list[str] = []
        self.refused: set[str] = set()

    async def all(self) -> Sequence[TaskFacts]:
        return [each for each in self.tasks.values() if each.id not in self.deleted]

    async def one(self, task_id: str) -> TaskFacts | None:
        return self.now.get(task_id)

    async def delete(self, task_id: str) -> None:
        if task_id in self.refused:
            raise Conflict("It cannot be deleted now.")
        self.deleted.append(task_id)


@pytest.mark.anyio
async def test_prune_is_dry_unless_told() -> None:
    facts = Facts(OLD, replace(OLD, id="u", unapplied=2))
    dry = await Retention().prune(PruneRequest(), facts, facts.delete, NOW)
    assert (dry.dry_run, dry.bytes, facts.deleted) == (True, 1 << 20, [])
    assert [each.action for each in dry.tasks] == ["delete", "keep"]
    done = await Retention().prune(PruneRequest(dry_run=False), facts, facts.delete, NOW)
    assert (done.dry_run, done.bytes, facts.deleted) == (False, 1 << 20, ["t"])


@pytest.mark.anyio
async def test_an_age_that_is_asked_for_holds_alone() -> None:
    facts = Facts(replace(OLD, changed_at=NOW - timedelta(days=2)))
    settings = Retention(days=1.0, disk=1)
    assert (await settings.prune(PruneRequest(older_than=3), facts, facts.delete, NOW)).tasks[0].action == "keep"
    assert (await settings.prune(PruneRequest(older_than=1.5), facts, facts.delete, NOW)).tasks[0].action == "delete"
    never = Retention(days=0.0)
    assert (await never.prune(PruneRequest(), facts, facts.delete, NOW)).tasks[0].action == "keep"
    assert (await never.prune(PruneRequest(older_than=0), facts, facts.delete, NOW)).tasks[0].action == "delete"


@pytest.mark.parametrize("age", [-1.0, float("nan"), float("inf")])
def test_an_age_that_is_none(age: float) -> None:
    with pytest.raises(InvalidInput, match="no number of days"):
        Retention().rule(PruneRequest(older_than=age))


@pytest.mark.anyio
async def test_what_changed_meanwhile_stays() -> None:
    facts = Facts(*(replace(OLD, id=each, name=each) for each in ("resumed", "edited", "gone", "refused", "fine")))
    facts.now["resumed"] = replace(facts.tasks["resumed"], changed_at=NOW)
    facts.now["edited"] = replace(facts.tasks["edited"], unapplied=1)
    del facts.now["gone"]
    facts.refused.add("refused")
    done = await Retention().prune(PruneRequest(dry_run=False), facts, facts.delete, NOW)
    assert {each.name: each.reason for each in done.tasks if each.action == "keep"} == {
        "resumed": "It changed meanwhile.",
        "edited": "1 changed file was not applied.",
        "refused": "It cannot be deleted now.",
    }
    assert facts.deleted == ["fine"]


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(40):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in a thread
            await anyio.sleep(0.01)


@pytest.mark.anyio
async def test_once_a_day_also_across_restarts(tmp_path: Path) -> None:
    clock, stamp = FakeClock(NOW), tmp_path / "stamp"
    facts = Facts(OLD)

    async with anyio.create_task_group() as group:
        group.start_soon(Retention().run, facts, facts.delete, clock, stamp)
        await clock.advance(60)
        assert facts.deleted == []
        await clock.advance(120)
        await until(lambda: facts.deleted == ["t"] and stamp.exists())
        group.cancel_scope.cancel()
    facts.tasks["t2"] = facts.now["t2"] = replace(OLD, id="t2")
    async with anyio.create_task_group() as group:
        group.start_soon(Retention().run, facts, facts.delete, clock, stamp)
        for _ in range(3):
            await clock.advance(3600)
            await anyio.sleep(0.02)
        assert facts.deleted == ["t"], "it was done a short while ago"
        clock.jump(24 * 3600)
        with anyio.fail_after(40):
            while len(facts.deleted) < 2:
                await clock.advance(3600)
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert facts.deleted == ["t", "t2"]


@pytest.mark.anyio
async def test_nothing_bounded_nothing_runs(tmp_path: Path) -> None:
    with anyio.fail_after(40):
        await Retention(days=0.0, disk=0).run(Facts(), Facts().delete, FakeClock(), tmp_path / "stamp")


# ---------------------------------------------------------------- facts


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with journal_in(tmp_path, Journal) as journal:
        yield journal


@pytest.mark.anyio
async def test_facts_come_from_the_store(journal: Journal, tmp_path: Path) -> None:
    await journal.change(
        stored_task(1, NOW - timedelta(days=1), transition="stop", status="succeeded", finished_at=NOW)
    )
    await journal.change(stored_task(2, NOW - timedelta(days=1), transition="start", status="failed"))
    await journal.change(stored_task(3, NOW - timedelta(days=1), transition="start", status="running"))
    await journal.change(stored_task(4, NOW - timedelta(days=1), transition="stop", status="succeeded"))
    await journal.change(lambda change: mark_deleted(change.connection, "t4", NOW))
    asked: list[str] = []

    async def unapplied(task_id: str) -> int | None:
        asked.append(task_id)
        if task_id == "t2":
            raise WorkspaceFailed("gone")
        return 2

    (tmp_path / "w1").mkdir()
    (tmp_path / "w1" / "file").write_bytes(bytes(10_000))
    facts = StoredFacts(
        journal, size_below(lambda each: tmp_path / each, lambda each: tmp_path / f"{each}.git"), unapplied
    )
    found = {each.id: each for each in await facts.all()}
    assert sorted(found) == ["t1", "t2", "t3"]
    assert (found["t1"].summary, found["t1"].finished, found["t1"].unapplied) == (Summary.paused, True, 2)
    assert found["t1"].changed_at == NOW
    assert found["t1"].bytes >= 10_000
    assert (found["t2"].summary, found["t2"].unapplied, found["t2"].bytes) == (Summary.failed, None, 0)
    assert (found["t3"].busy, found["t3"].finished) == (True, False)
    assert sorted(asked) == ["t1", "t2"], "what is in use is not compared"
    assert await facts.one("t4") is None
    assert await facts.one("none") is None
    assert (await facts.one("t1")) == found["t1"]
