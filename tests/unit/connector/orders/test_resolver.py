"""Many unresolved orders at once: what proves them present or absent, and how little is asked for it."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

from opensqt.connector.orders.resolver import Resolver
from opensqt.model.clock import now_ns
from opensqt.model.errors import Unreachable
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, Side
from opensqt.testing.exchange import InMemoryExchange
from tests.support import eventually

MANY = 60


class Venue(InMemoryExchange):
    """Counts what it is asked, and hides orders from queries for a while."""

    def __init__(self, *, hidden_ms: int = 0) -> None:
        super().__init__()
        self.set_price("BTCUSDT", Decimal(100), Decimal("100.1"))
        self.shown_ns = now_ns() + hidden_ms * 1_000_000
        self.lists = 0
        self.questions: list[str] = []

    async def get_order(self, ref: OrderRef) -> Order:
        self.questions.append(ref.client_order_id)
        return await super().get_order(ref)

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        self.lists += 1
        orders = await super().get_open_orders(symbol)
        return orders if now_ns() > self.shown_ns else []


def asked(number: int) -> OrderRequest:
    return OrderRequest(
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal("0.1"),
        price=Decimal(99),
        client_order_id=f"order{number}",
    )


async def resolve_all(venue: Venue, count: int, **windows: int) -> list[Order | None]:
    resolver = Resolver(**{"recv_window_ms": 300, "visibility_margin_ms": 300, **windows})
    return await asyncio.gather(*(resolver(venue, asked(number), time.monotonic_ns()) for number in range(count)))


async def test_one_question_proves_many_orders_present() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    venue = Venue()
    for number in range(MANY):
        await venue.place_order(asked(number))
    orders = await resolve_all(venue, MANY)
    assert [order.status for order in orders if order] == [OrderStatus.OPEN] * MANY
    # The first few come before there are many.
    assert (venue.lists, len(venue.questions) < 10) == (1, True)


async def test_many_orders_that_the_venue_hides_for_a_while_are_all_found() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    venue = Venue(hidden_ms=300)
    for number in range(MANY):
        await venue.place_order(asked(number))
    orders = await resolve_all(venue, MANY, visibility_margin_ms=1_000)
    assert sum(order is not None for order in orders) == MANY


async def test_an_order_is_absent_only_when_it_was_asked_for_itself_after_its_time() -> None:
    """F1: filled orders are among the open ones no more, and yet not absent."""
    venue = Venue()
    for number in range(0, MANY, 2):
        await venue.place_order(asked(number))
    venue.set_price("BTCUSDT", Decimal("98"), Decimal("98.5"))
    orders = await resolve_all(venue, MANY)
    assert [order.status if order else None for order in orders] == [OrderStatus.FILLED, None] * (MANY // 2)
    assert len(venue.questions) < MANY + 10


async def test_a_few_are_asked_for_one_by_one_which_finds_ended_ones_at_once() -> None:
    venue = Venue()
    await venue.place_order(asked(0))
    await venue.cancel_order(OrderRef(symbol="BTCUSDT", client_order_id="order0"))
    (order,) = await resolve_all(venue, 1, recv_window_ms=60_000)
    assert order is not None
    assert (order.status, venue.lists) == (OrderStatus.CANCELED, 0)


async def test_a_list_that_can_not_be_had_proves_nothing_and_is_asked_for_again() -> None:
    """F3: a query that fails, or could not be made, is no proof of absence."""
    venue = Venue()
    for number in range(MANY):
        await venue.place_order(asked(number))
    venue.fail_next(Unreachable("rest is down"), on="get_open_orders")
    orders = await resolve_all(venue, MANY, recv_window_ms=5_000)
    assert None not in orders
    assert venue.lists == 2


class DeadVenue(Venue):
    """Answers no question while it is dead."""

    dead = True

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        if self.dead:
            self.lists += 1
            raise Unreachable("no answer")
        return await super().get_open_orders(symbol)

    async def get_order(self, ref: OrderRef) -> Order:
        if self.dead:
            self.questions.append(ref.client_order_id)
            raise Unreachable("no answer")
        return await super().get_order(ref)


async def test_a_dead_venue_is_asked_one_question_for_all_also_after_the_time_of_proof() -> None:
    """Each of them was asked for by itself again and again, for as long as the venue was dead."""
    venue = DeadVenue()
    for number in range(MANY):
        await venue.place_order(asked(number))
    resolving = asyncio.create_task(resolve_all(venue, MANY, recv_window_ms=0, visibility_margin_ms=0))
    await eventually(lambda: venue.lists >= 3)
    # The first few come before there are many.
    assert len(venue.questions) < 10
    venue.dead = False
    assert all(order is not None for order in await resolving)
