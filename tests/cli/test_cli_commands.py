"""Commands against a real engine socket: what they print, what they ask of the engine, their exit codes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import anyio
import pytest
from shell_engine import Shell

from jupyter_tasks import errors, models


def last(shell: Shell, kind: str) -> Any:
    return next(call for call in reversed(shell.service.calls) if call[0] == kind)


def test_create_picks_the_only_template_and_says_where_it_was_asked(shell: Shell, tmp_path: Any) -> None:
    done = shell.run("create", "make it purple", "--parameter", "a=b=c", "--name", "purple", "-p", "Dark")
    assert done.code == 0, done
    assert done.out.startswith("The task purple has been created at ")
    assert done.out.endswith("!\n")
    request = last(shell, "create")[2]
    assert (request.input, request.template, request.parameters) == ("make it purple", "quickstart", {"a": "b=c"})
    assert request.preset == "Dark"
    assert request.python_env
    assert request.path
    assert request.directory
    assert request.idempotency_key


def test_create_takes_coders_environment_and_ours_wins(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODER_TASK_TEMPLATE_NAME", "theirs")
    monkeypatch.setenv("CODER_TASK_PRESET_NAME", "none")
    assert shell.run("create", "x").code == 0
    assert last(shell, "create")[2].template == "theirs"
    assert last(shell, "create")[2].preset is None
    monkeypatch.setenv("JUPYTER_TASKS_TEMPLATE_NAME", "ours")
    assert shell.run("create", "x").code == 0
    assert last(shell, "create")[2].template == "ours"


@pytest.mark.parametrize("words", [("create", "--stdin"), ("create", "-")])
def test_create_reads_stdin(shell: Shell, words: tuple[str, ...]) -> None:
    done = shell.run(*words, "-q", input="line one\nline two\n")
    assert done.code == 0
    assert last(shell, "create")[2].input == "line one\nline two"
    assert done.out.strip() in shell.service._tasks


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("create",), "expected an input for task"),
        (("create", "  \n"), "a task cannot be started with an empty input"),
        (("create", "x", "--parameter", "oops"), '"oops" is not NAME=VALUE'),
        (("create", "x", "-f", "-q"), "--follow"),
        (("list", "-c", "name,nonsense"), 'no column "nonsense"'),
        (("list", "--all", "--user", "x"), "exclude each other"),
        (("nonsense",), "nonsense"),
        (("send", "purple"), "expected an input for the task"),
    ],
)
def test_wrong_command_lines_are_refused_in_a_sentence(shell: Shell, words: tuple[str, ...], sentence: str) -> None:
    done = shell.run(*words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_of_several_templates_the_engine_knows_the_default(shell: Shell) -> None:
    one = shell.portal.call(shell.service.templates).templates[0]

    async def two() -> models.TemplatesResponse:
        return models.TemplatesResponse(templates=[one.model_copy(update={"name": "zebra"}), one])

    shell.service.templates = two  # type: ignore[method-assign]
    assert shell.run("create", "x").code == 0
    assert last(shell, "create")[2].template is None
    done = shell.run("create", "x", "--template-version", "v1")
    assert done.code == 2
    assert "template name not provided, available templates: quickstart, zebra" in done.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NotFound("No such template."), 3),
        (errors.InvalidInput("Wrong.", validations=[errors.FieldError("name", "too long")]), 2),
        (errors.TemplateInvalid("The template is wrong.", diagnostics=()), 2),
        (errors.Conflict("Not now."), 5),
        (errors.LimitReached("Too many."), 6),
        (errors.ProgramMissing("No git.", hint="Install git."), 1),
        (errors.StoreReadOnly("Read-only."), 1),
    ],
)
def test_the_engines_errors_come_back_as_sentence_hint_and_code(
    shell: Shell, error: errors.TasksError, code: int
) -> None:
    shell.service.failures.append(error)
    done = shell.run("create", "x", "-t", "quickstart")
    assert (done.code, done.out) == (code, "")
    assert f"Error: {error.message}" in done.err
    if error.hint:
        assert f"Hint: {error.hint}" in done.err
    for wrong in error.validations:
        assert f"{wrong.field}: {wrong.detail}" in done.err


def test_what_is_said_twice_is_printed_once(shell: Shell) -> None:
    wrong = [errors.FieldError("preset", "No preset Foo. There are A, B."), errors.FieldError("name", "too long")]
    shell.service.failures.append(errors.InvalidInput("No preset Foo.", hint="There are A, B.", validations=wrong))
    done = shell.run("create", "x", "-t", "quickstart")
    assert done.err == "Error: No preset Foo.\n  name: too long\nHint: There are A, B.\n"


def test_wait_prints_the_uuid_and_nothing_else(shell: Shell) -> None:
    async def part(task: models.Task) -> None:
        shell.service.become(task, "working")
        await anyio.sleep(0.05)
        shell.service.become(task, "idle")

    shell.service.on_create = part
    done = shell.run("create", "x", "--wait", "-q")
    assert (done.code, done.out, done.err) == (0, next(iter(shell.service._tasks)) + "\n", "")


def test_wait_says_when_the_agent_needs_you(shell: Shell) -> None:
    async def part(task: models.Task) -> None:
        options = [models.PermissionOption(id="y", label="Allow")]
        now = datetime.now(timezone.utc)
        attention = models.Attention(kind="permission", text="Run \x1b]0;rm\x07rm?", options=options, since=now)
        shell.service.become(task, "working", attention=attention)

    shell.service.on_create = part
    done = shell.run("create", "x", "--wait")
    assert done.code == 4
    assert "needs you: Run rm?" in done.err
    assert "[1] Allow" in done.err


def test_wait_fails_with_the_reason(shell: Shell) -> None:
    async def part(task: models.Task) -> None:
        shell.service.change(task, status=models.TaskStatus.error, reason="The setup script ended with 3.")

    shell.service.on_create = part
    done = shell.run("create", "x", "--wait", "--json")
    assert done.code == 1
    assert json.loads(done.out)["status"] == "error"
    assert "has failed: The setup script ended with 3." in done.err


def test_follow_shows_stages_messages_preview_and_diff(shell: Shell) -> None:
    async def part(task: models.Task) -> None:
        for stage in ("plan", "workspace", "files", "scripts", "apps", "agent"):
            shell.service.stage(task, stage, f"{stage} is there")
        shell.service.become(task, "working", capabilities=models.Capabilities(preview=True, diff=True))
        for text in ("I look", "I look\nI change", "I look\nI change\x1b[2J\nDone"):
            shell.service.say(task, text)
            await anyio.sleep(0.01)
        shell.service.become(task, "idle")

    shell.service.on_create = part
    done = shell.run("create", "x", "--follow", "--name", "purple")
    assert done.code == 0, done
    lines = done.out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("✓")] == [
        "plan", "workspace", "files", "scripts", "apps", "agent",
    ]  # fmt: skip
    assert "0.25 s" in lines[1]
    assert lines.count("I look") == lines.count("I change") == lines.count("Done") == 1
    assert "\x1b" not in done.out
    assert any(line.startswith("Preview: http://") and ".localhost:" in line for line in lines)
    assert " app/style.css | " in done.out
    assert done.out.endswith("2 files changed, 1 insertion(+), 1 deletion(-)\n")


def test_follow_of_a_quick_failure_still_shows_the_stage_that_failed(shell: Shell) -> None:
    async def part(task: models.Task) -> None:
        shell.service.stage(task, "plan")
        shell.service.stage(task, "workspace", "no namespaces here", level="error")
        shell.service.change(task, status=models.TaskStatus.error, reason="no namespaces here")

    shell.service.on_create = part
    done = shell.run("create", "x", "--follow")
    assert done.code == 1
    assert "✗ workspace" in done.out


def test_an_engine_that_stands_still_is_waited_for_by_those_who_follow(shell: Shell) -> None:
    open_events = shell.service.events

    @asynccontextmanager
    async def events(*, after: int | None, task_id: str | None = None) -> AsyncIterator[AsyncIterator[models.Event]]:
        await anyio.sleep(0.7)
        async with open_events(after=after, task_id=task_id) as found:
            yield found

    async def part(task: models.Task) -> None:
        shell.service.stage(task, "workspace", "no namespaces here", level="error")
        shell.service.change(task, status=models.TaskStatus.error, reason="no namespaces here")

    shell.service.events = events  # type: ignore[method-assign]
    shell.service.on_create = shell.service.on_resume = part
    assert "✗ workspace" in shell.run("create", "x", "--follow").out
    shell.create(name="green", status=models.TaskStatus.paused)
    assert "✗ workspace" in shell.run("resume", "green", "-y").out


def test_list_has_coders_columns_and_json(shell: Shell) -> None:
    assert shell.run("list").err == "No tasks found.\n"
    assert json.loads(shell.run("ls", "-o", "json").out) == []
    task = shell.create()
    done = shell.run("ls")
    heading, row = done.out.splitlines()
    assert heading.split("  ")[0].strip() == "NAME"
    assert heading.replace("STATE CHANGED", "STATE_CHANGED").split() == [
        "NAME", "STATUS", "STATE", "STATE_CHANGED", "MESSAGE",
    ]  # fmt: skip
    assert row.split()[:3] == ["purple", "active", "idle"]
    assert row.endswith("0s ago         Theme changed")
    assert last(shell, "list")[1] == 'owner:"me"'
    assert shell.run("list", "-q").out == f"{task.id}\n"
    assert json.loads(shell.run("list", "--json").out)[0]["id"] == task.id
    assert shell.run("list", "-c", "ID,name", "--status", "active", "-a").out.splitlines()[1].split() == [
        task.id, "purple",
    ]  # fmt: skip
    assert last(shell, "list")[1] == 'status:"active"'


def test_a_name_from_a_workspace_cannot_move_the_cursor(shell: Shell) -> None:
    shell.create(reason="a\x1b[2J\x9b1mb\u202ec\rd")
    assert shell.run("list", "-c", "reason").out == "REASON\nabcd\n"


def test_status_shows_one_row(shell: Shell) -> None:
    shell.create(workspace_agent_health=models.AgentHealth(healthy=True))
    done = shell.run("status", "purple")
    assert done.out.splitlines()[0].split("  ")[0] == "STATE CHANGED"
    assert done.out.splitlines()[1].split()[2:5] == ["active", "true", "idle"]
    assert json.loads(shell.run("stat", "ada/purple", "--json").out)["name"] == "purple"
    assert shell.run("status", "nobody").code == 3
    assert shell.run("status", "a/b/c").err.startswith('Error: invalid task identifier: "a/b/c"')


def test_status_watch_prints_a_row_at_each_change(shell: Shell) -> None:
    ready = {
        "workspace_agent_health": models.AgentHealth(healthy=True), "workspace_agent_lifecycle": "ready",
    }  # fmt: skip
    task = shell.create()
    shell.do(shell.service.become, task, "working", **ready)

    async def part() -> None:
        await shell.service.followed.wait()
        shell.service.become(task, "working", queue_position=None)
        shell.service.become(task, "complete")

    shell.portal.start_task_soon(part)
    done = shell.run("status", "purple", "--watch", "-c", "status,state")
    assert done.out.splitlines() == ["STATUS  STATE", "active  working", "active  complete"]


def test_usage_has_its_words_at_the_top(shell: Shell) -> None:
    shell.create()
    found = json.loads(shell.run("usage", "-o", "json").out)
    assert (found["actual"], found["included"]) == (1, 1000)
    assert found["period"]["start"].startswith("2026-01-01")
    assert shell.run("usage").out.splitlines()[1].split()[:3] == ["1", "1000", "2026-01-01"]


def test_send_to_an_active_task(shell: Shell) -> None:
    task = shell.create()
    assert shell.run("send", "purple", "and green").code == 0
    assert last(shell, "send")[3] == "and green"
    assert shell.run("send", "purple", "--stdin", input="x" * 10_000).code == 0
    assert len(last(shell, "send")[3]) == 10_000
    assert shell.portal.call(shell.service.get, "me", task.id).status == "active"


def test_send_resumes_a_paused_task_first(shell: Shell) -> None:
    async def part(task: models.Task) -> None:
        await anyio.sleep(0.02)
        shell.service.become(task, "working")
        assert not [call for call in shell.service.calls if call[0] == "send"]
        shell.service.become(task, "idle")

    shell.create(status=models.TaskStatus.paused, current_state=None)
    shell.service.on_resume = part
    done = shell.run("send", "purple", "go on")
    assert done.code == 0, done
    assert "Resuming" in done.err
    assert last(shell, "send")[3] == "go on"


def test_send_waits_for_a_busy_agent_and_says_it_once(shell: Shell) -> None:
    shell.create()
    keys: list[str | None] = []
    send = shell.service.send

    async def note(user: str, task: str, text: str, key: str | None = None) -> None:
        keys.append(key)
        if len(keys) == 1:
            raise errors.AgentBusy("The agent is working.")
        await send(user, task, text, key)

    shell.service.send = note  # type: ignore[method-assign]
    done = shell.run("send", "purple", "go on")
    assert done.code == 0, done
    assert "Waiting for the agent of purple" in done.err
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_send_to_a_task_in_error(shell: Shell) -> None:
    shell.create(status=models.TaskStatus.error)
    done = shell.run("send", "purple", "x")
    assert done.code == 5
    assert 'task "purple" has status error and cannot be sent input' in done.err


def test_interrupt_says_whether_there_was_a_turn(shell: Shell) -> None:
    task = shell.create()
    assert shell.run("interrupt", "purple").err == "The agent was not working.\n"
    shell.do(shell.service.become, task, "working")
    assert shell.run("interrupt", "purple").out == "Interrupted.\n"


def test_pause_and_resume(shell: Shell) -> None:
    shell.create()
    assert shell.run("pause", "purple").code == 2  # nobody can answer
    done = shell.run("pause", "purple", "-y")
    assert done.code == 0, done
    assert "The purple task has been paused at " in done.out

    async def part(task: models.Task) -> None:
        shell.service.stage(task, "workspace")
        await anyio.sleep(0.02)
        shell.service.become(task, "idle")

    shell.service.on_resume = part
    done = shell.run("resume", "purple", "-y")
    assert done.code == 0, done
    assert "✓ workspace" in done.out
    assert "The purple task has been resumed." in done.out
    done = shell.run("resume", "purple", "-y")
    assert (done.code, 'task "purple" cannot be resumed (current status: active)' in done.err) == (5, True)


def test_resume_without_waiting_and_one_that_fails(shell: Shell) -> None:
    shell.create(status=models.TaskStatus.paused)
    done = shell.run("resume", "purple", "--no-wait", "-y")
    assert "The purple task is resuming in no-wait mode. Task is initializing in the background." in done.out

    async def part(task: models.Task) -> None:
        shell.service.change(task, status=models.TaskStatus.error, reason="The disk is full.")

    shell.service.on_resume = part
    shell.create(name="green", status=models.TaskStatus.paused)
    done = shell.run("resume", "green", "-y")
    assert done.code == 1
    assert "The disk is full." in done.err
    shell.create(name="grey", status=models.TaskStatus.unknown)
    assert "is in unknown state and cannot be resumed; check the workspace" in shell.run("resume", "grey", "-y").err


def test_delete_several_and_go_on_after_a_wrong_one(shell: Shell) -> None:
    shell.create()
    shell.create(name="green")
    assert shell.run("delete", "purple", "nobody", "-y").code == 3
    assert len(shell.service._tasks) == 2  # nothing was begun
    done = shell.run("rm", "purple", "green", "purple", "-y")
    assert done.code == 0
    assert [line.split(" at ")[0] for line in done.out.splitlines()] == [
        "Deleted task ada/purple", "Deleted task ada/green",
    ]  # fmt: skip
    assert not shell.service._tasks


def test_diff_in_each_form(shell: Shell) -> None:
    shell.create()
    assert "+color: purple\x1b[31m\n" in shell.run("diff", "purple").out  # for git apply, byte by byte
    assert shell.run("diff", "purple", "--name-only").out == "app/style.css\nlogo.png\n"
    assert shell.run("diff", "purple", "--stat").out.splitlines() == [
        " app/style.css |    2 +-",
        " logo.png      | Bin",
        " 2 files changed, 1 insertion(+), 1 deletion(-)",
    ]
    assert json.loads(shell.run("diff", "purple", "--json").out)["additions"] == 1


def test_open_prints_a_url_of_its_own_origin(shell: Shell) -> None:
    shell.create()
    done = shell.run("open", "purple", "--print")
    assert done.code == 0, done
    assert done.out.startswith("http://")
    assert ".localhost:" in done.out
    assert shell.run("open", "purple", "--app", "nothing").code == 3


def test_logs_of_each_kind(shell: Shell) -> None:
    task = shell.create()
    shell.portal.call(shell.service.send, "me", task.id, "hello\nagent")
    assert shell.run("logs", "purple").out.splitlines() == ["TYPE    CONTENT", "input   hello", "        agent"]
    shell.service.entries = [
        models.TaskLogEntry(
            id=1, content="made", type=models.TaskLogType.output, time=datetime.now(timezone.utc), source="files"
        )
    ]
    assert shell.run("logs", "purple", "--kind", "build", "-c", "source,content").out.splitlines()[1] == "files   made"
    assert json.loads(shell.run("logs", "purple", "--json").out)["logs"][0]["content"] == "hello\nagent"


def test_logs_follow_until_the_task_is_paused(shell: Shell) -> None:
    task = shell.create()
    shell.portal.call(shell.service.send, "me", task.id, "one")

    async def part() -> None:
        await shell.service.followed.wait()
        await shell.service.send("me", task.id, "two")
        await shell.service.send("me", task.id, "three")
        await shell.service.pause("me", task.id)

    shell.portal.start_task_soon(part)
    done = shell.run("logs", "purple", "-f", "--json")
    assert done.code == 0, done
    assert [json.loads(line)["content"] for line in done.out.splitlines()] == ["one", "two", "three"]


def test_templates(shell: Shell) -> None:
    assert shell.run("templates").out.splitlines()[1].split()[0] == "quickstart"
    assert json.loads(shell.run("templates", "list", "--json").out)[0]["name"] == "quickstart"
    assert "quickstart" in shell.run("templates", "show", "quickstart").out
    done = shell.run("templates", "show", "nothing")
    assert (done.code, "Hint: " in done.err) == (3, True)


def test_doctor_names_the_engine(shell: Shell) -> None:
    done = shell.run("doctor", "--json")
    found = json.loads(done.out)
    assert done.code == 0, done
    assert found["engine"]["reachable"]
    assert {check["name"] for check in found["checks"]} >= {"this python", "engine"}
    assert "✓ engine" in shell.run("doctor").out


@pytest.mark.parametrize(("required", "code", "mark"), [(True, 1, "✗"), (False, 0, "!")])
def test_doctor_tells_what_is_wrong_with_the_machine(shell: Shell, required: bool, code: int, mark: str) -> None:
    check = {"name": "isolation", "ok": False, "detail": "no namespaces", "remedy": "Set it.", "required": required}
    shell.service.checks = [check]
    done = shell.run("doctor")
    assert done.code == code
    assert f"{mark} isolation          no namespaces\n  Set it.\n" in done.out


def test_durations_read_as_in_go() -> None:
    from jupyter_tasks.cli.output import duration

    assert [duration(seconds) for seconds in (-1, 0.9, 61, 3600, 90_061)] == ["0s", "0s", "1m1s", "1h0m0s", "25h1m1s"]


def test_stamp_is_gos() -> None:
    from jupyter_tasks.cli.output import stamp

    moment = datetime(2026, 3, 4, 5, 6, 7).astimezone() + timedelta(0)
    assert stamp(moment) == "Mar  4 05:06:07"
