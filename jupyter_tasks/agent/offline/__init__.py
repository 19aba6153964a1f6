"""The offline agent: an honest, rule-based terminal agent, so that the product can be tried without any key.

Owns the program and its ``main``. Standard library only, Python >= 3.9, relative imports only: in the workspace it is a
package beside the workspace agent. It knows two things: change a theme colour, and document a project's structure.
"""

from __future__ import annotations

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run the agent in the current directory until the terminal closes.

    Args:
        argv: arguments without the program's name, by default the process's own: ``[--directory DIR] [PROMPT …]``.

    Returns: the exit status: 0, or 2 for arguments that it does not know.
    """
    from .session import run

    return run(argv)
