"""OpenAI's Chat Completions format for the scripted LLM. Owns its words, read and written; nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_tasks.testing.scripted_llm_wire import (
    Advertised,
    Asked,
    Event,
    Reply,
    Turns,
    arguments,
    blocks,
    pieces,
    uid,
)

__all__ = ["Chat"]


class Chat:
    """See ``Wire``."""

    suffix = "/chat/completions"

    def read(self, body: Mapping[str, Any]) -> Asked:
        turns = Turns()
        for message in body.get("messages") or []:
            if message.get("role") == "user":
                turns.user([str(part.get("text", "")) for part in blocks(message.get("content"))])
            elif message.get("tool_calls"):
                turns.tool()
        tools = {}
        for tool in body.get("tools") or []:
            function = tool.get("function") or {}
            name = str(function.get("name", ""))
            tools[name] = Advertised(name, function.get("parameters") or {})
        wanted = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
        return Asked(str(body.get("model", "")), bool(body.get("stream")), tools, turns.prompts, turns.rounds, wanted)

    def whole(self, reply: Reply, model: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
        if reply.calls:
            message["tool_calls"] = [
                {"id": uid("call_"), "type": "function", "function": {"name": call.name, "arguments": arguments(call)}}
                for call in reply.calls
            ]
        choice = {"index": 0, "message": message, "finish_reason": _finish(reply)}
        return _head(model, "chat.completion") | {"choices": [choice], "usage": _usage(reply)}

    def events(self, reply: Reply, model: str) -> Iterator[Event]:
        head = _head(model, "chat.completion.chunk")

        def chunk(delta: dict[str, Any], finish: str | None = None) -> Event:
            return "", head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

        yield chunk({"role": "assistant", "content": ""})
        for text in pieces(reply.text, reply.chunk):
            yield chunk({"content": text})
        for at, call in enumerate(reply.calls):
            function = {"name": call.name, "arguments": ""}
            yield chunk({"tool_calls": [{"index": at, "id": uid("call_"), "type": "function", "function": function}]})
            for text in pieces(arguments(call), reply.chunk):
                yield chunk({"tool_calls": [{"index": at, "function": {"arguments": text}}]})
        yield chunk({}, _finish(reply))
        yield "", head | {"choices": [], "usage": _usage(reply)}
        yield "", "[DONE]"

    def error(self, status: int, kind: str, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def _head(model: str, kind: str) -> dict[str, Any]:
    return {"id": uid("chatcmpl-"), "object": kind, "created": 1, "model": model}


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def _usage(reply: Reply) -> dict[str, int]:
    total = reply.tokens_in + reply.tokens_out
    return {"prompt_tokens": reply.tokens_in, "completion_tokens": reply.tokens_out, "total_tokens": total}
