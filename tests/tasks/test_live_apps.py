"""Which app of a workspace is shown, and at which port."""

from __future__ import annotations

import pytest

from jupyter_tasks.errors import NotFound
from jupyter_tasks.tasks.live_apps import AppTarget, app_target
from jupyter_tasks.templates.plan import Agent, AITask, App, WorkspacePlan


def plan(*apps: App) -> WorkspacePlan:
    agent = Agent(id="a", name="main", os="linux", arch="amd64", apps=apps)
    return WorkspacePlan(kind="local", transition="start", agents=[agent], task=AITask(id="t", app_id="chat"))


CHAT = App(id="chat", slug="chat", url="http://localhost:3284")
LATE = App(id="1", slug="late", url="http://127.0.0.1:8001/?x=1", order=2)
EARLY = App(id="2", slug="early", url="http://[::1]/docs", order=1)
PREVIEW = App(id="3", slug="preview", url="http://localhost:3000/app", order=9)


def test_the_asked_for_then_the_preview_then_the_first() -> None:
    assert app_target(plan(CHAT, LATE, EARLY, PREVIEW), {}, "late") == AppTarget("late", 8001, "/?x=1")
    assert app_target(plan(CHAT, LATE, EARLY, PREVIEW), {}, None) == AppTarget("preview", 3000, "/app")
    assert app_target(plan(CHAT, LATE, EARLY), {}, None) == AppTarget("early", 80, "/docs")


def test_a_port_that_lies_elsewhere() -> None:
    assert app_target(plan(PREVIEW), {3000: 41000}, None).port == 41000


@pytest.mark.parametrize(
    "app",
    [
        CHAT,
        App(id="4", slug="hidden", url="http://localhost:1", hidden=True),
        App(id="5", slug="outside", url="http://localhost:1", external=True),
        App(id="6", slug="far", url="http://example.org:1"),
        App(id="7", slug="broken", url="http://localhost:notaport"),
        App(id="8", slug="none"),
    ],
)
def test_nothing_to_show(app: App) -> None:
    with pytest.raises(NotFound, match="preview"):
        app_target(plan(app), {}, None)
