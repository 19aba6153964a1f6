"""What a script of the scripted LLM says: steps, what goes wrong in them, and what is written down about a request.

Owns these dataclasses alone; ``scripted_llm`` plays them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jupyter_tasks.testing.scripted_llm_tools import Tool

__all__ = ["Failure", "Heard", "Play", "Step"]


@dataclass(frozen=True)
class Failure:
    """A refusal. ``times``: how often, before the step is played as if nothing had been (0: always)."""

    status: int
    message: str
    kind: str = "api_error"
    times: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One answer of the model.

    ``gate`` holds the stream after its first pieces until ``release``; ``cut`` ends the connection in its middle;
    ``delay`` (before the first byte) and ``pause`` (between pieces) are seconds, ``chunk`` is characters a piece.
    """

    text: str = ""
    tools: Sequence[Tool] = ()
    gate: str = ""
    failure: Failure | None = None
    cut: bool = False
    delay: float = 0.0
    pause: float = 0.0
    chunk: int = 16
    usage: tuple[int, int] | None = None
    """Tokens in and out; made up from the sizes when None."""


@dataclass(frozen=True)
class Play:
    """Steps for what a person typed: ``match`` is a regular expression that is searched in it."""

    match: str
    steps: Sequence[Step]


@dataclass(frozen=True)
class Heard:
    """One request, without any secret: ``secrets`` holds the SHA-256 of each credential header's value, by name."""

    method: str
    path: str
    status: int
    model: str = ""
    prompts: Sequence[str] = ()
    tools: Sequence[str] = ()
    step: int = 0
    side: bool = False
    stream: bool = False
    secrets: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    @property
    def prompt(self) -> str:
        """What the person typed last."""
        return self.prompts[-1] if self.prompts else ""
