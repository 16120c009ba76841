"""Batches of orders of Bitget's unified account, with the rows of its documents; ids replaced."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from opensqt.config.venue import VenueSettings
from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.errors import ExchangeError, InsufficientMargin, OutcomeUnknown, RateLimited, VenueError
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, PositionSide, Side, TimeInForce
from opensqt.venues.account.orders import OrderEntry
from opensqt.venues.account.settings_gate import SettingsGate
from opensqt.venues.account.state import AccountState
from opensqt.venues.bitget.adapter import BitgetAdapter
from opensqt.venues.bitget.limits import RATE_LIMITS
from opensqt.venues.bitget.unified.parse import parse_order
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


class ByName:
    """Each order as it is queried: first open, and canceled from then on."""

    def __init__(self) -> None:
        self.seen: set[str] = {"a", "b"}

    def answer(self, params: dict[str, str]) -> dict[str, Any]:
        name = params["clientOid"]
        found = canceled(name) if name in self.seen else order(name)
        self.seen.add(name)
        return found


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


# Cancels

CANCEL, CANCELS = f"{_POST}TradeCancelOrder", f"{_POST}TradeCancelBatch"
INFO, HISTORY = f"{_GET}TradeOrderInfo", f"{_GET}TradeHistoryOrders"


def canceled(name: str, **changes: Any) -> dict[str, Any]:
    return order(name, orderStatus="cancelled", cancelReason="normal_cancel") | changes


def refs(*names: str) -> list[OrderRef]:
    return [OrderRef(symbol="BTCUSDT", client_order_id=name) for name in names]


async def canceling(
    known: Sequence[str], wanted_refs: list[OrderRef], **answers: Any
) -> tuple[list[Order | ExchangeError], Rest]:
    """Cancel orders as a client does; those that are *known* were seen open before."""
    venue, rest = await unified(PositionMode.ONE_WAY, **answers)
    state = AccountState(venue)
    for name in known:
        state.apply_order(parse_order(order(name), "BTCUSDT"))
    entry = OrderEntry(venue, state, SettingsGate(10), expect_stream=lambda: None, on_rules_stale=lambda: None)
    return await entry.cancel_batch(wanted_refs), rest


def ends(results: list[Order | ExchangeError]) -> list[str]:
    return [str(result.status) if isinstance(result, Order) else type(result).__name__ for result in results]


async def test_known_orders_are_canceled_in_one_request() -> None:
    """The response holds their ids only, so each is queried. The rows come in any order."""
    found, rest = await canceling(
        ["a", "b"], refs("a", "b"), **{CANCELS: [[row("b"), row("a")]], INFO: [canceled("a"), canceled("b")]}
    )
    assert ends(found) == ["CANCELED", "CANCELED"]
    one = {"category": "USDT-FUTURES", "symbol": "BTCUSDT"}
    assert rest.sent(CANCELS) == [[one | {"clientOid": "a"}, one | {"clientOid": "b"}]]
    assert rest.sent(INFO) == [{"clientOid": "a"}, {"clientOid": "b"}]


async def test_an_order_is_named_by_the_venues_id_too() -> None:
    by_id = [OrderRef(symbol="BTCUSDT", order_id=f"1{name}") for name in ("a", "b")]
    found, rest = await canceling(
        ["a", "b"], by_id, **{CANCELS: [[row("a"), row("b")]], INFO: [canceled("a"), canceled("b")]}
    )
    assert ends(found) == ["CANCELED", "CANCELED"]
    assert [item["orderId"] for item in rest.sent(CANCELS)[0]] == ["1a", "1b"]


@pytest.mark.parametrize("code", ["25204", "24056"])
async def test_an_order_that_could_not_be_canceled_is_shown_as_it_ended(code: str) -> None:
    """It was filled before the cancel came."""
    filled = order("b", orderStatus="filled", cumExecQty="0.01", avgPrice="20000")
    rows = [row("a"), row("b", code=code, msg="notExisted")]
    found, _ = await canceling(["a", "b"], refs("a", "b"), **{CANCELS: [rows], INFO: [canceled("a"), filled]})
    assert ends(found) == ["CANCELED", "FILLED"]


@pytest.mark.parametrize("rows", [[row("a")], [row("a"), None], [row("a"), {"orderId": ""}]])
async def test_a_cancel_that_no_row_names_is_queried(rows: list[Any]) -> None:
    """F2: nothing is sent again before its outcome is known."""
    found, rest = await canceling(["a", "b"], refs("a", "b"), **{CANCELS: [rows], INFO: [canceled("a"), canceled("b")]})
    assert ends(found) == ["CANCELED", "CANCELED"]
    assert (len(rest.sent(CANCELS)), rest.sent(CANCEL)) == (1, [])


@pytest.mark.parametrize("failure", [OutcomeUnknown("no response"), None, "success"])
async def test_a_lost_response_to_a_batch_of_cancels_is_queried_and_not_sent_again(failure: Any) -> None:
    """F2: an order that is still open is of unknown outcome."""
    found, rest = await canceling(["a", "b"], refs("a", "b"), **{CANCELS: failure, INFO: [canceled("a"), order("b")]})
    assert ends(found) == ["CANCELED", "OutcomeUnknown"]
    assert (len(rest.sent(CANCELS)), rest.sent(CANCEL)) == (1, [])


async def test_an_order_that_is_not_known_is_queried_first_and_canceled_alone() -> None:
    """An id alone would reach an order of another symbol."""
    answers = {CANCELS: [[row("a"), row("b")]], CANCEL: row("c"), INFO: ByName()}
    found, rest = await canceling(["a", "b"], refs("a", "c", "b"), **answers)
    assert ends(found) == ["CANCELED", "CANCELED", "CANCELED"]
    assert ([item["clientOid"] for item in rest.sent(CANCELS)[0]], rest.sent(CANCEL)) == (
        ["a", "b"],
        [{"clientOid": "c"}],
    )


async def test_the_results_of_many_cancels_are_read_from_one_list() -> None:
    """Of two orders with the same id of the client the newest counts: the venue takes one again."""
    names = ["a", "b", "c", "d"]
    listed = [*(canceled(name) for name in reversed(names)), canceled("a", orderId="0"), order("b", orderId="1")]
    answers = {CANCELS: [[row(name) for name in names]], HISTORY: {"list": listed, "cursor": ""}}
    found, rest = await canceling(names, refs(*names), **answers)
    assert ids(found) == ["1a", "1b", "1c", "1d"]
    assert rest.sent(HISTORY) == [{"category": "USDT-FUTURES", "symbol": "BTCUSDT", "limit": "100"}]
    assert rest.sent(INFO) == []


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
