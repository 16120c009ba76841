"""Fills are counted once, however they come."""

from __future__ import annotations

import random
from decimal import Decimal

from opensqt.live_server.fills import LATE_NS, FillBook
from opensqt.model.order import PositionSide
from tests.unit.live_server.builders import Clock, fill

BOTH = PositionSide.BOTH


def book(clock: Clock, since_ms: int = 0) -> FillBook:
    return FillBook(since_ms=since_ms, quote_asset="USDT", keep=10, clock=clock)


def test_a_fill_counts_once_by_stream_and_list_and_in_any_order():
    """F8: every fill three times, shuffled, partly by stream and partly by list."""
    fills = [fill(f"t{n}", realized_pnl=Decimal(n), event_time_ms=1000 + n) for n in range(50)]
    counted = book(Clock())
    shuffled = fills * 3
    random.Random(1).shuffle(shuffled)
    for one in shuffled:
        counted.add([one])
    counted.add_list(fills)
    counted.add_list(fills)
    profit = counted.profit(BOTH)
    assert profit is not None
    assert (profit.fills, profit.realized) == (50, Decimal(sum(range(50))))
    assert profit.fees == Decimal("0.06") * 50


def test_profit_is_unknown_until_the_venues_list_was_read():
    """F36: the profit that is shown is the account's."""
    counted = book(Clock())
    counted.add([fill("t1")])
    assert counted.profit(BOTH) is None
    counted.add_list([fill("t1")])
    assert counted.profit(BOTH) is not None


def test_fees_in_another_asset_are_told_apart_and_not_taken_off():
    counted = book(Clock())
    counted.add_list([fill("t1", fee=Decimal("0.001"), fee_asset="BNB", realized_pnl=Decimal(5))])
    profit = counted.profit(BOTH)
    assert profit is not None
    assert (profit.net, profit.other_fees) == (Decimal(5), {"BNB": Decimal("0.001")})


def test_a_fill_before_the_beginning_does_not_count():
    counted = book(Clock(), since_ms=5000)
    assert counted.add([fill("t1", event_time_ms=4999), fill("t2", event_time_ms=5000)])[0].trade_id == "t2"


def test_long_and_short_of_hedge_mode_are_counted_apart():
    counted = book(Clock())
    counted.add_list([fill("t1", position_side=PositionSide.LONG), fill("t2", position_side=PositionSide.SHORT)])
    profit = counted.profit(PositionSide.LONG)
    assert profit is not None
    assert profit.fills == 1


def test_ids_are_forgotten_once_they_cannot_come_again():
    """F27: memory does not grow with time, and what was forgotten still does not count twice."""
    clock = Clock()
    counted = book(clock)
    fills = [fill(f"t{n}", event_time_ms=1000 * n) for n in range(100)]
    for index, one in enumerate(fills):
        counted.add([one])
        counted.add_list([old for old in fills[: index + 1] if old.event_time_ms >= counted.list_from_ms])
        clock.advance(LATE_NS / 1e9 / 4)
    assert counted.remembered < 10
    counted.add(fills)
    profit = counted.profit(BOTH)
    assert profit is not None
    assert profit.fills == 100


def test_a_fill_that_the_venue_lists_late_still_counts():
    """F5: three minutes late."""
    clock = Clock()
    counted = book(clock)
    early, late = fill("early", event_time_ms=200_000), fill("late", event_time_ms=199_000)
    for _ in range(12):
        counted.add_list([early])
        clock.advance(15)
    assert counted.add_list([late, early]) == [late]


def test_a_list_without_what_was_listed_before_begins_the_count_anew():
    counted = book(Clock())
    counted.add_list([fill("t1"), fill("t2")])
    counted.add_list([fill("other")])
    assert counted.profit(BOTH) is None
    counted.add_list([fill("other")])
    profit = counted.profit(BOTH)
    assert profit is not None
    assert profit.fills == 1


def test_the_newest_fills_are_kept_in_the_order_of_their_time():
    counted = book(Clock())
    counted.add([fill(f"t{n}", event_time_ms=n) for n in range(5, 20)])
    counted.add([fill("between", event_time_ms=18)])
    assert [one.event_time_ms for one in counted.recent] == [11, 12, 13, 14, 15, 16, 17, 18, 18, 19]


def test_a_fill_of_the_future_does_not_settle_what_comes_after_it():
    """F8: with its time as the settled one, no later fill of the account was counted."""
    clock = Clock()
    counted = book(clock)
    future = fill("future", event_time_ms=clock() // 1_000_000 + 365 * 86_400_000)
    counted.add_list([future])
    clock.advance(2 * LATE_NS / 1e9)
    counted.add_list([future])
    late = fill("late", event_time_ms=clock() // 1_000_000)
    assert counted.add([late]) == [late]
