"""Which period a moment lies in.

Owns the arithmetic of months: periods of a fixed number of months follow each other without gap from an anchor day, and
reach back before it as well.
"""

from __future__ import annotations

import calendar
from datetime import date, datetime, time, timezone

from jupyter_tasks.metering.ledger import Period

__all__ = ["period_of"]


def period_of(moment: datetime, anchor: date, months: int) -> Period:
    """The period that holds ``moment``.

    A period that would begin on a day that its month lacks (the 31st) begins on that month's last day.

    Args:
        moment: aware.
        anchor: a day on which some period begins.
        months: the length of a period, at least 1.
    """
    today = moment.astimezone(timezone.utc).date()
    number = ((today.year - anchor.year) * 12 + today.month - anchor.month) // months
    if _begin(anchor, number * months) > today:
        number -= 1
    return Period(_midnight(_begin(anchor, number * months)), _midnight(_begin(anchor, (number + 1) * months)))


def _begin(anchor: date, months: int) -> date:
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    if year < date.min.year:
        return date.min
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(anchor.day, calendar.monthrange(year, month + 1)[1]))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, timezone.utc)
