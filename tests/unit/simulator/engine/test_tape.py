"""Candles, the last trades and the day."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.market import INTERVALS_MS
from opensqt.simulator.engine.tape import BARS_KEPT, TRADES_KEPT, PastBar, Tape

MINUTE = 60_000
START_MS = 1_700_000_040_000 - 1_700_000_040_000 % MINUTE


@pytest.fixture
def tape() -> Tape:
    return Tape("BTCUSDT", START_MS, Decimal(100))


def _print(tape: Tape, price: str, time_ms: int, quantity: str = "1", *, sold: bool = True) -> None:
    tape.roll(time_ms)
    tape.print(Decimal(price), Decimal(quantity), 1, buyer_is_maker=sold, time_ms=time_ms)


def _minutes(tape: Tape, **more):
    return tape.candles("1m", **{"start_ms": None, "end_ms": None, "limit": 500, **more})


def test_a_candle_is_made_of_its_trades(tape):
    for price, sold in (("101", True), ("105", False), ("99", True), ("102", False)):
        _print(tape, price, START_MS + 10, "2", sold=sold)
    bar = _minutes(tape)[-1]
    assert (bar.open, bar.high, bar.low, bar.close) == (101, 105, 99, 102)
    assert (bar.volume, bar.quote_volume, bar.trades) == (8, 814, 4)
    assert (bar.taker_buy_volume, bar.taker_buy_quote_volume, bar.closed) == (4, 414, False)


def test_a_candle_closes_when_its_time_is_over(tape):
    _print(tape, "101", START_MS)
    closed = tape.roll(START_MS + MINUTE)
    assert ("1m", START_MS, True) in [(bar.interval, bar.open_time_ms, bar.closed) for bar in closed]
    assert _minutes(tape)[-1].open_time_ms == START_MS + MINUTE


def test_a_minute_without_trades_is_flat_at_the_last_price(tape):
    _print(tape, "101", START_MS)
    tape.roll(START_MS + 3 * MINUTE)
    quiet = _minutes(tape)[1]
    assert (quiet.open, quiet.high, quiet.low, quiet.close, quiet.volume) == (101, 101, 101, 101, 0)


@pytest.mark.parametrize("interval", INTERVALS_MS)
def test_every_interval_holds_the_same_volume(tape, interval):
    for minute in range(10):
        _print(tape, str(100 + minute), START_MS + minute * MINUTE)
    bars = tape.candles(interval, start_ms=None, end_ms=None, limit=500)
    assert sum(bar.volume for bar in bars) == 10
    assert all(bar.open_time_ms % INTERVALS_MS[interval] == 0 for bar in bars)


def test_candles_are_chosen_by_time_and_limit(tape):
    tape.roll(START_MS + 9 * MINUTE)
    times = [bar.open_time_ms for bar in _minutes(tape)]
    assert [bar.open_time_ms for bar in _minutes(tape, limit=2)] == times[-2:]
    assert [bar.open_time_ms for bar in _minutes(tape, start_ms=times[3], limit=2)] == times[3:5]
    assert [bar.open_time_ms for bar in _minutes(tape, end_ms=times[3])] == times[:4]


def test_the_past_comes_before_the_first_trade(tape):
    past = [
        PastBar(
            open_time_ms=START_MS - (3 - n) * MINUTE,
            open=Decimal(90 + n),
            high=Decimal(95 + n),
            low=Decimal(85 + n),
            close=Decimal(91 + n),
            volume=Decimal(5),
        )
        for n in range(3)
    ]
    tape.remember(past)
    bars = _minutes(tape)
    assert [bar.open_time_ms for bar in bars[:3]] == [bar.open_time_ms for bar in past]
    assert (bars[2].close, bars[2].closed, tape.last_price) == (93, True, 93)
    day = tape.candles("1d", start_ms=None, end_ms=None, limit=1)[0]
    assert (day.high, day.low, day.volume) == (97, 85, 15)


def test_a_past_bar_after_the_start_is_refused(tape):
    late = PastBar(
        open_time_ms=START_MS + MINUTE,
        open=Decimal(1),
        high=Decimal(1),
        low=Decimal(1),
        close=Decimal(1),
        volume=Decimal(1),
    )
    with pytest.raises(ValueError, match="expected before the start"):
        tape.remember([late])


def test_the_day_sums_up_the_last_24_hours_only(tape):
    _print(tape, "500", START_MS)
    for hour in range(1, 30):
        _print(tape, str(100 + hour), START_MS + hour * 60 * MINUTE)
    day = tape.day(START_MS + 29 * 60 * MINUTE)
    assert (day.high, day.last) == (129, 129)
    assert 23 <= day.trades <= 24


def test_what_is_kept_is_bounded(tape):
    """F27: memory does not grow with time."""
    for trade in range(TRADES_KEPT + 10):
        _print(tape, "100", START_MS + trade)
    tape.roll(START_MS + (BARS_KEPT + 100) * MINUTE)
    assert len(tape.trades) == TRADES_KEPT
    assert len(_minutes(tape, limit=10_000)) == BARS_KEPT + 1
