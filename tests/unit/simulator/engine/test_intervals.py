"""Candles of every interval that a venue documents: made of shorter bars, or of trades below a minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from opensqt.model.market import INTERVALS_MS
from opensqt.simulator.engine.intervals import DERIVED
from opensqt.simulator.engine.tape import PastBar, Tape

NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
DAYS = 40


def ms(at: datetime) -> int:
    return int(at.timestamp()) * 1000


def tape_of_days() -> Tape:
    """One bar of a minute at noon of each of the last days: its price and volume are the number of days ago."""
    tape = Tape("BTCUSDT", ms(NOW), Decimal(1))
    bars = []
    for ago in range(DAYS, 0, -1):
        at = (NOW - timedelta(days=ago)).replace(hour=12)
        prices = dict.fromkeys(("open", "high", "low", "close", "volume"), Decimal(ago))
        bars.append(PastBar(open_time_ms=ms(at), **prices))
    tape.remember(bars)
    return tape


def test_a_week_begins_on_monday_and_has_all_of_its_days() -> None:
    week = tape_of_days().candles("1w", start_ms=None, end_ms=None, limit=1)[0]
    # 29 November 2026 is a Sunday: the week began on the 23rd, and six days of it are over.
    assert week.open_time_ms == ms(datetime(2026, 11, 23, tzinfo=UTC))
    assert week.close_time_ms == ms(datetime(2026, 11, 30, tzinfo=UTC)) - 1
    assert (week.open, week.high, week.low, week.close, week.volume) == (6, 6, 1, 1, 21)
    assert not week.closed


def test_a_month_is_that_of_the_calendar() -> None:
    before, month = tape_of_days().candles("1M", start_ms=None, end_ms=None, limit=2)
    assert month.open_time_ms == ms(datetime(2026, 11, 1, tzinfo=UTC))
    assert (month.volume, before.closed, month.closed) == (sum(range(1, 29)), True, False)


def test_a_day_of_hong_kong_begins_at_16_o_clock() -> None:
    today = tape_of_days().candles("1d+8", start_ms=None, end_ms=None, limit=1)[0]
    assert today.open_time_ms == ms(datetime(2026, 11, 28, 16, tzinfo=UTC))


@pytest.mark.parametrize("interval", sorted(DERIVED))
def test_each_bar_ends_where_the_next_one_begins(interval: str) -> None:
    derived = DERIVED[interval]
    for day in range(0, 400, 7):
        time_ms = ms(NOW + timedelta(days=day, hours=day % 24))
        opens, closes = derived.opens(time_ms), derived.closes(time_ms)
        assert opens <= time_ms < closes
        assert derived.opens(closes) == closes
        assert derived.opens(closes - 1) == opens
        # Each bar is made of whole ones of its base.
        assert not derived.base or opens % INTERVALS_MS[derived.base] == 0


def test_the_volume_of_a_derived_interval_is_that_of_its_base() -> None:
    tape = tape_of_days()
    for interval, derived in DERIVED.items():
        if derived.base:
            bars = tape.candles(interval, start_ms=None, end_ms=None, limit=10_000)
            assert sum(bar.volume for bar in bars) == sum(range(1, DAYS + 1)), interval


def test_seconds_are_made_of_trades_and_flat_between_them() -> None:
    start = ms(NOW)
    tape = Tape("BTCUSDT", start, Decimal(100))
    for second, price in ((0, 101), (0, 103), (25, 102)):
        tape.roll(start + second * 1000)
        tape.print(Decimal(price), Decimal(1), 1, buyer_is_maker=False, time_ms=start + second * 1000)
    bars = tape.candles("10s", start_ms=None, end_ms=None, limit=100)
    assert [(bar.open, bar.close, bar.trades) for bar in bars] == [(101, 103, 2), (103, 103, 0), (102, 102, 1)]


def test_who_follows_a_derived_interval_gets_each_change_and_each_closed_bar() -> None:
    start = ms(NOW)
    tape = Tape("BTCUSDT", start, Decimal(100))
    tape.roll(start)
    assert {bar.interval for bar in tape.take_changed()} == set()
    tape.follow("10s")
    tape.follow("8h")
    tape.print(Decimal(101), Decimal(1), 1, buyer_is_maker=False, time_ms=start)
    changed = {bar.interval: bar for bar in tape.take_changed()}
    assert set(changed) == {*INTERVALS_MS, "10s", "8h"}
    assert (changed["8h"].volume, changed["8h"].closed) == (1, False)
    closed = [(bar.interval, bar.volume) for bar in tape.roll(start + 20_000)]
    assert closed == [("10s", 1), ("10s", 0)]
    ended = [bar for bar in tape.roll(start + 8 * 3_600_000) if bar.interval == "8h"]
    assert [(bar.volume, bar.closed, bar.open_time_ms) for bar in ended] == [(1, True, start)]
