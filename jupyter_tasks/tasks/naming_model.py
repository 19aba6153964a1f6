"""A model that names tasks, where the engine has a key for one (reference/coder-tasks.md section 5).

Owns the one request that is made for it. Whatever goes wrong, the caller names the task without it; the key and the
prompt are in no error and no log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from jupyter_tasks.tasks.naming import Namer

__all__ = ["AnthropicNamer", "namer_from"]

DEFAULT_MODEL = "claude-3-5-haiku-latest"
DEFAULT_URL = "https://api.anthropic.com"
MOST_TOKENS = 100
MOST_PROMPT = 4_000

INSTRUCTIONS = (
    "Name a task for a coding agent. Answer with one JSON object and nothing else: "
    '{"display_name": "...", "task_name": "..."}. '
    "display_name comes first: a short phrase for a person, at most 64 characters, saying what is to be done. "
    "task_name is made of it: at most 27 characters, only a-z, 0-9 and single hyphens. "
    'An issue like https://github.com/acme/shop/issues/12 gives "Work on acme/shop #12" and "shop-12"; '
    'a pull request like https://github.com/acme/shop/pull/7 gives "Fix acme/shop PR #7" and "acme-shop-pr-7". '
    'If the text names no task, answer {"display_name": "Task Unnamed", "task_name": "task-unnamed"}.'
)


def namer_from(environ: Mapping[str, str]) -> Namer | None:
    """The model that this environment has a key for (``ANTHROPIC_API_KEY``), else None."""
    key = environ.get("ANTHROPIC_API_KEY")
    if not key:
        return None
    return AnthropicNamer(
        key,
        model=environ.get("ANTHROPIC_MODEL") or DEFAULT_MODEL,
        url=environ.get("ANTHROPIC_BASE_URL") or DEFAULT_URL,
    )


class AnthropicNamer:
    """Asks Anthropic's messages API once a task."""

    def __init__(self, key: str, *, model: str, url: str) -> None:
        self._key = key
        self._model = model
        self._url = url.rstrip("/")

    def __repr__(self) -> str:
        return f"AnthropicNamer(model={self._model!r})"

    async def propose(self, prompt: str) -> tuple[str, str] | None:
        """See ``naming.Namer``: (name, display name). The caller bounds the time and takes every error."""
        import httpx

        body = {
            "model": self._model,
            "max_tokens": MOST_TOKENS,
            "system": INSTRUCTIONS,
            "messages": [{"role": "user", "content": prompt[:MOST_PROMPT]}],
        }
        headers = {"x-api-key": self._key, "anthropic-version": "2023-06-01"}
        async with httpx.AsyncClient(timeout=5.0) as client:
            answer = await client.post(f"{self._url}/v1/messages", json=body, headers=headers)
        answer.raise_for_status()
        said = "".join(part.get("text", "") for part in answer.json().get("content", []))
        named = json.loads(said[said.index("{") : said.rindex("}") + 1])
        return str(named["task_name"]), str(named["display_name"])
