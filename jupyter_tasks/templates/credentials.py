"""Which variables of a template ask for the key of an LLM provider.

Owns the table of names. Nothing here sees a key: the planner gives the task token where one is asked for, and names
the provider, so that the engine can say what is missing before anything is built.
"""

from __future__ import annotations

__all__ = ["PROVIDERS", "provider_of"]

PROVIDERS = {
    "anthropic": (
        "anthropic_api_key",
        "anthropic_auth_token",
        "anthropic_key",
        "anthropic_token",
        "claude_api_key",
        "claude_code_oauth_token",
        "claude_key",
        "claude_oauth_token",
    ),
    "openai": (
        "codex_api_key",
        "codex_openai_api_key",
        "openai_api_key",
        "openai_key",
        "openai_token",
    ),
    "gemini": ("gemini_api_key", "gemini_key", "google_ai_api_key", "google_api_key", "google_gemini_api_key"),
    "openrouter": ("openrouter_api_key", "openrouter_key"),
}
"""Provider -> the names that variables for its credential have in Coder's modules and templates."""

_BY_NAME = {name: provider for provider, names in PROVIDERS.items() for name in names}


def provider_of(variable: str) -> str | None:
    """The provider whose key (or OAuth token) a variable of that name asks for; None for any other name."""
    return _BY_NAME.get(variable.lower().replace("-", "_"))
