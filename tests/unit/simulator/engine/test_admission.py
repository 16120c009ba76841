"""Which orders the venue refuses, and that a refused one leaves no trace."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.order import OrderStatus, OrderType, Side
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused
from opensqt.simulator.settings import SymbolSettings, VenueRules

_R = RefusalReason


@pytest.mark.parametrize(
    ("quantity", "price", "reason"),
    [
        ("0.0015", "45000", _R.QUANTITY_STEP),
        ("0.0005", "45000", _R.MIN_QUANTITY),
        ("1001", "45000", _R.MAX_QUANTITY),
        ("0", "45000", _R.INVALID),
        ("-1", "45000", _R.INVALID),
        ("NaN", "45000", _R.INVALID),
        ("0.1", "45000.05", _R.PRICE_STEP),
        ("0.1", "0", _R.INVALID),
        ("0.1", "47250.1", _R.PRICE_BAND),
        ("0.001", "4999.9", _R.MIN_NOTIONAL),
        ("3", "45000", _R.INSUFFICIENT_MARGIN),
    ],
)
def test_a_buy_that_breaks_a_rule_is_refused_and_leaves_no_trace(venue, quantity, price, reason):
    """F23: price and quantity keep to the venue's steps and limits."""
    with pytest.raises(Refused) as refused:
        venue.buy(quantity, price)
    assert refused.value.reason is reason
    assert (venue.engine.orders("sim-key"), venue.events) == ([], [])


def test_a_buy_far_below_the_mark_is_allowed(venue):
    assert venue.buy("0.001", "20000").status is OrderStatus.OPEN


def test_a_sell_far_below_the_mark_is_refused(venue):
    with pytest.raises(Refused, match="expected at least 42750"):
        venue.sell("0.001", "42749.9")


def test_an_unknown_symbol_is_refused_with_those_that_trade(venue):
    with pytest.raises(Refused, match="BTCUSDT, ETHUSDT") as refused:
        venue.buy("1", "1", symbol="DOGEUSDT")
    assert refused.value.reason is _R.UNKNOWN_SYMBOL


def test_a_limit_order_needs_a_price(venue):
    order = NewOrder(symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), order_type=OrderType.LIMIT)
    with pytest.raises(Refused, match="price None: expected above zero"):
        venue.engine.place("sim-key", order)


def test_a_market_order_takes_no_price(venue):
    order = NewOrder(
        symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), order_type=OrderType.MARKET, price=Decimal(1)
    )
    with pytest.raises(Refused, match="expected none for a MARKET order"):
        venue.engine.check("sim-key", order)


def test_a_client_id_that_an_open_order_has_is_refused(venue):
    """F22: a client order id keeps the venue's rule and comes back unchanged."""
    venue.buy("0.1", "44000", client_order_id="a1")
    with pytest.raises(Refused) as refused:
        venue.buy("0.1", "44000", client_order_id="a1")
    assert refused.value.reason is _R.DUPLICATE_CLIENT_ORDER_ID


def test_a_client_id_of_a_closed_order_may_come_again_and_is_counted(venue):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    venue.buy("0.1", "44000", client_order_id="a1")
    venue.engine.cancel("sim-key", "BTCUSDT", client_order_id="a1")
    again = venue.buy("0.1", "44100", client_order_id="a1")
    assert venue.engine.find("sim-key", "BTCUSDT", client_order_id="a1") == again
    assert venue.engine.duplicate_client_order_ids("sim-key") == ["a1"]


def test_a_venue_may_refuse_a_client_id_for_ever(open_venue):
    """F22: a client order id keeps the venue's rule and comes back unchanged."""
    venue = open_venue(rules=VenueRules(duplicate_client_ids="ever"))
    venue.buy("0.1", "44000", client_order_id="a1")
    venue.engine.cancel("sim-key", "BTCUSDT", client_order_id="a1")
    with pytest.raises(Refused):
        venue.buy("0.1", "44000", client_order_id="a1")


def test_open_orders_have_a_limit(open_venue):
    symbol = SymbolSettings(
        symbol="BTCUSDT",
        base_asset="BTC",
        price_step=Decimal("0.1"),
        quantity_step=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        start_price=Decimal(45000),
        max_open_orders=2,
    )
    venue = open_venue(symbols=(symbol,))
    venue.buy("0.001", "44000")
    venue.buy("0.001", "44000")
    with pytest.raises(Refused) as refused:
        venue.buy("0.001", "44000")
    assert refused.value.reason is _R.TOO_MANY_ORDERS


def test_an_unknown_order_is_refused_as_unknown(venue):
    with pytest.raises(Refused) as refused:
        venue.engine.find("sim-key", "BTCUSDT", client_order_id="never")
    assert refused.value.reason is _R.UNKNOWN_ORDER


def test_an_order_is_not_found_under_another_symbol(venue):
    order = venue.buy("0.1", "44000")
    with pytest.raises(Refused):
        venue.engine.find("sim-key", "ETHUSDT", order_id=order.order_id)


def test_history_is_filtered_by_time_id_and_limit(venue):
    placed = []
    for _ in range(5):
        placed.append(venue.buy("0.001", "44000"))
        venue.clock.advance(1000)
    third = placed[2]
    history = venue.engine.orders
    assert history("sim-key", "BTCUSDT", since_ms=third.created_ms) == placed[2:]
    assert history("sim-key", "BTCUSDT", until_ms=third.created_ms) == placed[:3]
    assert history("sim-key", from_id=int(third.order_id), limit=2) == placed[2:4]
    assert history("sim-key", limit=2) == placed[3:]


def test_fills_are_filtered_by_trade_id_and_order(venue):
    order = venue.buy("0.3", "44000")
    for _ in range(3):
        venue.outside(Side.SELL, "0.1", "44000")
    fills = venue.engine.fills("sim-key", "BTCUSDT")
    assert venue.engine.fills("sim-key", "BTCUSDT", from_id=int(fills[1].trade_id)) == fills[1:]
    assert venue.engine.fills("sim-key", order_id=order.order_id, limit=1) == fills[2:]
