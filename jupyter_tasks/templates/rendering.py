"""One evaluation of one template for given inputs.

Owns how tree, configuration, provider facts and functions come together, and the bound on nesting. ``planning`` and
``analysis`` read the result; nothing is raised for what is wrong in the template, it is all in the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from jupyter_tasks.errors import Diagnostic, NotFound
from jupyter_tasks.templates.checks import check_names
from jupyter_tasks.templates.configuration import load_module
from jupyter_tasks.templates.hcl import nodes
from jupyter_tasks.templates.hcl.diagnostics import Source, did_you_mean
from jupyter_tasks.templates.hcl.evaluate import evaluate
from jupyter_tasks.templates.hcl.functions import FunctionContext, FunctionProblem
from jupyter_tasks.templates.hcl.scope import Budget, Scope
from jupyter_tasks.templates.hcl.syntax import parse_template
from jupyter_tasks.templates.hcl.values import Value
from jupyter_tasks.templates.instances import ModuleInstance, Run
from jupyter_tasks.templates.modules import BuiltinModules, ModuleSource
from jupyter_tasks.templates.plan import PlanInputs
from jupyter_tasks.templates.provider.schema import Facts
from jupyter_tasks.templates.tree import Tree
from jupyter_tasks.templates.variables import VariableReader

__all__ = ["render"]


class _TemplateNames:
    """Names inside a template file: only the variables that it was given (those are local to the scope)."""

    def resolve(self, node: nodes.Reference, scope: Scope) -> tuple[Value, int]:
        """Raises: HclError, always."""
        raise scope.place(node).error(
            "Undeclared template variable",
            f'The template was not given a variable "{node.name}".',
            suggestion=did_you_mean(node.name, scope.local),
        )


def render(
    tree: Path,
    inputs: PlanInputs,
    parameters: Mapping[str, str],
    *,
    version_id: str,
    sources: ModuleSource | None = None,
    now: datetime | None = None,
    only: tuple[str, str] | None = None,
) -> Run:
    """Evaluate the template in ``tree`` with these parameter values.

    ``only`` limits it to the root's resources of one (mode, type). What is wrong is in ``problems`` and ``errors`` of
    the result. Raises: NotFound when there is no directory ``tree``.
    """
    if not tree.is_dir():
        raise NotFound(f"There is no template directory {tree.name!r}.", hint="Import the template again.")
    files = Tree(tree)
    budget = Budget()

    def fill(name: str, text: str, variables: Mapping[str, Value]) -> Value:
        source = Source(name, text)
        inner = FunctionContext(files, _no_nesting, now)
        return evaluate(parse_template(source), Scope(_TemplateNames(), source, inner, budget, variables))

    run = Run(
        tree=files,
        facts=Facts(inputs, parameters, version_id),
        sources=sources or BuiltinModules(),
        functions=FunctionContext(files, fill, now),
        variables=VariableReader(inputs.variables, inputs.task_token),
        budget=budget,
    )
    config = load_module(files.root, "")
    root = ModuleInstance(run, config)
    if config.diagnostics:
        return run
    run.problems.update(dict.fromkeys(check_names(config)))
    try:
        if only:
            root.of_type(*only)
        else:
            root.evaluate_all()
    except RecursionError:
        run.active.clear()
        run.problems[_too_deep()] = None
    return run


def _no_nesting(name: str, text: str, variables: Mapping[str, Value]) -> Value:
    raise FunctionProblem("cannot render a template from inside of a template.")


def _too_deep() -> Diagnostic:
    return Diagnostic(
        severity="error",
        summary="Template nested too deeply",
        detail="Its expressions or the references among them go too deep to be evaluated.",
    )
