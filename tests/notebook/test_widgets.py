"""The card and the follower behind it, against a real HTTP engine."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import ipywidgets
import pytest
from notebook_engine import NotebookEngine

from jupyter_tasks import TaskHandle, models
from jupyter_tasks.errors import Conflict, EngineUnavailable
from jupyter_tasks.notebook.follower import PACE, Change, Follower
from jupyter_tasks.notebook.widgets import TaskWidget, _newest

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
Until = Callable[..., None]


@pytest.fixture
def card(notebook_engine: NotebookEngine) -> Iterator[TaskWidget]:
    task = notebook_engine.create("purple", parameters={"password": "hunter2"})
    card = TaskHandle(task, session=notebook_engine.session).widget
    yield card
    card.close()


class Answers:
    """What the card sends to its front end."""

    def __init__(self, card: TaskWidget, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[dict[str, Any]] = []
        self.card = card
        monkeypatch.setattr(card, "send", lambda content, buffers=None: self.sent.append(content))

    def ask(self, until: Until, **request: Any) -> dict[str, Any]:
        before = len(self.sent)
        self.card._handle_custom_msg({"kind": "tasks:do", "id": "1", "key": "k", **request}, [])
        until(lambda: len(self.sent) > before)
        return self.sent[-1]


@pytest.fixture
def answers(card: TaskWidget, monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(card, monkeypatch)


def test_it_is_an_ordinary_widget(card: TaskWidget, notebook_engine: NotebookEngine, until: Until) -> None:
    box = ipywidgets.VBox([card])
    assert box.children == (card,)
    seen: list[str] = []
    card.observe(lambda change: seen.append(change["new"]), "state")
    task = notebook_engine.do(notebook_engine.service.get, "me", "purple")
    until(lambda: notebook_engine.service._readers)
    notebook_engine.do(notebook_engine.service.set_state, task, models.TaskState.working)
    until(lambda: seen == ["working"])
    assert (card.status, card.summary) == ("active", "Starting")
    box.close()


@pytest.mark.slow
def test_it_follows_messages_and_the_diff(card: TaskWidget, notebook_engine: NotebookEngine, until: Until) -> None:
    async def diff(user: str, wanted: str) -> models.DiffResponse:
        file = models.DiffFile(path="a.css", status="modified", additions=2, deletions=1)
        return models.DiffResponse(files=[file], additions=2, deletions=1, patch="+x")

    notebook_engine.service.diff = diff  # type: ignore[method-assign]
    until(lambda: notebook_engine.service._readers)
    notebook_engine.do(notebook_engine.service.send, "me", card.task_id, "hello")
    until(lambda: [m["parts"][0]["text"] for m in card.messages] == ["hello"])
    task = notebook_engine.do(notebook_engine.service.get, "me", card.task_id)
    notebook_engine.change(task, summary=models.Summary.ready, capabilities=models.Capabilities(diff=True))
    until(lambda: card.diff_stat == {"files": 1, "additions": 2, "deletions": 1})
    asked = models.Attention(kind="question", text="which?", since=NOW)
    notebook_engine.change(task, attention=asked)
    until(lambda: card.attention.get("text") == "which?")
    notebook_engine.change(task, attention=None)
    until(lambda: card.attention == {})
    notebook_engine.do(notebook_engine.service.delete, "me", card.task_id)
    until(lambda: card.summary == "Deleted")


def test_its_state_holds_no_secret(card: TaskWidget, answers: Answers, until: Until) -> None:
    answer = answers.ask(until, action="preview")
    assert answer["ok"]
    saved = json.dumps(card.get_state(), default=str)
    for secret in ("secret prompt", "hunter2", "preview/"):
        assert secret not in saved.replace(card._esm, "") if secret == "preview/" else secret not in saved


def test_buttons_of_hosts_without_a_server(
    card: TaskWidget, answers: Answers, notebook_engine: NotebookEngine, until: Until
) -> None:
    assert answers.ask(until, action="send", text="hi")["ok"]
    assert notebook_engine.service.calls[-1][3:] == ("hi", "k")
    assert answers.ask(until, action="press", text="1")["ok"]
    assert notebook_engine.service.calls[-1] == ("type", models.TerminalInput(data="MQ==", key="k"))
    assert answers.ask(until, action="interrupt")["value"] is False
    assert answers.ask(until, action="pause")["ok"]
    until(lambda: card.status == "paused")
    assert answers.ask(until, action="resume")["ok"]
    refused = answers.ask(until, action="resume")
    assert not refused["ok"]
    assert "cannot be resumed" in refused["error"]
    assert "required" in answers.ask(until, action="send", text=" ")["error"]
    assert not answers.ask(until, action="format_disk")["ok"]
    assert answers.ask(until, action="refresh", id=7)["id"] == 7


@pytest.mark.slow
def test_an_option_is_answered_by_the_kernel(
    card: TaskWidget, answers: Answers, notebook_engine: NotebookEngine, until: Until
) -> None:
    assert "asks nothing" in answers.ask(until, action="answer", option="y")["error"]
    task = notebook_engine.do(notebook_engine.service.get, "me", card.task_id)
    options = [models.PermissionOption(id="y", label="Yes")]
    asked = models.Attention(kind="permission", text="May I?", options=options, since=NOW, id="q2")
    notebook_engine.change(task, attention=asked)
    until(lambda: card.attention.get("id") == "q2")
    assert "not among the options" in answers.ask(until, action="answer", option="n")["error"]
    assert "something else" in answers.ask(until, action="answer", option="y", question="q1")["error"]
    assert answers.ask(until, action="answer", option="y", question=card.attention["id"])["ok"]
    assert notebook_engine.service.calls[-1][2:] == (task.id, "y", "q2")
    until(lambda: card.attention == {})


def test_it_carries_what_was_spent_and_what_is_left_to_apply(
    card: TaskWidget, notebook_engine: NotebookEngine, until: Until
) -> None:
    task = notebook_engine.do(notebook_engine.service.get, "me", card.task_id)
    project = models.ProjectInfo(kind="git", root="/home/ada/secret-client")
    until(lambda: notebook_engine.service._readers)
    notebook_engine.change(task, cost=models.Cost(amount="0.5"), unapplied=2, project=project)
    until(lambda: card.task.get("unapplied") == 2)
    assert card.usage == {"cost": {"amount": "0.5", "currency": "USD"}}
    assert "secret-client" not in json.dumps(card.get_state(), default=str)


@pytest.mark.parametrize("junk", [None, 7, "x", [], {}, {"kind": "other"}])
def test_junk_from_a_page_is_ignored(card: TaskWidget, answers: Answers, junk: object) -> None:
    card._handle_custom_msg(junk, [])
    assert answers.sent == []


def test_actions_run_off_the_main_thread(
    card: TaskWidget, answers: Answers, notebook_engine: NotebookEngine, until: Until
) -> None:
    assert answers.ask(until, action="refresh")["ok"]
    until(lambda: [t.name for t in threading.enumerate()].count("jupyter-tasks-follower") == 1)


def test_long_conversations_are_cut_from_the_front() -> None:
    many = tuple(
        models.Message(id=i, role="agent", time=NOW, parts=[models.TextPart(text="x" * 5_000)]) for i in range(100)
    )
    kept, cut = _newest(many)
    assert kept[-1]["id"] == 99
    assert cut == 100 - len(kept)
    assert len(json.dumps(kept)) < 80_000
    huge = models.Message(id=0, role="agent", time=NOW, parts=[models.TextPart(text="x" * 1_000_000)])
    kept, cut = _newest((huge,))
    assert cut == 0
    assert len(json.dumps(kept)) < 20_000


# ---------------------------------------------------------------- the follower


class Plain:
    """A card that only remembers."""

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        self.changes: list[tuple[float, Change]] = []

    def show(self, change: Change) -> None:
        self.changes.append((time.monotonic(), change))

    @property
    def problems(self) -> list[str]:
        return [c.problem for _, c in self.changes if c.problem]


def test_one_thread_and_one_stream_for_all_cards(notebook_engine: NotebookEngine, until: Until) -> None:
    cards = [Plain(notebook_engine.create(f"t{i}").id) for i in range(20)]
    for card in cards:
        notebook_engine.session.follower.add(card)
    until(lambda: all(card.changes for card in cards))
    until(lambda: len(notebook_engine.service._readers) == 1)
    until(lambda: [t.name for t in threading.enumerate()].count("jupyter-tasks-follower") == 1)


def test_updates_are_coalesced_and_the_last_one_arrives(notebook_engine: NotebookEngine, until: Until) -> None:
    task = notebook_engine.create("purple")
    card = Plain(task.id)
    notebook_engine.session.follower.add(card)
    until(lambda: notebook_engine.service._readers)
    begin = time.monotonic()
    for number in range(60):
        notebook_engine.change(task, reason=f"step {number}")
    until(lambda: card.changes and any(c.task and c.task.reason == "step 59" for _, c in card.changes))
    taken = time.monotonic() - begin
    assert len(card.changes) <= taken / PACE + 3
    assert all(b - a >= PACE * 0.8 for (a, _), (b, _) in zip(card.changes, card.changes[1:], strict=False))


def test_a_break_loses_nothing(notebook_engine: NotebookEngine, until: Until) -> None:
    task = notebook_engine.create("purple")
    card = Plain(task.id)
    notebook_engine.session.follower.add(card)
    until(lambda: notebook_engine.service._readers)

    def fall_over() -> None:
        notebook_engine.service.end_streams()
        notebook_engine.service._store(task.model_copy(update={"reason": "while away"}))

    notebook_engine.do(fall_over)
    until(lambda: any(c.task and c.task.reason == "while away" for _, c in card.changes))


def test_a_fetch_that_fails_is_made_again(notebook_engine: NotebookEngine, until: Until) -> None:
    service, task = notebook_engine.service, notebook_engine.create("purple")
    card, ask = Plain(task.id), service.get
    failures: list[Exception] = []

    async def get(user: str, wanted: str) -> models.Task:
        if failures:
            raise failures.pop()
        return await ask(user, wanted)

    service.get = get  # type: ignore[method-assign]
    notebook_engine.session.follower.add(card)
    until(lambda: service._readers and card.changes)
    failures.append(Conflict("Not now."))
    notebook_engine.change(task, reason="changed")
    until(lambda: card.problems)
    until(lambda: any(c.task and c.task.reason == "changed" and c.problem == "" for _, c in card.changes))


@pytest.mark.slow
def test_a_message_that_comes_while_all_are_fetched_is_not_lost(notebook_engine: NotebookEngine, until: Until) -> None:
    service, task = notebook_engine.service, notebook_engine.create("purple")
    card, ask, late = Plain(task.id), service.messages, threading.Event()

    async def messages(user: str, wanted: str) -> models.MessagesResponse:
        import anyio

        found = await ask(user, wanted)
        if late.is_set():
            late.clear()
            await service.send(user, wanted, "late")
            while not service._readers:  # noqa: ASYNC110 - the follower's
                await anyio.sleep(0.01)
            await anyio.sleep(0.1)  # it is heard before what was found is
        return found

    service.messages = messages  # type: ignore[method-assign]
    notebook_engine.session.follower.add(card)
    until(lambda: service._readers and card.changes)

    def fall_over() -> None:
        late.set()
        service.end_streams()

    notebook_engine.do(fall_over)
    until(lambda: card.changes and "late" in str(card.changes[-1][1].messages))


@pytest.mark.slow
def test_the_thread_ends_with_its_cards_and_comes_again(notebook_engine: NotebookEngine, until: Until) -> None:
    task, follower = notebook_engine.create("purple"), notebook_engine.session.follower
    card: Plain | None = Plain(task.id)
    assert card is not None
    follower.add(card)
    until(lambda: notebook_engine.service._readers)
    del card
    gc.collect()
    until(lambda: not follower.alive and not notebook_engine.service._readers)
    again = Plain(task.id)
    follower.add(again)
    until(lambda: again.changes)
    follower.remove(again)
    until(lambda: not follower.alive)


def test_a_card_that_breaks_is_left_alone(
    notebook_engine: NotebookEngine, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Plain):
        def show(self, change: Change) -> None:
            super().show(change)
            raise RuntimeError("no screen")

    task = notebook_engine.create("purple")
    broken, good = Broken(task.id), Plain(task.id)
    notebook_engine.session.follower.add(broken)
    notebook_engine.session.follower.add(good)
    until(lambda: good.changes and broken.changes)
    notebook_engine.change(task, reason="later")
    until(lambda: any(c.task and c.task.reason == "later" for _, c in good.changes))
    assert len(broken.changes) == 1
    assert "could not be updated" in caplog.text


def test_an_engine_that_is_away_is_said_and_comes_back(notebook_engine: NotebookEngine, until: Until) -> None:
    away = True

    class Turning:
        """Time that passes at once, so that nobody waits for the back-off."""

        now = staticmethod(lambda: NOW)
        monotonic = staticmethod(time.monotonic)

        async def sleep(self, seconds: float) -> None:
            import anyio

            await anyio.sleep(0.02)

    def connect() -> Any:
        client = notebook_engine.session.connect()
        ask = client.buildinfo

        async def buildinfo() -> models.BuildInfo:
            if away:
                raise EngineUnavailable("Nobody is there.")
            return await ask()

        client.buildinfo = buildinfo  # type: ignore[method-assign]
        return client

    follower = Follower(connect, Turning())  # type: ignore[arg-type]
    card = Plain(notebook_engine.create("purple").id)
    follower.add(card)
    until(lambda: card.problems)
    away = False
    until(lambda: card.changes[-1][1].problem == "")
    follower.close()
    until(lambda: not follower.alive)


def test_too_many_jobs_are_refused(notebook_engine: NotebookEngine, until: Until) -> None:
    gate = threading.Event()
    done: list[int] = []

    async def job(_: object) -> None:
        import anyio

        while not gate.is_set():  # noqa: ASYNC110 - the gate is opened from another thread
            await anyio.sleep(0.01)
        done.append(1)

    follower = notebook_engine.session.follower
    taken = sum(follower.submit(job) for _ in range(200))
    assert taken == 64
    gate.set()
    until(lambda: len(done) == 64)
    assert follower.submit(job)
    until(lambda: len(done) == 65)
    until(lambda: not follower.alive)
