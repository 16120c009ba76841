"""Requests to Gate: how an order is written and named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.errors import OrderNotFound
from opensqt.model.order import OrderRef, OrderRequest, OrderType, PositionSide, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from opensqt.venues.gate.requests import order_ref, order_request

RULES = SymbolRules(
    symbol="BTCUSDT",
    base_asset="BTC",
    quote_asset="USDT",
    price_step=Decimal("0.1"),
    quantity_step=Decimal("0.0001"),
    min_quantity=Decimal("0.0001"),
    min_notional=Decimal(0),
    contract_size=Decimal("0.0001"),
)


@pytest.mark.parametrize("order_id", ["../accounts", "1/2", "", "abc", "-1", "1?x=2"])
def test_what_can_not_be_an_order_id_never_becomes_a_path(order_id: str) -> None:
    ref = (
        OrderRef(symbol="BTCUSDT", order_id=order_id)
        if order_id
        else OrderRef(symbol="BTCUSDT", client_order_id="a/..")
    )
    with pytest.raises(OrderNotFound):
        order_ref(ref)


def test_the_clients_id_wins_and_is_prefixed() -> None:
    """F22: a client order id keeps the venue's rule and comes back unchanged."""
    assert order_ref(OrderRef(symbol="B", client_order_id="x1", order_id="5")) == {"order_id": "t-x1"}
    assert order_ref(OrderRef(symbol="B", order_id="5")) == {"order_id": "5"}


def test_an_order_is_written_in_signed_contracts() -> None:
    """F11: a sell has a negative size."""
    request = OrderRequest(
        symbol="BTCUSDT", side=Side.SELL, quantity=Decimal("0.0015"), price=Decimal("45000.10"), client_order_id="mine",
        time_in_force=TimeInForce.POST_ONLY, reduce_only=True,
    )  # fmt: skip
    assert order_request(request, "BTC_USDT", RULES, hedge=False) == {
        "contract": "BTC_USDT", "size": -15, "price": "45000.10", "tif": "poc", "text": "t-mine", "reduce_only": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("position_side", "side", "reduces"),
    [
        (PositionSide.LONG, Side.BUY, False),
        (PositionSide.LONG, Side.SELL, True),
        (PositionSide.SHORT, Side.SELL, False),
        (PositionSide.SHORT, Side.BUY, True),
    ],
)
def test_in_dual_mode_the_flag_names_the_position(position_side: PositionSide, side: Side, reduces: bool) -> None:
    """F20: the sign of the size and the flag name it together."""
    fields: dict[str, Any] = {"symbol": "BTCUSDT", "quantity": Decimal("0.0001"), "client_order_id": "a"}
    request = OrderRequest(side=side, position_side=position_side, order_type=OrderType.MARKET, **fields)
    written = order_request(request, "BTC_USDT", RULES, hedge=True)
    assert (written["size"], written["reduce_only"], written["tif"]) == (side.sign, reduces, "ioc")
