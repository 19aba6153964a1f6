"""The offline agent's conversation: prompt, understand, do, say what was done.

Owns the loop, its words, and how Ctrl-C stops a turn. The doing is in ``theme`` and ``structure``; they are imported
when there is something to do, so that the greeting is on the screen at once.
"""

from __future__ import annotations

import base64
import os
import signal
import sys
import time

from .console import Console

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .request import Request
    from .theme import Change

__all__ = ["run"]

_DELAY = 0.3
_STEPS = 4
_SHOWN_CHANGES = 12
_HELLO = "I am the offline agent: rules, no language model, no network."
_CAN = (
    "I can do two things for real:\n"
    "  - change the theme colour, e.g.  change the primary color theme to purple\n"
    "  - document the project structure (I write STRUCTURE.md)"
)


def run(argv: list[str] | None = None) -> int:
    """See ``main``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--directory"] and len(arguments) > 1:
        os.chdir(arguments[1])
        del arguments[:2]
    if arguments and arguments[0].startswith("-"):
        sys.stderr.write("usage: jupyter-tasks-offline-agent [--directory DIR] [PROMPT …]\n")
        return 2
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Console() as console:
        try:
            Session(console, os.getcwd()).talk(" ".join(arguments))
        except OSError:
            return 1  # the terminal is gone
    return 0


class Session:
    """One conversation about one project."""

    def __init__(self, console: Console, root: str) -> None:
        self._console, self._root = console, root
        try:
            self._delay = max(float(os.environ.get("JUPYTER_TASKS_OFFLINE_DELAY", _DELAY)), 0.0)
        except ValueError:
            self._delay = _DELAY

    def talk(self, prompt: str = "") -> None:
        """Until the input ends, or Ctrl-C is pressed twice at the prompt; ``prompt`` is taken first."""
        self._console.say(_HELLO)
        self._console.say(_CAN)
        warned = False
        while True:
            try:
                message: str | None = prompt
                if not prompt:
                    self._console.signal("state=idle")
                    message = self._console.ask()
                prompt = ""
            except KeyboardInterrupt:
                if warned:
                    self._console.say("\nBye.")
                    return
                warned = True
                self._console.say("\nPress Ctrl-C again to leave, or type what I should do.")
                continue
            if message is None:
                return
            warned = False
            if message.strip():
                self._turn(message)

    def _turn(self, message: str) -> None:
        from .report import report
        from .request import understand

        try:
            self._console.signal("state=working")
            state, summary = self._do(understand(message))
        except KeyboardInterrupt:
            state, summary = "idle", "Interrupted."
            self._console.say("\nInterrupted. What was written so far stays.")
        except OSError as error:
            state, summary = "failure", f"A file could not be changed: {error.strerror or error}"
            self._console.say(summary)
        try:
            report(state, summary)
        except KeyboardInterrupt:
            pass  # pressed too late to stop anything

    def _do(self, request: Request) -> tuple[str, str]:
        """Do it; returns the state to report and one sentence."""
        if request.kind == "theme":
            return self._change_theme(request)
        if request.kind == "structure":
            return self._document()
        if request.kind == "help":
            self._console.say(_HELLO)
        else:
            self._console.say("That is beyond me: I follow rules and understand no more than this.")
        self._console.say(_CAN)
        return "idle", "I can change the theme colour or document the project structure."

    def _change_theme(self, request: Request) -> tuple[str, str]:
        from .theme import apply, find_theme

        colour = request.colour
        if colour is None:
            self._console.say("Which colour? I found none that I know: name one as CSS does, or write it as #rrggbb.")
            return "failure", "No colour that I know in the request."
        self._step("Looking for the theme's colours")
        theme = find_theme(self._root)
        if theme is None:
            self._console.say(f"I found no stylesheet or page with a colour to change in {self._root}.")
            return "failure", "No stylesheet or page with a colour to change."
        where = f"{theme.name} in " if theme.name else ""
        self._console.say(f"Found {where}{theme.files[0]} ({theme.base}).")
        self._step(f"Changing it to {colour.name} ({colour.value}) and its shades with it")
        changes = [] if theme.base == colour.value else apply(self._root, theme, colour)
        if not changes:
            self._console.say(f"The theme is {colour.name} already: nothing to change.")
            return "complete", f"The theme is {colour.name} already."
        self._list(changes)
        files = len({change.file for change in changes})
        count = f"{len(changes)} line{_s(len(changes))} in {files} file{_s(files)}"
        done = f"Changed the primary color theme to {colour.name}: {count}."
        self._console.say(done)
        return "complete", done

    def _document(self) -> tuple[str, str]:
        from .structure import NAME, document

        self._step("Reading the project")
        directories, files = document(self._root)
        done = "Wrote {}: {} file{} in {} director{}.".format(
            NAME, files, _s(files), directories, "y" if directories == 1 else "ies"
        )
        self._console.say(done)
        return "complete", done

    def _list(self, changes: list[Change]) -> None:
        for change in changes[:_SHOWN_CHANGES]:
            self._console.say(f"  {change.file}:{change.line}  {change.before}  is now  {change.after}")
        if len(changes) > _SHOWN_CHANGES:
            self._console.say(f"  and {len(changes) - _SHOWN_CHANGES} more")

    def _step(self, what: str) -> None:
        """Say and report what comes next, with the pause that lets a person follow."""
        from .report import report

        self._console.signal("state=working:msg=" + base64.b64encode(what.encode()).decode())
        self._console.say(f"* {what} …")
        report("working", what)
        self._pause()

    def _pause(self) -> None:
        time.sleep(self._delay / _STEPS)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
