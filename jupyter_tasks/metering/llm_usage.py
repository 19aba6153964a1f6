"""What a call used, read from the vendor's own answer.

Owns the three dialects (Anthropic, OpenAI chat and responses, Gemini) as functions over one decoded JSON value. The
values are foreign: whatever is not a number that can be a count is not taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jupyter_tasks.metering.credentials_providers import Wire

__all__ = ["Usage", "read"]

MOST_TOKENS = 2_000_000_000  # what the store's column holds
MOST_WORDS = 300


@dataclass(slots=True)
class Usage:
    """Filled as an answer passes; later figures replace earlier ones, as the vendors mean them (sums so far).

    ``input`` are tokens neither read from a cache nor written to one; ``cache_write_hour`` those of ``cache_write``
    that are kept for an hour (they cost more). ``seen``: whether the answer said anything of what it used.
    """

    model: str = ""
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_hour: int = 0
    seen: bool = False
    problem: str = ""


def read(wire: Wire, value: Any, usage: Usage) -> None:
    """Take what one JSON value (a whole answer, or one event of a stream) says of its use, model and failure."""
    if isinstance(value, list):  # Gemini's stream without alt=sse
        for each in value[-4:]:
            if isinstance(each, dict):
                read(wire, each, usage)
        return
    if not isinstance(value, dict):
        return
    inner = value.get("message") if wire == "anthropic" else value.get("response")
    for part in (inner, value):
        if not isinstance(part, dict):
            continue
        name = part.get("model") or part.get("modelVersion")
        if isinstance(name, str) and name:
            usage.model = name[:MOST_WORDS]
        figures = part.get("usageMetadata") if wire == "gemini" else part.get("usage")
        if isinstance(figures, dict):
            _DIALECTS[wire](figures, usage)
    _failure(value, usage)


def _anthropic(figures: dict[str, Any], usage: Usage) -> None:
    usage.seen = True
    usage.input = _count(figures, "input_tokens", usage.input)
    usage.output = _count(figures, "output_tokens", usage.output)
    usage.cache_read = _count(figures, "cache_read_input_tokens", usage.cache_read)
    usage.cache_write = _count(figures, "cache_creation_input_tokens", usage.cache_write)
    kept = figures.get("cache_creation")
    if isinstance(kept, dict):
        usage.cache_write_hour = _count(kept, "ephemeral_1h_input_tokens", usage.cache_write_hour)


def _openai(figures: dict[str, Any], usage: Usage) -> None:
    """Chat completions say prompt_tokens and completion_tokens, responses input_tokens and output_tokens; both count
    what came from the cache among the input."""
    usage.seen = True
    details = figures.get("prompt_tokens_details") or figures.get("input_tokens_details")
    total = _count(figures, "prompt_tokens", _count(figures, "input_tokens", 0))
    cached = _count(details, "cached_tokens", 0) if isinstance(details, dict) else 0
    usage.cache_read = min(cached, total)
    usage.input = total - usage.cache_read
    usage.output = _count(figures, "completion_tokens", _count(figures, "output_tokens", 0))


def _gemini(figures: dict[str, Any], usage: Usage) -> None:
    usage.seen = True
    total = _count(figures, "promptTokenCount", 0) + _count(figures, "toolUsePromptTokenCount", 0)
    usage.cache_read = min(_count(figures, "cachedContentTokenCount", 0), total)
    usage.input = total - usage.cache_read
    usage.output = _count(figures, "candidatesTokenCount", 0) + _count(figures, "thoughtsTokenCount", 0)


_DIALECTS = {"anthropic": _anthropic, "openai": _openai, "gemini": _gemini}


def _count(figures: dict[str, Any], name: str, otherwise: int) -> int:
    found = figures.get(name)
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MOST_TOKENS:
        return found
    return otherwise


def _failure(value: dict[str, Any], usage: Usage) -> None:
    """An error that the vendor tells within an answer that began well."""
    failed = value.get("error")
    response = value.get("response")
    if failed is None and isinstance(response, dict):
        failed = response.get("error")
    if failed is None and value.get("type") == "error":
        failed = value
    if isinstance(failed, dict):
        words = failed.get("message") or failed.get("type") or failed.get("code") or "an error"
        usage.problem = f"The answer broke off with the vendor's error: {str(words)[:MOST_WORDS]}"
