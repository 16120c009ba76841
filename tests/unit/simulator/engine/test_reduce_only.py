"""Orders that may only shrink a position."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.order import OrderStatus, PositionSide, Side, TimeInForce
from opensqt.simulator.engine.events import Execution, OrderChanged
from opensqt.simulator.engine.order import ClosingReason, RefusalReason, Refused


def _go_long(venue, quantity: str) -> None:
    venue.outside(Side.SELL, quantity, "45000")
    venue.buy(quantity)


def _refusal(act) -> RefusalReason:
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.reason


def test_without_a_position_it_is_refused(venue):
    """F19: a reduce-only order never flips or opens a position."""
    assert _refusal(lambda: venue.sell("0.1", "45100", reduce_only=True)) is RefusalReason.REDUCE_ONLY


def test_on_the_side_that_would_add_it_is_refused(venue):
    """F19: a reduce-only order never flips or opens a position."""
    _go_long(venue, "0.1")
    assert _refusal(lambda: venue.buy("0.1", "44900", reduce_only=True)) is RefusalReason.REDUCE_ONLY


def test_a_resting_one_may_not_ask_for_more_than_no_other_closes(venue):
    """F19: a reduce-only order never flips or opens a position."""
    _go_long(venue, "0.3")
    venue.sell("0.2", "45100", reduce_only=True)
    assert _refusal(lambda: venue.sell("0.2", "45200", reduce_only=True)) is RefusalReason.REDUCE_ONLY
    assert venue.sell("0.1", "45200", reduce_only=True).status is OrderStatus.OPEN


def test_a_market_order_closes_the_position_and_not_more(venue):
    """F19: a reduce-only order never flips or opens a position."""
    _go_long(venue, "0.3")
    venue.outside(Side.BUY, "2", "44990")
    order = venue.sell("1", reduce_only=True)
    assert (order.filled_quantity, venue.quantity()) == (Decimal("0.3"), 0)


def test_resting_exits_are_cut_newest_first_when_the_position_shrinks(venue):
    """F19: a reduce-only order never flips or opens a position."""
    _go_long(venue, "0.3")
    older = venue.sell("0.2", "45200", reduce_only=True)
    newer = venue.sell("0.1", "45100", reduce_only=True)
    venue.outside(Side.BUY, "2", "44990")
    venue.sell("0.15")
    assert venue.now(newer).closing_reason is ClosingReason.REDUCE_ONLY
    assert venue.now(older).remaining == Decimal("0.15")
    assert Execution.CUT in [event.execution for event in venue.published(OrderChanged)]


def test_exits_expire_when_the_position_flips(venue):
    """F19: a reduce-only order never flips or opens a position."""
    _go_long(venue, "0.3")
    exit_order = venue.sell("0.3", "45200", reduce_only=True)
    venue.outside(Side.BUY, "2", "44990")
    venue.sell("0.5")
    assert venue.now(exit_order).status is OrderStatus.EXPIRED
    assert venue.quantity() == Decimal("-0.2")


def test_exits_that_trade_in_one_sweep_end_flat(venue):
    """F19: a reduce-only order never flips or opens a position."""
    _go_long(venue, "0.3")
    for price in ("45100", "45110", "45120"):
        venue.sell("0.1", price, reduce_only=True)
    plain = venue.sell("0.1", "45105")
    venue.outside(Side.BUY, "5", "45200")
    assert venue.now(plain).status is OrderStatus.FILLED
    assert venue.quantity() == 0


def test_a_fok_exit_larger_than_the_position_takes_nothing(venue):
    """F19: a reduce-only order never flips or opens a position."""
    _go_long(venue, "0.3")
    venue.outside(Side.BUY, "2", "44990")
    order = venue.sell("0.5", "44990", reduce_only=True, time_in_force=TimeInForce.FOK)
    assert (order.status, venue.quantity()) == (OrderStatus.EXPIRED, Decimal("0.3"))


def test_in_hedge_mode_the_closing_side_is_always_reduce_only(hedge):
    """F19: a reduce-only order never flips or opens a position. F20: hedge mode and one-way mode are never mixed up."""
    assert _refusal(lambda: hedge.sell("0.1", "45100", position_side=PositionSide.LONG)) is RefusalReason.REDUCE_ONLY


def test_in_hedge_mode_long_and_short_stand_side_by_side(hedge):
    """F20: hedge mode and one-way mode are never mixed up."""
    hedge.outside(Side.SELL, "1", "45000")
    hedge.outside(Side.BUY, "1", "44999")
    hedge.buy("0.3", position_side=PositionSide.LONG)
    hedge.sell("0.2", position_side=PositionSide.SHORT)
    held = {view.position_side: view.quantity for view in hedge.engine.positions("sim-key", "BTCUSDT")}
    assert held == {PositionSide.LONG: Decimal("0.3"), PositionSide.SHORT: Decimal("-0.2")}


@pytest.mark.parametrize("side", [PositionSide.LONG, PositionSide.SHORT])
def test_in_one_way_mode_a_position_side_is_refused(venue, side):
    """F20: hedge mode and one-way mode are never mixed up."""
    reason = _refusal(lambda: venue.buy("0.1", "45000", position_side=side))
    assert reason is RefusalReason.POSITION_SIDE_MISMATCH


def test_in_hedge_mode_an_order_must_name_its_position(hedge):
    """F20: hedge mode and one-way mode are never mixed up."""
    assert _refusal(lambda: hedge.buy("0.1", "45000")) is RefusalReason.POSITION_SIDE_MISMATCH
