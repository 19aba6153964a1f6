"""The description of the API is true: it is regenerated, compared with the routes, and real answers validate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from engine_house import served
from openapi_spec_validator import validate
from pydantic import SecretStr
from tornado.web import RequestHandler

import jupyter_tasks.server
from jupyter_tasks import models
from jupyter_tasks.server.app import HANDLERS
from jupyter_tasks.server.openapi import OPERATIONS, document
from jupyter_tasks.server.previews import PreviewHandler
from jupyter_tasks.testing.service import FakeService

FILE = Path(jupyter_tasks.server.__file__).parent / "openapi.yaml"
BODIES = {
    "CreateTaskRequest": {"input": "x", "name": "two"},
    "TaskSendRequest": {"input": "x"},
    "UpdateTaskInputRequest": {"input": "x"},
    "PreviewRequest": {"origin": True},
    "TerminalInput": {"data": "eA=="},
    "AnswerRequest": {"option": "yes"},
    "ApplyRequest": {"paths": ["a.py"]},
    "ProjectRequest": {"directory": "/somewhere"},
    "PutKeyRequest": {"secret": "sk-canary"},
    "PruneRequest": {"dry_run": False, "older_than": 0},
}


def test_the_file_is_what_the_code_says() -> None:
    written, made = yaml.safe_load(FILE.read_text(encoding="utf-8")), document()
    if written["info"]["x-schemas-by"] != made["info"]["x-schemas-by"]:  # another pydantic words schemas its own way
        for each in (written, made):
            del each["info"]["x-schemas-by"]
            each["components"]["schemas"] = {
                name: sorted(schema.get("properties", ())) for name, schema in each["components"]["schemas"].items()
            }
    assert written == made, "run: python -m jupyter_tasks.server.openapi > jupyter_tasks/server/openapi.yaml"


def test_it_is_openapi() -> None:
    validate(document())


def verbs(handler: type[RequestHandler]) -> set[str]:
    return {
        verb.lower()
        for verb in handler.SUPPORTED_METHODS
        if getattr(handler, verb.lower()) is not RequestHandler._unimplemented_method
    }


def test_every_route_and_verb_is_described_and_no_other() -> None:
    served_ = {(verb, handler.path) for handler in HANDLERS for verb in verbs(handler)}
    served_ |= {(verb, "/preview/{capability}/{path*}") for verb in verbs(PreviewHandler)}
    described = [(operation.verb, operation.path) for operation in OPERATIONS]
    assert set(described) == served_
    assert len(described) == len(set(described))


def test_every_shape_of_the_wire_is_described() -> None:
    shapes = set(document()["components"]["schemas"])
    missing = {name for name in models.__all__ if name[0].isupper() and not name.isupper()} - shapes - {"Part"}
    assert missing == {"BuildLogEntry", "EventType", "LogKind"} & missing


PLAIN = [operation for operation in OPERATIONS if not operation.relayed and operation.media != "text/event-stream"]


@pytest.mark.parametrize("operation", PLAIN, ids=lambda each: f"{each.verb} {each.path}")
async def test_real_answers_validate(places: Path, operation: Any) -> None:
    async with served(FakeService(app_port=1)) as house:
        task = await house.service.create("me", models.CreateTaskRequest(name="one", input="x"))
        await house.service.send("me", "one", "hello")
        if operation.path.endswith(("/input", "/resume")):
            await house.service.pause("me", task.id)
        await at_daily_work(house.service, task, operation.path)
        url = operation.path.format(user="me", task="one", template="quickstart", provider="anthropic")
        body = BODIES[operation.body] if operation.body else None
        if body is not None:
            check(operation.body, body)
        answer = await house.client.request(operation.verb, url, json=body)
        if operation.path.endswith("/doctor"):
            assert answer.status_code == 404
            check("ErrorBody", answer.json())
            return
        assert answer.status_code == operation.status, answer.text
        for name in operation.headers:
            assert answer.headers[name].isdecimal()
        if operation.answer:
            for value in answer.json() if operation.many else [answer.json()]:
                check(operation.answer, value)
        elif not operation.media:
            assert answer.content == b""


async def at_daily_work(service: FakeService, task: models.Task, path: str) -> None:
    """What a route of daily work needs to have an answer."""
    task = service.set_changes(task, [models.AppliedFile(path="a.py", action="added")])
    if path.endswith("/undo"):
        await service.apply("me", task.id, models.ApplyRequest())
    if path.endswith("/answer"):
        asked = models.Attention(
            kind="permission",
            text="May I?",
            options=[models.PermissionOption(id="yes", label="Yes")],
            since=task.created_at,
        )
        service._store(task.model_copy(update={"attention": asked}))
    if "/keys" in path:
        await service.put_key("anthropic", models.PutKeyRequest(secret=SecretStr("sk-canary")))


def check(name: str, value: object) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator)


def test_a_wrong_answer_would_be_noticed() -> None:
    with pytest.raises(jsonschema.ValidationError):
        check("TasksListResponse", {"tasks": [{}], "count": 1})
