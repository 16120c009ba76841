from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from opensqt.connector.orders.cancel import CancelOut
from opensqt.connector.orders.journal import MEMORY, Journal
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.orders.resolve import resolve
from opensqt.connector.tasks import Tasks
from opensqt.model.client_context import on_behalf_of
from opensqt.model.errors import InsufficientMargin, OrderNotFound, OutcomeUnknown, RateLimited, Unreachable
from opensqt.model.order import Order, OrderRef, OrderRequest, Side
from opensqt.testing.exchange import InMemoryExchange
from tests.support import eventually


class Venue(InMemoryExchange):
    """Holds orders back while its gate is closed, and can hide open orders."""

    def __init__(self) -> None:
        super().__init__()
        self.set_price("BTCUSDT", Decimal(100), Decimal("100.1"))
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0

    async def place_order(self, request: OrderRequest) -> Order:
        order = await super().place_order(request)
        await self.gate.wait()
        return order

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        self.asked += 1
        return await super().get_open_orders(symbol)


def asked(client_order_id: str) -> OrderRequest:
    return OrderRequest(
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal("0.1"),
        price=Decimal(99),
        client_order_id=client_order_id,
    )


async def resolve_at_once(exchange, request: OrderRequest, sent_ns: int) -> Order | None:
    return await resolve(exchange, request, sent_ns=sent_ns, recv_window_ms=0, visibility_margin_ms=0)


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
async def manager(venue: Venue) -> AsyncIterator[OrderManager]:
    journal, tasks = Journal(MEMORY), Tasks()
    await journal.open()
    manager = OrderManager(venue, journal, tasks, resolve_at_once)
    await manager.start()
    yield manager
    await tasks.close()
    await journal.close()


async def place(manager: OrderManager, client: str, *names: str) -> None:
    with on_behalf_of(client):
        for name in names:
            await manager.place(asked(name), wait_s=5)


async def open_ids(venue: Venue) -> set[str]:
    return {order.client_order_id for order in await venue.get_open_orders()}


async def test_only_the_clients_own_orders_are_canceled(manager: OrderManager, venue: Venue) -> None:
    await place(manager, "maker", "a", "b")
    await place(manager, "taker", "c")
    await venue.place_order(asked("foreign"))
    await CancelOut("maker", manager, venue).run()
    assert await open_ids(venue) == {"c", "foreign"}


async def test_an_order_of_somebody_else_stays_though_one_of_its_id_was_refused(manager, venue) -> None:
    venue.fail_next(InsufficientMargin("too little"), on="place_order")
    with pytest.raises(InsufficientMargin):
        await place(manager, "maker", "x")
    await eventually(lambda: not manager.intents)
    await venue.place_order(asked("x"))
    await CancelOut("maker", manager, venue).run()
    assert await open_ids(venue) == {"x"}


async def test_an_order_in_flight_is_canceled_once_it_is_answered(manager: OrderManager, venue: Venue) -> None:
    await place(manager, "maker", "a")
    venue.gate.clear()
    placing = asyncio.create_task(place(manager, "maker", "late"))
    await eventually(lambda: manager.own.open_count("maker") == 2)
    canceling = asyncio.create_task(CancelOut("maker", manager, venue).run())
    await eventually(lambda: manager.own.of("maker") == [OrderRef(symbol="BTCUSDT", client_order_id="late")])
    assert not canceling.done()
    venue.gate.set()
    await placing
    await canceling
    assert await open_ids(venue) == set()


@pytest.mark.parametrize(
    "error",
    [Unreachable("503"), OutcomeUnknown("reply lost"), RateLimited("429", retry_after_s=0.1), RuntimeError("a bug")],
    ids=lambda error: type(error).__name__,
)
async def test_a_cancel_that_fails_is_made_again(manager: OrderManager, venue: Venue, error) -> None:
    await place(manager, "maker", "a", "b")
    venue.fail_next(error, on="cancel_order", times=3)
    await CancelOut("maker", manager, venue).run()
    assert await open_ids(venue) == set()


async def test_a_question_that_fails_proves_nothing(manager: OrderManager, venue: Venue) -> None:
    """F3: a query that fails, or could not be made, is no proof of absence."""
    await place(manager, "maker", "a")
    venue.fail_next(Unreachable("rest is down"), on="get_open_orders", times=2)
    await CancelOut("maker", manager, venue).run()
    assert venue.asked == 3


async def test_an_open_order_that_we_had_lost_sight_of_is_canceled_too(manager: OrderManager, venue: Venue) -> None:
    await place(manager, "maker", "a", "lost")
    manager.own.end("lost")
    await CancelOut("maker", manager, venue).run()
    assert await open_ids(venue) == set()


async def test_a_young_order_that_the_venue_does_not_find_is_not_taken_for_gone(
    manager: OrderManager, venue: Venue
) -> None:
    """F3: a query that fails, or could not be made, is no proof of absence."""
    await place(manager, "maker", "a")
    venue.fail_next(OrderNotFound("unknown order"), on="cancel_order")
    canceling = CancelOut("maker", manager, venue)
    await canceling.run()
    assert await open_ids(venue) == set()


async def test_a_fill_that_wins_the_race_ends_the_order(manager: OrderManager, venue: Venue) -> None:
    """F4: a fill that crosses a cancel is counted, and its slot is not used too early."""
    await place(manager, "maker", "a")
    venue.fill(OrderRef(symbol="BTCUSDT", client_order_id="a"), Decimal("0.1"))
    await CancelOut("maker", manager, venue).run()
    assert manager.own.open_count("maker") == 0
