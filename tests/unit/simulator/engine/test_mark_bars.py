"""Candles of the mark price: every change of it is in them, and a time without a change is flat."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.market import INTERVALS_MS
from opensqt.simulator.engine.mark_bars import MarkBars
from opensqt.simulator.engine.tape import PastBar

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


def bars(marks: MarkBars, interval: str, now_ms: int) -> list[Any]:
    return marks.candles(interval, now_ms, start_ms=None, end_ms=None, limit=10_000)


@pytest.mark.parametrize("interval", ["1m", "15m", "1h", "4h", "1d", "1w"])
def test_a_bar_has_the_highest_and_lowest_price_of_its_time(interval: str) -> None:
    choose = random.Random(7)
    marks, now = MarkBars("BTCUSDT", START_MS, Decimal(100)), START_MS
    path = [(START_MS, Decimal(100))]
    for _ in range(500):
        now += choose.randrange(20_000)
        path.append((now, Decimal(choose.randrange(90, 110))))
        marks.note(path[-1][1], now)
    for bar in bars(marks, interval, now):
        within = [price for time_ms, price in path if bar.open_time_ms <= time_ms <= bar.close_time_ms]
        before = [price for time_ms, price in path if time_ms < bar.open_time_ms][-1:]
        seen = [*before, *within] or [Decimal(100)]
        assert (bar.open, bar.high, bar.low, bar.close) == (seen[0], max(seen), min(seen), seen[-1])


def test_a_time_without_a_change_is_flat() -> None:
    marks = MarkBars("BTCUSDT", START_MS - START_MS % HOUR_MS, Decimal(100))
    now = START_MS - START_MS % HOUR_MS + 5 * INTERVALS_MS["1m"]
    found = bars(marks, "1m", now)
    assert [(bar.open, bar.close, bar.volume) for bar in found] == [(100, 100, 0)] * 6
    assert [bar.closed for bar in found] == [True] * 5 + [False]


def test_what_was_before_the_start_is_in_the_bars() -> None:
    first = START_MS - START_MS % HOUR_MS
    marks = MarkBars("BTCUSDT", START_MS, Decimal(100))
    prices = {"open": Decimal(1), "high": Decimal(5), "low": Decimal(1), "close": Decimal(3), "volume": Decimal(9)}
    marks.remember([PastBar(open_time_ms=first - 2 * HOUR_MS, **prices)])
    found = bars(marks, "1h", first)
    assert [(bar.open, bar.high, bar.low, bar.close) for bar in found] == [(1, 5, 1, 3), (3, 3, 3, 3), (3, 3, 3, 3)]
