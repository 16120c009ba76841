"""Requests to Bitget: how an order is written and named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.order import OrderRef, OrderRequest, OrderType, PositionSide, Side, TimeInForce
from opensqt.venues.bitget.requests import order_ref, order_request


@pytest.mark.parametrize(
    ("position_side", "side", "sides"),
    [
        (PositionSide.BOTH, Side.SELL, {"side": "sell"}),
        (PositionSide.LONG, Side.BUY, {"side": "buy", "tradeSide": "open"}),
        (PositionSide.LONG, Side.SELL, {"side": "buy", "tradeSide": "close"}),
        (PositionSide.SHORT, Side.SELL, {"side": "sell", "tradeSide": "open"}),
        (PositionSide.SHORT, Side.BUY, {"side": "sell", "tradeSide": "close"}),
    ],
)
def test_in_hedge_mode_an_order_names_its_position(
    position_side: PositionSide, side: Side, sides: dict[str, str]
) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    fields: dict[str, Any] = {"symbol": "BTCUSDT", "quantity": Decimal(1), "client_order_id": "a"}
    request = OrderRequest(side=side, position_side=position_side, order_type=OrderType.MARKET, **fields)
    written = order_request(request)
    assert {name: value for name, value in written.items() if name in ("side", "tradeSide", "reduceOnly")} == sides


def test_the_clients_id_wins_where_both_ids_name_an_order() -> None:
    both = OrderRef(symbol="BTCUSDT", client_order_id="mine1", order_id="7")
    assert order_ref(both) == {"clientOid": "mine1"}
    assert order_ref(OrderRef(symbol="BTCUSDT", order_id="7")) == {"orderId": "7"}


def test_an_order_is_written_digit_by_digit() -> None:
    """F23: numbers go out as text."""
    request = OrderRequest(
        symbol="BTCUSDT", side=Side.SELL, quantity=Decimal("0.0010"), price=Decimal("45000.10"), client_order_id="mine",
        time_in_force=TimeInForce.POST_ONLY, reduce_only=True,
    )  # fmt: skip
    assert order_request(request) == {
        "marginMode": "crossed", "size": "0.0010", "orderType": "limit", "clientOid": "mine", "side": "sell",
        "reduceOnly": "YES", "price": "45000.10", "force": "post_only",
    }  # fmt: skip
