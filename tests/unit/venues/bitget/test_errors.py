"""Bitget's refusals, as its documents and its users show them, end in the error that says what to do."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import ccxt
import orjson
import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model import errors
from opensqt.model.errors import ExchangeError, OrderNotFound, OutcomeUnknown, Unreachable
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, Side, TimeInForce
from opensqt.venues.bitget.adapter import BitgetAdapter
from opensqt.venues.bitget.errors import CODES, BitgetAckResolver, refusals
from opensqt.venues.parsing import acknowledged_order
from opensqt.venues.transport.ccxt_client import reply_of
from opensqt.venues.transport.errors import translate

RECORDED = [
    ("40109", "The data of the order cannot be found, please confirm the order number", errors.OrderNotFound),
    ("40768", "Order does not exist", errors.OrderNotFound),
    ("22001", "No order to cancel", errors.OrderNotFound),
    ("40786", "Duplicate clientOid", errors.DuplicateOrder),
    ("40762", "The order amount exceeds the balance", errors.InsufficientMargin),
    ("43012", "Insufficient balance", errors.InsufficientMargin),
    ("22002", "No position to close", errors.ReduceOnlyRefused),
    ("40009", "sign signature error", errors.CredentialsRefused),
    ("40006", "Invalid ACCESS_KEY", errors.CredentialsRefused),
    ("40012", "apikey/password is incorrect", errors.CredentialsRefused),
    ("40008", "Request timestamp expired", errors.ClockSkew),
    ("40014", "Incorrect permissions", errors.PermissionDenied),
    ("40010", "Request timed out", errors.OutcomeUnknown),
    ("40725", "service return an error", errors.OutcomeUnknown),
    ("45001", "Unknown error", errors.OutcomeUnknown),
    ("40200", "Server upgrade, please try again later", errors.Maintenance),
    (
        "40774",
        "The order type for unilateral position must also be the unilateral position type.",
        errors.PositionModeMismatch,
    ),
    ("40920", "Position or order exists, the position mode cannot be switched", errors.PositionModeMismatch),
    ("40034", "Parameter NOPEUSDT does not exist", errors.UnknownSymbol),
    ("45110", "less than the minimum amount 5 USDT", errors.OrderRejected),
    ("45115", "The price you enter should be a multiple of 0.1", errors.OrderRejected),
    (
        "40808",
        "Parameter verification exception size checkBDScale error value=2293.577 checkScale=2",
        errors.OrderRejected,
    ),
    ("40019", "Parameter marginCoin cannot be empty", errors.InvalidRequest),
]


def refusal(code: str, message: str, status: int = 400, headers: dict[str, str] | None = None) -> ExchangeError:
    """Return the error of a response that the client of ccxt handles."""
    response = {"code": code, "msg": message, "requestTime": 1627293504612, "data": None}
    body = orjson.dumps(response).decode()
    client = BitgetAdapter.make_client(VenueSettings(name="bitget"))
    with pytest.raises(ccxt.BaseError) as raised:
        client.handle_errors(status, "", "https://api.bitget.com/x", "POST", headers or {}, body, response, {}, "")
    return translate(reply_of(raised.value), CODES, changes=True, symbol="BTCUSDT")


@pytest.mark.parametrize(("code", "message", "kind"), RECORDED)
def test_a_recorded_refusal_says_what_to_do(code: str, message: str, kind: type[ExchangeError]) -> None:
    error = refusal(code, message)
    assert (type(error), error.venue_code) == (kind, code)
    assert message in str(error)


def test_too_many_requests_and_the_five_minutes_after_shut_the_gate() -> None:
    """F16: the venue has one response for both, and no other one for a ban."""
    once = refusal("429", "Too Many Requests", 429)
    assert isinstance(once, errors.RateLimited)
    assert once.retry_after_s
    shut_out = refusal("429", "Too Many Requests", 429, {"Retry-After": "300"})
    assert (type(shut_out), shut_out.retry_after_s) == (errors.RateLimited, 300)


def test_a_gateways_error_leaves_the_outcome_open_whatever_code_it_carries() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    assert isinstance(refusal("40762", "The order amount exceeds the balance", 502), errors.OutcomeUnknown)


def test_a_batchs_failures_are_found_by_the_id_that_names_them() -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    rows = [
        {"orderId": "", "clientOid": "mine1", "errorMsg": "less than the minimum amount 5 USDT", "errorCode": "45110"}
    ]
    found = refusals(rows, "clientOid", "BTCUSDT")
    assert {name: type(error) for name, error in found.items()} == {"mine1": errors.OrderRejected}
    assert refusals(rows, "orderId", "BTCUSDT") == {}


class Queries:
    """Returns orders from a list, and records each query."""

    def __init__(self, *known: Order, failure: ExchangeError | None = None) -> None:
        self.known = {order.client_order_id: order for order in known}
        self.failure = failure
        self.sent: list[str] = []

    async def order(self, ref: OrderRef) -> Order:
        self.sent.append("order")
        if self.failure is not None:
            raise self.failure
        if ref.client_order_id not in self.known:
            raise OrderNotFound("no such order")
        return self.known[ref.client_order_id]

    async def open_orders(self, symbol: str = "") -> list[Order]:
        self.sent.append("open")
        return [order for order in self.known.values() if order.status.is_open]

    async def closed_orders(self, symbol: str) -> list[Order]:
        self.sent.append("closed")
        return [order for order in self.known.values() if order.status.is_closed]


def request(name: str, force: TimeInForce = TimeInForce.POST_ONLY, **more: bool) -> OrderRequest:
    return OrderRequest(
        symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), client_order_id=name, price=Decimal(9),
        time_in_force=force, **more,
    )  # fmt: skip


def order(name: str, status: OrderStatus = OrderStatus.OPEN) -> Order:
    return replace(acknowledged_order(request(name), f"id-{name}", 1), status=status)


async def test_a_plain_limit_order_is_open_without_a_query() -> None:
    queries = Queries()
    placed = await BitgetAckResolver(queries).resolve_placed(request("a", TimeInForce.GTC), "7", 5)
    assert (placed.status, placed.order_id, placed.event_time_ms, queries.sent) == (OrderStatus.OPEN, "7", 5, [])


async def test_a_post_only_order_is_queried_because_it_may_be_canceled() -> None:
    """F18: a post-only order never takes."""
    queries = Queries(order("a", OrderStatus.CANCELED))
    assert (await BitgetAckResolver(queries).resolve_placed(request("a"), "7", 5)).status is OrderStatus.CANCELED


@pytest.mark.parametrize("failure", [OrderNotFound("hidden"), Unreachable("gone")])
async def test_an_order_that_cannot_be_queried_is_open_as_accepted(failure: ExchangeError) -> None:
    """F3: a failed query is no refusal."""
    placed = await BitgetAckResolver(Queries(failure=failure)).resolve_placed(request("a"), "7", 5)
    assert (placed.status, placed.order_id) == (OrderStatus.OPEN, "7")


async def test_the_outcome_of_an_order_without_an_id_that_cannot_be_queried_is_unknown() -> None:
    """F1: reduce-only orders that take the place of others are accepted without an id."""
    reduces = request("a", TimeInForce.GTC, reduce_only=True)
    with pytest.raises(OutcomeUnknown):
        await BitgetAckResolver(Queries()).resolve_placed(reduces, "", 5)
    assert (await BitgetAckResolver(Queries(order("a"))).resolve_placed(reduces, "", 5)).order_id == "id-a"


async def test_of_a_large_batch_one_list_is_queried_and_then_each_missing_order() -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item.
    F16: the venue's limits are kept, no ban follows, and cancels still pass.
    """
    names = "abcdefgh"
    queries = Queries(*(order(name) for name in names[:-1]), order("h", OrderStatus.CANCELED))
    requests = [request(name) for name in names]
    results = await BitgetAckResolver(queries).resolve_placed_batch(requests, {name: f"id-{name}" for name in names}, 5)
    assert [results[name].status for name in names] == [OrderStatus.OPEN] * 7 + [OrderStatus.CANCELED]  # type: ignore[union-attr]
    assert queries.sent == ["open", "order"]


async def test_of_a_large_batch_of_cancels_one_list_is_queried() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    refs = [OrderRef(symbol="BTCUSDT", client_order_id=name) for name in "abcdefgh"]
    queries = Queries(*(order(name, OrderStatus.CANCELED) for name in "abcdefgh"))
    results = await BitgetAckResolver(queries).resolve_canceled_batch("BTCUSDT", refs)
    assert {one.status for one in results.values() if isinstance(one, Order)} == {OrderStatus.CANCELED}
    assert (len(results), queries.sent) == (8, ["closed"])


async def test_a_cancel_that_the_queries_do_not_show_leaves_the_outcome_unknown() -> None:
    """F4: a fill that crosses a cancel is counted, and its slot is not used too early."""
    ref = OrderRef(symbol="BTCUSDT", client_order_id="a")
    queries = Queries(order("a"))
    with pytest.raises(OutcomeUnknown, match="still OPEN"):
        await BitgetAckResolver(queries).resolve_canceled(ref)
    assert len(queries.sent) > 1
    with pytest.raises(OutcomeUnknown):
        await BitgetAckResolver(Queries()).resolve_canceled(ref)
