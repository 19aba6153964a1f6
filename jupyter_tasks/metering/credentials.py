"""The credentials of LLM providers that the engine holds, and which of them counts.

Owns looking them up (``keys.json`` before the engine's environment), adding, removing and listing them. A secret goes
from here to the gateway's upstream and nowhere else: it is in no repr, no error and no answer.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from jupyter_tasks.clock import Clock, SystemClock
from jupyter_tasks.errors import InvalidInput, NotFound
from jupyter_tasks.metering.credentials_file import KeysFile
from jupyter_tasks.metering.credentials_providers import PROVIDERS, Kind, Provider
from jupyter_tasks.models import Key, KeyTestResponse

__all__ = ["Credential", "Credentials"]

MOST_SECRET = 8_192
_SECRET = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One credential, and where calls with it go. ``base_url`` has no slash at its end."""

    provider: Provider
    kind: Kind
    secret: str = field(repr=False)
    base_url: str
    source: str  # "file" | "environment"
    variable: str | None = None
    added_at: datetime | None = None

    def headers(self) -> Mapping[str, str]:
        """What carries it, in lower case."""
        if self.kind == "api_key" and self.provider.key_header != "authorization":
            return {self.provider.key_header: self.secret}
        return {"authorization": f"Bearer {self.secret}"}

    def additions(self) -> Mapping[str, str]:
        """Headers whose values are added to those that the client sends."""
        prefix = self.provider.oauth_prefix
        return self.provider.oauth_headers if prefix and self.secret.startswith(prefix) else {}

    def shown(self) -> Key:
        """What may be shown of it."""
        return Key(
            provider=self.provider.name,
            kind=self.kind,
            source=cast("Any", self.source),
            variable=self.variable,
            base_url=self.base_url,
            added_at=self.added_at,
        )


class Credentials:
    """What the engine has. Nothing is kept of the file but what it says now; the environment is the engine's own."""

    def __init__(self, file: Path, environ: Mapping[str, str], *, clock: Clock | None = None) -> None:
        self._file = KeysFile(file)
        self._environ = environ
        self._clock = clock or SystemClock()

    def __repr__(self) -> str:
        return f"Credentials({str(self._file.path)!r})"

    def find(self, provider: str) -> Credential | None:
        """The credential that counts. Raises: InvalidInput for an unknown provider or a file (or URL in it) that cannot
        be understood, Forbidden for a file that others can read."""
        known = _provider(provider)
        entry = self._file.entries().get(known.name)
        return self._in_environment(known) if entry is None else self._in_file(known, entry)

    def require(self, providers: Iterable[str]) -> None:
        """That there is one for each of them. Raises: InvalidInput ("key_missing") with the command that mends it."""
        missing = [name for name in dict.fromkeys(providers) if self.find(name) is None]
        if not missing:
            return
        titles = " and ".join(_provider(name).title for name in missing)
        commands = " and ".join(f"`jupyter tasks keys add {name}`" for name in missing)
        variables = ", ".join(each.name for name in missing for each in _provider(name).variables)
        raise InvalidInput(
            f"There is no key for {titles}.",
            detail=f"None is in {self._file.path}, and the engine was started without {variables}.",
            hint=f"Add it: {commands}. Nothing was built or counted.",
            code="key_missing",
        )

    def add(self, provider: str, secret: str, kind: Kind | None = None, base_url: str | None = None) -> Key:
        """Keep a credential, in place of an older one. Raises: InvalidInput, Forbidden, StoreReadOnly."""
        known = _provider(provider)
        secret = _checked_secret(secret)
        entry: dict[str, Any] = {
            "kind": kind or known.kind_of(secret),
            "secret": secret,
            "added_at": self._clock.now().isoformat(),
        }
        if base_url:
            entry["base_url"] = _checked_url(base_url, "base_url")
        self._file.write({**self._file.entries(), known.name: entry})
        return self._in_file(known, entry).shown()

    def remove(self, provider: str) -> None:
        """Forget the one in the file. Raises: NotFound, InvalidInput, Forbidden, StoreReadOnly."""
        known = _provider(provider)
        entries = dict(self._file.entries())
        if entries.pop(known.name, None) is not None:
            self._file.write(entries)
            return
        found = self._in_environment(known)
        raise NotFound(
            f"There is no key of yours for {known.title}.",
            hint="`jupyter tasks keys list` shows what there is."
            if found is None
            else f"The engine has one in its environment ({found.variable}): start it without that.",
        )

    def list(self) -> Sequence[Key]:
        """What may be shown of those that count, by provider. Raises: as ``find``."""
        found = (self.find(name) for name in PROVIDERS)
        return [each.shown() for each in found if each is not None]

    async def test(self, provider: str) -> KeyTestResponse:
        """Ask the vendor whether it takes the credential, and which models it offers. Costs nothing.

        Raises: as ``require``.
        """
        from jupyter_tasks.metering.credentials_trial import trial

        self.require([provider])
        found = self.find(provider)
        assert found is not None  # noqa: S101 - it is required
        return await trial(found)

    def _in_file(self, provider: Provider, entry: Mapping[str, Any]) -> Credential:
        secret = _checked_secret(str(entry["secret"]))
        added_at = None
        with suppress(ValueError):
            added_at = datetime.fromisoformat(str(entry.get("added_at")))
        return Credential(
            provider=provider,
            kind="oauth_token" if entry.get("kind") == "oauth_token" else "api_key",
            secret=secret,
            base_url=_checked_url(str(entry["base_url"]), str(self._file.path))
            if entry.get("base_url")
            else self._usual_url(provider),
            source="file",
            added_at=added_at,
        )

    def _in_environment(self, provider: Provider) -> Credential | None:
        for variable in provider.variables:
            value = self._environ.get(variable.name, "").strip()
            if not value:
                continue
            return Credential(
                provider=provider,
                kind="oauth_token" if variable.kind == "oauth_token" else provider.kind_of(value),
                secret=_checked_secret(value, variable.name),
                base_url=self._usual_url(provider),
                source="environment",
                variable=variable.name,
            )
        return None

    def _usual_url(self, provider: Provider) -> str:
        return _checked_url(self._environ.get(provider.url_variable) or provider.base_url, provider.url_variable)


def _provider(name: str) -> Provider:
    found = PROVIDERS.get(name.strip().lower())
    if found is None:
        raise InvalidInput(
            f"No provider is called {name[:64]!r}.", hint=f"There are: {', '.join(PROVIDERS)}.", code="no_such_provider"
        )
    return found


def _checked_secret(secret: str, where: str = "The key") -> str:
    if not secret:
        raise InvalidInput(f"{where} is empty.", hint="Nothing was changed.")
    if len(secret) > MOST_SECRET or not _SECRET.fullmatch(secret):
        raise InvalidInput(
            f"{where} holds a space, a line break or another character that no key has, or is too long.",
            hint="Copy it again, without quotation marks and line breaks.",
        )
    return secret


def _checked_url(url: str, where: str) -> str:
    """Of https, or http on loopback; no user, query or fragment in it. Without a slash at its end."""
    try:
        parts = urlsplit(url)
        _ = parts.port
        plain = parts.username is None and parts.password is None and not parts.query and not parts.fragment
        ok = plain and bool(parts.hostname) and url.isascii() and url.isprintable() and " " not in url
        ok = ok and (parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname or "")))
    except ValueError:
        ok = False
    if not ok:
        raise InvalidInput(
            f"The base URL in {where} is not one of https://.",
            hint="http:// is taken for this machine only (127.0.0.1, localhost); no user name or query in it.",
        )
    return url.rstrip("/")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
