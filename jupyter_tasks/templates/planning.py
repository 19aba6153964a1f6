"""A template and its inputs -> what has to exist.

Owns the order of precedence of parameter values (given, else preset, else previous build, else default), which
mistake is whose (the caller's: InvalidInput with a field each; the template's: TemplateInvalid with a place each) and
the plan itself. Ids in a plan are derived from the workspace and the resource's address: planning twice is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jupyter_tasks.errors import Diagnostic, FieldError, InvalidInput, TemplateInvalid
from jupyter_tasks.templates import assembly
from jupyter_tasks.templates.hcl.diagnostics import did_you_mean
from jupyter_tasks.templates.instances import Run
from jupyter_tasks.templates.local_workspace import read_local_workspace
from jupyter_tasks.templates.modules import ModuleSource
from jupyter_tasks.templates.plan import LocalWorkspace, Parameter, PlanInputs, WorkspacePlan
from jupyter_tasks.templates.provider.parameter import ParameterProblem
from jupyter_tasks.templates.rendering import render
from jupyter_tasks.templates.variables import VariableProblem

__all__ = ["ParameterForm", "local_workspace", "parameters_for", "plan", "template_invalid"]

_TRANSITIONS = ("start", "stop", "delete")


@dataclass(frozen=True, slots=True)
class ParameterForm:
    """The parameters for given inputs, and what is wrong with their values."""

    parameters: Sequence[Parameter]
    validations: Sequence[FieldError]


def plan(
    tree: Path,
    inputs: PlanInputs,
    *,
    template_version_id: str,
    modules: ModuleSource | None = None,
    now: datetime | None = None,
) -> WorkspacePlan:
    """Plan one transition of one workspace from the template in ``tree``.

    Args: ``modules`` finds modules that are not part of the template (default: those that we ship); ``now`` is what
    ``timestamp()`` says, unknown without it.
    Raises: InvalidInput for wrong, unknown or missing parameter values, variables or an unknown preset (with
    ``validations``); TemplateInvalid with every diagnostic; NotFound when there is no such directory.
    """
    if inputs.transition not in _TRANSITIONS:
        raise InvalidInput(f"{inputs.transition!r} is no transition.", hint=f"Use one of {', '.join(_TRANSITIONS)}.")
    run, found = _render(tree, inputs, template_version_id, modules, now)
    problems = [*_given_wrong(run), *_given_unknown(inputs, found, run), *_missing(inputs, run, found)]
    problems += _changed(inputs, run, found)
    if problems:
        raise _invalid_input(problems)
    agents = assembly.agents(run)
    task = assembly.ai_task(run, agents)
    assembly.presets(run)
    local = local_workspace(run)
    _check_agents(run)
    if run.problems:
        raise template_invalid(inputs.template_name, tuple(run.problems))
    return WorkspacePlan(
        kind="local",
        transition=inputs.transition,
        agents=tuple(agents),
        task=task,
        parameters=tuple(found),
        local=local,
        resources=tuple(assembly.resources(run)),
        providers=tuple(dict.fromkeys((*local.providers, *run.variables.providers))),
    )


def parameters_for(
    tree: Path, inputs: PlanInputs, *, template_version_id: str = "", modules: ModuleSource | None = None
) -> ParameterForm:
    """The parameters as a form shows them for what was filled in so far (options and defaults may depend on it).

    Raises: TemplateInvalid when the template itself is wrong; InvalidInput for an unknown preset.
    """
    run, found = _render(tree, inputs, template_version_id, modules, None)
    wrong = [*_given_wrong(run), *_given_unknown(inputs, found, run), *_missing(inputs, run, found)]
    caused = {
        item
        for problem in run.errors
        if isinstance(problem, (ParameterProblem, VariableProblem))
        for item in problem.diagnostics
    }
    own = [item for item in run.problems if item not in caused]
    if own:
        raise template_invalid(inputs.template_name, own)
    return ParameterForm(tuple(found), tuple(wrong))


def local_workspace(run: Run) -> LocalWorkspace:
    """What ``terraform_data "local_workspace"`` of the root module says; defaults when there is none."""
    instance = run.instances.get("terraform_data.local_workspace")
    found: list[LocalWorkspace] = []
    if instance is not None:
        run.attempt(lambda: found.append(read_local_workspace(instance, run.tree)))
    return found[0] if found else LocalWorkspace()


def _render(
    tree: Path, inputs: PlanInputs, version_id: str, modules: ModuleSource | None, now: datetime | None
) -> tuple[Run, list[Parameter]]:
    """Evaluate with the values in force; a second time without what an ephemeral parameter had before."""

    def evaluate(values: Mapping[str, str]) -> tuple[Run, list[Parameter]]:
        made = render(tree, inputs, values, version_id=version_id, sources=modules, now=now)
        return made, assembly.parameters(made)

    chosen = {**_preset(tree, inputs, version_id, modules), **inputs.parameters}
    run, found = evaluate({**inputs.previous_parameters, **chosen})
    gone = {item.name for item in found if item.ephemeral} & set(inputs.previous_parameters) - set(chosen)
    if gone:
        kept = {name: value for name, value in inputs.previous_parameters.items() if name not in gone}
        run, found = evaluate({**kept, **chosen})
    return run, found


def _preset(tree: Path, inputs: PlanInputs, version_id: str, modules: ModuleSource | None) -> Mapping[str, str]:
    if inputs.preset is None:
        return {}
    only = ("data", "coder_workspace_preset")
    run = render(tree, inputs, inputs.parameters, version_id=version_id, sources=modules, only=only)
    found = {preset.name: preset for preset in assembly.presets(run)}
    if inputs.preset in found:
        return found[inputs.preset].parameters
    if run.problems:
        raise template_invalid(inputs.template_name, tuple(run.problems))
    known = ", ".join(f'"{name}"' for name in found) or "none"
    message = f'There is no preset "{inputs.preset}" in this template.'
    hint = f"{did_you_mean(inputs.preset, found)} Available presets: {known}.".strip()
    raise InvalidInput(message, hint=hint, validations=(FieldError("preset", f"{message} {hint}"),))


def _given_wrong(run: Run) -> list[FieldError]:
    found: dict[str, str] = {}
    for problem in run.errors:
        if isinstance(problem, (ParameterProblem, VariableProblem)):
            first = problem.diagnostics[0]
            detail = ": ".join(part for part in (first.summary, first.detail) if part)
            found.setdefault(problem.name, detail)
    return [FieldError(name, detail) for name, detail in found.items()]


def _given_unknown(inputs: PlanInputs, found: Sequence[Parameter], run: Run) -> list[FieldError]:
    """Names that the template does not have; said only where what it has is known."""
    wrong = {problem.name for problem in run.errors if isinstance(problem, ParameterProblem)}
    if run.problems and not wrong:
        return []
    parameters = [item.name for item in found] + sorted(wrong)
    problems = [_no_such("parameter", name, parameters) for name in inputs.parameters if name not in parameters]
    variables = list(run.root_variables)
    return problems + [_no_such("variable", name, variables) for name in inputs.variables if name not in variables]


def _no_such(what: str, name: str, known: Sequence[str]) -> FieldError:
    listed = ", ".join(f'"{item}"' for item in known) or "none"
    parts = (f'There is no {what} "{name}".', did_you_mean(name, known), f"Available {what}s: {listed}.")
    return FieldError(name, " ".join(part for part in parts if part))


def _missing(inputs: PlanInputs, run: Run, found: Sequence[Parameter]) -> list[FieldError]:
    if inputs.transition != "start":
        return []
    return [
        FieldError(item.name, f'Required parameter "{item.name}" is not set.')
        for item in found
        if item.required and item.name not in run.facts.parameters
    ]


def _changed(inputs: PlanInputs, run: Run, found: Sequence[Parameter]) -> list[FieldError]:
    return [
        FieldError(
            item.name, f'Parameter "{item.name}" is not mutable, so it can\'t be updated after creating a workspace.'
        )
        for item in found
        if not item.mutable
        and inputs.previous_parameters.get(item.name, item.value) != item.value
        and item.name in inputs.parameters
    ]


def _invalid_input(problems: Sequence[FieldError]) -> InvalidInput:
    if len(problems) == 1:
        return InvalidInput(f"{problems[0].field}: {problems[0].detail}", validations=tuple(problems))
    names = ", ".join(problem.field for problem in problems)
    details = "\n".join(f"  {problem.field}: {problem.detail}" for problem in problems)
    return InvalidInput(f"Several values are wrong: {names}.", detail=f"\n{details}", validations=tuple(problems))


def _check_agents(run: Run) -> None:
    if not any(item.type == "coder_agent" for item in run.declared) and not run.problems:
        run.problems[
            Diagnostic(
                severity="error",
                summary="No workspace agent",
                detail="The template declares no coder_agent, so nothing could run in its workspaces.",
                file="main.tf",
                suggestion='Add resource "coder_agent" "main" { … }.',
            )
        ] = None


def template_invalid(name: str, found: Sequence[Diagnostic]) -> TemplateInvalid:
    """The error for a template with these findings, each of severity "error"."""
    what = f'The template "{name}"' if name else "The template"
    count = "an error" if len(found) == 1 else f"{len(found)} errors"
    return TemplateInvalid(f"{what} has {count}.", hint="Correct it and try again.", diagnostics=tuple(found))
