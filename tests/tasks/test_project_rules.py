"""Which files are secrets, what a glob means: the rules of the project, held against git's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_tasks.tasks.project_globs import Globs
from jupyter_tasks.tasks.project_secrets import likely_secret, names_secret

SECRET = """.env .env.local .env.production prod.env deep/down/.ENV id_rsa keys/id_ed25519 server.key a.p12 b.PFX
 vault.kdbx .netrc _netrc .pypirc .git-credentials credentials.json service-account.json service_account_prod.json
 client_secret_123.apps.json .aws/credentials .ssh/config home/.ssh/known_hosts .gnupg/x .kube/config
 .docker/config.json release.keystore x.jks terraform.tfstate secrets.toml .streamlit/secrets.toml
 secrets.yaml token .token token.json github_token.txt api_key.txt kubeconfig .htpasswd .pgpass secret_key"""
HARMLESS = """.env.example .env.sample .env.template .env.dist .env.defaults example.env sample.env id_rsa.pub
 tokenizer.json environment.py .environment keys.py key.py token.py tokens.py credentials.py
 my-credentials.md secret.py env .envelope
 service.json account.json README.key.md .sshconfig aws/config monkey keyboard.js package.json config.json"""


@pytest.mark.parametrize("path", SECRET.split())
def test_secrets(path: str) -> None:
    assert likely_secret(path.encode())
    assert likely_secret(b"some/where/" + path.encode())


@pytest.mark.parametrize("path", HARMLESS.split())
def test_no_secrets(path: str) -> None:
    assert not likely_secret(path.encode())


@pytest.mark.parametrize(
    ("path", "content", "secret"),
    [
        (".npmrc", "//registry.example.org/:_authToken=npm_abcdef", True),
        (".npmrc", "//registry.example.org/:_authToken=${NPM_TOKEN}", False),
        (".npmrc", "save-exact=true", False),
        (".yarnrc.yml", 'npmAuthToken: "abc"', True),
        ("pip.conf", "[global]\nindex-url = https://me:pw@example.org/simple", True),
        ("pip.conf", "[global]\nindex-url = https://example.org/simple", False),
        (".envrc", "use flake\n", False),
        (".envrc", "export API_KEY=abcdef123456\n", True),
        (".envrc", "export API_KEY=$(pass show key)\n", False),
        ("ca.pem", "-----BEGIN CERTIFICATE-----", False),
        ("server.pem", "-----BEGIN PRIVATE KEY-----", True),
    ],
)
def test_content_decides(path: str, content: str, secret: bool) -> None:
    assert likely_secret(path.encode(), content.encode) == secret
    assert likely_secret(path.encode()), "what cannot be looked into is a secret"


def test_unreadable_is_a_secret() -> None:
    def peek() -> bytes:
        raise PermissionError

    assert likely_secret(b".npmrc", peek)


@given(st.binary(max_size=40).filter(lambda name: b"\0" not in name), st.binary(max_size=200))
def test_any_name_and_content_has_an_answer(name: bytes, content: bytes) -> None:
    assert likely_secret(name, lambda: content) in (True, False)


@pytest.mark.parametrize("glob", [".env", "/.env", "certs/*.pem", "*.key", ".env.*", "conf/.env", ".ssh/", "id_rsa"])
def test_globs_that_name_secrets(glob: str) -> None:
    assert names_secret(glob)


@pytest.mark.parametrize("glob", ["*", "**", "data/", "**/*", "*.txt", "conf/**", "", "[.]e*", "?", "#.py"])
def test_globs_that_only_cover_them(glob: str) -> None:
    assert not names_secret(glob)


PATHS = [
    "a",
    "b",
    "ab",
    "a/b",
    "a/a",
    "b/a",
    "a/b/a",
    "ab/b.txt",
    "b.txt",
    "a/b.txt",
    ".x",
    "a/.x",
    "a b",
    "b/[a]",
    "a/b/ab/x",
]
_part = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "x",
        ".x",
        "*",
        "**",
        "?",
        "*.txt",
        "[ab]",
        "[!a]",
        "[a-b]",
        "[^b]*",
        "a*",
        "\\a",
        "***",
        "[[:alpha:]]",
        "[",
        "[]a]",
        "a\\",
    ]
)
_glob = st.builds(
    lambda no, root, parts, end: f"{no}{root}{'/'.join(parts)}{end}",
    st.sampled_from(["", "", "", "!"]),
    st.sampled_from(["", "/"]),
    st.lists(_part, min_size=1, max_size=4),
    st.sampled_from(["", "/", " ", "/**"]),
)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work tree with nothing but the files of PATHS, as far as they can be beside each other."""
    top = tmp_path_factory.mktemp("globs")
    subprocess.run(["git", "init", "-q", str(top)], check=True)
    for path in sorted(PATHS, key=len, reverse=True):
        place = top / path
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("")
    return top


@settings(
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(_glob, min_size=1, max_size=4))
def test_globs_mean_what_git_means(there: Path, globs: list[str]) -> None:
    (there / ".git" / "info" / "exclude").write_text("".join(glob + "\n" for glob in globs))
    files = [str(path.relative_to(there)) for path in there.rglob("*") if path.is_file() and ".git" not in path.parts]
    ran = subprocess.run(
        ["git", "-C", str(there), "ls-files", "-o", "-i", "--exclude-standard", "-z"], capture_output=True, check=True
    )
    ours = Globs(globs)
    assert {path for path in files if ours.match(path.encode())} == set(filter(None, ran.stdout.decode().split("\0")))


@given(st.lists(st.text(max_size=30), max_size=3), st.binary(min_size=1, max_size=30))
def test_any_glob_has_an_answer(globs: list[str], path: bytes) -> None:
    assert Globs(globs).match(path) in (True, False)


def test_a_glob_that_would_take_long_does_not() -> None:
    assert not Globs(["*a" * 12 + "b"]).match(b"a" * 60)
