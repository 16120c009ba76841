"""The comparison with the venue, by Binance's adapter and recorded answers: one bad row never stops the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import InvalidRequest, OrderNotFound
from opensqt.model.order import OrderRef, OrderStatus
from opensqt.venues.account.state import AccountState
from opensqt.venues.binance.adapter import BinanceAdapter
from opensqt.venues.venue import Venue

ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT", "orderId": 1, "clientOrderId": "mine1", "side": "BUY", "type": "LIMIT", "status": "NEW",
    "timeInForce": "GTC", "price": "100", "origQty": "0.003", "executedQty": "0", "avgPrice": "0",
    "reduceOnly": False, "positionSide": "BOTH", "updateTime": 1000,
}  # fmt: skip
TRADE: dict[str, Any] = {
    "symbol": "BTCUSDT", "id": 7, "orderId": 9, "side": "BUY", "positionSide": "BOTH", "price": "100", "qty": "0.001",
    "commission": "0", "commissionAsset": "USDT", "maker": True, "realizedPnl": "0", "time": 2000,
}  # fmt: skip
POSITION: dict[str, Any] = {
    "symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "0.5", "entryPrice": "100", "markPrice": "101",
    "unRealizedProfit": "0.5", "liquidationPrice": "0", "isolatedMargin": "0", "updateTime": 1000,
}  # fmt: skip
LIMITS = {"amount": {"min": "0.001", "max": None}, "cost": {"min": None}}
MARKET: dict[str, Any] = {
    "id": "BTCUSDT", "symbol": "BTC/USDT:USDT", "base": "BTC", "quote": "USDT", "settle": "USDT", "swap": True,
    "linear": True, "active": True, "contractSize": "1", "limits": LIMITS,
    "precision": {"price": "0.1", "amount": "0.001"},
}  # fmt: skip


class Answers:
    """The venue: answers by endpoint. An error is raised, a function gets the parameters."""

    def __init__(self) -> None:
        self.orders: list[Any] = []
        self.by_id: Callable[[dict[str, Any]], Any] = lambda params: ORDER | {"orderId": int(params["orderId"])}
        self.trades: list[Any] = []
        self.positions: list[Any] = []
        self.refused: set[str] = set()

    async def send(self, endpoint: str, params: dict[str, Any] | None = None, **_: Any) -> Any:
        given = params or {}
        if given.get("symbol") in self.refused:
            raise InvalidRequest("Invalid symbol status.", venue_code="-1122")
        name = endpoint.removeprefix("fapiPrivate")
        if name == "GetOpenOrders":
            # The client leaves the rows of this list undecoded.
            shown = [row for row in self.orders if given.get("symbol") in (None, row["symbol"])]
            return [msgspec.Raw(msgspec.json.encode(row)) for row in shown]
        if name == "GetUserTrades":
            return [row for row in self.trades if row["symbol"] == given["symbol"]]
        if name == "V3GetPositionRisk":
            return self.positions
        if name == "GetPositionSideDual":
            return {"dualSidePosition": False}
        return self.by_id(given) if name == "GetOrder" else {"assets": []}

    async def call(self, request: Callable[[], Awaitable[Any]], **_: Any) -> Any:
        return await request()


class Markets:
    """ccxt's client, as far as rules need it."""

    unreadable_symbols = ()

    async def load_markets_in_thread(self, read: Callable[[dict[str, Any]], Any]) -> Any:
        return read({name: self.market(name) for name in ("BTC/USDT:USDT", "ETH/USDT:USDT")})

    def market(self, name: str) -> dict[str, Any]:
        base = name[:3]
        return MARKET | {"id": f"{base}USDT", "base": base, "symbol": name, "info": {"status": "TRADING"}}

    def nonce(self) -> int:
        return 10_000


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def venue(answers: Answers) -> Venue:
    settings = VenueSettings(name="binance", symbols=("BTCUSDT", "ETHUSDT"), visibility_margin_s=0)
    return BinanceAdapter(settings, Markets(), answers)


@pytest.fixture
async def state(venue: Venue, answers: Answers) -> AccountState:
    await venue.load_rules()
    made = AccountState(venue)
    answers.trades = [TRADE | {"id": 1, "time": 1000}]
    await made.load()
    await made.reconcile(full=True)
    return made


def set_aside(venue: Venue) -> list[str]:
    rows = venue.set_aside
    return [f"{row.kind} {row.row_id}" for kind in ("order", "fill_without_order", "query") for row in rows.rows(kind)]


async def test_an_order_of_an_unknown_status_ends_no_comparison(
    venue: Venue, state: AccountState, answers: Answers
) -> None:
    """F25: the others are compared, and the order is reported until it can be read."""
    answers.orders = [ORDER | {"orderId": 2, "status": "NEW_ADL"}, ORDER | {"orderId": 3}]
    answers.by_id = lambda params: answers.orders[0] | {"orderId": int(params["orderId"])}
    await state.reconcile(full=False)
    assert [order.order_id for order in state.tracker.open_orders()] == ["3"]
    assert set_aside(venue) == ["order 2"]
    answers.orders[0] = ORDER | {"orderId": 2, "status": "PARTIALLY_FILLED", "executedQty": "0.001"}
    await state.reconcile(full=False)
    assert sorted(order.order_id for order in state.tracker.open_orders()) == ["2", "3"]
    assert set_aside(venue) == []


async def test_a_list_of_known_orders_is_the_known_objects(venue: Venue, state: AccountState, answers: Answers) -> None:
    """F27: a comparison holds no second object of each order that did not change."""
    answers.orders = [ORDER | {"orderId": 1}, ORDER | {"orderId": 2}]
    await state.reconcile(full=False)
    answers.orders[1] = ORDER | {"orderId": 2, "price": "101", "updateTime": 2000}
    same, changed = await venue.open_orders()
    known, before = state.tracker.open_orders()
    assert same is known
    assert (changed.price, before.price) == (Decimal(101), Decimal(100))


async def test_a_single_answer_that_cannot_be_read_ends_no_comparison(
    venue: Venue, state: AccountState, answers: Answers
) -> None:
    """F25: the order was open, left the list, and its own query has the new word."""
    answers.orders = [ORDER | {"orderId": 2}, ORDER | {"orderId": 3}]
    await state.reconcile(full=False)
    answers.orders = []
    answers.by_id = lambda params: ORDER | {
        "orderId": int(params["orderId"]), "status": "NEW_ADL" if params["orderId"] == "2" else "CANCELED",
    }  # fmt: skip
    await state.reconcile(full=False)
    assert [order.order_id for order in state.tracker.open_orders()] == ["2"]
    assert set_aside(venue) == ["order 2"]
    answers.by_id = lambda params: ORDER | {"orderId": int(params["orderId"]), "status": "EXPIRED"}
    await state.reconcile(full=False)
    found = state.tracker.find(OrderRef(symbol="BTCUSDT", order_id="2"))
    assert found is not None
    assert (found.status, set_aside(venue)) == (OrderStatus.EXPIRED, [])


async def test_a_trade_whose_order_the_venue_forgot_ends_no_comparison(
    venue: Venue, state: AccountState, answers: Answers
) -> None:
    """F25: -2013 for its order; the position and the other trades are told."""

    def by_id(params: dict[str, Any]) -> Any:
        if params["orderId"] == "9":
            raise OrderNotFound("Order does not exist.", venue_code="-2013")
        return ORDER | {"orderId": int(params["orderId"]), "status": "FILLED", "executedQty": "0.003"}

    answers.by_id = by_id
    answers.trades += [TRADE, TRADE | {"id": 8, "orderId": 10, "time": 2001}]
    answers.positions = [POSITION]
    for _ in range(2):
        await state.reconcile(full=True)
        assert set_aside(venue) == ["fill_without_order 7"]
    assert state.tracker.has_fill("BTCUSDT", "8")
    assert [one.quantity for one in state.known_positions() if one.quantity] == [Decimal("0.5")]
    assert venue.set_aside.total["fill_without_order"] == 1


async def test_a_symbol_that_refuses_its_queries_hides_no_other(
    venue: Venue, state: AccountState, answers: Answers
) -> None:
    """F25: the orders of the other symbol are compared."""
    answers.refused = {"ETHUSDT"}
    answers.orders = [ORDER | {"orderId": 2}]
    await state.reconcile(full=False)
    assert [order.order_id for order in state.tracker.open_orders()] == ["2"]
    assert set_aside(venue) == ["query open orders"]
    answers.refused = set()
    await state.reconcile(full=False)
    assert set_aside(venue) == []


async def test_a_position_that_cannot_be_read_does_not_pass_for_a_flat_one(
    venue: Venue, state: AccountState, answers: Answers
) -> None:
    """F12, F25: it keeps its last state."""
    answers.positions = [POSITION]
    await state.reconcile(full=False)
    answers.positions = [POSITION | {"positionAmt": "much"}]
    await state.reconcile(full=False)
    assert [one.quantity for one in state.known_positions() if one.quantity] == [Decimal("0.5")]
    assert venue.set_aside.hides("position", "BTCUSDT")


async def test_what_the_stream_published_unreadably_is_no_update_that_it_lost(
    venue: Venue, state: AccountState, answers: Answers
) -> None:
    """F25: once a row can be read again, the change that it brought does not make the stream pass for a stale one."""
    answers.orders = [ORDER | {"orderId": 2}, ORDER | {"orderId": 3}, ORDER | {"orderId": 4}]
    await state.reconcile(full=False)
    before = dict(state.missed_updates)
    for kind, row_id in (("order", "2"), ("fill", "7"), ("position", "BOTH")):
        venue.set_aside.add(kind, "BTCUSDT", row_id, "status 'NEW_ADL'")
    answers.orders = [ORDER | {"orderId": 3}, ORDER | {"orderId": 4}]
    answers.by_id = lambda params: ORDER | {"orderId": int(params["orderId"]), "status": "CANCELED", "updateTime": 2001}
    answers.trades += [TRADE]
    answers.positions = [POSITION]
    await state.reconcile(full=True)
    found = state.tracker.find(OrderRef(symbol="BTCUSDT", order_id="2"))
    assert found is not None
    assert (found.status, set_aside(venue)) == (OrderStatus.CANCELED, [])
    assert state.tracker.has_fill("BTCUSDT", "7")
    assert [one.quantity for one in state.known_positions() if one.quantity] == [Decimal("0.5")]
    assert dict(state.missed_updates) == before
    answers.orders = [ORDER | {"orderId": 4}]
    answers.positions = [POSITION | {"positionAmt": "0.6", "updateTime": 3000}]
    await state.reconcile(full=True)
    assert {kind: count - before[kind] for kind, count in state.missed_updates.items()} == {"orders": 1, "positions": 1}
