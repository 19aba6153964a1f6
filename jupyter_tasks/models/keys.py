"""Credentials of LLM providers. A secret goes in and never comes out."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, SecretStr

from jupyter_tasks.models.base import Wire

__all__ = ["Key", "KeyTestResponse", "KeysResponse", "PutKeyRequest"]


class Key(Wire):
    """A credential that the engine holds."""

    provider: str
    kind: Literal["api_key", "oauth_token"]
    source: Literal["file", "environment"]
    variable: str | None = None
    """The environment variable that it was found in."""
    base_url: str
    """Where calls of this provider go."""
    added_at: datetime | None = None


class KeysResponse(Wire):
    """GET /keys. ``providers`` are all that could be added."""

    keys: list[Key]
    providers: list[str] = Field(default_factory=list)


class PutKeyRequest(Wire):
    """PUT /keys/{provider}."""

    secret: SecretStr
    kind: Literal["api_key", "oauth_token"] | None = None
    """Null: told by its looks."""
    base_url: str | None = None


class KeyTestResponse(Wire):
    """POST /keys/{provider}/test: what the vendor said."""

    ok: bool
    status: int | None = None
    message: str
    models: list[str] = Field(default_factory=list)
