"""Credentials: where they lie, which one counts, and that none is ever shown."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import traceback
from pathlib import Path

import pytest
from gateway_rig import Rig, rigged, whole
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.errors import Forbidden, InvalidInput, NotFound, TasksError
from jupyter_tasks.metering.credentials import Credentials

pytestmark = [pytest.mark.usefixtures("anyio_backend")]
KEY = "sk-ant-api03-abc"


def test_file_before_environment(tmp_path: Path) -> None:
    file = tmp_path / "state" / "keys.json"
    credentials = Credentials(file, {"ANTHROPIC_API_KEY": "from-env", "OPENAI_API_KEY": " other\n"})
    found = credentials.find("anthropic")
    assert found is not None
    assert (found.secret, found.source, found.variable) == ("from-env", "environment", "ANTHROPIC_API_KEY")
    shown = credentials.add("Anthropic", KEY)
    assert (shown.kind, shown.source, shown.base_url) == ("api_key", "file", "https://api.anthropic.com")
    found = credentials.find("anthropic")
    assert found is not None
    assert found.secret == KEY
    assert [key.provider for key in credentials.list()] == ["anthropic", "openai"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    credentials.remove("anthropic")
    assert credentials.list()[0].source == "environment"
    with pytest.raises(NotFound, match="ANTHROPIC_API_KEY"):
        credentials.remove("anthropic")
    assert os.listdir(file.parent) == ["keys.json"]


@pytest.mark.parametrize(
    ("environ", "kind", "headers"),
    [
        ({"ANTHROPIC_API_KEY": KEY}, "api_key", {"x-api-key": KEY}),
        ({"ANTHROPIC_API_KEY": "sk-ant-oat01-x"}, "oauth_token", {"authorization": "Bearer sk-ant-oat01-x"}),
        ({"ANTHROPIC_AUTH_TOKEN": "t"}, "oauth_token", {"authorization": "Bearer t"}),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-x"}, "oauth_token", {"authorization": "Bearer sk-ant-oat01-x"}),
    ],
)
def test_kinds(tmp_path: Path, environ: dict[str, str], kind: str, headers: dict[str, str]) -> None:
    found = Credentials(tmp_path / "keys.json", environ).find("anthropic")
    assert found is not None
    assert (found.kind, found.headers()) == (kind, headers)
    assert bool(found.additions()) is ("oat" in found.secret)


def test_missing_is_said_with_its_command(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "keys.json", {"OPENAI_API_KEY": "x"})
    credentials.require([])
    credentials.require(["openai"])
    with pytest.raises(InvalidInput) as caught:
        credentials.require(["openai", "anthropic", "anthropic"])
    assert caught.value.code == "key_missing"
    assert "`jupyter tasks keys add anthropic`" in caught.value.hint
    with pytest.raises(InvalidInput, match="There are: anthropic, openai"):
        credentials.require(["anthropi"])


def test_another_process_changes_the_file(tmp_path: Path) -> None:
    one, two = (Credentials(tmp_path / "keys.json", {}) for _ in range(2))
    assert one.find("openai") is None
    two.add("openai", "a1")
    assert one.find("openai").secret == "a1"  # type: ignore[union-attr]
    two.add("openai", "a2", base_url="http://127.0.0.1:1/v1/")
    found = one.find("openai")
    assert found is not None
    assert (found.secret, found.base_url) == ("a2", "http://127.0.0.1:1/v1")
    (tmp_path / "keys.json").unlink()
    assert one.find("openai") is None


@pytest.mark.parametrize("secret", ["", "a b", "a\nb", "a\x00", "ä", "x" * 9000, "\x7f"])
def test_no_key_looks_like_that(tmp_path: Path, secret: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Credentials(tmp_path / "keys.json", {}).add("openai", secret)
    assert not secret or secret not in str(caught.value)
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "ftp://example.com",
        "https://user:pw@example.com",
        "https://",
        "https://x/?a=b",
        "https://x/#f",
        "http://127.0.0.1.example.com",
        "https://exa mple.com",
        "https://x:99999",
        "x",
    ],
)
def test_base_urls_that_are_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInput, match="base_url"):
        Credentials(tmp_path / "keys.json", {}).add("openai", "k", base_url=url)
    with pytest.raises(InvalidInput, match="OPENAI_BASE_URL"):
        Credentials(tmp_path / "keys.json", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": url}).find("openai")


@pytest.mark.parametrize(
    "url", ["http://localhost:1234/v1", "http://[::1]:1/", "http://127.0.0.2", "https://x.example"]
)
def test_base_urls(tmp_path: Path, url: str) -> None:
    assert Credentials(tmp_path / "keys.json", {}).add("openai", "k", base_url=url).base_url == url.rstrip("/")


def test_unsafe_files_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    credentials = Credentials(file, {"ANTHROPIC_API_KEY": "x"})
    credentials.add("anthropic", KEY)
    file.chmod(0o640)
    with pytest.raises(Forbidden, match="others may read it"):
        credentials.find("anthropic")
    with pytest.raises(Forbidden):
        credentials.add("anthropic", KEY)
    file.chmod(0o600)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Forbidden, match="symbolic link"):
        credentials.find("anthropic")
    file.unlink()
    os.mkfifo(file, 0o600)
    with pytest.raises(Forbidden, match="not a plain file"):
        credentials.find("anthropic")


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,aekysrt1', max_size=60).map(str.encode))
def test_files_that_cannot_be_understood(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    file.write_bytes(content)
    file.chmod(0o600)
    try:
        Credentials(file, {}).find("anthropic")
    except TasksError as error:
        assert str(file) in str(error)  # noqa: PT017 -- it need not raise


@pytest.mark.parametrize("entry", [{"secret": 1}, {"secret": "a b"}, {"secret": "x", "base_url": "http://x"}, [], "x"])
def test_entries_that_are_none(tmp_path: Path, entry: object) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": {"openai": entry}}))
    file.chmod(0o600)
    with pytest.raises(TasksError):
        Credentials(file, {}).find("openai")


def test_a_secret_is_in_no_words(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "keys.json", {"OPENAI_API_KEY": "another-secret-value"})
    credentials.add("anthropic", KEY)
    found = credentials.find("anthropic")
    shown = [repr(found), str(found), f"{found}", repr(credentials), repr(credentials.list())]
    try:
        raise ValueError(found, credentials)
    except ValueError:
        shown.append(traceback.format_exc())
    assert not any(KEY in text or "another-secret" in text for text in shown)
    assert KEY.encode() not in pickle.dumps(credentials.list())


@pytest.mark.anyio
@rigged
async def test_trying_a_key(rig: Rig) -> None:
    rig.upstream.answer = whole(200, b'{"data": [{"id": "m-1"}, {"id": "m-2"}, 3]}')
    answer = await rig.credentials.test("anthropic")
    assert (answer.ok, answer.status, answer.models) == (True, 200, ["m-1", "m-2"])
    [asked] = rig.upstream.asked
    assert asked.line == "GET /v1/models HTTP/1.1"
    assert asked.header("anthropic-version") == "2023-06-01"
    secret = asked.header("x-api-key") or ""
    rig.upstream.answer = whole(401, json.dumps({"error": {"message": f"expired: {secret}"}}).encode())
    answer = await rig.credentials.test("anthropic")
    assert (answer.ok, answer.status) == (False, 401)
    assert answer.message == f"Anthropic answered 401: expired: {'*' * len(secret)}"
    rig.upstream.answer = whole(503, b"<html>busy</html>")
    assert (await rig.credentials.test("openai")).message == "OpenAI answered 503: no reason given"
    rig.credentials.add("openai", "x", base_url="http://127.0.0.1:1")
    answer = await rig.credentials.test("openai")
    assert (answer.ok, answer.status) == (False, None)
    assert "cannot be reached" in answer.message
    rig.credentials.remove("openai")
    with pytest.raises(InvalidInput):
        await rig.credentials.test("openai")
    await asyncio.sleep(0)
