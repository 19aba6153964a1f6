"""Metadata of the agent: scripts whose output is shown.

Owns their timing. An event is only made when a value changes, so that idle workspaces stay silent.
"""

from __future__ import annotations

import os

from .environment import Environment, file_name
from .manifest import MetadataItem
from .processes import Job, Processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .events import EventLog

VALUE_LIMIT = 2048  # Coder's


class Metadata:
    """Runs every item at its interval; one run of an item at a time."""

    def __init__(self, processes: Processes, environment: Environment, events: EventLog) -> None:
        self._processes = processes
        self._environment = environment
        self._events = events
        self._last: dict[str, tuple[str, str]] = {}
        self._stopped = False

    def start(self, items: list[MetadataItem]) -> None:
        """Run each item now and then at its interval."""
        for item in items:
            self._run(item)

    def stop(self) -> None:
        """Run nothing more."""
        self._stopped = True

    def _run(self, item: MetadataItem) -> None:
        if self._stopped:
            return
        collected = bytearray()

        def output(data: bytes) -> None:
            collected.extend(data[: max(0, VALUE_LIMIT - len(collected))])

        def end(code: int, timed_out: bool) -> None:
            value = collected.decode("utf-8", "replace").strip()
            problem = "timed out" if timed_out else f"exit status {code}" if code else ""
            self._publish(item.key, value, problem)
            self._processes.loop.later(item.interval, lambda: self._run(item))

        try:
            place = os.path.join(self._environment.script_data, f"metadata-{file_name(item.key)}")
            Job(
                self._processes,
                self._environment.script(item.script, place),
                self._environment.variables(),
                self._environment.cwd(),
                timeout=item.timeout,
                on_output=output,
                on_end=end,
                on_silence=lambda: None,
            )
        except OSError as problem:
            collected += str(problem).encode("utf-8", "replace")
            self._processes.loop.later(0, lambda: end(127, False))

    def _publish(self, key: str, value: str, problem: str) -> None:
        if self._last.get(key) != (value, problem):
            self._last[key] = (value, problem)
            self._events.add("metadata", key=key, value=value, error=problem)
