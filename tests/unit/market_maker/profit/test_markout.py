"""Markouts: the middle of the book at set times after a fill."""

from __future__ import annotations

from decimal import Decimal

from opensqt.market_maker.profit.markout import Markout, Markouts
from opensqt.model.order import Side


def bought(trade_id: str = "1", *, level: int = 3, side: Side = Side.BUY, quantity: str = "2") -> Markout:
    mid = Decimal(101)
    return Markout(
        trade_id=trade_id, level=level, side=side, price=Decimal(100), quantity=Decimal(quantity), mid=mid, time_ms=7
    )


def test_each_horizon_has_the_price_that_held_at_its_time() -> None:
    """A price that came after the time says nothing about it."""
    markouts = Markouts()
    markouts.add(bought(), 0.0)
    markouts.advance(1.4, Decimal(102), 0.5)  # the price of 0.5 s held at 1 s
    markouts.advance(6.0, Decimal(99), 1.4)
    markouts.advance(30.0, Decimal(98), 6.0)
    markouts.advance(301.0, Decimal(97), 290.0)
    (last,) = markouts.take_changed()
    assert last.later == (102, 99, 98, 97)
    assert [last.gain(horizon) for horizon in range(4)] == [2, -1, -2, -3]


def test_a_sale_gains_when_the_price_falls() -> None:
    """The sign is the side's."""
    markouts = Markouts()
    markouts.add(bought(side=Side.SELL), 0.0)
    markouts.advance(1.0, Decimal(98), 0.5)
    assert markouts.by_side[Side.SELL, 0].gain == 4
    assert markouts.by_side[Side.SELL, 0].ratio == Decimal("0.02")


def test_a_stale_price_is_no_markout() -> None:
    """While no price arrives the horizons pass without one, and nothing is kept for ever."""
    markouts = Markouts(max_age_s=30)
    markouts.add(bought(), 100.0)
    markouts.advance(500.0, Decimal(102), 99.0)
    (last,) = markouts.take_changed()
    assert last.later == (102, 102, None, None)
    markouts.advance(10_000.0, Decimal(1), 9_999.0)
    assert not markouts.changed


def test_sums_are_by_side_and_by_level() -> None:
    """Weighted by quantity."""
    markouts = Markouts()
    markouts.add(bought("1", level=1), 0.0)
    markouts.add(bought("2", level=2, quantity="8"), 0.0)
    markouts.advance(1.0, Decimal(101), 0.0)
    assert markouts.by_side[Side.BUY, 0].gain == 10
    assert (markouts.by_level[1, Side.BUY, 0].gain, markouts.by_level[2, Side.BUY, 0].gain) == (2, 8)


def test_a_restart_sums_what_was_known() -> None:
    """What its downtime left out stays unknown."""
    first = Markouts()
    first.add(bought(), 0.0)
    first.advance(6.0, Decimal(99), 0.0)
    again = Markouts(first.take_changed())
    again.advance(10_000.0, Decimal(1), 9_999.0)
    assert again.by_side == first.by_side
    assert not again.changed
