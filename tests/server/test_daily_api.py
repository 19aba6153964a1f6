"""The routes of daily work over the engine's socket; and a credential that goes in is found nowhere afterwards."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from engine_house import House, served

from jupyter_tasks import models
from jupyter_tasks.testing.service import OWNER_ID, FakeService

API = "/api/v2"
CANARY = "sk-ant-canary-0f9d"


async def make(house: House, files: list[models.AppliedFile] | None = None) -> models.Task:
    task = await house.service.create("me", models.CreateTaskRequest(input="x", name="one"))
    return house.service.set_changes(task, files or [models.AppliedFile(path="src/a.py", action="modified")])


async def test_apply_and_undo(places: Path) -> None:
    async with served() as house:
        task = await make(house)
        url = f"{API}/tasks/me/one"
        dry = await house.client.post(f"{url}/apply", json={"dry_run": True, "paths": ["src"]})
        assert (dry.status_code, dry.json()["applied"], dry.json()["dry_run"]) == (200, False, True)
        assert house.service.calls[-1] == (
            "apply",
            OWNER_ID,
            task.id,
            models.ApplyRequest(paths=["src"], dry_run=True),
        )
        done = (await house.client.post(f"{url}/apply")).json()
        assert (done["applied"], [file["path"] for file in done["files"]]) == (True, ["src/a.py"])
        assert (await house.client.get(url)).json()["unapplied"] == 0
        back = (await house.client.post(f"{url}/undo")).json()
        assert (back["undone"], back["id"]) == (True, done["id"])
        assert (await house.client.get(url)).json()["unapplied"] == 1
        again = await house.client.post(f"{url}/undo")
        assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_a_conflict_is_an_answer(places: Path) -> None:
    async with served() as house:
        await make(house, [models.AppliedFile(path="a", action="conflict", detail="You changed it too.")])
        answer = await house.client.post(f"{API}/tasks/me/one/apply", json={})
        assert (answer.status_code, answer.json()["applied"]) == (200, False)
        assert answer.json()["files"][0]["detail"] == "You changed it too."


async def test_an_option_is_answered(places: Path) -> None:
    async with served() as house:
        task = await make(house)
        url = f"{API}/tasks/me/one/answer"
        assert (await house.client.post(url, json={"option": "yes"})).status_code == 409
        options = [models.PermissionOption(id="yes", label="Yes")]
        asked = models.Attention(kind="permission", text="May I?", options=options, since=task.created_at, id="q2")
        house.service._store(task.model_copy(update={"attention": asked}))
        assert (await house.client.post(url, json={"option": "perhaps"})).status_code == 400
        late = await house.client.post(url, json={"option": "yes", "question": "q1"})
        assert (late.status_code, "something else" in late.json()["message"]) == (409, True)
        assert (await house.client.post(url, json={})).json()["validations"][0]["field"] == "option"
        answered = await house.client.post(url, json={"option": "yes", "question": "q2"})
        assert (answered.status_code, answered.content) == (204, b"")
        assert house.service.calls[-1] == ("answer", OWNER_ID, task.id, "yes", "q2")


async def test_a_project_is_looked_at(places: Path) -> None:
    async with served(FakeService(project=models.ProjectInfo(kind="git", root="/w/app", files=3))) as house:
        answer = await house.client.post(f"{API}/project", json={"directory": "/w/app", "files": ["*.csv"]})
        assert (answer.status_code, answer.json()["files"]) == (200, 3)
        assert house.service.calls[-1] == ("survey", models.ProjectRequest(directory="/w/app", files=["*.csv"]))


async def test_prune_is_dry_unless_told(places: Path) -> None:
    async with served() as house:
        task = await house.service.create("me", models.CreateTaskRequest(name="one"))
        await house.service.pause("me", task.id)
        told = (await house.client.post(f"{API}/prune", json={"older_than": 0})).json()
        assert (told["dry_run"], told["tasks"][0]["action"]) == (True, "delete")
        assert (await house.client.get(f"{API}/tasks/me/one")).status_code == 200
        await house.client.post(f"{API}/prune", json={"older_than": 0, "dry_run": False})
        assert (await house.client.get(f"{API}/tasks/me/one")).status_code == 404


async def test_previews_are_revoked(places: Path) -> None:
    async with served() as house:
        await make(house)
        minted = (await house.client.post(f"{API}/tasks/me/one/preview")).json()
        word = minted["path"].split("/")[1]
        assert house.service.preview(word) is not None
        ended = await house.client.delete(f"{API}/tasks/me/one/preview")
        assert (ended.status_code, ended.content) == (204, b"")
        assert house.service.preview(word) is None


async def test_keys_go_in_and_do_not_come_out(places: Path) -> None:
    async with served() as house:
        url = f"{API}/keys/anthropic"
        put = await house.client.put(url, json={"secret": CANARY, "base_url": "http://proxy"})
        assert (put.status_code, put.json()["base_url"]) == (200, "http://proxy")
        request = house.service.calls[-1][2]
        assert isinstance(request, models.PutKeyRequest)
        assert request.secret.get_secret_value() == CANARY
        listed = await house.client.get(f"{API}/keys")
        assert [key["provider"] for key in listed.json()["keys"]] == ["anthropic"]
        assert CANARY not in put.text + listed.text
        assert (await house.client.post(f"{url}/test")).json()["ok"] is True
        assert (await house.client.delete(url)).status_code == 204
        assert (await house.client.delete(url)).status_code == 404
        assert (await house.client.get(url)).status_code == 405


class Clumsy(FakeService):
    """Fails with the request in its hands."""

    async def put_key(self, provider: str, request: models.PutKeyRequest) -> models.Key:
        raise RuntimeError(f"{provider}: {request}")


@pytest.mark.parametrize(
    "body",
    [
        f'{{"secret": "{CANARY}"}}',
        f'{{"secret": ["{CANARY}"]}}',
        f'{{"secret": "x", "kind": "{CANARY}"}}',
        f'{{"secret": "{CANARY}"',
        f'"{CANARY}"',
        f'{{"secret": "{CANARY}\\ud800"}}',
    ],
)
async def test_a_credential_is_in_no_log_and_no_error(
    places: Path, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(Clumsy()) as house:
        answer = await house.client.put(f"{API}/keys/anthropic", content=body)
        assert answer.status_code in {400, 500}
        assert CANARY not in answer.text
    logged = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "/keys/anthropic" in logged
    assert CANARY not in logged
