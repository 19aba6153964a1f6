"""The reader against Go's own parser (pygohcl), its places, its recovery and its bounds."""

from __future__ import annotations

import contextlib
import json
import random
import secrets
import time
from pathlib import Path

import pytest

import jupyter_tasks.templates
from jupyter_tasks.templates.hcl import nodes
from jupyter_tasks.templates.hcl.diagnostics import HclError, Source
from jupyter_tasks.templates.hcl.syntax import MAX_BYTES, decode, parse, parse_expression, parse_template

HERE = Path(__file__).parent
CORPUS = (HERE / "corpus.tf.txt").read_text()
BUNDLED = Path(jupyter_tasks.templates.__file__).parent / "builtin" / "quickstart" / "main.tf"
CASES: list[str] = json.loads((HERE / "syntax_cases.json").read_text())
ALPHABET = '{}[]()"$%~\\\n\r\t #/*<>-=!&|?:.,aEOT0159_ é²'
WORDS = ("${", "%{", '"', "<<E\n", "\nE\n", "/*", "*/", "}", "[*]", "...", "=>", "for ", " in ", "if ", "<<-X\n", "X\n")


def accepts(text: str) -> bool:
    try:
        parse(decode("main.tf", text.encode()))
    except HclError as problem:
        found = problem.diagnostics
    else:
        return True
    assert found
    assert all(item.line and item.column for item in found)
    return False


def go_accepts(text: str) -> bool | None:
    """What Go's parser says; None where the binding itself fails after parsing."""
    pygohcl = pytest.importorskip("pygohcl")
    try:
        pygohcl.loads(text)
    except pygohcl.HCLParseError:
        return False
    except pygohcl.HCLInternalError:
        return None
    return True


@pytest.mark.parametrize("text", CASES)
def test_edge_case_as_go_reads_it(text: str) -> None:
    assert go_accepts(text) in (None, accepts(text))


def mutate(chance: random.Random, text: str) -> str:
    for _ in range(chance.randint(1, 3)):
        at, kind = chance.randrange(len(text)), chance.random()
        if kind < 0.35:
            text = text[:at] + text[at + chance.randint(1, 6) :]
        elif kind < 0.7:
            made = "".join(chance.choice(ALPHABET) for _ in range(chance.randint(1, 3)))
            text = text[:at] + made + text[at:]
        elif kind < 0.85:
            other = chance.randrange(len(text))
            text = text[:at] + text[other : other + chance.randint(1, 20)] + text[at:]
        else:
            text = text[:at] + chance.choice(WORDS) + text[at:]
        text = text or "a"
    return text


def agree_on_mutants(seed: int, count: int) -> int:
    chance = random.Random(seed)
    pieces = [CORPUS, *(f"{piece}\n}}\n" for piece in CORPUS.split("\n}\n") if piece.strip())]
    accepted = 0
    for number in range(count):
        text = mutate(chance, chance.choice(pieces))
        expected = go_accepts(text)
        if expected is None:
            continue
        assert accepts(text) is expected, f"seed {seed}, mutant {number}: {text!r}"
        accepted += expected
    return accepted


def test_mutants_as_go_reads_them() -> None:
    assert agree_on_mutants(20, 400) > 10
    seed = secrets.randbits(32)
    print(f"random seed: {seed}")
    agree_on_mutants(seed, 200)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_many_mutants_as_go_reads_them(seed: int) -> None:
    assert agree_on_mutants(seed, 500) > 20


@pytest.mark.slow  # its first parse takes seconds where site-packages cannot be written
def test_python_hcl2_reads_the_same_blocks() -> None:
    """The second opinion: python-hcl2 on what the bundled template declares."""
    hcl2 = pytest.importorskip("hcl2")
    theirs = hcl2.loads(BUNDLED.read_text())
    ours = parse(Source("main.tf", BUNDLED.read_text()))
    found = [(block.labels[0].text, block.labels[1].text) for block in ours.blocks if block.type == "resource"]
    expected = [
        (kind.strip('"'), name.strip('"'))
        for item in theirs["resource"]
        for kind, names in item.items()
        for name in names
    ]
    assert found == expected


def test_every_node_has_its_place() -> None:
    source = Source("main.tf", CORPUS)
    body = parse(source)

    def check(node: nodes.Node, start: int, end: int) -> int:
        assert start <= node.start <= node.end <= end, (type(node), source.position(node.start))
        return 1 + sum(check(child, node.start, node.end) for child in nodes.children(node))

    assert sum(check(block, 0, len(CORPUS)) for block in body.blocks) > 120
    first = body.blocks[1].body.attributes["a"]
    assert CORPUS[first.expression.start : first.expression.end] == '[for k, v in var.m : "${k}=${v}" if v != null]'
    assert source.position(first.start) == (7, 3)


def test_places_count_code_points_and_bytes() -> None:
    source = Source("main.tf", 'a = "é"\nb = ]\n')
    with pytest.raises(HclError) as caught:
        parse(source)
    found = caught.value.diagnostics[0]
    assert (found.line, found.column, found.source) == (2, 5, "b = ]")
    assert found.render().splitlines()[2] == "        ^"
    assert source.byte_offset(7) == 8


def test_several_errors_are_reported_at_once() -> None:
    text = 'resource "a" "b" {\n  x = \n  y = 1\n}\nz = = 2\nlocals {\n  q = [1, 2\n}\nok = 1\nok = 2\n'
    with pytest.raises(HclError) as caught:
        parse(Source("main.tf", text))
    lines = [found.line for found in caught.value.diagnostics]
    assert lines == [2, 5, 8, 10]


def test_the_commonest_mistake_is_explained() -> None:
    with pytest.raises(HclError) as caught:
        parse(Source("main.tf", "a = <<EOT\necho ${HOME:-x}\nEOT\n"))
    found = caught.value.diagnostics[0]
    assert (found.line, found.column) == (2, 12)
    assert found.suggestion == "Write $${ where the text itself should hold ${."


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<<EOT\n  a\n b\nEOT\n", "  a\n b\n"),
        ("<<-EOT\n    a\n\n      b\n    EOT\n", "a\n\n  b\n"),
        ("<<-EOT\n    a $${b}\n   %%{c}\n  EOT\n", " a ${b}\n%{c}\n"),
        ("<<EOT\na\\nb\nEOT\n", "a\\nb\n"),
        ("<<EOT\nEOT\n", ""),
    ],
)
def test_heredocs_without_values(body: str, expected: str) -> None:
    value = parse(Source("main.tf", f"x = {body}")).attributes["x"].expression
    assert isinstance(value, nodes.Literal)
    assert value.value == expected


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000,
        "[" * 5000,
        "{a=" * 5000,
        "-" * 5000 + "1",
        "!" * 5000,
        '"${' * 5000,
        "f(" * 5000,
        "x[" * 5000,
        "1?" * 5000,
    ],
)
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(HclError):
        parse_expression(Source("x", text))


def test_blocks_nested_too_deeply_are_refused() -> None:
    with pytest.raises(HclError, match="nested too deeply"):
        parse(Source("x", "b {\n" * 5000))


@pytest.mark.parametrize("data", [b"a = \xff\n", b"\xed\xa0\x80", b"a = 1\n" * (MAX_BYTES // 6 + 1)])
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(HclError):
        decode("main.tf", data)


def test_null_characters_are_refused() -> None:
    assert not accepts("a = 1\nb = \0\n")


def test_a_template_file_is_read() -> None:
    made = parse_template(Source("x", 'a ${b} "quoted" \\n %{ if c }d%{ endif }\n'))
    assert isinstance(made, nodes.Template)
    assert len(made.parts) == 5


def test_random_bytes_never_crash() -> None:
    chance = random.Random(5)
    for _ in range(300):
        text = "".join(chance.choice([*ALPHABET, *WORDS]) for _ in range(chance.randint(0, 60)))
        accepts(text)
        for read in (parse_expression, parse_template):
            with contextlib.suppress(HclError):
                read(Source("x", text))


@pytest.mark.slow
def test_throughput() -> None:
    """Processor time, so that a busy machine does not fail it."""
    text = BUNDLED.read_text()
    rates = []
    for _ in range(5):
        sources = [Source("x", text) for _ in range(60)]
        start = time.process_time()
        for source in sources:
            parse(source)
        rates.append(len(text) * len(sources) / (time.process_time() - start) / 1e6)
    print(f"{max(rates):.2f} MB/s")
    assert max(rates) > 1.5
