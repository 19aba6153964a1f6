"""Which files of a project are likely to hold secrets.

Owns the names, and the few kinds of file whose content decides. It guards against accidents: a key that lies in the
project does not come along because nobody thought of it. It does not look for keys in files of other names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from fnmatch import translate

__all__ = ["Peek", "in_secret_directory", "likely_secret", "names_secret"]

Peek = Callable[[], bytes]
"""Reads the first 64 KiB of the file that is asked about. Raises: OSError."""

_NAMES = (
    *(".env", ".env.*", "*.env", ".netrc", "_netrc", ".pypirc", ".git-credentials", ".pgpass", ".htpasswd", ".s3cfg"),
    *(".boto", ".dockercfg", ".vault-token", ".vault_pass*", "*.key", "*.p12", "*.pfx", "*.kdbx", "*.keystore"),
    *("*.jks", "*.ppk", "*.tfstate", "*.tfstate.backup", "id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519"),
    *("id_ed25519_sk", "credentials", "credentials.json", "client_secret*.json", "service-account*.json"),
    *("service_account*.json", "serviceaccount*.json", "application_default_credentials.json", "gha-creds-*.json"),
    *("secrets.json", "secrets.toml", "secrets.yaml", "secrets.yml", ".secrets", "secret_key", "jupyter_cookie_secret"),
    *("kubeconfig", "*.kubeconfig", ".token", "*.token", "token", "token.json", "token.txt", "tokens.json"),
    *("*_token.txt", "*-token.txt", "api_key*.txt", "apikey*.txt", "api-key*.txt"),
)
_HARMLESS = re.compile(rb"(^|[._-])(example|sample|template|tmpl|dist|defaults?)($|\.)")
_BY_NAME = re.compile("|".join(translate(name) for name in _NAMES).encode())
_DIRECTORIES = frozenset({b".aws", b".azure", b".docker", b".gcloud", b".gnupg", b".kube", b".password-store", b".ssh"})
_PRIVATE_KEY = re.compile(rb"PRIVATE KEY")
_LOGIN = re.compile(
    rb"(?i)(_authtoken|_auth|_password|npmauthtoken|npmauthident)['\"]?\s*[=:]\s*['\"]?(?!\$\{)[^\s'\"]|://[^/\s:@]+:(?!\$\{)[^/\s@]+@"
)
_EXPORT = re.compile(rb"(?im)^\s*(export\s+)?\w*(key|token|secret|passw(or)?d)\w*\s*=\s*['\"]?[^\s'\"$`]{8,}")
_BY_CONTENT = {
    b".npmrc": _LOGIN,
    b".yarnrc.yml": _LOGIN,
    b".yarnrc": _LOGIN,
    b"pip.conf": _LOGIN,
    b".condarc": _LOGIN,
    b"bunfig.toml": _LOGIN,
    b".envrc": _EXPORT,
}


def in_secret_directory(path: bytes) -> bool:
    """Whether ``path`` is, or lies in, a directory where programs keep their keys."""
    return any(part in _DIRECTORIES for part in path.split(b"/"))


def likely_secret(path: bytes, peek: Peek | None = None) -> bool:
    """Whether the file at ``path``, relative to the project, is likely to hold a secret.

    Args:
        path: as the file system has it.
        peek: reads its beginning where the name alone does not tell; without it, or where it fails, the answer is yes.
    """
    *directories, last = path.split(b"/")
    name = last.lower()
    if any(part in _DIRECTORIES for part in directories):
        return True
    telling = _PRIVATE_KEY if name.endswith(b".pem") else _BY_CONTENT.get(name)
    if telling is not None:
        return peek is None or _tells(telling, peek)
    return bool(_BY_NAME.match(name)) and not _HARMLESS.search(name)


def _tells(telling: re.Pattern[bytes], peek: Peek) -> bool:
    try:
        return bool(telling.search(peek()))
    except OSError:
        return True


def names_secret(glob: str) -> bool:
    """Whether a glob means secrets by its own words (".env", "certs/*.pem") and does not just cover them ("*")."""
    literal = re.sub(rb"\[[^]]*\]|[*?]+", b"x", os.fsencode(glob).strip(b"/"))
    return likely_secret(literal) or in_secret_directory(literal)
