"""Counts of one UTC day that no other table has: how long it was paused and halted, and the alerts raised."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta

HALTS = ("halted", "does not trade", "exits only", "database", "orders paused")
"""How the keys of problems begin that keep entries away, apart from a person's pause."""


@dataclass(slots=True)
class DayCount:
    """The counts of one day."""

    day: str = ""
    """ISO date, UTC."""
    paused_s: float = 0.0
    halted_s: float = 0.0
    alerts: int = 0
    """Alerts raised, without those that were repeated or resolved."""


@dataclass(slots=True)
class DayCounts:
    """The counts of today and of the day before, and when the last summary was sent."""

    today: DayCount = field(default_factory=DayCount)
    before: DayCount = field(default_factory=DayCount)
    summary_sent: str = ""
    """ISO date of the day on which the last summary was sent; empty before the first."""

    def record(self, day: date, problems: Collection[str], elapsed_s: float, raised: int) -> None:
        """Count a stretch of time.

        Args:
            day: UTC date of its end.
            problems: Keys of the problems that existed.
            elapsed_s: Its length in seconds.
            raised: Alerts raised in it.
        """
        if self.today.day != day.isoformat():
            self.before, self.today = self.today, DayCount(day.isoformat())
        self.today.alerts += raised
        if "paused" in problems:
            self.today.paused_s += elapsed_s
        elif any(key.startswith(HALTS) for key in problems):
            self.today.halted_s += elapsed_s

    def of(self, day: date) -> DayCount | None:
        """Return the counts of a day; None where they are not kept any more."""
        return next((one for one in (self.today, self.before) if one.day == day.isoformat()), None)

    def encode(self) -> str:
        """Return the text for the database."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str | None) -> DayCounts:
        """Return the counts of a stored text; none counts nothing yet, and neither does one that can't be read."""
        if text is None:
            return cls()
        try:
            stored = json.loads(text)
            return cls(DayCount(**stored["today"]), DayCount(**stored["before"]), str(stored["summary_sent"]))
        except (ValueError, KeyError, TypeError):
            return cls()


def due_summary(now: datetime, at: str, sent: str) -> date | None:
    """Return the day whose summary is due, which is the one before *now*; None when none is.

    Args:
        now: UTC.
        at: HH:MM at which it is sent; empty for never.
        sent: ISO date of the last day on which one was sent; empty if none was.
    """
    if not at or sent >= now.date().isoformat():
        return None
    hour, minute = map(int, at.split(":"))
    if (now.hour, now.minute) < (hour, minute):
        return None
    return now.date() - timedelta(days=1)
