"""The scripts of a build: which run when, with logs and time limits.

Owns their order (blocking ones first, the others when those have ended; stop scripts together) and their logs.
"""

from __future__ import annotations

import os

from .environment import Environment, file_name
from .manifest import Script
from .processes import Job, Processes
from .tape import Tape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .events import EventLog

LOG_RING = 64 * 1024


class Run:
    """One run of one script."""

    def __init__(self, script: Script, phase: str, tape: Tape) -> None:
        self.script = script
        self.phase = phase
        self.tape = tape
        self.status = "running"
        self.exit: int | None = None
        self.job: Job | None = None

    def view(self) -> dict[str, Any]:
        """This run as events and the state carry it."""
        return {
            "id": self.script.id,
            "phase": self.phase,
            "status": self.status,
            "exit": self.exit,
            "log": f"script-{self.script.id}",
        }


class Scripts:
    """Runs the scripts of a build. ``logs`` is the agent's table of logs by name."""

    def __init__(self, processes: Processes, environment: Environment, events: EventLog, logs: dict[str, Tape]) -> None:
        self._processes = processes
        self._environment = environment
        self._events = events
        self._logs = logs
        self._runs: dict[tuple[str, str], Run] = {}
        self._stopping = False

    def view(self) -> list[dict[str, Any]]:
        """Every run, as the state carries it."""
        return [run.view() for run in self._runs.values()]

    def start(self, scripts: list[Script], unblocked: Callable[[str], object], all_done: Callable[[], object]) -> None:
        """Run the start scripts. ``unblocked(worst)`` comes when the blocking ones have ended, with "ok", "failed" or
        "timeout"; the others begin right after it. ``all_done()`` comes when every one has ended."""
        first = [script for script in scripts if script.on_start and script.blocking]
        rest = [script for script in scripts if script.on_start and not script.blocking]

        def blocking_ended(runs: list[Run]) -> None:
            if self._stopping:
                return  # they were ended by the stop: nothing begins behind it
            found = {run.status for run in runs}
            unblocked("failed" if "failed" in found else "timeout" if "timeout" in found else "ok")
            self._together(rest, "start", lambda _runs: all_done())

        self._together(first, "start", blocking_ended)

    def stop(self, scripts: list[Script], done: Callable[[], object]) -> None:
        """Run the stop scripts together, then ``done()``; start scripts that wait do not begin any more."""
        self._stopping = True
        self._together([script for script in scripts if script.on_stop], "stop", lambda _runs: done())

    def _together(self, scripts: list[Script], phase: str, done: Callable[[list[Run]], object]) -> None:
        runs: list[Run] = []
        left = len(scripts)
        if not scripts:
            done(runs)
            return

        def one_ended() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                done(runs)

        runs += [self._run(script, phase, one_ended) for script in scripts]

    def _run(self, script: Script, phase: str, ended: Callable[[], object]) -> Run:
        name = file_name(script.id)
        tape = Tape(os.path.join(self._environment.logs, f"script-{name}-{phase}"), ring=LOG_RING)
        run = Run(script, phase, tape)
        self._runs[script.id, phase] = run
        self._logs[f"script-{script.id}"] = tape
        self._events.add("script", **run.view())
        copy = self._log_file(script)

        def output(data: bytes) -> None:
            tape.append(data)
            if copy is not None:
                copy(data)

        def end(code: int, timed_out: bool) -> None:
            run.exit = code
            run.status = "timeout" if timed_out else "ok" if code == 0 else "failed"
            self._events.add("script", **run.view())
            ended()

        data_dir = os.path.join(self._environment.script_data, name)
        try:
            os.makedirs(data_dir, 0o700, exist_ok=True)
            run.job = Job(
                self._processes,
                self._environment.script(script.script, os.path.join(data_dir, ".script")),
                self._environment.variables({"CODER_SCRIPT_DATA_DIR": data_dir}),
                self._environment.cwd(),
                timeout=script.timeout,
                on_output=output,
                on_end=end,
                on_silence=tape.close,
            )
        except OSError as problem:
            tape.append(f"cannot be started: {problem}\n".encode("utf-8", "replace"))
            tape.close()
            self._processes.loop.later(0, lambda: end(127, False))
        return run

    def _log_file(self, script: Script) -> Callable[[bytes], object] | None:
        """The template's own ``log_path``: a second copy, best effort, with the tape's limit."""
        if not script.log_path:
            return None
        path = self._environment.path(script.log_path)
        left = 64 << 20

        def copy(data: bytes) -> None:
            nonlocal left
            if left <= 0:
                return
            data = data[:left]
            left -= len(data)
            try:
                with open(path, "ab") as file:
                    file.write(data)
            except OSError:
                left = 0

        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb"):
                pass
        except OSError:
            return None
        return copy
