"""Fixtures that every test folder shares, and the rule that turns a skip for a missing tool into a failure."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# how long an example takes says how busy the machine is: tests share theirs
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("shared"), max_examples=20)
settings.load_profile("shared")

pytest_plugins = ["pytest_jupyter.jupyter_server"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what it runs in the background so, and every program of a test would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

_REQUIRED = {word for word in os.environ.get("JUPYTER_TASKS_TEST_REQUIRE", "").split(",") if word}
_SLOW_LIMIT = 240  # seconds: a slow test waits for real processes several times, half a minute each on a busy machine


def pytest_configure(config: pytest.Config) -> None:
    """The quick suite tries a fifth of the examples of each property test (tests/examples.py)."""
    if config.option.markexpr == "not slow":
        settings.load_profile("quick")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The limit of 60 s is for the quick tests."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_SLOW_LIMIT))


@pytest.fixture(autouse=True)
def anyio_backend() -> str:
    """Every async test runs on asyncio, as the product does.

    For every test, because pytest-jupyter collects async tests before anyio has said which of them are its own.
    """
    return "asyncio"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """State and runtime directories of a test's own."""
    monkeypatch.setenv("JUPYTER_TASKS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("JUPYTER_TASKS_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """With JUPYTER_TASKS_TEST_REQUIRE=docker,browser,… a skipped test of that mark fails instead."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        wanted = _REQUIRED & {mark.name for mark in item.iter_markers()}
        if wanted or "all" in _REQUIRED:
            report.outcome = "failed"
            report.longrepr = (
                f"skipped although {', '.join(sorted(wanted)) or 'everything'} is required: {report.longrepr}"
            )
    return report


assert sys.version_info >= (3, 10)
