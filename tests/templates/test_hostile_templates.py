# ruff: noqa: E501, PT017 - tables of texts; every outcome but a crash is right
"""Templates are foreign input: whatever they hold, planning ends soon, with a plan or with one of our errors."""

from __future__ import annotations

import os
import random
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from planning_inputs import AGENT, inputs
from test_syntax import BUNDLED, mutate

from jupyter_tasks.errors import InvalidInput, TemplateInvalid
from jupyter_tasks.templates.analysis import analyse
from jupyter_tasks.templates.planning import parameters_for, plan


def survive(tree: Path, seed: int, count: int) -> int:
    """Plan so many mutants of the bundled template; how many were still valid."""
    chance = random.Random(seed)
    original = BUNDLED.read_text()
    valid = 0
    for number in range(count):
        text = mutate(chance, original)
        (tree / "main.tf").write_text(text)
        try:
            plan(tree, inputs(preset=chance.choice([None, "Dashboard"])), template_version_id="v")
            valid += 1
        except (InvalidInput, TemplateInvalid):
            pass
        except Exception as problem:
            raise AssertionError(f"seed {seed}, mutant {number}: {text}") from problem
    return valid


@pytest.fixture
def bundled(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLED.parent, tmp_path / "t"))


def test_mutants_of_the_bundled_template(bundled: Path) -> None:
    assert survive(bundled, 8, 80) > 3
    seed = secrets.randbits(32)
    print(f"random seed: {seed}")
    survive(bundled, seed, 40)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_many_mutants_of_the_bundled_template(bundled: Path, seed: int) -> None:
    assert survive(bundled, seed, 1000) > 30


EXPRESSIONS = (
    "null", "1", "-1.5", '""', '"a"', "[]", "[null]", "{}", "{ a = 1 }", "true", "toset([1])", "coder_agent.main", "data.coder_workspace.me",
    "coder_agent.main.id", "each.key", "count.index", "self.id", "var.x", "local.x", "path.module", "module.m", "each", "count", "path", "data", "terraform.workspace",
    '"http://["', "1e100", "[for x in [] : x]", '{ "a b" = null }', "data.coder_parameter.p", "timestamp()", '"é${1}"', "tomap({})",
)  # fmt: skip
NAMES = (
    "agent_id", "slug", "url", "icon", "display_name", "name", "value", "type", "default", "form_type", "order", "mutable", "ephemeral",
    "count", "for_each", "os", "arch", "env", "dir", "script", "run_on_start", "cron", "timeout", "app_id", "parameters", "input", "source",
    "length", "min", "max", "resource_id", "prompt", "id", "styling", "connection_timeout", "depends_on", "provider", "lifecycle",
)  # fmt: skip
TYPES = (
    'resource "coder_agent" "b"', 'resource "coder_app" "a"', 'resource "coder_script" "s"', 'resource "coder_env" "e"',
    'resource "coder_ai_task" "t"', 'resource "coder_metadata" "m"', 'resource "terraform_data" "local_workspace"', 'data "coder_parameter" "p"',
    'data "coder_workspace_preset" "w"', 'data "coder_workspace_owner" "o"', 'resource "random_string" "r"', 'resource "random_shuffle" "h"',
    'variable "x"', "locals", 'output "z"', 'module "m"', 'data "coder_task" "k"', 'resource "random_pet" "q"', "terraform", 'provider "coder"',
    'resource "random_integer" "i"', 'data "coder_workspace_tags" "g"', 'check "c"',
)  # fmt: skip
INNER = ("option", "validation", "healthcheck", "metadata", "item", "dynamic \"option\"", "lifecycle", "prebuilds", "display_apps", "sidebar_app", "content", "precondition")  # fmt: skip


def random_block(chance: random.Random, opening: str, depth: int = 0) -> str:
    names = chance.sample(NAMES, chance.randint(0, 7))
    lines = [f"  {name} = {chance.choice(EXPRESSIONS)}" for name in names]
    if depth < 3 and chance.random() < 0.5:
        lines.append(random_block(chance, chance.choice(INNER), depth + 1))
    return f"{opening} {{\n" + "\n".join(lines) + "\n}\n"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_templates(write: Callable[..., Path], seed: int) -> None:
    chance = random.Random(seed)
    for number in range(50):
        chosen = chance.sample(TYPES, chance.randint(1, 6))
        tree = write(AGENT + "".join(random_block(chance, opening) for opening in chosen))
        try:
            assert all(item.summary for item in analyse(tree).diagnostics)
            for work in (plan, parameters_for):
                try:
                    work(tree, inputs(parameters={"a": "1"}), template_version_id="v")
                except (InvalidInput, TemplateInvalid) as problem:
                    assert str(problem)
        except Exception as problem:
            raise AssertionError(f"seed {seed}, template {number}: {(tree / 'main.tf').read_text()}") from problem


def test_files_that_are_none(write: Callable[..., Path]) -> None:
    tree = write(AGENT)
    os.mkfifo(tree / "pipe.tf")
    (tree / "folder.tf").mkdir()
    os.symlink("/etc/passwd", tree / "link.tf")
    os.symlink("loop.tf", tree / "loop.tf")
    found = analyse(tree).diagnostics
    assert {item.file for item in found} == {"pipe.tf", "folder.tf", "link.tf", "loop.tf"}
    assert "root:" not in "".join(item.render() for item in found)
