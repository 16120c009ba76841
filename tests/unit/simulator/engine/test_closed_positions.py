"""Closed positions are what the fills say: their profit, fees and funding add up to the account's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.order import PositionSide, Side
from opensqt.simulator.engine.closed_positions import ClosedPosition, closed_positions, closing_orders

KEY = "sim-key"
HOUR_MS = 3_600_000


def trade(venue: Any, *trades: tuple[str, str, str]) -> None:
    """Trade with the outside: side, quantity, price."""
    for side, quantity, price in trades:
        venue.outside(Side.SELL if side == "buy" else Side.BUY, quantity, price)
        (venue.buy if side == "buy" else venue.sell)(quantity)


def closed(venue: Any) -> list[ClosedPosition]:
    return closed_positions(venue.engine.fills(KEY), venue.engine.funding_payments(KEY))


def test_a_position_is_closed_from_its_first_fill_to_its_last(venue: Any) -> None:
    trade(venue, ("buy", "0.1", "45000"), ("buy", "0.1", "45100"), ("sell", "0.15", "45200"), ("sell", "0.05", "45000"))
    (one,) = closed(venue)
    assert (one.long, one.ended, one.most, one.closed) == (True, True, Decimal("0.2"), Decimal("0.2"))
    assert (one.entry_price, one.exit_price) == (45050, 45150)
    assert one.pnl == venue.engine.balance(KEY).realized_pnl
    assert one.open_fees + one.close_fees == venue.engine.balance(KEY).fees


def test_one_fill_ends_a_position_and_begins_the_opposite_one(venue: Any) -> None:
    trade(venue, ("buy", "0.1", "45000"), ("sell", "0.3", "45100"), ("buy", "0.1", "45050"))
    long, short = closed(venue)
    assert (long.long, long.ended, long.closed) == (True, True, Decimal("0.1"))
    assert (short.long, short.ended, short.closed, short.most) == (False, False, Decimal("0.1"), Decimal("0.2"))
    assert long.pnl + short.pnl == venue.engine.balance(KEY).realized_pnl


def test_funding_belongs_to_the_position_that_paid_it(venue: Any) -> None:
    trade(venue, ("buy", "0.1", "45000"))
    venue.engine.advance(venue.clock.market_ms() + 8 * HOUR_MS)
    trade(venue, ("sell", "0.1", "45000"), ("buy", "0.1", "45000"), ("sell", "0.1", "45000"))
    first, second = closed(venue)
    assert (first.funding, second.funding) == (venue.engine.balance(KEY).funding, 0)
    balance = venue.engine.balance(KEY)
    assert first.net_pnl + second.net_pnl == balance.wallet_balance - 10_000


def test_an_order_that_closes_has_its_share_of_the_fees_of_opening(venue: Any) -> None:
    trade(venue, ("buy", "0.2", "45000"), ("sell", "0.1", "45100"), ("sell", "0.1", "45200"))
    first, second = closing_orders(venue.engine.fills(KEY))
    assert (first.closed, first.exit_notional, first.pnl) == (Decimal("0.1"), 4510, 10)
    assert first.open_fees == second.open_fees
    fees = sum(order.open_fees + order.close_fees for order in (first, second))
    assert fees == venue.engine.balance(KEY).fees


def test_what_is_only_open_is_not_closed(venue: Any) -> None:
    trade(venue, ("buy", "0.1", "45000"))
    assert closed(venue) == []
    assert closing_orders(venue.engine.fills(KEY)) == []


@pytest.mark.parametrize("sides", ["bs", "sb"])
def test_both_sides_of_hedge_mode_are_positions_of_their_own(hedge: Any, sides: str) -> None:
    side = PositionSide.LONG if sides == "bs" else PositionSide.SHORT
    for letter in sides:
        buys = letter == "b"
        hedge.outside(Side.SELL if buys else Side.BUY, "0.1", "45000")
        (hedge.buy if buys else hedge.sell)("0.1", position_side=side)
    (one,) = closed(hedge)
    assert (one.position_side, one.ended) == (side, True)
