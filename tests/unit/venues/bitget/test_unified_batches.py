"""Batches of orders of Bitget's unified account, with the rows of its documents; ids replaced."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr

from opensqt.config.venue import VenueSettings
from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.errors import ExchangeError, InsufficientMargin, OutcomeUnknown, RateLimited, VenueError
from opensqt.model.order import Order, OrderRequest, OrderStatus, PositionSide, Side, TimeInForce
from opensqt.venues.bitget.adapter import BitgetAdapter
from opensqt.venues.bitget.limits import RATE_LIMITS
from opensqt.venues.health import Health
from opensqt.venues.ratelimit.limiter import RateLimiter
from opensqt.venues.transport import rest as transport
from tests.unit.venues.bitget.test_unified import QUERIED_ORDER, Rest, request, unified

_GET, _POST = "privateUtaGetV3", "privateUtaPostV3"
ONE, BATCH = f"{_POST}TradePlaceOrder", f"{_POST}TradePlaceBatch"


def wanted(*names: str, **changes: Any) -> list[OrderRequest]:
    return [request(client_order_id=name, **changes) for name in names]


def row(name: str, **changes: Any) -> dict[str, Any]:
    return {"orderId": f"1{name}", "clientOid": name} | changes


async def placed(
    requests: list[OrderRequest], mode: PositionMode = PositionMode.ONE_WAY, **answers: Any
) -> tuple[list[Order | ExchangeError], Rest]:
    venue, rest = await unified(mode, **answers)
    return await venue.place_batch(requests), rest


def ids(results: list[Order | ExchangeError]) -> list[str]:
    return [result.order_id if isinstance(result, Order) else type(result).__name__ for result in results]


async def test_a_batch_is_one_request_and_each_row_is_read_by_the_clients_id() -> None:
    """F2: a row of the venue's answer never counts for another order. The rows come in any order."""
    found, rest = await placed(wanted("a", "b"), **{BATCH: [[row("b"), row("a")]]})
    assert ids(found) == ["1a", "1b"]
    order = {
        "category": "USDT-FUTURES",
        "symbol": "BTCUSDT",
        "qty": "0.010",
        "side": "buy",
        "orderType": "limit",
        "price": "20000.10",
        "timeInForce": "gtc",
    }
    assert rest.sent(BATCH) == [[order | {"clientOid": "a"}, order | {"clientOid": "b"}]]
    assert rest.sent(ONE) == []


@pytest.mark.parametrize("accepted", [{}, {"code": "", "msg": ""}, {"code": "0", "msg": "Success"}, {"code": "00000"}])
async def test_of_a_batch_one_refusal_refuses_no_other(accepted: dict[str, str]) -> None:
    """An accepted order has no code in the documents' sample, and 0 in that of the channel."""
    refused = row("b", orderId="", code="25202", msg="Insufficient balance")
    found, _ = await placed(wanted("a", "b", "c"), **{BATCH: [[row("a") | accepted, refused, row("c") | accepted]]})
    assert ids(found) == ["1a", "InsufficientMargin", "1c"]
    assert isinstance(found[1], InsufficientMargin)
    assert (found[1].venue_code, found[1].message.split(" (")[0]) == ("25202", "Insufficient balance")


async def test_a_code_that_is_not_known_is_no_order() -> None:
    found, _ = await placed(wanted("a", "b"), **{BATCH: [[row("a"), row("b", code="99999", msg="novel")]]})
    assert isinstance(found[1], VenueError)


@pytest.mark.parametrize("bad", [None, 7, {}, {"orderId": "1b"}, {"clientOid": "b", "orderId": ["1"]}])
async def test_an_order_without_a_row_that_can_be_read_is_unknown_and_hides_no_other(bad: Any) -> None:
    """F2: it may have been placed, so it is queried by its client id, and never sent again before that."""
    found, rest = await placed(wanted("a", "b"), **{BATCH: [[bad, row("a")]]})
    assert ids(found) == ["1a", "OutcomeUnknown"]
    assert len(rest.sent(BATCH)) == 1


@pytest.mark.parametrize("data", [None, "success", {"successList": []}])
async def test_a_response_without_rows_leaves_every_order_unknown(data: Any) -> None:
    found, _ = await placed(wanted("a", "b"), **{BATCH: data})
    assert ids(found) == ["OutcomeUnknown", "OutcomeUnknown"]


@pytest.mark.parametrize("error", [OutcomeUnknown("no response"), RateLimited("wait", retry_after_s=1)])
async def test_a_batch_that_fails_is_not_sent_again_and_leaves_the_orders_beside_it(error: ExchangeError) -> None:
    """F2: a lost response leaves each of its orders unknown, and none is sent again."""
    together, alone = wanted("a", "b"), wanted("c", reduce_only=True)
    found, rest = await placed(
        [*together, *alone], **{BATCH: error, ONE: row("c"), f"{_GET}TradeOrderInfo": order("c")}
    )
    assert found[:2] == [error, error]
    assert ids(found)[2] == "1c"
    assert len(rest.sent(BATCH)) == len(rest.sent(ONE)) == 1


def order(name: str, **changes: Any) -> dict[str, Any]:
    return QUERIED_ORDER | {"orderId": f"1{name}", "clientOid": name, "timeInForce": "gtc"} | changes


async def test_orders_that_a_batch_does_not_take_go_alone() -> None:
    """Reduce-only orders, and those of isolated margin: a batch has no field for the latter."""
    first, *_ = alone = [*wanted("c", reduce_only=True), *wanted("d", margin_mode=MarginMode.ISOLATED)]
    requests = [first, *wanted("a"), alone[1], *wanted("b")]
    answers = {BATCH: [[row("a"), row("b")]], ONE: [row("c"), row("d")], f"{_GET}TradeOrderInfo": order("c")}
    found, rest = await placed(requests, **answers)
    assert ids(found) == ["1c", "1a", "1d", "1b"]
    assert [(one["clientOid"], one["marginMode"], one.get("reduceOnly")) for one in rest.sent(ONE)] == [
        ("c", "crossed", "yes"),
        ("d", "isolated", None),
    ]
    assert not any("reduceOnly" in one or "marginMode" in one for one in rest.sent(BATCH)[0])


async def test_in_hedge_mode_an_order_that_closes_goes_in_the_batch() -> None:
    """Its position side says that it closes."""
    closing = wanted("b", side=Side.SELL, reduce_only=True, position_side=PositionSide.LONG)
    requests = [*wanted("a", position_side=PositionSide.LONG), *closing]
    found, rest = await placed(
        requests, PositionMode.HEDGE, **{BATCH: [[row("a"), row("b")]], f"{_GET}TradeOrderInfo": order("b")}
    )
    assert ids(found) == ["1a", "1b"]
    assert [(one["side"], one["posSide"]) for one in rest.sent(BATCH)[0]] == [("buy", "long"), ("sell", "long")]


async def test_one_order_that_is_left_for_a_batch_goes_alone() -> None:
    requests = [*wanted("a"), *wanted("b", reduce_only=True)]
    found, rest = await placed(requests, **{ONE: [row("a"), row("b")], f"{_GET}TradeOrderInfo": order("b")})
    assert ids(found) == ["1a", "1b"]
    assert rest.sent(BATCH) == []


async def test_an_order_of_a_batch_that_may_have_ended_at_once_is_queried() -> None:
    ended = order("b", timeInForce="ioc", orderStatus="cancelled", cancelReason="normal_cancel")
    requests = [*wanted("a"), *wanted("b", time_in_force=TimeInForce.IOC)]
    found, rest = await placed(requests, **{BATCH: [[row("a"), row("b")]], f"{_GET}TradeOrderInfo": ended})
    assert [result.status for result in found if isinstance(result, Order)] == [OrderStatus.OPEN, OrderStatus.EXPIRED]
    assert rest.sent(f"{_GET}TradeOrderInfo") == [{"clientOid": "b"}]


async def test_a_batch_has_up_to_twenty_orders() -> None:
    venue, _ = await unified()
    assert (venue.capabilities.max_batch, BitgetAdapter.capabilities.max_batch) == (20, 50)


async def test_the_body_of_a_batch_is_the_list_of_its_orders() -> None:
    """Other requests have an object."""
    key = SecretStr("key")
    client = BitgetAdapter.make_client(VenueSettings(name="bitget", api_key=key, secret=key, passphrase=key))
    sent: list[tuple[str, str, Any]] = []

    async def fetch(url: str, method: str = "GET", _headers: Any = None, body: Any = None) -> Any:
        sent.append((url, method, json.loads(body)))
        return {"code": "00000", "data": []}

    client.fetch = fetch
    limiter = RateLimiter(RATE_LIMITS, queue_timeout_s=10)
    real = transport.Rest(client, {}, Health("bitget"), limiter, recv_window_ms=5_000, clock_interval_s=60)
    orders = [{"clientOid": "a"}, {"clientOid": "b"}]
    await real.send("privateUtaPostV3TradePlaceBatch", orders, changes=True)
    await real.send("privateUtaPostV3TradePlaceOrder", orders[0], changes=True)
    assert [body for _, _, body in sent] == [orders, orders[0]]
    assert [(url.split("/api/")[1], method) for url, method, _ in sent] == [
        ("v3/trade/place-batch", "POST"),
        ("v3/trade/place-order", "POST"),
    ]
    await client.close()
