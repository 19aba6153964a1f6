"""The one exception from isolation: our own offline agent of ``quickstart``, and nothing else, may run without.

Owns the rule. It holds only for the built-in template as we ship it, with no text of anybody's in its scripts: every
parameter has its default or a value of one of the template's own presets.
"""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_tasks.templates.library import Library
from jupyter_tasks.templates.plan import Parameter

__all__ = ["may_run_unisolated"]

EXEMPT = "quickstart"


def may_run_unisolated(library: Library, template_id: str, parameters: Sequence[Parameter]) -> bool:
    """Whether a plan of this template with these parameters is ours alone."""
    template = next((each for each in library.list() if each.id == template_id), None)
    if template is None or not template.builtin or template.name != EXEMPT:
        return False
    presets = library.analysis(template).presets
    return all(
        parameter.value == parameter.default
        or any(parameter.value == p.parameters.get(parameter.name) for p in presets)
        for parameter in parameters
    )
