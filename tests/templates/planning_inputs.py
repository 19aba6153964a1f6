"""Inputs to plan with, and an agent for a template. Not in conftest: there are several modules of that name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_tasks.templates.plan import PlanInputs, WorkspacePlan

AGENT = 'resource "coder_agent" "main" {\n  os = "linux"\n  arch = "amd64"\n}\n'
Planner = Callable[..., WorkspacePlan]


def inputs(**given: Any) -> PlanInputs:
    values: dict[str, Any] = {
        "workspace_id": "11111111-1111-4111-8111-111111111111",
        "workspace_name": "ws",
        "owner_id": "22222222-2222-4222-8222-222222222222",
        "owner_name": "ada",
        "owner_email": "ada@example.com",
    }
    return PlanInputs(**{**values, **given})
