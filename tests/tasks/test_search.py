"""The query language of the task list, with Coder's error texts."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.tasks.owner import Owner
from jupyter_tasks.tasks.search import Query, parse

ME = Owner("5d3a5d9c-0000-0000-0000-000000000000", "ada")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query()),
        ("ada", Query(owner="ada")),
        ("owner:me status:ACTIVE", Query(owner="ada", status="active")),
        ('owner:"Grace" organization:"default" status:"paused"', Query(owner="grace", status="paused")),
        (f"owner:{ME.id}", Query(owner="ada")),
    ],
)
def test_reads(text: str, query: Query) -> None:
    assert parse(text, ME) == query


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (":x", "Query element \":x\" cannot start or end with ':'"),
        ("owner:", "Query element \"owner:\" cannot start or end with ':'"),
        ("a:b:c", "Query element \"a:b:c\" can only contain 1 ':'"),
        ("colour:red", '"colour" is not a valid query param; known are owner, organization, status'),
        ('owner:"x', "a quote is not closed"),
    ],
)
def test_refuses(text: str, detail: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(text, ME)
    assert refused.value.message == "Invalid task search query."
    assert [(each.field, each.detail) for each in refused.value.validations] == [("q", detail)]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert isinstance(parse(text, ME), Query)
