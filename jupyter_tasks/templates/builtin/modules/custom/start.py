"""Runs any terminal agent under AgentAPI: ``start.py SETTINGS PORT``, the first prompt on standard input.

``start.py --check SETTINGS`` only says whether the command could be run. Python 3.9, standard library only: it runs
inside the workspace.
"""

import json
import os
import shlex
import shutil
import sys
from pathlib import Path


def main():
    """Check, or replace this process by AgentAPI."""
    check = sys.argv[1] == "--check"
    settings = json.loads(Path(sys.argv[2 if check else 1]).read_text(encoding="utf-8"))
    try:
        command = shlex.split(settings["command"])
    except ValueError as problem:
        return f"The agent's command cannot be split into words ({problem}): {settings['command']}"
    if not command:
        return "There is no command for the agent: say which program it is (custom_command)."
    if shutil.which(str(Path(command[0]).expanduser())) is None:
        return f"The program {command[0]} is not in this workspace: install it on this machine."
    if check:
        return 0
    command[0] = str(Path(command[0]).expanduser())
    os.environ.update({name: os.path.expandvars(value) for name, value in settings["env"].items()})
    width = str(settings["term_width"])
    arguments = ["server", "--type", settings["type"], "--term-width", width, "--port", sys.argv[2]]
    os.execvp("agentapi", ["agentapi", *arguments, "--", *command])  # noqa: S606
    return 1


if __name__ == "__main__":
    sys.exit(main())
