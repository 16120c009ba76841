"""The kill switch of one symbol: it ends when the venue and the journal agree, or says what it could not prove."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from opensqt.connector.orders.cancel_all import CancelAll
from opensqt.connector.orders.halts import Halts
from opensqt.connector.orders.journal import Journal, State
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.orders.resolve import resolve
from opensqt.connector.tasks import Tasks
from opensqt.model.errors import (
    CredentialsRefused,
    OrderNotFound,
    OutcomeUnknown,
    TradingHalted,
    UnknownSymbol,
    Unreachable,
)
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRequest, OrderStatus, Side
from opensqt.testing.exchange import InMemoryExchange
from tests.support import eventually


class Venue(InMemoryExchange):
    """Holds orders back while its gate is closed, before it takes them or after."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.takes_first = False
        self.sent: list[str] = []
        for symbol in ("BTCUSDT", "ETHUSDT"):
            self.set_price(symbol, Decimal(100), Decimal("100.1"))

    async def place_order(self, request: OrderRequest) -> Order:
        self.sent.append(request.client_order_id)
        if self.takes_first:
            order = await super().place_order(request)
            await self.gate.wait()
            return order
        await self.gate.wait()
        return await super().place_order(request)


async def resolve_at_once(exchange: Exchange, request: OrderRequest, sent_ns: int) -> Order | None:
    return await resolve(exchange, request, sent_ns=sent_ns, recv_window_ms=0, visibility_margin_ms=0)


def asked(client_order_id: str, symbol: str = "BTCUSDT") -> OrderRequest:
    return OrderRequest(
        symbol=symbol, side=Side.BUY, quantity=Decimal("0.1"), price=Decimal(99), client_order_id=client_order_id
    )


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def halts() -> Halts:
    return Halts()


@pytest.fixture
async def manager(venue: Venue, journal: Journal, tasks: Tasks, halts: Halts) -> OrderManager:
    manager = OrderManager(venue, journal, tasks, resolve_at_once, halts=halts)
    await manager.start()
    return manager


@pytest.fixture
def cancel_all(venue: Venue, manager: OrderManager, halts: Halts) -> CancelAll:
    return CancelAll(venue, manager, halts)


async def open_ids(venue: Venue) -> set[str]:
    return {order.client_order_id for order in await venue.get_open_orders()}


async def test_what_is_open_is_canceled_whoever_placed_it_and_no_other_symbol(cancel_all, manager, venue) -> None:
    """F39: those of our clients and those that somebody placed beside the connector."""
    await manager.place(asked("a"), wait_s=5)
    await manager.place(asked("other", "ETHUSDT"), wait_s=5)
    await venue.place_order(asked("foreign"))
    canceled = await cancel_all.run("BTCUSDT", wait_s=5)
    assert {(one.client_order_id, one.status) for one in canceled} == {
        ("a", OrderStatus.CANCELED),
        ("foreign", OrderStatus.CANCELED),
    }
    assert await open_ids(venue) == {"other"}


async def test_nothing_open_and_nothing_in_flight_is_proven_at_once(cancel_all) -> None:
    assert await cancel_all.run("BTCUSDT", wait_s=5) == []


@pytest.mark.parametrize("takes_first", [False, True], ids=["before acceptance", "after acceptance"])
async def test_an_order_in_flight_is_waited_for_and_canceled(cancel_all, manager, venue, takes_first: bool) -> None:
    """F39: it is in no list of open orders yet, or its answer is not here."""
    venue.takes_first = takes_first
    venue.gate.clear()
    placing = asyncio.create_task(manager.place(asked("a"), wait_s=5))
    await eventually(lambda: venue.sent)
    canceling = asyncio.create_task(cancel_all.run("BTCUSDT", wait_s=5))
    await asyncio.wait({canceling}, timeout=0.3)
    assert not canceling.done()
    venue.gate.set()
    assert [one.client_order_id for one in await canceling] == ["a"]
    assert await open_ids(venue) == set()
    assert (await placing).client_order_id == "a"


async def test_new_orders_of_the_symbol_are_refused_until_it_is_proven(cancel_all, manager, venue) -> None:
    """F39: and taken again afterwards; another symbol trades on."""
    venue.gate.clear()
    placing = asyncio.create_task(manager.place(asked("a"), wait_s=5))
    await eventually(lambda: venue.sent)
    canceling = asyncio.create_task(cancel_all.run("BTCUSDT", wait_s=5))
    await asyncio.sleep(0)
    with pytest.raises(TradingHalted, match="all orders of BTCUSDT are being canceled"):
        await manager.place(asked("b"), wait_s=5)
    other = asyncio.create_task(manager.place(asked("other", "ETHUSDT"), wait_s=5))
    await eventually(lambda: venue.sent == ["a", "other"])
    venue.gate.set()
    await asyncio.gather(placing, canceling, other)
    assert (await manager.place(asked("b"), wait_s=5)).status is OrderStatus.OPEN


async def test_what_can_not_be_proven_in_time_is_named(cancel_all, manager, venue) -> None:
    """F39: an empty answer would be taken for done."""
    await manager.place(asked("seen"), wait_s=5)
    venue.gate.clear()
    placing = asyncio.create_task(manager.place(asked("stuck"), wait_s=5))
    await eventually(lambda: "stuck" in venue.sent)
    with pytest.raises(OutcomeUnknown, match=r"not proven that no order is left; in flight: stuck"):
        await cancel_all.run("BTCUSDT", wait_s=0.3)
    venue.gate.set()
    await placing


async def test_a_lost_answer_is_resolved_and_its_order_canceled(cancel_all, manager, venue) -> None:
    """F39, F1: whether it exists has to be found out before anything can be said."""
    venue.fail_next(OutcomeUnknown("the reply was lost"), on="place_order", after=True)
    venue.fail_next(Unreachable("can't ask"), on="get_order", times=2)
    placing = asyncio.create_task(manager.place(asked("a"), wait_s=5))
    await eventually(lambda: manager.unresolved)
    await cancel_all.run("BTCUSDT", wait_s=5)
    assert await open_ids(venue) == set()
    await placing


async def test_an_order_that_the_venue_does_not_list_is_canceled_by_its_id(cancel_all, manager, venue, monkeypatch):
    """F39: acknowledged, and not shown yet; the journal's word counts as much as the venue's."""
    await manager.place(asked("hidden"), wait_s=5)
    monkeypatch.setattr(venue, "cancel_all_orders", _nothing)
    canceled = await cancel_all.run("BTCUSDT", wait_s=5)
    assert [one.client_order_id for one in canceled] == ["hidden"]
    assert await open_ids(venue) == set()


async def _nothing(_symbol: str) -> list[Order]:
    return []


async def test_a_failure_proves_nothing_and_is_tried_again(cancel_all, manager, venue) -> None:
    await manager.place(asked("a"), wait_s=5)
    for error in (Unreachable("no route"), OrderNotFound("not shown")):
        venue.fail_next(error, on="cancel_all_orders")
    assert [one.client_order_id for one in await cancel_all.run("BTCUSDT", wait_s=5)] == ["a"]


async def test_the_last_failure_is_told_when_the_time_is_over(cancel_all, venue) -> None:
    venue.fail_next(Unreachable("no route to the venue"), on="cancel_all_orders", times=1_000)
    with pytest.raises(OutcomeUnknown, match="no route to the venue"):
        await cancel_all.run("BTCUSDT", wait_s=0.3)


@pytest.mark.parametrize("error", [UnknownSymbol("NOPEUSDT"), CredentialsRefused("the key")])
async def test_what_waiting_can_not_help_is_told_at_once(cancel_all, venue, error) -> None:
    venue.fail_next(error, on="cancel_all_orders")
    with pytest.raises(type(error)):
        await cancel_all.run("NOPEUSDT", wait_s=60)


async def test_an_order_that_waits_to_be_journaled_is_not_sent_and_is_absent(
    cancel_all, manager, venue, journal, monkeypatch
) -> None:
    """F39: it was taken from its client and is still here when trading is halted."""
    claiming, claimed = asyncio.Event(), asyncio.Event()
    claim = journal.claim

    async def slow_claim(*arguments, **named):
        claiming.set()
        await claimed.wait()
        return await claim(*arguments, **named)

    monkeypatch.setattr(journal, "claim", slow_claim)
    placing = asyncio.create_task(manager.place(asked("queued"), wait_s=5))
    await claiming.wait()
    canceling = asyncio.create_task(cancel_all.run("BTCUSDT", wait_s=5))
    await asyncio.sleep(0)
    claimed.set()
    with pytest.raises(TradingHalted):
        await placing
    assert await canceling == []
    record = await journal.find("queued")
    assert (venue.sent, record.state) == ([], State.ABSENT)
    assert (await manager.place(asked("queued"), wait_s=5)).status is OrderStatus.OPEN
