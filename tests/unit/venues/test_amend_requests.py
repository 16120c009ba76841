"""What is sent to amend an order at each venue that does, what it costs, and how a late refusal is read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.errors import InsufficientMargin, PostOnlyWouldCross
from opensqt.model.order import AmendRequest, Order, OrderRef, OrderStatus, Side
from opensqt.model.venue import SymbolRules
from opensqt.venues.binance import requests as binance
from opensqt.venues.binance.limits import RATE_LIMITS as BINANCE
from opensqt.venues.bybit import requests as bybit
from opensqt.venues.bybit.limits import RATE_LIMITS as BYBIT
from opensqt.venues.factory import VENUES, venue_type
from opensqt.venues.gate import requests as gate
from opensqt.venues.gate.limits import RATE_LIMITS as GATE
from opensqt.venues.okx import requests as okx
from opensqt.venues.okx.errors import amend_refusal
from opensqt.venues.okx.limits import RATE_LIMITS as OKX
from opensqt.venues.ratelimit.policy import Request

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
ORDER = Order(
    symbol="BTCUSDT",
    side=Side.SELL,
    quantity=Decimal("0.015"),
    price=Decimal("45000.0"),
    client_order_id="mine",
    order_id="77",
    status=OrderStatus.OPEN,
)
REF = OrderRef(symbol="BTCUSDT", client_order_id="mine", order_id="77")


def asked(**changes: str) -> AmendRequest:
    given: dict[str, Any] = {name: Decimal(text) for name, text in changes.items()}
    return AmendRequest(order=REF, amend_id="a1", **given)


def test_binance_wants_price_quantity_and_side_changed_or_not() -> None:
    assert binance.amend_request(ORDER, asked(price="44999.0"), "BTCUSDT") == {
        "symbol": "BTCUSDT", "orderId": "77", "side": "SELL", "quantity": "0.015", "price": "44999.0",
    }  # fmt: skip


def test_bybit_wants_only_what_changes() -> None:
    unchanged = {"symbol": "BTCUSDT", "orderId": "77"}
    both = asked(price="45000.0", quantity="0.02")
    assert bybit.amend_request(ORDER, both, "BTCUSDT") == unchanged | {"qty": "0.02"}
    assert bybit.amend_request(ORDER, asked(price="44999.0"), "BTCUSDT") == unchanged | {"price": "44999.0"}


def test_okx_counts_in_contracts_and_is_given_the_id_that_its_stream_reports() -> None:
    """F11: contracts are never taken for coins."""
    assert okx.amend_request(ORDER, asked(quantity="0.02"), "BTC-USDT-SWAP", RULES) == {
        "instId": "BTC-USDT-SWAP", "ordId": "77", "reqId": "a1", "newSz": "2",
    }  # fmt: skip


@pytest.mark.parametrize(("quantity", "size"), [("0.02", -2), ("0.025", "-2.5")])
def test_gate_counts_in_contracts_with_the_sign_of_the_side(quantity: str, size: int | str) -> None:
    """F11: contracts are never taken for coins."""
    assert gate.amend_request(ORDER, asked(quantity=quantity), RULES) == {
        "order_id": "77", "amend_text": "a1", "size": size,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "amending", "placing"),
    [
        (BINANCE, ("PUT", "order"), ("POST", "order")),
        (BYBIT, ("POST", "v5/order/amend"), ("POST", "v5/order/create")),
        (OKX, ("POST", "trade/amend-order"), ("POST", "trade/order")),
        (GATE, ("PUT", "{settle}/orders/{order_id}"), ("POST", "{settle}/orders")),
    ],
    ids=["binance", "bybit", "okx", "gate"],
)
def test_an_amendment_is_limited_as_a_new_order_is(
    policy: Any, amending: tuple[str, str], placing: tuple[str, str]
) -> None:
    """F16: the limit of the venue is kept."""
    costs = [policy.cost(Request(*one)) for one in (amending, placing)]
    amended, placed = (
        {(policy.limit(name), amount) for name, amount in cost.items() if not policy.limit(name).shared}
        for cost in costs
    )
    assert amended == placed != set()


@pytest.mark.parametrize(("code", "kind"), [("51511", PostOnlyWouldCross), ("51008", InsufficientMargin)])
def test_okx_reports_in_the_row_of_the_order_that_an_acknowledged_amendment_failed(code: str, kind: type) -> None:
    error = amend_refusal({"amendResult": "-1", "code": code, "msg": "no"}, "BTCUSDT")
    assert isinstance(error, kind)
    assert amend_refusal({"amendResult": "0", "code": "0", "msg": ""}, "BTCUSDT") is None


def test_the_venues_that_amend_in_place_say_so() -> None:
    amending = {name for name in VENUES if venue_type(name).capabilities.amend_order}
    assert amending == {"binance", "bybit", "gate", "okx"}
