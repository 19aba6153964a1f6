"""Which LLM providers there are, and how a call of each carries its credential.

Owns the table, and nothing of a call: a new provider that speaks one of the known wire formats is one entry here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

__all__ = ["PROVIDERS", "Kind", "Provider", "Variable", "Wire"]

Kind = Literal["api_key", "oauth_token"]
Wire = Literal["anthropic", "openai", "gemini"]


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that may hold a credential."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One vendor.

    Attributes:
        route: the path of the gateway that stands for ``base_url``.
        base_url: where calls go unless the user says otherwise.
        url_variable: the environment variable that says otherwise.
        wire: the format of its usage and errors.
        key_header: what carries an API key: "authorization" (as a bearer) or a header of the vendor's own.
        variables: where a credential is looked for, the first one wins.
        models_path: below ``base_url``, what a credential is tried with.
        oauth_prefix: how an OAuth token begins, where that can be told.
        oauth_headers: what goes with such a token; values are added to those of the client.
        headers: what the vendor demands in every call, where the client sends none.
        calls: the calls below ``base_url`` that an agent may make; one that ends in "/" stands for all below it. The
            same key opens more (files, batches, the keys of an organization), which is nobody's business inside.
    """

    name: str
    title: str
    route: str
    base_url: str
    url_variable: str
    wire: Wire
    key_header: str = "authorization"
    variables: Sequence[Variable] = ()
    models_path: str = "/models"
    oauth_prefix: str = ""
    oauth_headers: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    calls: Sequence[str] = ()

    def serves(self, path: str) -> bool:
        """Whether an agent may make that call; ``path`` is below ``base_url``."""
        return any(path == call or (call.endswith("/") and path.startswith(call)) for call in self.calls)

    def kind_of(self, secret: str) -> Kind:
        """What a secret is, by its looks."""
        return "oauth_token" if self.oauth_prefix and secret.startswith(self.oauth_prefix) else "api_key"


_OPENAI_CALLS = (
    *("/responses", "/responses/compact", "/responses/input_tokens", "/chat/completions", "/completions"),
    *("/embeddings", "/models", "/models/"),
)


def _table(*providers: Provider) -> Mapping[str, Provider]:
    return MappingProxyType({provider.name: provider for provider in providers})


PROVIDERS = _table(
    Provider(
        name="anthropic",
        title="Anthropic",
        route="/anthropic",
        base_url="https://api.anthropic.com",
        url_variable="ANTHROPIC_BASE_URL",
        wire="anthropic",
        key_header="x-api-key",
        variables=(
            Variable("ANTHROPIC_API_KEY", "api_key"),
            Variable("ANTHROPIC_AUTH_TOKEN", "oauth_token"),
            Variable("CLAUDE_CODE_OAUTH_TOKEN", "oauth_token"),
        ),
        models_path="/v1/models",
        oauth_prefix="sk-ant-oat",
        oauth_headers=MappingProxyType({"anthropic-beta": "oauth-2025-04-20"}),
        headers=MappingProxyType({"anthropic-version": "2023-06-01"}),
        calls=("/v1/messages", "/v1/messages/count_tokens", "/v1/complete", "/v1/models", "/v1/models/"),
    ),
    Provider(
        name="openai",
        title="OpenAI",
        route="/openai/v1",
        base_url="https://api.openai.com/v1",
        url_variable="OPENAI_BASE_URL",
        wire="openai",
        variables=(Variable("OPENAI_API_KEY", "api_key"),),
        calls=_OPENAI_CALLS,
    ),
    Provider(
        name="openrouter",
        title="OpenRouter",
        route="/openrouter/api/v1",
        base_url="https://openrouter.ai/api/v1",
        url_variable="OPENROUTER_BASE_URL",
        wire="openai",
        variables=(Variable("OPENROUTER_API_KEY", "api_key"),),
        models_path="/key",  # its list of models is open to everybody
        calls=_OPENAI_CALLS,
    ),
    Provider(
        name="gemini",
        title="Google Gemini",
        route="/gemini",
        base_url="https://generativelanguage.googleapis.com",
        url_variable="GOOGLE_GEMINI_BASE_URL",
        wire="gemini",
        key_header="x-goog-api-key",
        variables=(Variable("GEMINI_API_KEY", "api_key"), Variable("GOOGLE_API_KEY", "api_key")),
        models_path="/v1beta/models",
        calls=("/v1beta/models", "/v1beta/models/", "/v1/models", "/v1/models/", "/v1alpha/models/"),
    ),
)
"""By name. What ``keys add`` takes and ``providers`` of a template names."""
