from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from opensqt.connector.orders.journal import MEMORY, Journal
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.orders.ownership import OrderOwnership
from opensqt.connector.orders.resolve import resolve
from opensqt.connector.tasks import Tasks
from opensqt.model.client_context import on_behalf_of
from opensqt.model.errors import DuplicateOrder, InsufficientMargin, OutcomeUnknown, Unreachable
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, Side
from opensqt.testing.exchange import InMemoryExchange
from tests.support import eventually


def asked(client_order_id: str, price: str = "99") -> OrderRequest:
    return OrderRequest(
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal("0.1"),
        price=Decimal(price),
        client_order_id=client_order_id,
    )


def ref(client_order_id: str) -> OrderRef:
    return OrderRef(symbol="BTCUSDT", client_order_id=client_order_id)


async def resolve_at_once(exchange, request: OrderRequest, sent_ns: int) -> Order | None:
    return await resolve(exchange, request, sent_ns=sent_ns, recv_window_ms=0, visibility_margin_ms=0)


@pytest.fixture
def venue() -> InMemoryExchange:
    venue = InMemoryExchange(feed_capacity=16)
    venue.set_price("BTCUSDT", Decimal(100), Decimal("100.1"))
    return venue


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    journal = Journal(MEMORY)
    await journal.open()
    yield journal
    await journal.close()


@pytest.fixture
async def manager(venue: InMemoryExchange, journal: Journal, tasks: Tasks) -> OrderManager:
    manager = OrderManager(venue, journal, tasks, resolve_at_once)
    await manager.start()
    return manager


async def place(manager: OrderManager, client: str, *names: str) -> None:
    with on_behalf_of(client):
        await manager.place_batch([asked(name) for name in names], wait_s=5)


async def test_each_client_is_told_its_own_open_orders(manager: OrderManager) -> None:
    await place(manager, "maker", "a", "b")
    await place(manager, "taker", "c")
    assert manager.own.of("maker") == [ref("a"), ref("b")]
    assert [manager.own.open_count(name) for name in ("maker", "taker", "nobody")] == [2, 1, 0]


async def test_an_order_that_the_venue_fills_or_anybody_cancels_leaves(manager: OrderManager, venue) -> None:
    await place(manager, "maker", "filled", "canceled", "part", "open")
    venue.fill(ref("filled"), Decimal("0.1"))
    venue.fill(ref("part"), Decimal("0.05"))
    await venue.cancel_order(ref("canceled"))
    await eventually(lambda: manager.own.of("maker") == [ref("part"), ref("open")])


@pytest.mark.parametrize(
    "error", [InsufficientMargin("too little"), Unreachable("no route")], ids=["refused", "absent"]
)
async def test_an_order_that_was_not_placed_leaves(manager: OrderManager, venue, error) -> None:
    venue.fail_next(error, on="place_order")
    await place(manager, "maker", "a")
    assert manager.own.open_count("maker") == 0


async def test_an_order_whose_outcome_is_unknown_counts_until_it_is_resolved(manager: OrderManager, venue) -> None:
    venue.fail_next(OutcomeUnknown("lost"), on="place_order", after=True)
    venue.fail_next(Unreachable("rest is down"), on="get_order")
    with on_behalf_of("maker"), pytest.raises(OutcomeUnknown):
        await manager.place(asked("a"), wait_s=0)
    assert (manager.own.open_count("maker"), manager.own.settled("maker")) == (1, [])
    await eventually(lambda: manager.own.settled("maker") == [ref("a")])


async def test_an_order_that_ended_before_its_placing_was_answered_leaves(venue, journal, tasks) -> None:
    own = OrderOwnership(venue, journal.owners, tasks)
    await own.start()
    own.admit("maker", asked("a"))
    acknowledged = await venue.place_order(asked("a"))
    venue.fill(ref("a"), Decimal("0.1"))
    await eventually(lambda: own.tracked["a"].ended)
    assert acknowledged.status is OrderStatus.OPEN
    own.settle("a", acknowledged)
    assert own.open_count("maker") == 0


async def test_an_open_order_takes_no_object_and_no_text_of_its_own(venue, journal, tasks) -> None:
    """F27: the memory of an order's ownership is a place in one table."""
    own = OrderOwnership(venue, journal.owners, tasks)
    await own.start()
    for name in ("a1", "a2"):
        own.admit("maker", asked("".join(name)))
        acknowledged = await venue.place_order(asked(name))
        await eventually(lambda name=name: own.last_streamed(name) is not None)
        streamed = own.last_streamed(name)
        own.settle("".join(name), acknowledged)
        assert [*own.tracked][-1] is streamed.client_order_id
    first, second = own.tracked.values()
    assert first is second
    assert own.of("maker") == own.settled("maker") == [ref("a1"), ref("a2")]


async def test_an_end_that_a_gap_swallowed_is_found_in_the_next_snapshot(manager: OrderManager, venue) -> None:
    await place(manager, "maker", "a", "b", "c")
    # More than the feed holds, before our reader has its turn.
    for _ in range(10):
        venue.venue.cancel(ref("a"))
        for name in ("x", "y"):
            venue.venue.store(venue.venue.place(asked(name)))
    venue.venue.cancel(ref("c"))
    await eventually(lambda: manager.own.of("maker") == [ref("b")])
    assert manager.own.snapshots == 2


async def test_an_end_that_a_gap_swallowed_while_the_order_was_in_flight_is_found(venue, journal, tasks) -> None:
    own = OrderOwnership(venue, journal.owners, tasks)
    await own.start()
    own.admit("maker", asked("a"))
    acknowledged = await venue.place_order(asked("a"))
    await venue.cancel_order(ref("a"))
    venue.inject_gap()
    snapshots = own.snapshots
    await eventually(lambda: own.snapshots > snapshots)
    own.settle("a", acknowledged)
    await eventually(lambda: own.open_count("maker") == 0)


async def test_a_new_run_knows_whose_orders_are_open_at_the_venue(venue, journal, tasks) -> None:
    """F9: a restart neither loses nor doubles an order."""
    first = OrderManager(venue, journal, Tasks(), resolve_at_once)
    await place(first, "maker", "a", "b")
    await place(first, "taker", "c")
    await venue.place_order(asked("foreign"))
    await venue.cancel_order(ref("b"))
    second = OrderManager(venue, journal, tasks, resolve_at_once)
    await second.start()
    assert (second.own.of("maker"), second.own.of("taker"), len(second.own)) == ([ref("a")], [ref("c")], 2)


async def test_an_intent_that_a_killed_run_left_counts_until_it_is_resolved(venue, journal, tasks) -> None:
    await journal.claim([asked("a"), asked("b")], client="maker")
    await venue.place_order(asked("a"))
    manager = OrderManager(venue, journal, tasks, resolve_at_once)
    await manager.start()
    assert manager.own.open_count("maker") == 2
    await eventually(lambda: manager.own.settled("maker") == manager.own.of("maker") == [ref("a")])


async def test_asking_again_for_an_order_counts_it_once_and_a_closed_one_not_at_all(
    manager: OrderManager, venue
) -> None:
    await place(manager, "maker", "open", "closed")
    await venue.cancel_order(ref("closed"))
    await eventually(lambda: manager.own.open_count("maker") == 1)
    await place(manager, "maker", "open", "closed")
    assert manager.own.of("maker") == [ref("open")]


async def test_the_id_of_another_clients_order_is_a_duplicate_whatever_the_content(manager: OrderManager) -> None:
    await place(manager, "maker", "a")
    with on_behalf_of("taker"), pytest.raises(DuplicateOrder, match="client_order_id a: used before by another client"):
        await manager.place(asked("a"), wait_s=5)
    assert (manager.own.open_count("taker"), manager.own.of("maker")) == (0, [ref("a")])


@pytest.mark.parametrize(
    "error", [InsufficientMargin("too little"), Unreachable("no route")], ids=["refused", "absent"]
)
async def test_to_have_asked_in_vain_for_an_id_makes_no_order_ones_own(manager: OrderManager, venue, error) -> None:
    await place(manager, "maker", "mine", "over")
    await venue.cancel_order(ref("over"))
    await eventually(lambda: manager.own.open_count("maker") == 1)
    venue.fail_next(error, on="place_order")
    await place(manager, "maker", "theirs")
    await eventually(lambda: not manager.intents)
    await venue.place_order(asked("theirs"))
    assert await manager.own.owned_ids("maker", ["mine", "over", "theirs"]) == {"mine", "over"}


async def test_an_order_that_ends_while_open_ones_are_read_again_does_not_come_back(venue, journal, tasks) -> None:
    asked_for, go_on = asyncio.Event(), asyncio.Event()

    async def owners(client_order_ids, *, absent: bool = True) -> dict[str, str]:
        if asked := [*client_order_ids]:
            asked_for.set()
            await go_on.wait()
        return dict.fromkeys(asked, "maker")

    own = OrderOwnership(venue, owners, tasks)
    await own.start()
    own.admit("maker", asked("mine"))
    own.settle("mine", await venue.place_order(asked("mine")))
    await venue.place_order(asked("before"))
    again = asyncio.create_task(own.read_snapshot())
    await eventually(lambda: again.done() or asked_for.is_set())
    await venue.cancel_order(ref("before"))
    await venue.cancel_order(ref("mine"))
    await eventually(lambda: "mine" not in own.tracked)
    go_on.set()
    await again
    assert own.open_count("maker") == 0
