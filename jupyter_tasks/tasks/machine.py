"""What is installed where a task is asked for: the coding agents on the asker's PATH.

Owns which programs are looked for, and how a template that we ship is told. Reads only the caller's own machine.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence

from jupyter_tasks.templates.configuration import load_module
from jupyter_tasks.templates.library import Template

__all__ = ["AGENTS", "agents_here", "machine_variables"]

AGENTS = ("claude", "codex", "opencode")
"""Coding agents that we have a module for, by the name of their program; the first one found is the default."""


def agents_here(path: str) -> Sequence[str]:
    """Which of ``AGENTS`` are on the search path ``path`` ("": the engine's own), in that order. Looks at some dozens
    of files: call it in a worker thread, as a home may be on a slow network."""
    search = path or os.environ.get("PATH", os.defpath)
    return [name for name in AGENTS if shutil.which(name, path=search) is not None]


def machine_variables(
    template: Template, path: str, project_subdirectory: str = "", *, wanted: str | None = None
) -> Mapping[str, str]:
    """Values for the variables by which a template that we ship learns of this machine; none for any other.

    Args:
        path: the asker's PATH.
        project_subdirectory: where in the project the agent is to work, "" for its top.
        wanted: the agent that was asked for. It is offered although it is not installed, so that the check of
            programs says what is missing, instead of "no such option".
    Returns: variable name -> value as ``PlanInputs.variables`` takes it, of those that the template declares.
    """
    if not template.builtin:
        return {}
    found = list(agents_here(path))
    if wanted in AGENTS and wanted not in found:
        found.append(wanted)
    values = {"agents_here": json.dumps(found), "project_subdirectory": project_subdirectory}
    declared = load_module(template.tree, "").variables
    return {name: value for name, value in values.items() if name in declared}
