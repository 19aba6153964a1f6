"""What was used: Agent Workspace Builds, tokens, money."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from jupyter_tasks.models.base import Wire
from jupyter_tasks.models.task import Cost, TokenUsage

__all__ = ["EntitlementsResponse", "Feature", "Period", "UsageResponse"]


class Period(Wire):
    """Dates in UTC; ``end`` is the moment the period ends."""

    start: datetime
    end: datetime


class UsageResponse(Wire):
    """GET /usage: Agent Workspace Builds. ``limit`` is null unless an administrator set one."""

    actual: int
    included: int
    period: Period
    limit: int | None = None
    enforcement: Literal["advisory", "block"] = "advisory"
    warnings: list[str] = Field(default_factory=list)
    active: int = 0
    max_active: int = 0
    tokens: TokenUsage | None = None
    """Through the gateway, in this period."""
    cost: Cost | None = None


class Feature(Wire):
    """One entry of Coder's ``entitlements.features``."""

    entitlement: str
    enabled: bool
    limit: int | None = None
    actual: int | None = None
    usage_period: dict[str, datetime] | None = None


class EntitlementsResponse(Wire):
    """GET /entitlements, as Coder's clients read it: ``features.managed_agent_limit`` is the pool."""

    features: dict[str, Feature]
    warnings: list[str] = Field(default_factory=list)
    errors: list[str] = Field(default_factory=list)
    has_license: bool = False
    trial: bool = False
    require_telemetry: bool = False
    refreshed_at: datetime
