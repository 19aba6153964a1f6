"""Usage pools: how many Agent Workspace Builds are included, how many were used, and whether one more may start.

Owns the settings an administrator has and the words that tell of them; the counting is the ``ledger``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import Any

from sqlalchemy import Connection, func, select
from traitlets import Enum, Int, TraitError, Unicode, validate
from traitlets.config.configurable import Configurable

from jupyter_tasks.errors import LimitReached
from jupyter_tasks.metering.ledger import Period, actual
from jupyter_tasks.metering.periods import period_of
from jupyter_tasks.models import Feature
from jupyter_tasks.store.llm_rows import LlmTotals, totals_between
from jupyter_tasks.store.tables import tasks

__all__ = ["Entitlements", "UsageFigures"]

WARN_PERCENT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFigures:
    """Where a pool stands. ``limit`` is None unless an administrator set one; ``warnings`` are sentences."""

    actual: int
    included: int
    period: Period
    limit: int | None
    enforcement: str  # "advisory" | "block"
    warnings: Sequence[str] = ()
    llm: LlmTotals = field(default_factory=LlmTotals)
    """What went through the LLM gateway in this period."""

    def feature(self) -> Feature:
        """The pool as Coder's entitlements have it (``features.managed_agent_limit``)."""
        return Feature(
            entitlement="entitled",
            enabled=True,
            limit=self.included if self.limit is None else self.limit,
            actual=self.actual,
            usage_period={"issued_at": self.period.start, "start": self.period.start, "end": self.period.end},
        )


class Entitlements(Configurable):
    """What is included, and what happens beyond a limit.

    The pool that is shown: ``included + included_per_user * users``, where ``users`` is how many users share this
    store (0: as many as own a task in it, at least one). It is a figure to plan with; nothing is refused because of it.
    What may refuse is ``limit``, and only with ``enforcement = "block"``.

    Periods follow each other from ``period_start``, ``period_months`` long, in UTC: by default calendar years. (Coder
    takes the term of the licence, which there is none of here; set its first day and its length to have the same.)
    """

    included = Int(1000, min=0, help="Agent Workspace Builds that every period includes, whoever starts them.").tag(
        config=True
    )
    included_per_user = Int(0, min=0, help="Agent Workspace Builds that each user adds to the pool.").tag(config=True)
    users = Int(
        0, min=0, help="How many users the pool is for. 0: as many as own a task in this store, at least one."
    ).tag(config=True)
    limit = Int(
        None,
        allow_none=True,
        min=0,
        help="Agent Workspace Builds of a period after which warnings are shown (from 80 %) or starts are refused.",
    ).tag(config=True)
    enforcement = Enum(
        ("advisory", "block"),
        default_value="advisory",
        help="What a limit that is reached does: warn, or refuse further starts (create and resume).",
    ).tag(config=True)
    period_start = Unicode(
        "2025-01-01", help="A day (YYYY-MM-DD, UTC) on which a period begins; the others are counted from it."
    ).tag(config=True)
    period_months = Int(12, min=1, max=1200, help="How many months a period lasts.").tag(config=True)

    @validate("period_start")
    def _is_a_day(self, proposal: dict[str, Any]) -> str:
        value = str(proposal["value"])
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError as error:
            raise TraitError(f"c.Entitlements.period_start is not a day (YYYY-MM-DD): {value!r}") from error

    def period(self, now: datetime) -> Period:
        """The period that ``now`` lies in."""
        return period_of(now, date.fromisoformat(self.period_start), self.period_months)

    def usage(self, connection: Connection, now: datetime) -> UsageFigures:
        """Where the pool stands at ``now``."""
        period = self.period(now)
        used = actual(connection, period)
        return UsageFigures(
            actual=used,
            included=self._pool(connection),
            period=period,
            limit=self.limit,
            enforcement=self.enforcement,
            warnings=() if self.limit is None else self._warnings(used, self.limit, period),
            llm=totals_between(connection, period.start, period.end),
        )

    def check(self, connection: Connection, now: datetime) -> None:
        """Whether one more start build may be accepted, asked within the transaction that accepts it.

        Raises: LimitReached where the limit is used up and ``enforcement`` is "block".
        """
        if self.limit is None or self.enforcement != "block":
            return
        period = self.period(now)
        if actual(connection, period) >= self.limit:
            raise LimitReached(
                f"The limit of {self.limit:,} Agent Workspace Builds is used up until {_day(period.end)}.",
                hint="Ask your administrator to raise c.Entitlements.limit. Running tasks are not affected.",
            )

    def _pool(self, connection: Connection) -> int:
        if self.included_per_user == 0:
            return self.included
        users = self.users
        if users == 0:
            owners = connection.execute(select(func.count(func.distinct(tasks.c.owner_id)))).scalar_one()
            users = max(1, int(owners))
        return self.included + self.included_per_user * users

    def _warnings(self, used: int, limit: int, period: Period) -> tuple[str, ...]:
        begins = f"a new period begins on {_day(period.end)}."
        if used >= limit:
            then = "Further starts are refused" if self.enforcement == "block" else "Nothing is refused"
            return (f"All {limit:,} Agent Workspace Builds of this period are used ({used:,}). {then}; {begins}",)
        if used * 100 >= limit * WARN_PERCENT:
            share = f"{used:,} of {limit:,} Agent Workspace Builds of this period are used"
            return (f"{share} ({used * 100 // limit} %); {begins}",)
        return ()


def _day(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d")
