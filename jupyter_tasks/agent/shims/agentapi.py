"""``agentapi``: looks like coder/agentapi's server to the scripts of modules.

Owns its flags and variables. It hands the coding agent's command to the workspace agent, which opens the terminal and
the port; the API itself is served by the engine. It stays in the foreground until the coding agent ends and exits
with its status, so ``nohup agentapi server … &`` in a script means what it means with the real one.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import sys

from ..wire import Refused
from .control import Control

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = "0.12.1"  # the release whose flags these are
STDIN_PATIENCE = 0.25  # seconds for a piped prompt to show up
STDIN_LIMIT = 1 << 20
_PORT = "3284"

TYPES = {
    name: name
    for name in (
        "claude", "goose", "aider", "codex", "gemini", "copilot", "amp", "auggie", "cursor", "opencode", "custom"
    )
}  # fmt: skip
TYPES.update({"cursor-agent": "cursor", "q": "amazonq", "amazonq": "amazonq"})

_VALUES = {
    "type": "t", "port": "p", "chat-base-path": "c", "term-width": "W", "term-height": "H", "allowed-hosts": "a",
    "allowed-origins": "o", "initial-prompt": "I", "state-file": "s", "pid-file": "",
}  # fmt: skip
_FLAGS = {"print-openapi": "P", "load-state": "", "save-state": "", "experimental-acp": "", "exit": ""}
_SHORT = {short: name for name, short in {**_VALUES, **_FLAGS}.items() if short}


class Wrong(Exception):
    """The command line is wrong."""


def main(arguments: list[str]) -> int:
    """Run ``agentapi ARGUMENTS``. Returns: its exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write("usage: agentapi server [flags] -- AGENT [ARGUMENTS]\n")
        return 0
    if arguments[0] in ("--version", "-v"):
        sys.stdout.write(f"agentapi version {VERSION} (Jupyter Tasks)\n")
        return 0
    if arguments[0] != "server":
        sys.stderr.write(f'Error: unknown command "{arguments[0]}" for "agentapi"\n')
        return 1
    try:
        options, command = parse(arguments[1:], dict(os.environ))
        if options["exit"]:
            return 0
        return _serve(options, command)
    except Wrong as problem:
        sys.stderr.write(f"Error: {problem}\n")
    except Refused as no:
        sys.stderr.write(f"Error: {no.message}\n")
    except OSError as problem:
        sys.stderr.write(f"Error: the workspace agent cannot be reached: {problem}\n")
    return 1


def parse(arguments: list[str], environ: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Flags (then variables, then defaults) and the agent's command. Raises: Wrong."""
    given, command = _scan(arguments)
    for name in (*_VALUES, *_FLAGS):
        variable = environ.get("AGENTAPI_" + name.upper().replace("-", "_"))
        if name not in given and variable:
            given[name] = variable
    instead = environ.get("JUPYTER_TASKS_AGENTAPI_PORT")
    if instead and given.get("port", _PORT) == _PORT:  # where the network is shared every workspace has its own
        given["port"] = instead
    if not command and not _truth(given.get("exit", "")):
        raise Wrong("requires at least 1 arg(s), only received 0")
    kind = given.get("type", "")
    if kind and kind not in TYPES:
        raise Wrong(f"invalid agent type: {kind}")
    options: dict[str, Any] = {name: given.get(name, "") for name in _VALUES}
    options.update({name: _truth(given.get(name, "")) for name in _FLAGS})
    options["type"] = TYPES.get(kind or (command[0] if command else ""), "custom")
    options["port"] = _number("port", given.get("port", ""), int(_PORT), 0)
    options["term-width"] = _number("term-width", given.get("term-width", ""), 80, 10)
    options["term-height"] = _number("term-height", given.get("term-height", ""), 1000, 10)
    for name in ("load-state", "save-state"):
        if options[name] and not options["state-file"]:
            raise Wrong(f"--{name} requires --state-file to be set")
        options[name] = bool(options["state-file"]) and (name not in given or options[name])
    return options, command


def _scan(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    given: dict[str, str] = {}
    command: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            return given, command + rest
        if argument == "-" or not argument.startswith("-"):
            command.append(argument)
            continue
        name, equals, value = argument.lstrip("-").partition("=")
        if not argument.startswith("--") and not equals:
            name, value = argument[1:2], argument[2:]
            equals = value
        name = _SHORT.get(name, name) if not argument.startswith("--") else name
        if name in _FLAGS:
            given[name] = value if equals else "true"
        elif name in _VALUES:
            if not equals:
                if not rest:
                    raise Wrong(f"flag needs an argument: --{name}")
                value = rest.pop(0)
            given[name] = value
        else:
            raise Wrong(f"unknown flag: {argument}")
    return given, command


def _truth(value: str) -> bool:
    return value.lower() in ("1", "t", "true")


def _number(name: str, value: str, default: int, low: int) -> int:
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 6 and int(value) < 65536):
        raise Wrong(f'invalid argument "{value}" for "--{name}" flag')
    if int(value) < low:
        raise Wrong(f"{name.replace('-', ' ')} must be at least {low}")
    return int(value)


def piped_prompt() -> str:
    """What was piped into stdin; "" when nothing comes shortly (it may be a pipe that nobody writes)."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return ""
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)):
        return ""
    collected = b""
    patience = STDIN_PATIENCE
    while len(collected) <= STDIN_LIMIT:
        if not select.select([0], [], [], patience)[0]:
            break
        data = os.read(0, 65536)
        if not data:
            break
        collected += data
        patience = 5.0  # somebody writes: the end will come
    return collected.decode("utf-8", "replace").strip(" \t\n\r\f\v")


def registration(options: dict[str, Any], command: list[str], environ: dict[str, str], place: str) -> dict[str, Any]:
    """What is asked of the workspace agent."""
    return {
        "argv": command,
        "env": {key: value for key, value in environ.items() if key != "TERM"},
        "cwd": place,
        "type": options["type"],
        "port": options["port"],
        "term_width": options["term-width"],
        "term_height": options["term-height"],
        "initial_prompt": options["initial-prompt"].strip(" \t\n\r\f\v"),
        "transport": "acp" if options["experimental-acp"] else "pty",
        "options": {
            name.replace("-", "_"): str(options[name])
            for name in ("chat-base-path", "allowed-hosts", "allowed-origins", "state-file")
            if options[name]
        },
    }


def _serve(options: dict[str, Any], command: list[str]) -> int:
    _check_pid_file(options["pid-file"])
    control = Control()
    asked = registration(options, command, dict(os.environ), os.getcwd())
    asked["initial_prompt"] = asked["initial_prompt"] or piped_prompt()
    answer = control.request("agentapi.register", pid=os.getpid(), **asked)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: control.send(signal="TERM"))
    signal.signal(signal.SIGUSR1, lambda *_: None)  # "save the state": the engine always has it
    # whoever sees that it has started may end it: not before it can pass that on
    sys.stdout.write(f"Starting server on port {answer['port']}\n")
    sys.stdout.flush()
    _write_pid_file(options["pid-file"])
    try:
        code = _wait(control)
    finally:
        _remove_pid_file(options["pid-file"])
    if code:
        sys.stderr.write(f"agent exited with error: status {code}\n")
    return 0 if code == 0 else 1


def _wait(control: Control) -> int:
    while True:
        line = control.line()
        if line is None:
            return 1
        if isinstance(line.get("exit"), int):
            return int(line["exit"])


def _check_pid_file(path: str) -> None:
    if not path:
        return
    try:
        with open(path, encoding="ascii") as file:
            pid = int(file.read(32))
        os.kill(pid, 0)
    except (OSError, ValueError, OverflowError):
        return
    raise Wrong(f"another instance is already running with PID {pid} (PID file: {path})")


def _write_pid_file(path: str) -> None:
    if path:
        os.makedirs(os.path.dirname(os.path.abspath(path)), 0o700, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(fd, b"%d\n" % os.getpid())
        os.close(fd)


def _remove_pid_file(path: str) -> None:
    if path:
        try:
            with open(path, encoding="ascii") as file:
                own = file.read(32).strip() == str(os.getpid())
            if own:
                os.unlink(path)
        except (OSError, ValueError):
            pass
