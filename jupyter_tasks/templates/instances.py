"""Modules and resources come to life: declarations -> instances with values.

Owns names (var, local, module, data, resource, path, each, count), laziness with memory, cycle detection, ``count``
and ``for_each``, variables with their types and validations, outputs. What a resource type means is the provider's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar

from jupyter_tasks.errors import Diagnostic
from jupyter_tasks.templates.checks import check_names, data_named
from jupyter_tasks.templates.configuration import ModuleConfig, ModuleDeclaration, ResourceDeclaration, load_module
from jupyter_tasks.templates.expansion import MAX_INSTANCES, Local, expand, suffix
from jupyter_tasks.templates.hcl import nodes
from jupyter_tasks.templates.hcl.diagnostics import HclError, Place, did_you_mean, undeclared
from jupyter_tasks.templates.hcl.evaluate import evaluate
from jupyter_tasks.templates.hcl.functions import FunctionContext
from jupyter_tasks.templates.hcl.scope import Budget, Scope
from jupyter_tasks.templates.hcl.values import ObjectValue, Value
from jupyter_tasks.templates.modules import ModuleSource, locate
from jupyter_tasks.templates.provider import find_kind, unsupported
from jupyter_tasks.templates.provider.parameter import ParameterProblem
from jupyter_tasks.templates.provider.schema import Decoded, Draft, Facts, decode
from jupyter_tasks.templates.tree import Tree
from jupyter_tasks.templates.variables import VariableReader

__all__ = ["Instance", "ModuleInstance", "Run"]

_MAX_MODULE_DEPTH = 12
_META = frozenset({"count", "for_each", "depends_on", "provider", "lifecycle", "provisioner", "connection"})
_MODULE_META = frozenset({"source", "version", "providers", "count", "for_each", "depends_on"})


_Made = TypeVar("_Made")
_Given = ParamSpec("_Given")


@dataclass(frozen=True, slots=True)
class Instance:
    """One resource instance. ``values`` holds what was written and what the provider computed."""

    address: str
    declaration: ResourceDeclaration
    decoded: Decoded
    values: ObjectValue


@dataclass(slots=True)
class Run:
    """One evaluation of one template: what its modules share. Findings are kept in order, each once."""

    tree: Tree
    facts: Facts
    sources: ModuleSource
    functions: FunctionContext
    variables: VariableReader
    budget: Budget = field(default_factory=Budget)
    instances: dict[str, Instance] = field(default_factory=dict)
    declared: list[ResourceDeclaration] = field(default_factory=list)
    root_variables: dict[str, nodes.Block] = field(default_factory=dict)
    problems: dict[Diagnostic, None] = field(default_factory=dict)
    errors: list[HclError] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)
    active: list[tuple[object, str]] = field(default_factory=list)

    def attempt(self, work: Callable[_Given, _Made], *given: _Given.args, **named: _Given.kwargs) -> _Made | None:
        """Do ``work``; keep what it finds wrong, return None then, and go on."""
        try:
            return work(*given, **named)
        except HclError as problem:
            self.errors.append(problem)
            self.problems.update(dict.fromkeys(problem.diagnostics))
            return None


_Result = tuple[Value, HclError | None]


class ModuleInstance:
    """One instance of a module: gives names their values, each computed once, when it is first needed."""

    def __init__(
        self,
        run: Run,
        config: ModuleConfig,
        address: str = "",
        arguments: Mapping[str, tuple[nodes.Attribute, Scope]] | None = None,
        depth: int = 0,
    ) -> None:
        self.run = run
        self.config = config
        self.address = address
        self.depth = depth
        self.arguments = arguments
        self._memory: dict[object, _Result] = {}
        self._children: dict[str, list[tuple[Value, ModuleInstance]]] = {}
        run.declared += config.resources.values()
        if arguments is None:
            run.root_variables = config.variables
        run.problems.update(dict.fromkeys(config.diagnostics))

    def scope(self, block: nodes.Block | nodes.Attribute, local: Local | None = None) -> Scope:
        """Where the expressions of ``block`` are evaluated."""
        return Scope(self, block.source, self.run.functions, self.run.budget, local or {})

    def evaluate_all(self) -> None:
        """Compute everything that is declared, gathering what is wrong in the run."""
        attempt = self.run.attempt
        for name in self.config.variables:
            block = self.config.variables[name]
            attempt(self._variable, name)
            attempt(self.run.variables.validate, block, self.scope(block))
        for name in self.config.locals:
            attempt(self._local, name)
        for address in self.config.resources:
            attempt(self._resource, self.config.resources[address])
        for name in self.config.modules:
            attempt(self._module, name)
            for _, child in self._children.get(name, ()):
                child.evaluate_all()
        for name in self.config.outputs:
            attempt(self._output, name)

    def of_type(self, mode: str, type_: str) -> None:
        """Compute only the resources of one type in this module."""
        for declaration in self.config.resources.values():
            if (declaration.mode, declaration.type) == (mode, type_):
                self.run.attempt(self._resource, declaration)

    # names

    def resolve(self, node: nodes.Reference, scope: Scope) -> tuple[Value, int]:
        """The value of a name and how many of the steps behind it are part of the name."""
        name = node.name
        if name in ("each", "count", "self"):
            raise scope.place(node).error(
                f'Invalid reference to "{name}"', f'"{name}" has no value here: see count and for_each.'
            )
        if name == "data":
            type_, inner = self._word(node, 0, scope), self._word(node, 1, scope)
            return self._known(f"data.{type_}.{inner}", node, scope), 2
        word = self._word(node, 0, scope)
        if name == "var":
            self._declared(word, self.config.variables, "input variable", node, scope)
            return self._variable(word), 1
        if name == "local":
            self._declared(word, self.config.locals, "local value", node, scope)
            return self._local(word), 1
        if name == "module":
            self._declared(word, self.config.modules, "module call", node, scope)
            return self._module(word), 1
        if name == "path":
            paths = {"module": self.config.directory or ".", "root": ".", "cwd": "."}
            self._declared(word, paths, "path", node, scope)
            return paths[word], 1
        if name == "terraform":
            self._declared(word, {"workspace": ""}, "terraform value", node, scope)
            return "default", 1
        return self._known(f"{name}.{word}", node, scope), 1

    def _word(self, node: nodes.Reference, at: int, scope: Scope) -> str:
        step = node.steps[at] if at < len(node.steps) else None
        if isinstance(step, nodes.AttributeStep):
            return step.name
        problem = scope.place(node).error(
            "Invalid reference",
            f'"{node.name}" is not the name of anything here; a reference to a resource is type.name.',
            suggestion=did_you_mean(node.name, [*scope.local, "var", "local", "data", "module", "path"]),
        )
        problem.static = True
        raise problem

    def _declared(self, name: str, known: Mapping[str, object], what: str, node: nodes.Node, scope: Scope) -> None:
        if name not in known:
            problem = scope.place(node).error(
                f"Reference to undeclared {what}",
                undeclared(what, name),
                suggestion=did_you_mean(name, known),
            )
            problem.static = True
            raise problem

    def _known(self, address: str, node: nodes.Reference, scope: Scope) -> Value:
        declaration = self.config.resources.get(address)
        if declaration is None:
            problem = scope.place(node).error(
                "Reference to undeclared resource",
                undeclared("resource", address),
                suggestion=did_you_mean(address, self.config.resources),
            )
            problem.static = True
            raise problem
        return self._resource(declaration)

    def _once(self, kind: str, name: str, place: Place, compute: Callable[[], Value]) -> Value:
        key = (kind, name)
        if key not in self._memory:
            active = (self, f"{self.address}.{name}".lstrip("."))
            if active in self.run.active:
                chain = [label for _, label in self.run.active[self.run.active.index(active) :]]
                raise place.error("Cycle", f"It depends on itself: {' -> '.join([*chain, active[1]])}.")
            self.run.active.append(active)
            try:
                self._memory[key] = compute(), None
            except HclError as problem:
                self._memory[key] = None, problem
            finally:
                self.run.active.pop()
        value, failed = self._memory[key]
        if failed:
            raise failed
        return value

    # what is declared

    def _variable(self, name: str) -> Value:
        block = self.config.variables[name]
        given = self.arguments.get(name) if self.arguments is not None else None
        reader = self.run.variables

        def compute() -> Value:
            if self.arguments is None:
                return reader.root(block, self.scope(block))
            if given:
                value, place = evaluate(given[0].expression, given[1]), given[0].value_place
                value = reader.settle(block, value, place, self.scope(block))
            else:
                value = reader.default(block, self.scope(block))
            return reader.stand_in(block, value, self.scope(block))

        return self._once("var", f"var.{name}", block.place, compute)

    def _local(self, name: str) -> Value:
        attribute = self.config.locals[name]
        return self._once(
            "local",
            f"local.{name}",
            attribute.place,
            lambda: evaluate(attribute.expression, self.scope(attribute)),
        )

    def _output(self, name: str) -> Value:
        block = self.config.outputs[name]
        value = block.body.attributes.get("value")
        if value is None:
            return None
        return self._once(
            "output", f"output.{name}", block.place, lambda: evaluate(value.expression, self.scope(block))
        )

    def _module(self, name: str) -> Value:
        declaration = self.config.modules[name]
        place = declaration.block.place

        def compute() -> Value:
            expansion = expand(declaration.block, self.scope(declaration.block))
            config = self._load(declaration)
            if declaration.name not in self._children:
                self.run.problems.update(dict.fromkeys(check_names(config)))
            arguments = self._arguments(declaration, config)
            children: list[tuple[Value, ModuleInstance]] = []
            for key, local in expansion.items:
                scope = self.scope(declaration.block, local)
                child = ModuleInstance(
                    self.run,
                    config,
                    f"{self.address}.module.{name}{suffix(key)}".lstrip("."),
                    {word: (attribute, scope) for word, attribute in arguments.items()},
                    self.depth + 1,
                )
                children.append((key, child))
            self._children[name] = children
            return expansion.collect([child.outputs() for _, child in children])

        return self._once("module", f"module.{name}", place, compute)

    def outputs(self) -> ObjectValue:
        """Every output's value, null for one that fails (what is wrong with it is kept in the run)."""
        found: dict[str, Value] = {}
        for name in sorted(self.config.outputs):
            found[name] = self.run.attempt(self._output, name)
        return ObjectValue(found)

    def _load(self, declaration: ModuleDeclaration) -> ModuleConfig:
        attributes = declaration.block.body.attributes
        place = declaration.block.place
        if self.depth >= _MAX_MODULE_DEPTH:
            raise place.error("Modules nested too deeply", f"At most {_MAX_MODULE_DEPTH} levels.")
        source = attributes.get("source")
        if source is None or not isinstance(source.expression, nodes.Literal):
            raise place.error("Missing module source", "A module needs source, a quoted string without templates.")
        version = attributes.get("version")
        constraint = version.expression.value if version and isinstance(version.expression, nodes.Literal) else ""
        address = f"{self.address}.{declaration.name}".lstrip(".").replace("module.", "")
        found = locate(
            str(source.expression.value),
            str(constraint),
            self.config.directory,
            address,
            self.run.tree,
            self.run.sources,
            source.value_place,
        )
        return load_module(found.directory, found.shown)

    def _arguments(self, declaration: ModuleDeclaration, config: ModuleConfig) -> dict[str, nodes.Attribute]:
        attributes = declaration.block.body.attributes
        problems: list[Diagnostic] = []
        for name, attribute in attributes.items():
            if name not in _MODULE_META and name not in config.variables:
                problems += attribute.place.error(
                    "Unsupported argument",
                    f'An argument named "{name}" is not expected: module "{declaration.name}" has no such variable.',
                    suggestion=did_you_mean(name, config.variables),
                ).diagnostics
        for name, block in config.variables.items():
            if name not in attributes and "default" not in block.body.attributes:
                problems += declaration.block.place.error(
                    "Missing required argument", f'Module "{declaration.name}" requires the argument "{name}".'
                ).diagnostics
        if problems:
            raise HclError(problems)
        return {name: item for name, item in attributes.items() if name not in _MODULE_META}

    def _resource(self, declaration: ResourceDeclaration) -> Value:
        def compute() -> Value:
            expansion = expand(declaration.block, self.scope(declaration.block))
            values: list[Value] = []
            for key, local in expansion.items:
                values.append(self._instance(declaration, key, local).values)
            return expansion.collect(values)

        return self._once("resource", declaration.address, declaration.block.place, compute)

    def _instance(self, declaration: ResourceDeclaration, key: Value, local: Local) -> Instance:
        block = declaration.block
        kind = find_kind(declaration.mode, declaration.type)
        if kind is None:
            raise unsupported(declaration.mode, declaration.type, block)
        address = f"{self.address}.{declaration.address}{suffix(key)}".lstrip(".")
        scope = self.scope(block, local)
        for inner in block.body.blocks:
            if inner.type == "provisioner":
                raise inner.place.error(
                    "Provisioners are refused",
                    "They would run commands outside of the workspace.",
                    suggestion="Use a coder_script, which runs inside.",
                )
        decoded = decode(block.body, kind.schema, scope, block.place, _META)
        draft = Draft(address, declaration.name, decoded, self.run.facts, self.run.warnings)
        computed = kind.complete(draft)
        values = ObjectValue(sorted({**decoded.as_object(), **computed}.items()))
        self._conditions(block, replace(scope, local={**scope.local, "self": values}))
        found = Instance(address, declaration, decoded, values)
        self.run.instances[address] = found
        if len(self.run.instances) > MAX_INSTANCES:
            raise block.place.error("Too many resources", f"At most {MAX_INSTANCES} instances are planned.")
        return found

    def _conditions(self, block: nodes.Block, scope: Scope) -> None:
        for lifecycle in (inner for inner in block.body.blocks if inner.type == "lifecycle"):
            for condition in lifecycle.body.blocks:
                if condition.type in ("precondition", "postcondition"):
                    asked = self._parameter_in(condition)
                    summary = "Invalid parameter value" if asked else f"Resource {condition.type} failed"
                    try:
                        self.run.variables.condition(condition, scope, summary)
                    except HclError as problem:
                        raise (ParameterProblem(asked, problem) if asked else problem) from None

    def _parameter_in(self, condition: nodes.Block) -> str:
        """The parameter whose chosen value a condition is about: the only one that it names; "" for others."""
        attribute = condition.body.attributes.get("condition")
        found = data_named(attribute.expression, "coder_parameter") if attribute else set()
        instance = self.run.instances.get(f"{self.address}.{found.pop()}".lstrip(".")) if len(found) == 1 else None
        name = instance.values.get("name") if instance else ""
        return name if isinstance(name, str) and name in self.run.facts.parameters else ""
