"""Requests to OKX: an order is written in contracts."""

from __future__ import annotations

from decimal import Decimal

from opensqt.model.order import OrderRef, OrderRequest, OrderType, PositionSide, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from opensqt.venues.okx.requests import order_ref, order_request

RULES = SymbolRules(
    symbol="BTCUSDT",
    base_asset="BTC",
    quote_asset="USDT",
    price_step=Decimal("0.1"),
    quantity_step=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    min_notional=Decimal(0),
    contract_size=Decimal("0.01"),
)


def test_an_order_is_written_in_contracts() -> None:
    """F11: contracts are never taken for coins."""
    request = OrderRequest(
        symbol="BTCUSDT",
        side=Side.SELL,
        quantity=Decimal("0.015"),
        client_order_id="a1",
        price=Decimal("45000.0"),
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=True,
    )
    params = order_request(request, "BTC-USDT-SWAP", RULES)
    assert params == {
        "instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "sell", "posSide": "net", "ordType": "post_only",
        "sz": "1.5", "px": "45000.0", "clOrdId": "a1", "tag": "opensqt", "reduceOnly": "true",
    }  # fmt: skip


def test_in_hedge_mode_an_order_names_its_side_and_no_flag() -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    request = OrderRequest(
        symbol="BTCUSDT",
        side=Side.SELL,
        quantity=Decimal(1),
        client_order_id="a1",
        order_type=OrderType.MARKET,
        reduce_only=True,
        position_side=PositionSide.LONG,
    )
    params = order_request(request, "BTC-USDT-SWAP", RULES)
    assert (params["posSide"], params["ordType"], "reduceOnly" in params, "px" in params) == (
        "long", "market", False, False,
    )  # fmt: skip


def test_the_clients_id_wins_where_both_ids_name_an_order() -> None:
    both = OrderRef(symbol="BTCUSDT", client_order_id="a1", order_id="77")
    assert order_ref(both, "BTC-USDT-SWAP") == {"instId": "BTC-USDT-SWAP", "clOrdId": "a1"}
    assert order_ref(OrderRef(symbol="B", order_id="77"), "B-USDT-SWAP") == {"instId": "B-USDT-SWAP", "ordId": "77"}
