"""The day's counts and its summary: functions of what was recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from opensqt.market_maker.alerts.day import DayCount, DayCounts, due_summary
from opensqt.market_maker.alerts.summary import drawdown, summarize
from opensqt.market_maker.profit.snapshot import ProfitDay, ProfitSnapshot

DAY = date(2026, 11, 28)
DAY_MS = 86_400_000


def snapshot(day: date, **changes: object) -> ProfitSnapshot:
    zero = dict.fromkeys(
        ["position", "round_trips", "realized", "venue_made", "by_hand", "unexplained", "open", "fees", "funding"],
        Decimal(0),
    )
    base = ProfitSnapshot(
        time_ms=(day - date(1970, 1, 1)).days * DAY_MS,
        mark=Decimal(100),
        total=Decimal(0),
        volume=Decimal(0),
        fills=0,
        **zero,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def profit_day(day: date, **changes: object) -> ProfitDay:
    end = snapshot(day, **changes)
    return ProfitDay(end=end, lowest=end.total, highest=end.total)


@pytest.mark.parametrize(
    ("now", "at", "sent", "due"),
    [
        ("2026-11-29T00:05", "00:05", "", "2026-11-28"),
        ("2026-11-29T00:04", "00:05", "2026-11-28", None),
        ("2026-11-29T00:06", "00:05", "2026-11-29", None),
        ("2026-11-29T09:00", "00:05", "2026-11-28", "2026-11-28"),
        ("2026-11-29T09:00", "", "", None),
    ],
)
def test_the_summary_of_the_day_before_is_due_once_a_day(now: str, at: str, sent: str, due: str | None) -> None:
    """Also when the process did not run at that minute: it is sent when it runs again."""
    found = due_summary(datetime.fromisoformat(now).replace(tzinfo=UTC), at, sent)
    assert found == (date.fromisoformat(due) if due else None)


def test_time_is_counted_by_what_kept_entries_away_and_a_new_day_begins_at_zero() -> None:
    counts = DayCounts()
    counts.record(DAY, [], 10, 0)
    counts.record(DAY, ["paused", "halted"], 5, 2)
    counts.record(DAY, ["halted"], 7, 1)
    counts.record(DAY, ["exits only"], 1, 0)
    counts.record(date(2026, 11, 29), ["halted"], 3, 0)
    assert counts.of(DAY) == DayCount("2026-11-28", paused_s=5, halted_s=8, alerts=3)
    assert counts.of(date(2026, 11, 29)) == DayCount("2026-11-29", halted_s=3)
    assert counts.of(date(2026, 11, 27)) is None
    assert DayCounts.decode(counts.encode()) == counts
    assert DayCounts.decode(None) == DayCounts()


def test_the_amounts_of_a_day_are_the_difference_to_the_day_before() -> None:
    days = [
        profit_day(date(2026, 11, 25), total=Decimal(10), realized=Decimal(12), fees=Decimal(2), volume=Decimal(100)),
        profit_day(DAY, total=Decimal(15), realized=Decimal(19), fees=Decimal(4), volume=Decimal(300), open=Decimal(1)),
    ]
    minutes = [snapshot(DAY, total=Decimal(total)) for total in ("11", "8", "9", "16", "12", "15")]
    found = summarize("BTCUSDT", DAY, days=days, minutes=minutes, fills=[], count=None)
    assert (found.total, found.realized, found.fees, found.volume) == tuple(map(Decimal, (5, 7, 2, 200)))
    assert (found.drawdown, found.open) == (Decimal(4), Decimal(1))
    assert (found.paused_s, found.alerts) == (None, None)
    assert "not known" in found.text()


def test_a_day_without_a_record_is_zero() -> None:
    found = summarize("BTCUSDT", DAY, days=[], minutes=[], fills=[], count=DayCount("2026-11-28", 65, 3, 2))
    assert (found.total, found.fills, found.mark) == (Decimal(0), 0, None)
    assert "paused 1 min 5 s, halted 3 s, alerts 2" in found.text()


def test_a_fall_is_measured_from_the_highest_value_so_far() -> None:
    assert drawdown(Decimal(0), map(Decimal, (5, 3, 7, 1, 9))) == Decimal(6)
    assert drawdown(Decimal(4), map(Decimal, (1,))) == Decimal(3)
    assert drawdown(Decimal(0), []) == Decimal(0)
