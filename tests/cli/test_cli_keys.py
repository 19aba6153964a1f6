"""Credentials by the shell: in by stdin or unseen, never an argument, never out again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from shell_engine import Shell


def last(shell: Shell, kind: str) -> Any:
    return next((call for call in reversed(shell.service.calls) if call[0] == kind), None)


def test_keys_come_by_stdin_only(shell: Shell) -> None:
    empty = shell.run("keys")
    assert (empty.code, empty.out) == (0, "")
    assert "keys add anthropic" in empty.err
    added = shell.run("keys", "add", "anthropic", "--oauth", "--stdin", "--base-url", "http://proxy", input=" sk-can\n")
    assert added.code == 0, added
    request = last(shell, "put_key")[2]
    assert request.secret.get_secret_value() == "sk-can"
    assert (request.kind, request.base_url) == ("oauth_token", "http://proxy")
    listed = shell.run("keys", "list")
    assert listed.out.splitlines()[1].split() == ["anthropic", "OAuth", "token", "file", "http://proxy"]
    assert json.loads(shell.run("keys", "list", "--json").out)["providers"] == ["anthropic", "openai"]
    tested = shell.run("keys", "test")
    assert (tested.code, tested.out) == (0, "✓ anthropic: Accepted.\n")
    shell.service.accepted = False
    tested = shell.run("keys", "test", "anthropic")
    assert (tested.code, tested.err) == (1, "✗ anthropic: invalid x-api-key (HTTP 401)\n")
    assert shell.run("keys", "remove", "anthropic").code == 0
    assert shell.run("keys", "remove", "anthropic").code == 3
    assert shell.run("keys", "test").code == 1
    assert "sk-can" not in added.out + added.err + listed.out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("anthropic",), 2),  # nobody can type it
        (("anthropic", "--stdin"), 2),  # nothing came
        (("sk-ant-canary-1", "--stdin"), 2),
        (("anthropic", "sk-ant-canary-1"), 2),
        (("nobody", "--stdin"), 2),
    ],
)
def test_wrong_keys_are_refused(shell: Shell, words: tuple[str, ...], code: int) -> None:
    done = shell.run("keys", "add", *words, input="  \n")
    assert (done.code, last(shell, "put_key")) == (code, None), done
    if words[0] == "sk-ant-canary-1":
        assert "canary" not in done.out + done.err


def test_an_unknown_provider_is_the_engines_business(shell: Shell) -> None:
    done = shell.run("keys", "add", "nobody", "--stdin", input="sk-can")
    assert (done.code, "There are: anthropic, openai" in done.err) == (2, True)
    assert "sk-can" not in done.err
