"""Names: Coder's rules, held for every prompt."""

from __future__ import annotations

import random

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.tasks import naming
from jupyter_tasks.tasks.words import ADJECTIVES, SURNAMES

pytestmark = pytest.mark.usefixtures("anyio_backend")


def seeded() -> random.Random:
    return random.Random(1)


@pytest.mark.parametrize(
    ("prompt", "name", "display"),
    [
        (
            "change the primary color theme to purple",
            "change-the-primary-color",
            "Change the primary color theme to purple",
        ),
        ("Fix\n\tthe   bug!", "fix-the-bug", "Fix the bug!"),
        ("fix -- it -", "fix-it", "Fix -- it -"),
        ("x" * 80, "x" * 27, "X" + "x" * 62 + "…"),
        ("a" * 27 + " b", "a" * 27, "A" + "a" * 26 + " b"),
        ("a" * 28 + " b", "a" * 27, "A" + "a" * 27 + " b"),
        ("word " * 20, "word-word-word-word-word", "Word" + " word" * 11 + "…"),
        ("naïve café", "nave-caf", "Naïve café"),
        ("ßtraße", "trae", "ßtraße"),
        ("run \x1b[31mred\x00", "run-31mred", "Run [31mred"),
    ],
)
def test_names_from_a_prompt(prompt: str, name: str, display: str) -> None:
    assert naming.from_prompt(prompt) == (name, display)


@pytest.mark.parametrize("prompt", ["", "   ", "直してください", "!!!", "\x00\x1b", "---"])
def test_prompts_that_give_no_name(prompt: str) -> None:
    assert naming.from_prompt(prompt) is None
    made = naming.generate(prompt, seeded())
    assert naming.valid_name(made.name)
    assert made.name.count("-") == 2
    assert made.display_name[0].isupper()


def test_a_suffix_of_four_digits_is_always_there() -> None:
    made = naming.generate("fix it", seeded())
    stem, suffix = made.name.rsplit("-", 1)
    assert stem == "fix-it"
    assert len(suffix) == 4
    assert int(suffix, 16) >= 0
    assert naming.generate("fix it", seeded()) == made
    assert len({naming.generate("fix it").name for _ in range(50)}) > 1


@given(st.text(max_size=300))
def test_every_prompt_gives_a_valid_name(prompt: str) -> None:
    made = naming.generate(prompt)
    assert naming.valid_name(made.name)
    assert made.name == made.name.lower()
    assert 1 <= len(made.display_name) <= naming.MOST_DISPLAY_NAME
    assert made.display_name.isprintable()


def test_every_pair_of_words_fits() -> None:
    longest = f"{max(ADJECTIVES, key=len)}-{max(SURNAMES, key=len)}"
    assert len(longest) <= 27
    assert all(naming.valid_name(word) for word in ADJECTIVES + SURNAMES)
    assert len(set(ADJECTIVES)) == len(ADJECTIVES)
    assert len(set(SURNAMES)) == len(SURNAMES)


@pytest.mark.parametrize("name", ["a", "A1", "fix-it", "x" * 32, "0-0"])
def test_valid_names(name: str) -> None:
    assert naming.valid_name(name)
    naming.check_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "a--b", "a_b", "a b", "x" * 33, "é", "a\n", "new", "CREATE", "../x"])
def test_names_that_are_refused(name: str) -> None:
    assert not naming.valid_name(name)
    with pytest.raises(InvalidInput, match="Unable to create a Task with the provided name") as caught:
        naming.check_name(name)
    assert caught.value.validations[0].field == "name"


class Scripted:
    """A model that answers as it is told to."""

    def __init__(self, answer: tuple[str, str] | Exception | None, *, hangs: bool = False) -> None:
        self.answer = answer
        self.hangs = hangs

    async def propose(self, prompt: str) -> tuple[str, str] | None:
        if self.hangs:
            await anyio.sleep_forever()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.anyio
async def test_a_models_name_is_taken() -> None:
    made = await naming.name_task("fix it", namer=Scripted(("coder-1234", "work on\ncoder/coder #1234")), rng=seeded())
    assert made.name.startswith("coder-1234-")
    assert made.display_name == "Work on coder/coder #1234"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        ("task-unnamed", "Task Unnamed"),
        ("Has Spaces", "x"),
        ("UPPER", "x"),
        ("x" * 28, "x"),
        ("", ""),
        RuntimeError("no key"),
    ],
)
@pytest.mark.anyio
async def test_a_model_without_a_name_does_no_harm(answer: tuple[str, str] | Exception | None) -> None:
    made = await naming.name_task("fix it", namer=Scripted(answer), rng=seeded())
    assert made.name.startswith("fix-it-")


@pytest.mark.anyio
async def test_a_model_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "NAMER_SECONDS", 0.05)
    with anyio.fail_after(40):
        made = await naming.name_task("fix it", namer=Scripted(None, hangs=True))
    assert made.name.startswith("fix-it-")
