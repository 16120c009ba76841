"""Average-cost accounting."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.simulator.engine.position import SimPosition


def _after(*trades: tuple[str, str]) -> tuple[SimPosition, Decimal]:
    position, realized = SimPosition(), Decimal(0)
    for quantity, price in trades:
        realized += position.trade(Decimal(quantity), Decimal(price), 0)
    return position, realized


@pytest.mark.parametrize(
    ("trades", "quantity", "entry", "realized"),
    [
        ([("1", "100"), ("3", "104")], "4", "103", "0"),
        ([("2", "100"), ("-1", "110")], "1", "100", "10"),
        ([("-2", "100"), ("1", "90")], "-1", "100", "10"),
        ([("1", "100"), ("-3", "110")], "-2", "110", "10"),
        ([("-1", "100"), ("3", "110")], "2", "110", "-10"),
        ([("2", "100"), ("-2", "95")], "0", "0", "-10"),
    ],
)
def test_entry_price_and_profit_follow_the_trades(trades, quantity, entry, realized):
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    position, taken = _after(*trades)
    assert (position.quantity, position.entry_price, taken) == (Decimal(quantity), Decimal(entry), Decimal(realized))


def test_an_average_that_does_not_come_out_even_loses_nothing():
    """F36: the profit that is shown is the account's."""
    position, realized = _after(("2", "100"), ("1", "101"), ("-1", "102"), ("-1", "102"), ("-1", "102"))
    assert position.entry_price == 0
    assert realized == Decimal(5)


def test_open_profit_is_what_closing_now_would_earn():
    """F36: the profit that is shown is the account's."""
    position, _ = _after(("2", "100"), ("1", "101"))
    mark = Decimal("99.5")
    expected = position.unrealized_pnl(mark)
    assert position.trade(Decimal(-3), mark, 0) == expected
