"""The scripted LLM, spoken to as agents do, in the three wire formats."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
from typing import Any

import pytest

from jupyter_tasks.testing.home import until
from jupyter_tasks.testing.scripted_llm import Failure, Play, ScriptedLlm, Step, bash, edit_file, mcp, write_file

ANTHROPIC, CHAT, RESPONSES = "/v1/messages", "/v1/chat/completions", "/v1/responses"
PATHS = (ANTHROPIC, CHAT, RESPONSES)
SCHEMA = {"type": "object", "properties": {"command": {"type": "string"}, "why": {"type": "string"}}}


def request(path: str, said: list[str], *, tools: tuple[str, ...] = ("Bash",), stream: bool = False) -> dict[str, Any]:
    """A request in the format of this path, with what the person said."""
    messages = [{"role": "user", "content": text} for text in said]
    body: dict[str, Any] = {"model": "m", "stream": stream}
    if path == ANTHROPIC:
        return body | {"messages": messages, "tools": [{"name": name, "input_schema": SCHEMA} for name in tools]}
    if path == CHAT:
        offered = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in tools]
        return body | {"messages": messages, "tools": offered}
    offered = [{"type": "function", "name": name, "parameters": SCHEMA} for name in tools]
    return body | {"input": [{"type": "message", **message} for message in messages], "tools": offered}


def post(llm: ScriptedLlm, path: str, body: dict[str, Any], key: str = "k") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", llm.port, timeout=40)
    try:
        connection.request("POST", path, json.dumps(body), {"authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def streamed(data: bytes) -> list[Any]:
    lines = [line.removeprefix(b"data: ") for line in data.split(b"\n") if line.startswith(b"data: ")]
    return [line.decode() if line == b"[DONE]" else json.loads(line) for line in lines]


def words(path: str, events: list[Any]) -> str:
    """The text that a stream tells."""
    if path == ANTHROPIC:
        deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        return "".join(delta.get("text", "") for delta in deltas)
    if path == CHAT:
        deltas = [event["choices"][0]["delta"] for event in events if event != "[DONE]" and event["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


@pytest.mark.parametrize("path", PATHS)
def test_a_step_is_streamed_and_whole(path: str) -> None:
    said = "Größe: 🦊 and more words than one piece holds."
    with ScriptedLlm([Play("^hello", [Step(said, usage=(7, 9))])]) as llm:
        status, data = post(llm, path, request(path, ["hello"], stream=True))
        assert status == 200
        assert words(path, streamed(data)) == said
        status, data = post(llm, path, request(path, ["hello"]))
        assert said in json.dumps(json.loads(data), ensure_ascii=False)
        usage = json.loads(data)["usage"]
        assert {7, 9} <= {value for value in usage.values() if isinstance(value, int)}
        assert [(heard.prompt, heard.step, heard.stream) for heard in llm.turns] == [
            ("hello", 0, True),
            ("hello", 0, False),
        ]


def test_rounds_of_tools_are_the_step() -> None:
    plays = [Play("go", [Step("a", tools=[bash("ls")]), Step("b", tools=[write_file("/x", "y")]), Step("end")])]
    use = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "x"}
    with ScriptedLlm(plays) as llm:
        body = request(ANTHROPIC, ["first", "<system-reminder>noise</system-reminder>", "go"])
        _, data = post(llm, ANTHROPIC, body)
        assert json.loads(data)["content"][1]["input"] == {"command": "ls"}
        body["messages"] += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
        _, data = post(llm, ANTHROPIC, body)
        assert json.loads(data)["content"][1]["input"] == {"command": "printf %s y > /x"}
        body["messages"] += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
        _, data = post(llm, ANTHROPIC, body)
        assert json.loads(data)["content"] == [{"type": "text", "text": "end"}]
        assert [heard.step for heard in llm.turns] == [0, 1, 2]
        assert llm.turns[0].prompts == ("first", "go")
        body["messages"].append({"role": "user", "content": "something else"})
        _, data = post(llm, ANTHROPIC, body)
        assert json.loads(data)["content"][0]["text"] == "Done."


def test_tools_are_called_as_the_agent_calls_them() -> None:
    report = mcp("coder_report_task", state="idle")
    steps = [Step(tools=[write_file("/x", "a\nb\n"), edit_file("/x", "a\n", "c\n"), report])]
    with ScriptedLlm([Play("go", steps)]) as llm:
        body = request(RESPONSES, ["go"])
        body["tools"] = [
            {"type": "custom", "name": "apply_patch", "description": "patches"},
            {"type": "namespace", "name": "mcp__coder", "tools": [{"type": "function", "name": "coder_report_task"}]},
        ]
        _, data = post(llm, RESPONSES, body)
        written, edited, reported = json.loads(data)["output"]
        assert written["input"] == "*** Begin Patch\n*** Add File: /x\n+a\n+b\n*** End Patch\n"
        assert edited["input"] == "*** Begin Patch\n*** Update File: /x\n@@\n-a\n+c\n*** End Patch\n"
        assert (reported["namespace"], reported["arguments"]) == ("mcp__coder", '{"state": "idle"}')
        body["tools"] = [{"type": "custom", "name": "exec", "description": "Run JavaScript code"}]
        _, data = post(llm, RESPONSES, body)
        assert ["await tools" in item["input"] for item in json.loads(data)["output"]] == [True] * 3


def test_a_relative_path_is_where_the_agent_works() -> None:
    with ScriptedLlm([Play("go", [Step(tools=[write_file("a b.txt", "x")])])]) as llm:
        for told, path in (("Primary working directory: /home/me", "/home/me/a b.txt"), ("nothing", "a b.txt")):
            body = request(ANTHROPIC, [f"<system-reminder>{told}\n</system-reminder>", "go"], tools=("Write",))
            _, data = post(llm, ANTHROPIC, body)
            assert json.loads(data)["content"][0]["input"]["file_path"] == path


def test_a_tool_that_is_not_listed_is_looked_for_first() -> None:
    with ScriptedLlm([Play("go", [Step("Now.", tools=[mcp("coder_report_task", state="idle")])])]) as llm:
        body = request(ANTHROPIC, ["<system-reminder>mcp__coder__coder_report_task</system-reminder>", "go"])
        body["tools"].append({"name": "ToolSearch"})
        _, data = post(llm, ANTHROPIC, body)
        (search,) = json.loads(data)["content"]
        assert search["input"]["query"] == "select:mcp__coder__coder_report_task"
        found = {"type": "tool_result", "tool_use_id": search["id"], "content": "found"}
        body["messages"] += [{"role": "assistant", "content": [search]}, {"role": "user", "content": [found]}]
        body["tools"].append({"name": "mcp__coder__coder_report_task"})
        _, data = post(llm, ANTHROPIC, body)
        assert [part["type"] for part in json.loads(data)["content"]] == ["text", "tool_use"]
        assert [heard.step for heard in llm.turns] == [0, 0]


@pytest.mark.parametrize("path", PATHS)
def test_side_requests_do_not_play(path: str) -> None:
    with ScriptedLlm([Play("go", [Step("no")])]) as llm:
        _, data = post(llm, path, request(path, ["go"], tools=()))
        assert b"Scripted title" in data
        assert not llm.turns
    with ScriptedLlm([Play("go", [Step("yes")])], toolless=True) as llm:
        _, data = post(llm, path, request(path, ["go"], tools=()))
        assert b'"yes"' in data


def test_a_gate_holds_a_stream() -> None:
    with ScriptedLlm([Play("go", [Step("a long enough text to be cut", gate="g", chunk=4)])]) as llm:
        got: list[bytes] = []
        thread = threading.Thread(
            target=lambda: got.append(post(llm, CHAT, request(CHAT, ["go"], stream=True))[1]), daemon=True
        )
        thread.start()
        until(lambda: llm.holds("g"), 5)
        assert not got
        llm.release("g")
        thread.join(40)
        assert words(CHAT, streamed(got[0])) == "a long enough text to be cut"
        assert not llm.holds("g")


def test_failures_come_as_often_as_they_should() -> None:
    busy = Failure(429, "Slow down.", "rate_limit_error", times=1, headers={"retry-after": "0"})
    plays = [Play("busy", [Step("later", failure=busy)]), Play("down", [Step(failure=Failure(529, "Overloaded"))])]
    with ScriptedLlm(plays, key="right") as llm:
        assert post(llm, ANTHROPIC, request(ANTHROPIC, ["busy"]))[0] == 401
        status, data = post(llm, ANTHROPIC, request(ANTHROPIC, ["busy"]), "right")
        assert (status, json.loads(data)["error"]["message"]) == (429, "Slow down.")
        assert post(llm, ANTHROPIC, request(ANTHROPIC, ["busy"]), "right")[0] == 200
        assert [post(llm, CHAT, request(CHAT, ["down"]), "right")[0] for _ in range(2)] == [529, 529]
        assert [heard.status for heard in llm.log] == [401, 429, 200, 529, 529]


def test_a_cut_stream_is_cut() -> None:
    with ScriptedLlm([Play("go", [Step("some words that do not all arrive", cut=True, chunk=4)])]) as llm:
        with pytest.raises(http.client.IncompleteRead) as cut:
            post(llm, ANTHROPIC, request(ANTHROPIC, ["go"], stream=True))
        assert b"some" in cut.value.partial
        assert b"arrive" not in cut.value.partial


def test_nothing_secret_is_kept() -> None:
    with ScriptedLlm() as llm:
        post(llm, ANTHROPIC, request(ANTHROPIC, ["go"]), "canary")
        post(llm, "/nowhere", {}, "canary")
        assert {heard.secrets["authorization"] for heard in llm.log} == {hashlib.sha256(b"Bearer canary").hexdigest()}
        assert "canary" not in repr(llm.log)
        assert [heard.status for heard in llm.log] == [200, 404]
