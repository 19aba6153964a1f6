"""Anthropic's Messages format for the scripted LLM. Owns its words, read and written; nothing else."""

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

__all__ = ["SEARCH", "Anthropic"]

SEARCH = "ToolSearch"
"""Claude Code's tool that loads tools which were not listed."""


class Anthropic:
    """See ``Wire``."""

    suffix = "/messages"

    def read(self, body: Mapping[str, Any]) -> Asked:
        turns = Turns()
        searching = False
        for message in body.get("messages") or []:
            parts = blocks(message.get("content"))
            if message.get("role") == "assistant":
                called = {part.get("name") for part in parts if part.get("type") == "tool_use"}
                searching = called == {SEARCH}
            elif any(part.get("type") == "tool_result" for part in parts):
                if not searching:
                    turns.tool()
            elif message.get("role") == "user":
                turns.user([str(part.get("text", "")) for part in parts if part.get("type") == "text"])
        tools = {
            str(tool.get("name", "")): Advertised(str(tool.get("name", "")), tool.get("input_schema") or {})
            for tool in body.get("tools") or []
        }
        wanted = ((body.get("output_config") or {}).get("format") or body.get("output_format") or {}).get("schema")
        return Asked(str(body.get("model", "")), bool(body.get("stream")), tools, turns.prompts, turns.rounds, wanted)

    def whole(self, reply: Reply, model: str) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
        content += [_use(call) | {"input": dict(call.args)} for call in reply.calls]
        return _message(model) | {
            "content": content,
            "stop_reason": _stop(reply),
            "usage": _usage(reply.tokens_in, reply.tokens_out),
        }

    def events(self, reply: Reply, model: str) -> Iterator[Event]:
        yield _event("message_start", message=_message(model) | {"usage": _usage(reply.tokens_in, 1)})
        yield _event("ping")
        at = 0
        if reply.text:
            yield _event("content_block_start", index=at, content_block={"type": "text", "text": ""})
            for text in pieces(reply.text, reply.chunk):
                yield _event("content_block_delta", index=at, delta={"type": "text_delta", "text": text})
            yield _event("content_block_stop", index=at)
            at += 1
        for call in reply.calls:
            yield _event("content_block_start", index=at, content_block=_use(call))
            for text in pieces(arguments(call), reply.chunk):
                yield _event("content_block_delta", index=at, delta={"type": "input_json_delta", "partial_json": text})
            yield _event("content_block_stop", index=at)
            at += 1
        delta = {"stop_reason": _stop(reply), "stop_sequence": None}
        yield _event("message_delta", delta=delta, usage={"output_tokens": reply.tokens_out})
        yield _event("message_stop")

    def error(self, status: int, kind: str, message: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": uid("req_")}


def _event(kind: str, **fields: Any) -> Event:
    return kind, {"type": kind, **fields}


def _message(model: str) -> dict[str, Any]:
    return {
        "id": uid("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _use(call: Call) -> dict[str, Any]:
    return {"type": "tool_use", "id": uid("toolu_"), "name": call.name, "input": {}}


def _stop(reply: Reply) -> str:
    return "tool_use" if reply.calls else "end_turn"


def _usage(tokens_in: int, tokens_out: int) -> dict[str, int]:
    return {
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }
