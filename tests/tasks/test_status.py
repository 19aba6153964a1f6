"""Status, state and summary: Coder's tables, row by row, and no combination that raises."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.models import Source, Summary, TaskState, TaskStatus
from jupyter_tasks.tasks.status import Facts, Said, agent_health, current_state, status, summary, workspace_status

T0 = datetime(2025, 7, 1, 12, tzinfo=timezone.utc)
BUILD_STATUSES = ["pending", "running", "succeeded", "failed", "canceling", "canceled"]
LIFECYCLES = [
    None,
    *("created", "starting", "start_timeout", "start_error", "ready"),
    *("shutting_down", "shutdown_timeout", "shutdown_error", "off"),
]
RUNNING = Facts(
    transition="start",
    build_status="succeeded",
    build_created_at=T0,
    lifecycle="ready",
    connected=True,
    app_health="healthy",
)


def said(state: str, after: float = 5, source: str = "osc7501") -> Said:
    at = T0 + timedelta(seconds=after)
    return Said(state=state, message="doing it", created_at=at, since=at - timedelta(seconds=1), source=source)


@pytest.mark.parametrize(
    ("transition", "build_status", "wanted"),
    [
        (None, None, "pending"),
        ("start", None, "pending"),
        *((t, s, "error") for t in ("start", "stop", "delete") for s in ("failed", "canceling", "canceled")),
        ("stop", "succeeded", "paused"),
        ("delete", "succeeded", "paused"),
        ("start", "pending", "pending"),
        *((t, s, "unknown") for t in ("stop", "delete") for s in ("pending", "running")),
        *((t, "unknown", "unknown") for t in ("start", "stop", "delete")),
    ],
)
def test_the_build_decides(transition: str | None, build_status: str | None, wanted: str) -> None:
    assert status(replace(RUNNING, transition=transition, build_status=build_status)) == TaskStatus(wanted)


AGENT_TABLE = {
    **dict.fromkeys([None, "created", "starting"], "initializing"),
    **dict.fromkeys(["ready", "start_timeout", "start_error"], "active"),
    **dict.fromkeys(["shutting_down", "shutdown_timeout", "shutdown_error", "off"], "unknown"),
}


@pytest.mark.parametrize("lifecycle", LIFECYCLES)
@pytest.mark.parametrize("build_status", ["running", "succeeded"])
def test_the_agent_decides_where_the_build_is_active(lifecycle: str | None, build_status: str) -> None:
    facts = replace(RUNNING, build_status=build_status, lifecycle=lifecycle)
    assert status(facts) == TaskStatus(AGENT_TABLE[lifecycle])


@pytest.mark.parametrize(
    ("health", "wanted"),
    [
        ("initializing", "initializing"),
        ("healthy", "active"),
        ("disabled", "active"),
        ("unhealthy", "error"),
        (None, "unknown"),
    ],
)
@pytest.mark.parametrize("lifecycle", ["ready", "start_timeout", "start_error"])
def test_the_app_decides_where_the_agent_is_active(lifecycle: str, health: str | None, wanted: str) -> None:
    assert status(replace(RUNNING, lifecycle=lifecycle, app_health=health)) == TaskStatus(wanted)


@pytest.mark.parametrize(
    ("transition", "build_status", "wanted"),
    [
        (None, None, None),
        *((t, s, s) for t in ("start", "stop", "delete") for s in ("pending", "failed", "canceling", "canceled")),
        ("start", "running", "starting"),
        ("stop", "running", "stopping"),
        ("delete", "running", "deleting"),
        ("start", "succeeded", "running"),
        ("stop", "succeeded", "stopped"),
        ("delete", "succeeded", "deleted"),
        ("start", "odd", None),
    ],
)
def test_workspace_status(transition: str | None, build_status: str | None, wanted: str | None) -> None:
    assert workspace_status(Facts(transition=transition, build_status=build_status)) == wanted


@pytest.mark.parametrize("state", list(TaskState))
def test_what_the_agent_says_is_its_state(state: TaskState) -> None:
    entry = current_state(replace(RUNNING, said=said(state.value)))
    assert entry is not None
    assert (entry.state, entry.message, entry.source) == (state, "doing it", Source.osc7501)
    assert entry.timestamp == T0 + timedelta(seconds=5)
    assert entry.since == T0 + timedelta(seconds=4)


@pytest.mark.parametrize("after", [-5, 0])
def test_what_was_said_before_this_start_is_stale(after: float) -> None:
    assert current_state(replace(RUNNING, said=said("idle", after))) is None


@pytest.mark.parametrize("transition", ["stop", "delete"])
def test_what_was_said_is_kept_after_a_stop(transition: str) -> None:
    entry = current_state(replace(RUNNING, transition=transition, said=said("idle", -5)))
    assert entry is not None
    assert entry.state is TaskState.idle


@pytest.mark.parametrize("stale", [None, said("working", -1), said("dancing")])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"build_status": "running", "lifecycle": None}, "Workspace is starting"),
        ({"lifecycle": None}, "Initializing workspace"),
        ({"lifecycle": "created"}, "Agent is connecting"),
        ({"lifecycle": "starting"}, "Agent is starting"),
        ({"lifecycle": "ready", "app_health": "initializing"}, "App is initializing"),
        ({"lifecycle": "start_error", "app_health": "initializing"}, "Initializing workspace agent"),
        ({"lifecycle": "start_timeout", "app_health": "initializing"}, "Initializing workspace agent"),
    ],
)
def test_a_start_is_told_while_the_agent_has_said_nothing(
    changes: dict[str, str | None], message: str, stale: Said | None
) -> None:
    entry = current_state(replace(RUNNING, said=stale, **changes))  # type: ignore[arg-type]
    assert entry is not None
    assert (entry.state, entry.message, entry.uri) == (TaskState.working, message, "")
    assert (entry.timestamp, entry.since, entry.source) == (T0, T0, Source.build)


@pytest.mark.parametrize("build_status", ["pending", "failed"])
def test_nothing_is_told_of_a_start_that_waits_or_failed(build_status: str) -> None:
    assert current_state(replace(RUNNING, build_status=build_status)) is None


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"build_status": None, "transition": None}, "Starting"),
        ({"build_status": "pending"}, "Starting"),
        ({"build_status": "pending", "attention": True}, "Starting"),
        ({"build_status": "running", "lifecycle": None}, "Starting"),
        ({"lifecycle": "starting"}, "Starting"),
        ({"app_health": "initializing", "said": said("working")}, "Starting"),
        ({"app_health": "initializing", "attention": True}, "Needs you"),
        ({}, "Starting"),
        ({"said": said("working", -1)}, "Starting"),
        ({"said": said("working")}, "Working"),
        ({"said": said("working"), "changed_files": 3}, "Working"),
        ({"said": said("working"), "attention": True}, "Needs you"),
        ({"said": said("idle"), "attention": True, "changed_files": 3}, "Needs you"),
        ({"said": said("idle"), "changed_files": 3}, "Ready to review"),
        ({"said": said("complete"), "changed_files": 1}, "Ready to review"),
        ({"said": said("complete"), "changed_files": None}, "Ready to review"),
        ({"said": said("complete"), "changed_files": 0}, "Idle"),
        ({"said": said("idle"), "changed_files": 0}, "Idle"),
        ({"said": said("idle"), "changed_files": None}, "Idle"),
        ({"said": said("failure"), "changed_files": 3}, "Failed"),
        ({"said": said("working"), "exited": True}, "Failed"),
        ({"exited": True}, "Failed"),
        ({"said": said("failure", source="exit"), "exited": True, "app_health": "initializing"}, "Failed"),
        ({"said": said("complete", source="exit"), "exited": True, "app_health": "initializing"}, "Starting"),
        ({"said": said("failure", -5, source="exit"), "exited": True, "app_health": "initializing"}, "Starting"),
        ({"said": said("failure", -5, source="exit"), "exited": True}, "Starting"),
        ({"said": said("complete", source="exit"), "exited": True, "changed_files": 2}, "Ready to review"),
        ({"app_health": "unhealthy", "said": said("working")}, "Failed"),
        ({"app_health": None, "said": said("working")}, "Working"),
        ({"build_status": "failed", "attention": True}, "Failed"),
        ({"transition": "stop", "build_status": "failed"}, "Failed"),
        ({"transition": "stop", "build_status": "running", "attention": True}, "Paused"),
        ({"transition": "stop", "build_status": "pending"}, "Paused"),
        ({"transition": "stop", "build_status": "succeeded", "said": said("failure")}, "Paused"),
        ({"transition": "delete", "build_status": "running"}, "Paused"),
        ({"lifecycle": "shutting_down", "said": said("working")}, "Paused"),
        ({"lifecycle": "off"}, "Paused"),
        ({"lifecycle": "start_error", "said": said("working")}, "Working"),
    ],
)
def test_one_plain_word(changes: dict[str, object], wanted: str) -> None:
    assert summary(replace(RUNNING, **changes)) == Summary(wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("after", [-3600, 3600])
def test_a_wall_clock_that_jumped_decides_nothing(after: float) -> None:
    ours = replace(said("complete", after), of_newest_build=True)
    assert summary(replace(RUNNING, said=ours, changed_files=1)) is Summary("Ready to review")
    earlier = replace(said("failure", after, source="exit"), of_newest_build=False)
    assert summary(replace(RUNNING, said=earlier, exited=True)) is Summary("Starting")


def test_agent_health() -> None:
    assert agent_health(replace(RUNNING, lifecycle=None)) is None
    assert agent_health(replace(RUNNING, transition="stop")) is None
    well = agent_health(RUNNING)
    assert well is not None
    assert well.healthy
    lost = agent_health(replace(RUNNING, connected=False))
    assert lost is not None
    assert (lost.healthy, lost.reason) == (False, "agent has lost connection")


def test_every_combination_of_known_words_has_an_answer() -> None:
    """The whole table: an active task is exactly one whose build, agent and app all are."""
    for transition, build, lifecycle, health in product(
        ["start", "stop", "delete"],
        BUILD_STATUSES,
        LIFECYCLES,
        [None, "disabled", "initializing", "healthy", "unhealthy"],
    ):
        facts = replace(RUNNING, transition=transition, build_status=build, lifecycle=lifecycle, app_health=health)
        active = (
            transition == "start"
            and build in ("running", "succeeded")
            and AGENT_TABLE[lifecycle] == "active"
            and health in ("healthy", "disabled")
        )
        assert (status(facts) is TaskStatus.active) == active
        assert (summary(facts) is Summary.failed) == (status(facts) is TaskStatus.error)


words = st.one_of(st.none(), st.sampled_from([*BUILD_STATUSES, *filter(None, LIFECYCLES), "healthy", "x", ""]))
moments = st.datetimes(timezones=st.just(timezone.utc))
sayings = st.builds(
    Said,
    state=st.sampled_from(["working", "idle", "complete", "failure", "failed", ""]),
    message=st.text(max_size=10),
    created_at=moments,
    since=st.none() | moments,
    source=st.none() | st.sampled_from(["exit", "nobody"]),
)


@given(
    st.builds(
        Facts,
        transition=st.sampled_from([None, "start", "stop", "delete", "odd"]),
        build_status=words,
        build_created_at=st.none() | moments,
        lifecycle=words,
        connected=st.booleans(),
        app_health=words,
        said=st.none() | sayings,
        attention=st.booleans(),
        changed_files=st.none() | st.integers(0, 3),
        exited=st.booleans(),
    )
)
def test_nothing_raises(facts: Facts) -> None:
    word = summary(facts)
    entry = current_state(facts)
    agent_health(facts)
    if status(facts) is TaskStatus.paused:
        assert word is Summary.paused
    if word is Summary.working:
        assert entry is not None
        assert entry.state is TaskState.working
    if entry is not None and entry.source is Source.build:
        assert status(facts) is TaskStatus.initializing
