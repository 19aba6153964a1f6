"""Agent Workspace Builds: our ``usage``, and the same as Coder's ``entitlements`` has it."""

from __future__ import annotations

from jupyter_tasks.models import EntitlementsResponse, Feature
from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = ["EntitlementsHandler", "UsageHandler"]


class UsageHandler(ApiHandler):
    """Builds of this period."""

    path = "/api/v2/usage"

    async def get(self) -> None:
        await self.answer(await self.tasks.usage())


class EntitlementsHandler(ApiHandler):
    """The pool as a Coder client reads it. No licence: the pool is the administrator's limit, else what is included."""

    path = "/api/v2/entitlements"

    async def get(self) -> None:
        usage = await self.tasks.usage()
        builds = Feature(
            entitlement="entitled",
            enabled=True,
            limit=usage.included if usage.limit is None else usage.limit,
            actual=usage.actual,
            usage_period={"issued_at": usage.period.start, "start": usage.period.start, "end": usage.period.end},
        )
        await self.answer(
            EntitlementsResponse(
                features={"managed_agent_limit": builds},
                warnings=usage.warnings,
                refreshed_at=self.context.clock.now(),
            )
        )
