"""The orders that close a position: reduce-only, in pieces that the venue takes, on the position's own side."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.cli.close_positions import closing_orders
from opensqt.model.account import Position
from opensqt.model.order import PositionSide, Side
from opensqt.model.venue import Capabilities, ExchangeInfo, SymbolRules


def info(max_quantity: str | None) -> ExchangeInfo:
    step = Decimal("0.001")
    rules = SymbolRules(
        symbol="BTCUSDT",
        base_asset="BTC",
        quote_asset="USDT",
        price_step=step,
        quantity_step=step,
        min_quantity=step,
        min_notional=Decimal(5),
        max_quantity=Decimal(max_quantity) if max_quantity else None,
    )
    return ExchangeInfo(name="memory", exchange_type="usdt_perpetual", capabilities=Capabilities(), symbols=(rules,))


def position(quantity: str, side: PositionSide = PositionSide.BOTH) -> Position:
    return Position(symbol="BTCUSDT", quantity=Decimal(quantity), entry_price=Decimal(1), position_side=side)


@pytest.mark.parametrize(
    ("held", "most", "side", "parts"),
    [
        ("2.5", None, Side.SELL, ["2.5"]),
        ("-2.5", None, Side.BUY, ["2.5"]),
        ("2.5", "1", Side.SELL, ["1", "1", "0.5"]),
        ("2", "1", Side.SELL, ["1", "1"]),
        ("0", "1", Side.BUY, []),
    ],
)
def test_a_position_is_closed_in_orders_that_the_venue_takes(held, most, side, parts) -> None:
    made = list(closing_orders(position(held), info(most)))
    assert [order.quantity for order in made] == [Decimal(part) for part in parts]
    assert all(order.side is side and order.reduce_only for order in made)


def test_no_order_is_larger_than_a_market_order_may_be() -> None:
    """F39: a market order over its own limit is refused, and the position stayed."""
    whole = info("5")
    limited = replace(whole, symbols=(replace(whole.symbols[0], max_market_quantity=Decimal("0.8")),))
    made = list(closing_orders(position("2"), limited))
    assert [order.quantity for order in made] == [Decimal("0.8"), Decimal("0.8"), Decimal("0.4")]


def test_a_hedged_position_is_closed_on_its_own_side() -> None:
    """F20: the mode of the account decides which side an order names."""
    [order] = closing_orders(position("-1", PositionSide.SHORT), info(None))
    assert (order.side, order.position_side) == (Side.BUY, PositionSide.SHORT)
