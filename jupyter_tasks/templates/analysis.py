"""What a template is, before anybody starts a workspace from it.

Owns the question whether tasks can be made of it, what it asks (parameters, presets, variables), what it will show
(apps) and which programs it needs. Works as Coder's import does: a plan of a start for a made-up owner and task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_tasks.errors import Diagnostic
from jupyter_tasks.templates import assembly
from jupyter_tasks.templates.credentials import provider_of
from jupyter_tasks.templates.hcl import nodes
from jupyter_tasks.templates.instances import Run
from jupyter_tasks.templates.modules import ModuleSource
from jupyter_tasks.templates.plan import App, Parameter, PlanInputs, Preset
from jupyter_tasks.templates.planning import local_workspace
from jupyter_tasks.templates.provider.parameter import ParameterProblem
from jupyter_tasks.templates.rendering import render
from jupyter_tasks.templates.variables import VariableProblem

__all__ = ["Analysis", "Variable", "analyse"]

_NOBODY = PlanInputs(
    workspace_id="00000000-0000-4000-8000-000000000001",
    workspace_name="default",
    owner_id="00000000-0000-4000-8000-000000000002",
    owner_name="default",
    owner_email="default@example.com",
    owner_full_name="default",
    task_id="00000000-0000-4000-8000-000000000003",
    prompt="",
    task_token="token",  # noqa: S106 - nobody's
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A ``variable`` of the root module. ``type`` is the constraint as it is written."""

    name: str
    type: str = "any"
    description: str = ""
    required: bool = False
    sensitive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What was found. ``reason`` says in one sentence why the template is not ``task_capable``, else "".

    ``diagnostics`` holds errors and warnings; ``valid`` is whether there are no errors; ``providers`` are the LLM
    providers whose credential a task with the default parameters needs.
    """

    task_capable: bool
    reason: str
    parameters: Sequence[Parameter] = ()
    presets: Sequence[Preset] = ()
    apps: Sequence[App] = ()
    variables: Sequence[Variable] = ()
    programs: Sequence[str] = ()
    providers: Sequence[str] = ()
    diagnostics: Sequence[Diagnostic] = ()

    @property
    def valid(self) -> bool:
        """Whether a workspace can be planned, given values for what is required."""
        return not any(item.severity == "error" for item in self.diagnostics)


def analyse(
    tree: Path,
    *,
    template_version_id: str = "",
    modules: ModuleSource | None = None,
    variables: Mapping[str, str] | None = None,
) -> Analysis:
    """Analyse the template in ``tree``; what is wrong with it is in the result.

    Args: ``variables`` are values for its variables, as in ``PlanInputs``.
    Raises: NotFound when there is no such directory.
    """
    inputs = replace(_NOBODY, variables=dict(variables or {}))
    run = render(tree, inputs, {}, version_id=template_version_id, sources=modules)
    parameters = assembly.parameters(run)
    agents = assembly.agents(run)
    assembly.ai_task(run, agents)
    presets = assembly.presets(run)
    local = local_workspace(run)
    diagnostics = (*_own_problems(run), *run.warnings)
    reason = _reason(run, any(item.severity == "error" for item in diagnostics))
    return Analysis(
        task_capable=not reason,
        reason=reason,
        parameters=tuple(parameters),
        presets=tuple(presets),
        apps=tuple(app for agent in agents for app in agent.apps),
        variables=tuple(_variable(block) for block in run.root_variables.values()),
        programs=tuple(local.programs),
        providers=tuple(dict.fromkeys((*local.providers, *run.variables.providers))),
        diagnostics=diagnostics,
    )


def _own_problems(run: Run) -> list[Diagnostic]:
    """Every finding that is the template's fault: a value that is only not given yet is none."""
    asked = {
        item
        for problem in run.errors
        if isinstance(problem, (ParameterProblem, VariableProblem))
        for item in problem.diagnostics
    }
    return [item for item in run.problems if item not in asked]


def _reason(run: Run, broken: bool) -> str:
    if broken:
        return "The template has errors."
    types = {(item.mode, item.type) for item in run.declared}
    if ("managed", "coder_agent") not in types:
        return "The template declares no coder_agent, so nothing could run in its workspaces."
    if ("managed", "coder_ai_task") not in types:
        return "The template declares no coder_ai_task, so no agent could be given a prompt."
    return ""


def _variable(block: nodes.Block) -> Variable:
    attributes = block.body.attributes
    kind = attributes.get("type")
    described = attributes.get("description")
    sensitive = attributes.get("sensitive")
    text = described.expression.value if described and isinstance(described.expression, nodes.Literal) else ""
    secret = sensitive.expression.value if sensitive and isinstance(sensitive.expression, nodes.Literal) else False
    return Variable(
        name=block.labels[0].text,
        type=" ".join(kind.source.text[kind.expression.start : kind.expression.end].split()) if kind else "any",
        description=text if isinstance(text, str) else "",
        required="default" not in attributes and not (secret is True and provider_of(block.labels[0].text)),
        sensitive=secret is True,
    )
