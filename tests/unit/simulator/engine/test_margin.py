"""Cross margin, leverage and modes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.order import OrderStatus, Side
from opensqt.simulator.engine.events import Liquidation, MarginCall, SettingsChanged
from opensqt.simulator.engine.order import ClosingReason, RefusalReason, Refused

KEY = "sim-key"


def _go_long(venue, quantity: str, price: str = "45000") -> None:
    venue.outside(Side.SELL, quantity, price)
    venue.buy(quantity)


def test_an_open_order_binds_its_value_over_the_leverage(venue):
    venue.buy("0.1", "44000")
    balance = venue.engine.balance(KEY)
    assert balance.order_margin == Decimal(440)
    assert balance.available_balance == Decimal(9560)


def test_the_exits_of_a_position_bind_nothing(venue):
    _go_long(venue, "0.1")
    venue.sell("0.1", "45100")
    assert venue.engine.balance(KEY).order_margin == 0


def test_buys_and_sells_bind_the_larger_of_the_two(venue):
    venue.buy("0.1", "44000")
    venue.sell("0.1", "46000")
    assert venue.engine.balance(KEY).order_margin == Decimal(460)


def test_open_loss_shrinks_what_is_available(venue):
    _go_long(venue, "0.1")
    venue.mark("44000")
    balance = venue.engine.balance(KEY)
    assert balance.unrealized_pnl == Decimal(-100)
    assert balance.available_balance == balance.wallet_balance - 100 - 440


def test_leverage_changes_what_is_bound(venue):
    """F21: the leverage in force is the one that was asked for."""
    venue.buy("0.1", "44000")
    venue.engine.set_leverage(KEY, "BTCUSDT", 20)
    assert venue.engine.balance(KEY).order_margin == Decimal(220)
    assert venue.published(SettingsChanged)[-1].leverage == 20


@pytest.mark.parametrize("leverage", [0, 126])
def test_leverage_out_of_range_is_refused_and_stays(venue, leverage):
    """F21: the leverage in force is the one that was asked for."""
    with pytest.raises(Refused, match="expected 1 to 125"):
        venue.engine.set_leverage(KEY, "BTCUSDT", leverage)
    assert venue.engine.leverage(KEY, "BTCUSDT") == 10


def test_leverage_may_not_fall_below_what_the_account_can_carry(venue):
    """F21: the leverage in force is the one that was asked for."""
    venue.buy("2", "44000")
    with pytest.raises(Refused) as refused:
        venue.engine.set_leverage(KEY, "BTCUSDT", 5)
    assert refused.value.reason is RefusalReason.INSUFFICIENT_MARGIN


def test_the_position_mode_can_not_change_with_a_position(venue):
    """F20: hedge mode and one-way mode are never mixed up."""
    _go_long(venue, "0.1")
    with pytest.raises(Refused) as refused:
        venue.engine.set_position_mode(KEY, PositionMode.HEDGE)
    assert refused.value.reason is RefusalReason.POSITION_OPEN


def test_the_position_mode_can_not_change_with_an_order(venue):
    """F20: hedge mode and one-way mode are never mixed up."""
    venue.buy("0.1", "44000")
    with pytest.raises(Refused) as refused:
        venue.engine.set_position_mode(KEY, PositionMode.HEDGE)
    assert refused.value.reason is RefusalReason.ORDERS_OPEN


def test_the_position_mode_changes_when_flat(venue):
    """F20: hedge mode and one-way mode are never mixed up."""
    venue.engine.set_position_mode(KEY, PositionMode.HEDGE)
    assert [view.position_side for view in venue.engine.positions(KEY, "BTCUSDT")] == ["LONG", "SHORT"]
    with pytest.raises(Refused) as refused:
        venue.engine.set_position_mode(KEY, PositionMode.HEDGE)
    assert refused.value.reason is RefusalReason.NO_CHANGE


def test_the_margin_mode_is_kept_by_symbol(venue):
    venue.engine.set_margin_mode(KEY, "BTCUSDT", MarginMode.ISOLATED)
    (position,) = venue.engine.positions(KEY, "BTCUSDT")
    assert position.margin_mode is MarginMode.ISOLATED
    assert venue.engine.margin_mode(KEY, "ETHUSDT") is MarginMode.CROSS
    venue.engine.set_margin_mode(KEY, None, MarginMode.ISOLATED)
    assert venue.engine.margin_mode(KEY, "ETHUSDT") is MarginMode.ISOLATED
    with pytest.raises(Refused) as refused:
        venue.engine.set_margin_mode(KEY, None, MarginMode.ISOLATED)
    assert refused.value.reason is RefusalReason.NO_CHANGE


def test_the_margin_mode_is_not_switched_with_a_position_or_an_order_open(venue):
    order = venue.buy("0.001", "30000")
    with pytest.raises(Refused) as refused:
        venue.engine.set_margin_mode(KEY, "BTCUSDT", MarginMode.ISOLATED)
    assert refused.value.reason is RefusalReason.ORDERS_OPEN
    venue.engine.cancel(KEY, "BTCUSDT", order_id=order.order_id)
    _go_long(venue, "0.5")
    with pytest.raises(Refused) as refused:
        venue.engine.set_margin_mode(KEY, "BTCUSDT", MarginMode.ISOLATED)
    assert refused.value.reason is RefusalReason.POSITION_OPEN
    assert venue.engine.margin_mode(KEY, "BTCUSDT") is MarginMode.CROSS


def test_funding_of_a_position_begins_anew_with_each_position(venue):
    _go_long(venue, "0.5")
    venue.engine.pay_funding()
    (paid,) = venue.engine.funding_payments(KEY)
    (position,) = venue.engine.positions(KEY, "BTCUSDT")
    assert position.funding == paid.amount != 0
    venue.outside(Side.BUY, "0.7", "45000")
    venue.sell("0.7")
    (position,) = venue.engine.positions(KEY, "BTCUSDT")
    assert (position.quantity, position.funding) == (Decimal("-0.2"), 0)


def test_an_account_below_its_maintenance_margin_is_closed(venue):
    _go_long(venue, "2")
    order = venue.buy("0.001", "30000")
    venue.outside(Side.BUY, "5", "40000")
    price = venue.engine.positions(KEY, "BTCUSDT")[0].liquidation_price
    venue.mark(str(price - 1))
    assert venue.now(order).closing_reason is ClosingReason.LIQUIDATION
    assert venue.quantity() == 0
    assert len(venue.published(Liquidation)) == 1
    assert venue.engine.orders(KEY)[-1].client_order_id.startswith("autoclose")


def test_above_the_liquidation_price_nothing_is_closed(venue):
    _go_long(venue, "2")
    venue.outside(Side.BUY, "5", "40000")
    price = venue.engine.positions(KEY, "BTCUSDT")[0].liquidation_price
    venue.mark(str(price + 1))
    assert (venue.quantity(), venue.published(Liquidation)) == (2, [])


def test_a_short_position_is_liquidated_above_its_entry(venue):
    venue.outside(Side.BUY, "2", "45000")
    venue.sell("2")
    assert venue.engine.positions(KEY, "BTCUSDT")[0].liquidation_price > 45000


def test_a_margin_call_comes_once_before_liquidation(venue):
    _go_long(venue, "2")
    price = venue.engine.positions(KEY, "BTCUSDT")[0].liquidation_price
    for above in (30, 20, 10):
        venue.mark(str(price + above))
    assert len(venue.published(MarginCall)) == 1


def test_a_liquidation_that_finds_no_buyer_is_tried_again(venue):
    _go_long(venue, "2")
    venue.mark("40000")
    assert venue.quantity() == 2
    venue.outside(Side.BUY, "5", "39000")
    venue.mark("39999")
    assert venue.quantity() == 0


def test_an_order_that_shrinks_the_position_is_taken_without_margin_left(venue):
    _go_long(venue, "2")
    venue.mark("44000")
    with pytest.raises(Refused):
        venue.buy("0.1", "43000")
    assert venue.sell("2", "46000").status is OrderStatus.OPEN
