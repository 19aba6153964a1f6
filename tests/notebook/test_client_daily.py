"""The clients' calls of daily work: each means the same in both, and nothing that changes files is sent twice."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from notebook_engine import NotebookEngine
from pydantic import SecretStr

from jupyter_tasks import models
from jupyter_tasks.errors import Conflict, EngineUnavailable, InvalidInput, NotFound
from jupyter_tasks.notebook import calls, transport
from jupyter_tasks.notebook.async_client import AsyncClient
from jupyter_tasks.notebook.client import Client
from jupyter_tasks.notebook.discovery import Connection

FILES = [models.AppliedFile(path="a.py", action="modified"), models.AppliedFile(path="d/b.py", action="added")]


@pytest.fixture
def client(notebook_engine: Any) -> Any:
    with Client(notebook_engine.connection) as found:
        yield found


def test_changes_are_applied_and_taken_back(client: Client, notebook_engine: NotebookEngine) -> None:
    task = notebook_engine.create("purple")
    notebook_engine.do(notebook_engine.service.set_changes, task, FILES)
    dry = client.apply("purple", models.ApplyRequest(dry_run=True))
    assert (dry.applied, len(dry.files)) == (False, 2)
    done = client.apply("purple", models.ApplyRequest(paths=["d"], branch="agent/purple"))
    assert (done.applied, [file.path for file in done.files], done.branch) == (True, ["d/b.py"], "agent/purple")
    assert client.get("purple").unapplied == 1
    assert client.undo("purple").id == done.id
    with pytest.raises(Conflict):
        client.undo("purple")
    with pytest.raises(NotFound):
        client.apply("purple", models.ApplyRequest(paths=["nope"]))


def test_a_question_is_answered(client: Client, notebook_engine: NotebookEngine) -> None:
    task = notebook_engine.create("purple")
    options = [models.PermissionOption(id="y", label="Yes")]
    asked = models.Attention(kind="permission", text="May I?", options=options, since=task.created_at)
    notebook_engine.change(task, attention=asked)
    with pytest.raises(InvalidInput):
        client.answer("purple", "n")
    client.answer("purple", "y")
    assert client.get("purple").attention is None


def test_a_credential_arrives_and_is_in_no_repr(client: Client, notebook_engine: NotebookEngine) -> None:
    request = models.PutKeyRequest(secret=SecretStr("sk-canary"), kind="oauth_token")
    assert "canary" not in repr(calls.put_key("anthropic", request))
    assert client.put_key("anthropic", request).kind == "oauth_token"
    arrived = notebook_engine.service.calls[-1][2]
    assert isinstance(arrived, models.PutKeyRequest)
    assert arrived.secret.get_secret_value() == "sk-canary"
    assert [key.provider for key in client.keys().keys] == ["anthropic"]
    assert client.test_key("anthropic").ok
    client.delete_key("anthropic")
    with pytest.raises(NotFound):
        client.test_key("anthropic")


def test_project_prune_and_previews(client: Client, notebook_engine: NotebookEngine) -> None:
    notebook_engine.service.project = models.ProjectInfo(kind="git", root="/w/app", files=3)
    assert client.survey(models.ProjectRequest(directory="/w/app")).root == "/w/app"
    notebook_engine.create("purple", status=models.TaskStatus.paused)
    word = client.preview("purple").path.split("/")[1]
    client.revoke_previews("purple")
    assert notebook_engine.service.preview(word) is None
    assert client.prune(models.PruneRequest(older_than=0)).tasks[0].action == "delete"
    assert [task.name for task in client.list()] == ["purple"]
    client.prune(models.PruneRequest(older_than=0, dry_run=False))
    assert client.list() == []


async def test_the_async_client_does_the_same(notebook_engine: NotebookEngine) -> None:
    task = notebook_engine.create("purple")
    notebook_engine.do(notebook_engine.service.set_changes, task, FILES)
    async with AsyncClient(notebook_engine.connection) as client:
        assert (await client.apply("purple", models.ApplyRequest())).applied
        assert (await client.undo("purple")).undone
        request = models.PutKeyRequest(secret=SecretStr("sk-canary"))
        assert (await client.put_key("openai", request)).provider == "openai"
        assert (await client.survey(models.ProjectRequest(project="none"))).kind == "none"
        assert (await client.prune(models.PruneRequest())).dry_run


def test_what_changes_files_is_not_repeated() -> None:
    lost = EngineUnavailable("The connection broke.")
    assert transport.again(calls.apply("one", models.ApplyRequest(dry_run=True)), lost)
    for call in (
        calls.apply("one", models.ApplyRequest()),
        calls.undo("one"),
        calls.answer("one", "yes"),
        calls.prune(models.PruneRequest(dry_run=False)),
    ):
        assert not transport.again(call, lost)


def test_a_lost_answer_says_how_to_find_out() -> None:
    lost = EngineUnavailable("The connection broke.")
    with pytest.raises(EngineUnavailable) as caught, transport.unknown_outcome("one", "the apply"):
        raise lost
    assert caught.value.message == "The connection broke."
    assert "not known whether the apply was done" in caught.value.detail
    assert "apply one --undo" in caught.value.hint
    with pytest.raises(EngineUnavailable) as same, transport.unknown_outcome("one", "the apply", known=True):
        raise lost
    assert same.value is lost


@pytest.mark.slow
def test_what_was_never_sent_has_a_known_outcome(tmp_path: Path) -> None:
    nobody = Connection("socket", "http://engine/", socket=tmp_path / "no.sock")
    with Client(nobody, start=False) as client, pytest.raises(EngineUnavailable) as caught:
        client.apply("one", models.ApplyRequest())
    assert "not known" not in caught.value.detail


def test_a_connection_that_breaks_is_no_second_apply(tmp_path: Path) -> None:
    path, heard = tmp_path / "s", []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                with connection:
                    head = connection.recv(65536)
                    if head.startswith(b"GET /stop"):
                        return
                    if head:
                        heard.append(head.split(b"\r\n")[0])

        serving = threading.Thread(target=serve)
        serving.start()
        with Client(Connection("socket", "http://engine/", socket=path), start=False) as client:
            for call in (lambda: client.apply("one", models.ApplyRequest()), lambda: client.undo("one")):
                with pytest.raises(EngineUnavailable) as caught:
                    call()
                assert "It is not known whether" in caught.value.detail
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(path))
            last.sendall(b"GET /stop")
        serving.join(timeout=40)
    assert heard == [
        b"POST /api/v2/tasks/me/one/apply HTTP/1.1",
        b"POST /api/v2/tasks/me/one/undo HTTP/1.1",
    ]
