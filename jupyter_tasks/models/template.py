"""Templates, and what they ask."""

from __future__ import annotations

from pydantic import Field

from jupyter_tasks.models.base import Wire

__all__ = ["Template", "TemplateOption", "TemplateParameter", "TemplatePreset", "TemplatesResponse"]


class TemplateOption(Wire):
    """One choice of a parameter."""

    name: str
    value: str
    description: str = ""
    icon: str = ""


class TemplateParameter(Wire):
    """A ``coder_parameter``. ``default_value`` null: required."""

    name: str
    display_name: str = ""
    description: str = ""
    type: str = "string"
    form_type: str = "input"
    default_value: str | None = None
    required: bool = False
    mutable: bool = False
    ephemeral: bool = False
    icon: str = ""
    order: int = 0
    options: list[TemplateOption] = Field(default_factory=list)


class TemplatePreset(Wire):
    """A ``coder_workspace_preset``."""

    id: str
    name: str
    description: str = ""
    icon: str = ""
    default: bool = False
    parameters: dict[str, str] = Field(default_factory=dict)


class Template(Wire):
    """A template and its active version; ``parameters`` and ``presets`` only in GET /templates/{name}."""

    id: str
    name: str
    display_name: str
    description: str = ""
    icon: str = ""
    active_version_id: str
    active_version_name: str = ""
    builtin: bool = False
    has_ai_task: bool = True
    error: str | None = None
    """Why no task can be made from it, in one sentence; null where one can."""
    parameters: list[TemplateParameter] | None = None
    presets: list[TemplatePreset] | None = None


class TemplatesResponse(Wire):
    """GET /templates."""

    templates: list[Template]
