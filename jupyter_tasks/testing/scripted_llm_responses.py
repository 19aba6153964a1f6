"""OpenAI's Responses format for the scripted LLM, as Codex uses it. Owns its words, read and written; nothing else.

Codex groups tools in namespaces, sends some of them in the input (``additional_tools``, ``tool_search_output``), and
has custom tools that take plain text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_tasks.testing.scripted_llm_wire import (
    Advertised,
    Asked,
    Call,
    Event,
    Reply,
    Turns,
    arguments,
    blocks,
    pieces,
    uid,
)

__all__ = ["SEARCH", "Responses"]

SEARCH = "tool_search"
"""Codex's tool that loads tools which were not listed."""


class Responses:
    """See ``Wire``."""

    suffix = "/responses"

    def read(self, body: Mapping[str, Any]) -> Asked:
        given = body.get("input") or []
        items = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
        tools: dict[str, Advertised] = {}
        _gather(body.get("tools"), "", tools)
        turns, answered = Turns(), False
        for item in items:
            kind = str(item.get("type", "message"))
            if kind in ("additional_tools", "tool_search_output"):
                _gather(item.get("tools"), "", tools)
            elif kind == "message" and item.get("role") == "user":
                turns.user([str(part.get("text", "")) for part in blocks(item.get("content"))])
            output = kind.endswith("_output") and kind != "tool_search_output"
            if output and not answered:
                turns.tool()
            answered = output
        wanted = ((body.get("text") or {}).get("format") or {}).get("schema")
        return Asked(str(body.get("model", "")), bool(body.get("stream")), tools, turns.prompts, turns.rounds, wanted)

    def whole(self, reply: Reply, model: str) -> dict[str, Any]:
        return _response(model, "completed") | {"output": _items(reply), "usage": _usage(reply)}

    def events(self, reply: Reply, model: str) -> Iterator[Event]:
        whole = self.whole(reply, model)
        begun = whole | {"status": "in_progress", "output": [], "usage": None}
        told = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun})]
        for at, item in enumerate(whole["output"]):
            told += _told(item, at, reply.chunk)
        told.append(("response.completed", {"response": whole}))
        for number, (kind, fields) in enumerate(told):
            yield kind, {"type": kind, "sequence_number": number, **fields}

    def error(self, status: int, kind: str, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def _gather(given: Any, namespace: str, into: dict[str, Advertised]) -> None:
    for tool in given or []:
        if tool.get("type") == "namespace":
            name = str(tool.get("name", ""))
            _gather(tool.get("tools"), "" if name == "functions" else name, into)
            continue
        name = str(tool.get("name") or tool.get("type", ""))
        custom = tool.get("type") == "custom"
        javascript = custom and "JavaScript" in str(tool.get("description", ""))
        into[name] = Advertised(name, tool.get("parameters") or {}, custom, javascript, namespace)


def _items(reply: Reply) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": []}
        items.append({"type": "message", "id": uid("msg_"), "role": "assistant", "content": [part]})
    items += [_call(call) for call in reply.calls]
    return [item | {"status": "completed"} for item in items]


def _call(call: Call) -> dict[str, Any]:
    if call.search:
        return {
            "type": "tool_search_call",
            "id": uid("tsc_"),
            "call_id": uid("call_"),
            "execution": "client",
            "arguments": dict(call.args),
        }
    if call.text is not None:
        kind, given = "custom_tool_call", {"input": call.text}
    else:
        kind, given = "function_call", {"arguments": arguments(call)}
    item = {"type": kind, "id": uid("fc_"), "call_id": uid("call_"), "name": call.name, **given}
    return item | ({"namespace": call.namespace} if call.namespace else {})


def _told(item: dict[str, Any], index: int, chunk: int) -> list[tuple[str, dict[str, Any]]]:
    """The events that tell one item."""
    where = {"item_id": item["id"], "output_index": index}
    empty, told = dict(item, status="in_progress"), []
    if item["type"] == "message":
        part = item["content"][0]
        empty["content"] = []
        told.append(("response.content_part.added", where | {"content_index": 0, "part": part | {"text": ""}}))
        deltas = [where | {"content_index": 0, "delta": text} for text in pieces(part["text"], chunk)]
        told += [("response.output_text.delta", delta) for delta in deltas]
        told.append(("response.output_text.done", where | {"content_index": 0, "text": part["text"]}))
        told.append(("response.content_part.done", where | {"content_index": 0, "part": part}))
    elif item["type"] != "tool_search_call":
        field = "input" if item["type"] == "custom_tool_call" else "arguments"
        name = "custom_tool_call_input" if field == "input" else "function_call_arguments"
        empty[field] = ""
        told += [(f"response.{name}.delta", where | {"delta": text}) for text in pieces(item[field], chunk)]
        told.append((f"response.{name}.done", where | {field: item[field]}))
    first = ("response.output_item.added", {"output_index": index, "item": empty})
    return [first, *told, ("response.output_item.done", {"output_index": index, "item": item})]


def _response(model: str, status: str) -> dict[str, Any]:
    return {
        "id": uid("resp_"),
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": model,
        "error": None,
        "incomplete_details": None,
        "parallel_tool_calls": True,
    }


def _usage(reply: Reply) -> dict[str, Any]:
    return {
        "input_tokens": reply.tokens_in,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": reply.tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.tokens_in + reply.tokens_out,
    }
