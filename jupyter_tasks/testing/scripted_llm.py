"""A scripted, offline stand-in for the models that coding agents talk to, on a loopback port in a thread.

Owns the script (which step is played), the gates, and the log of what was asked. HTTP is ``scripted_llm_http``'s, the
vendors' words are in ``scripted_llm_anthropic``, ``_responses`` and ``_chat``; what tools are called, in ``_tools``.

It keeps no conversation: a request says itself what was typed last and how many rounds of tools followed, which is the
step that is played. So retries, side requests (titles, judges) and many agents at once cannot put it out of step.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Sequence
from types import TracebackType

from jupyter_tasks.testing.scripted_llm_http import LlmServer
from jupyter_tasks.testing.scripted_llm_script import Failure, Heard, Play, Step
from jupyter_tasks.testing.scripted_llm_tools import Tool, bash, edit_file, instance, mcp, write_file
from jupyter_tasks.testing.scripted_llm_wire import Asked

__all__ = ["Failure", "Heard", "Play", "ScriptedLlm", "Step", "Tool", "bash", "edit_file", "mcp", "write_file"]

_SIDE = re.compile(
    r"^\s*Generate a (concise|short)[^\n]* title\b|>>> APPROVAL REQUEST END|\{\s*\"title\":[^}]*\}"
    r"|^\s*You are a title generator|^\s*Generate a title for this conversation"
)
"""Requests that agents make on their own, with tools and the user's words in them."""
_GATE_LIMIT = 120.0


class ScriptedLlm:
    """The server; use it as a context manager.

    Args:
        plays: tried in order; what matches none is answered with "Done.".
        key: the only credential that is accepted (as bearer token or API key); None accepts all.
        toolless: requests without tools are somebody's turn too; else they are side requests, as those of agents are.
    """

    def __init__(self, plays: Sequence[Play] = (), *, key: str | None = None, toolless: bool = False) -> None:
        self.plays = tuple(plays)
        self.key = key
        self._toolless = toolless
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        self._gates: dict[str, threading.Event] = {}
        self._held: Counter[str] = Counter()
        self._failed: Counter[int] = Counter()
        self._server = LlmServer(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> ScriptedLlm:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            gates = list(self._gates.values())
        for gate in gates:
            gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Its port on the loopback address."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its root: Anthropic's base URL; OpenAI's is this and ``/v1``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Sequence[Heard]:
        """Every request so far, side requests too."""
        with self._lock:
            return tuple(self._heard)

    @property
    def turns(self) -> Sequence[Heard]:
        """The requests that belong to somebody's turn."""
        return tuple(heard for heard in self.log if heard.prompts and not heard.side)

    def release(self, gate: str) -> None:
        """Let whatever this gate holds go on, now and later."""
        self._gate(gate).set()

    def holds(self, gate: str) -> bool:
        """Whether a stream is held by this gate now."""
        with self._lock:
            return self._held[gate] > 0

    # ------------------------------------------------------------ what the handler asks

    def hold(self, name: str) -> None:
        """Wait at a gate."""
        gate = self._gate(name)
        with self._lock:
            self._held[name] += 1
        gate.wait(_GATE_LIMIT)
        with self._lock:
            self._held[name] -= 1

    def hear(self, heard: Heard) -> None:
        """Write a request down."""
        with self._lock:
            self._heard.append(heard)

    def fails(self, step: Step) -> Failure | None:
        """How this step fails now."""
        failure = step.failure
        if failure is None:
            return None
        with self._lock:
            self._failed[id(step)] += 1
            return failure if not failure.times or self._failed[id(step)] <= failure.times else None

    def step_for(self, asked: Asked) -> tuple[Step, bool]:
        """(what to play, whether it is a side request)."""
        if not (asked.tools or self._toolless) or _SIDE.search(asked.prompt):
            return Step(json.dumps(instance(asked.schema)) if asked.schema else "Scripted title"), True
        play = next((play for play in self.plays if re.search(play.match, asked.prompt)), None)
        steps = play.steps if play is not None else ()
        if asked.rounds < len(steps):
            return steps[asked.rounds], False
        return Step("Done."), False

    def _gate(self, name: str) -> threading.Event:
        with self._lock:
            return self._gates.setdefault(name, threading.Event())
