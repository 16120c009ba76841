"""Queries about the account: responses are merged with the known state."""

from __future__ import annotations

from collections.abc import Awaitable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from opensqt.model.account import Position
from opensqt.model.errors import OrderNotFound
from opensqt.model.order import Fill, Order, OrderRef, OrderStatus, PositionSide, Side
from opensqt.venues.account.queries import AccountQueries
from opensqt.venues.account.state import AccountState
from opensqt.venues.set_aside import SetAside

SYMBOL = "BTCUSDT"
T = TypeVar("T")


def order(status: OrderStatus = OrderStatus.OPEN, time_ms: int = 1) -> Order:
    return Order(
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=Decimal(1),
        client_order_id="client1",
        order_id="77",
        status=status,
        event_time_ms=time_ms,
    )


def fill(number: int) -> Fill:
    return Fill(
        symbol=SYMBOL,
        trade_id=str(number),
        order_id="77",
        client_order_id="",
        side=Side.BUY,
        position_side=PositionSide.BOTH,
        price=Decimal(45_000),
        quantity=Decimal("0.001"),
        fee=Decimal(0),
        fee_asset="USDT",
        is_maker=True,
        event_time_ms=number,
    )


class FakeVenue:
    """A venue whose responses a test sets."""

    def __init__(self) -> None:
        self.settings = SimpleNamespace(symbols=(), order_buffer=8192)
        self.leverages = {SYMBOL: Decimal(5)}
        self.set_aside = SetAside("venue")
        self.queried: list[Any] = []
        self.newest_page: list[Fill] = []
        self.all_pages: list[Fill] = []

    async def parse_or_raise(self, response: Awaitable[T]) -> T:
        return await response

    def with_order(self, fill: Fill, _order: Order) -> Fill:
        return fill

    async def order(self, ref: OrderRef) -> Order:
        self.queried.append(ref)
        if ref.client_order_id:
            raise OrderNotFound("unknown client order id")
        return order()

    async def open_orders(self, _symbol: str = "") -> list[Order]:
        return [order()]

    async def positions(self, symbol: str = "") -> list[Position]:
        return [Position(symbol=symbol, quantity=Decimal(1), entry_price=Decimal(1))]

    async def fills(self, _symbol: str, since_ms: int) -> list[Fill]:
        self.queried.append(since_ms)
        return self.all_pages if since_ms else self.newest_page


@pytest.fixture
def venue() -> FakeVenue:
    return FakeVenue()


@pytest.fixture
def state(venue: FakeVenue) -> AccountState:
    return AccountState(venue)  # type: ignore[arg-type]


@pytest.fixture
def queries(venue: FakeVenue, state: AccountState) -> AccountQueries:
    return AccountQueries(venue, state)  # type: ignore[arg-type]


async def test_an_order_is_queried_by_its_order_id_when_the_venue_forgot_the_client_order_id(
    venue: FakeVenue, state: AccountState, queries: AccountQueries
) -> None:
    by_client = OrderRef(symbol=SYMBOL, client_order_id="client1")
    state.apply_order(order())
    assert await queries.order(by_client) == order()
    assert venue.queried == [by_client, OrderRef(symbol=SYMBOL, order_id="77")]


async def test_an_order_that_nothing_else_names_is_not_found(queries: AccountQueries) -> None:
    with pytest.raises(OrderNotFound):
        await queries.order(OrderRef(symbol=SYMBOL, client_order_id="client1"))


async def test_an_order_whose_end_the_stream_published_is_not_open(
    state: AccountState, queries: AccountQueries
) -> None:
    """The response to a query may be older than the stream."""
    state.apply_order(order(OrderStatus.CANCELED, time_ms=9))
    assert await queries.open_orders(SYMBOL) == []


async def test_a_position_without_a_leverage_gets_the_known_one(queries: AccountQueries) -> None:
    (position,) = await queries.positions(SYMBOL)
    assert position.leverage == 5


async def test_a_full_newest_page_of_fills_is_followed_by_a_query_of_all_pages(
    venue: FakeVenue, state: AccountState, queries: AccountQueries
) -> None:
    """A page with fewer trades is complete and costs one request."""
    state.apply_order(order())
    venue.newest_page = [fill(number) for number in range(99)]
    assert len(await queries.fills(SYMBOL, 0)) == 99
    venue.newest_page, venue.all_pages = [fill(n) for n in range(100)], [fill(n) for n in range(130)]
    found = await queries.fills(SYMBOL, 0)
    assert (len(found), {one.client_order_id for one in found}) == (130, {"client1"})
    assert venue.queried == [0, 0, 1]
