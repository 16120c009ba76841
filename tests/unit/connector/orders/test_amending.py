"""Amendments at most once: what is journaled, sent, answered again, refused and proven."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from opensqt.connector.orders.amend_journal import AmendJournal
from opensqt.connector.orders.amend_resolve import AmendResolver
from opensqt.connector.orders.amending import Amendments
from opensqt.connector.orders.cancel_all import CancelAll
from opensqt.connector.orders.halts import Halts
from opensqt.connector.orders.journal import Journal, State
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.tasks import Tasks
from opensqt.model.client_context import on_behalf_of
from opensqt.model.errors import (
    DuplicateOrder,
    ExchangeError,
    LeaseExpired,
    OrderDenied,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
    TradingClaimed,
    TradingHalted,
    Unreachable,
    VenueError,
)
from opensqt.model.order import AmendRequest, Order, OrderRef, OrderRequest, OrderStatus, Side
from opensqt.model.order_gate import departing, departure
from opensqt.testing.exchange import InMemoryExchange
from tests.support import eventually

LOST = OutcomeUnknown("the reply was lost")
NOW = AmendResolver(recv_window_ms=0, visibility_margin_ms=0)
"""The real resolution with windows of no length, so that the first answer proves what was not done."""


class Venue(InMemoryExchange):
    """Counts the amendments that reach it, and holds them back while its gate is closed, before or after."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[AmendRequest] = []
        self.takes_first = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.set_price("BTCUSDT", Decimal(100), Decimal("100.1"))

    async def amend_order(self, request: AmendRequest) -> Order:
        with departing({request.order.symbol}):
            leaving = departure()
            if leaving is not None:
                leaving.leave()
            self.sent.append(request)
            # The venue knows nothing of our ids: it does again what it is sent again.
            again = replace(request, amend_id=f"v{len(self.sent)}")
            if self.takes_first:
                order = await super().amend_order(again)
                await self.gate.wait()
                return order
            await self.gate.wait()
            return await super().amend_order(again)


@dataclass
class Bench:
    venue: Venue
    journal: Journal
    tasks: Tasks
    orders: OrderManager
    halts: Halts
    amendments: Amendments
    denied: ExchangeError | None = None
    barred: ExchangeError | None = None
    judging: asyncio.Event | None = None
    """Holds a client's limits back until it is set."""
    judged: int = 0
    """How many amendments it has held back."""

    async def amend(self, request: AmendRequest, *, wait_s: float = 30.0, client: str = "maker") -> Order:
        judging = self.judging

        async def denial(_amended: OrderRequest) -> ExchangeError | None:
            if judging is not None:
                self.judged += 1
                await judging.wait()
            return self.denied

        with on_behalf_of(client):
            return await self.amendments.amend(
                request, wait_s=wait_s, denial=denial, barrier=lambda _order: self.barred
            )

    async def state_of(self, amend_id: str) -> State | None:
        record = await AmendJournal(self.journal).find(amend_id)
        return record.state if record else None

    async def order(self, name: str = "a") -> Order:
        return await self.venue.get_order(ref(name))


def ref(name: str = "a") -> OrderRef:
    return OrderRef(symbol="BTCUSDT", client_order_id=name)


def to(price: str, amend_id: str = "m1", name: str = "a", **more: Any) -> AmendRequest:
    return AmendRequest(order=ref(name), amend_id=amend_id, price=Decimal(price), **more)


@pytest.fixture
async def bench(journal: Journal, tasks: Tasks) -> Bench:
    venue, halts = Venue(), Halts()
    orders = OrderManager(venue, journal, tasks, _never, halts=halts)
    await orders.start()
    with on_behalf_of("maker"):
        request = OrderRequest(
            symbol="BTCUSDT", side=Side.BUY, quantity=Decimal("0.1"), price=Decimal(90), client_order_id="a"
        )
        await orders.place(request, wait_s=30)
    return Bench(venue, journal, tasks, orders, halts, _amendments(venue, journal, tasks, orders, halts))


def _amendments(
    venue: Venue,
    journal: Journal,
    tasks: Tasks,
    orders: OrderManager,
    halts: Halts,
    lapsed: list[ExchangeError | None] | None = None,
) -> Amendments:
    refused = lapsed or [None]
    return Amendments(venue, journal, tasks, orders, halts=halts, refusal=lambda _client: refused[0], resolve=NOW)


async def _never(*_: Any) -> Order | None:
    await asyncio.Event().wait()
    return None


async def test_the_intent_is_journaled_before_it_is_sent(bench: Bench) -> None:
    """F1: an amendment is never sent twice, nor lost from sight, when a reply is lost."""
    bench.venue.gate.clear()
    amending = asyncio.create_task(bench.amend(to("91")))
    await eventually(lambda: bench.venue.sent)
    assert await bench.state_of("m1") is State.SENT
    bench.venue.gate.set()
    assert (await amending).price == 91
    await eventually(lambda: not bench.amendments.pending)
    assert await bench.state_of("m1") is State.PLACED


async def test_what_is_sent_names_price_and_quantity_and_both_ids(bench: Bench) -> None:
    await bench.amend(to("91"))
    (sent,) = bench.venue.sent
    assert (sent.price, sent.quantity) == (Decimal(91), Decimal("0.1"))
    assert (sent.order.client_order_id, sent.order.order_id) == ("a", (await bench.order()).order_id)


async def test_the_same_amendment_again_is_answered_not_sent(bench: Bench) -> None:
    """F1: an amendment is never sent twice, nor lost from sight, when a reply is lost."""
    first = await bench.amend(to("91"))
    await bench.amend(to("92", "m2"))
    assert await bench.amend(to("91")) == first
    assert len(bench.venue.sent) == 2
    assert (await bench.order()).price == 92


async def test_the_same_amendment_at_the_same_time_is_sent_once(bench: Bench) -> None:
    """F1: an amendment is never sent twice, nor lost from sight, when a reply is lost."""
    orders = await asyncio.gather(*(bench.amend(to("91")) for _ in range(20)))
    assert {order.price for order in orders} == {Decimal(91)}
    assert len(bench.venue.sent) == 1


async def test_one_that_is_sent_and_answered_while_another_is_judged_is_not_sent_again(bench: Bench) -> None:
    """F1: an amendment is never sent twice, nor lost from sight, when a reply is lost."""
    bench.judging = held = asyncio.Event()
    second = asyncio.create_task(bench.amend(to("91")))
    await eventually(lambda: bench.judged)
    bench.judging = None
    first = await bench.amend(to("91"))
    await eventually(lambda: not bench.amendments.pending)
    await bench.amend(to("92", "m2"))
    held.set()
    assert await second == first
    assert len(bench.venue.sent) == 2
    assert (await bench.order()).price == 92


@pytest.mark.parametrize("while_in_flight", [True, False])
async def test_an_id_used_with_other_content_or_by_another_client_is_a_duplicate(
    bench: Bench, while_in_flight: bool
) -> None:
    if while_in_flight:
        bench.venue.gate.clear()
    amending = asyncio.create_task(bench.amend(to("91")))
    await eventually(lambda: bench.venue.sent if while_in_flight else amending.done())
    with pytest.raises(DuplicateOrder, match="other content"):
        await bench.amend(to("92"))
    with pytest.raises(DuplicateOrder, match="another client"):
        await bench.amend(to("91"), client="other")
    bench.venue.gate.set()
    await amending
    assert len(bench.venue.sent) == 1


async def test_a_lost_reply_after_acceptance_is_proven_by_the_order(bench: Bench) -> None:
    """F1: an amendment is never sent twice, nor lost from sight, when a reply is lost."""
    bench.venue.fail_next(LOST, on="amend_order", after=True)
    assert (await bench.amend(to("91"))).price == 91
    assert len(bench.venue.sent) == 1


@pytest.mark.parametrize(
    "lost", [LOST, VenueError("what?"), RuntimeError("a slip")], ids=lambda one: type(one).__name__
)
async def test_a_request_lost_before_acceptance_is_proven_undone_and_may_be_sent_again(
    bench: Bench, lost: Exception
) -> None:
    """F1: an amendment is never sent twice, nor lost from sight, when a reply is lost."""
    bench.venue.fail_next(lost, on="amend_order")  # type: ignore[arg-type]
    with pytest.raises((Unreachable, VenueError)):
        await bench.amend(to("91"))
    assert await bench.state_of("m1") is State.ABSENT
    assert (await bench.order()).price == 90
    assert (await bench.amend(to("91"))).price == 91
    assert len(bench.venue.sent) == 2


async def test_a_caller_that_gives_up_is_told_to_ask_again(bench: Bench) -> None:
    bench.venue.gate.clear()
    with pytest.raises(OutcomeUnknown, match="same amend_id"):
        await bench.amend(to("91"), wait_s=0.01)
    bench.venue.gate.set()
    assert (await bench.amend(to("91"))).price == 91
    assert len(bench.venue.sent) == 1


async def test_a_refusal_of_the_venue_is_the_outcome(bench: Bench) -> None:
    bench.venue.fail_next(OrderRejected("no"), on="amend_order")
    for _ in range(2):
        with pytest.raises(OrderRejected):
            await bench.amend(to("91"))
    assert len(bench.venue.sent) == 1
    await eventually(lambda: not bench.amendments.pending)
    assert await bench.state_of("m1") is State.REFUSED


async def test_an_amendment_that_was_not_sent_keeps_no_outcome(bench: Bench) -> None:
    bench.venue.fail_next(RateLimited("later"), on="amend_order")
    with pytest.raises(RateLimited):
        await bench.amend(to("91"))
    assert (await bench.amend(to("91"))).price == 91


@pytest.mark.parametrize("after_restart", [True, False])
async def test_what_died_between_journal_and_send_is_proven_undone(bench: Bench, after_restart: bool) -> None:
    """F9: the process dies when the amendment is on disk and was not sent; nothing is sent under its id until then."""
    order = await bench.order()
    request = to("91")
    target = request.completed(order)
    await AmendJournal(bench.journal).claim(request, target, "maker")
    amendments = bench.amendments
    if after_restart:
        amendments = _amendments(bench.venue, bench.journal, bench.tasks, bench.orders, bench.halts)
        await amendments.start()
    bench.amendments = amendments
    with pytest.raises(Unreachable, match="may be sent again"):
        await bench.amend(request)
    assert bench.venue.sent == []
    assert (await bench.amend(request)).price == 91
    assert len(bench.venue.sent) == 1


async def test_what_died_after_the_send_is_proven_done(bench: Bench) -> None:
    """F9: the process dies before the answer comes; the order proves it after the restart."""
    request = to("91")
    await AmendJournal(bench.journal).claim(request, request.completed(await bench.order()), "maker")
    await InMemoryExchange.amend_order(bench.venue, replace(request, amend_id="x"))
    bench.amendments = _amendments(bench.venue, bench.journal, bench.tasks, bench.orders, bench.halts)
    await bench.amendments.start()
    assert (await bench.amend(request)).price == 91
    assert bench.venue.sent == []


async def test_an_order_that_was_amended_is_still_that_order_when_its_placing_is_resolved(
    bench: Bench, tasks: Tasks
) -> None:
    """F1: its outcome was lost with the process, and the venue shows it with another price than was asked for."""
    await bench.amend(to("91"))
    await bench.journal.settle("a", State.UNKNOWN)

    async def resolve(_exchange: Any, _request: OrderRequest, _sent_ns: int) -> Order | None:
        return await bench.order()

    again = OrderManager(bench.venue, bench.journal, tasks, resolve)
    await again.start()
    await eventually(lambda: not again.intents)
    record = await bench.journal.find("a")
    assert record is not None
    assert record.state is State.PLACED


async def test_a_second_amendment_of_an_order_waits_for_the_first(bench: Bench) -> None:
    bench.venue.gate.clear()
    amending = asyncio.create_task(bench.amend(to("91")))
    await eventually(lambda: bench.venue.sent)
    with pytest.raises(RateLimited, match="m1 is in flight"):
        await bench.amend(to("92", "m2"))
    bench.venue.gate.set()
    await amending
    assert (await bench.amend(to("92", "m2"))).price == 92


@pytest.mark.parametrize("kind", ["denied", "barred"])
async def test_what_is_refused_here_is_neither_journaled_nor_sent(bench: Bench, kind: str) -> None:
    error = {"denied": OrderDenied("too much"), "barred": TradingClaimed("another program")}[kind]
    setattr(bench, kind, error)
    with pytest.raises(type(error)):
        await bench.amend(to("91"))
    assert bench.venue.sent == []
    assert await bench.state_of("m1") is None
    setattr(bench, kind, None)
    assert (await bench.amend(to("91"))).price == 91


async def test_a_client_whose_lease_ended_amends_nothing(bench: Bench) -> None:
    bench.amendments = _amendments(
        bench.venue, bench.journal, bench.tasks, bench.orders, bench.halts, [LeaseExpired("it ended")]
    )
    with pytest.raises(LeaseExpired):
        await bench.amend(to("91"))
    assert bench.venue.sent == []


async def test_a_halt_refuses_amendments(bench: Bench) -> None:
    """F39: the kill switch misses no order in flight."""
    with bench.halts.passing("BTCUSDT"), pytest.raises(TradingHalted):
        await bench.amend(to("91"))
    assert bench.venue.sent == []
    assert await bench.state_of("m1") is None


async def test_cancel_all_waits_for_an_amendment_in_flight(bench: Bench) -> None:
    """F39: the kill switch ends when the venue and the journal agree that nothing is open or in flight."""
    bench.venue.gate.clear()
    amending = asyncio.create_task(bench.amend(to("91")))
    await eventually(lambda: bench.venue.sent)
    (in_flight,) = bench.orders.in_flight("BTCUSDT")
    assert in_flight.ref.client_order_id == "a"
    canceling = asyncio.create_task(CancelAll(bench.venue, bench.orders, bench.halts).run("BTCUSDT", wait_s=60))
    await eventually(lambda: bench.venue.venue.open_orders() == [])
    assert not canceling.done()
    bench.venue.gate.set()
    assert [one.client_order_id for one in await canceling] == ["a"]
    assert (await amending).status is OrderStatus.CANCELED
    assert bench.orders.in_flight() == []


async def test_one_of_unknown_outcome_is_counted_until_it_is_proven(bench: Bench) -> None:
    bench.venue.gate.clear()
    amending = asyncio.create_task(bench.amend(to("91"), wait_s=60))
    await eventually(lambda: bench.venue.sent)
    bench.venue.fail_next(LOST, on="amend_order", after=True)
    bench.venue.fail_next(Unreachable("gone"), on="get_order", times=100)
    bench.venue.gate.set()
    await eventually(lambda: bench.orders.unresolved == 1)
    bench.venue.stop_failing()
    assert (await amending).price == 91
    assert bench.orders.unresolved == 0


async def test_an_order_that_is_not_known_is_not_amended(bench: Bench) -> None:
    with pytest.raises(OrderNotFound):
        await bench.amend(to("91", name="b"))
    assert await bench.state_of("m1") is None


async def test_an_order_that_has_ended_is_answered_and_nothing_is_sent(bench: Bench) -> None:
    await bench.venue.cancel_order(ref())
    assert (await bench.amend(to("91"))).status is OrderStatus.CANCELED
    assert bench.venue.sent == []


async def test_what_changes_nothing_is_not_sent_and_keeps_its_id(bench: Bench) -> None:
    assert (await bench.amend(to("90"))).price == 90
    await bench.amend(to("91", "m2"))
    assert (await bench.amend(to("90"))).price == 90
    assert (await bench.order()).price == 91
    assert len(bench.venue.sent) == 1


async def test_pruning_forgets_amendments_but_those_of_open_orders(bench: Bench) -> None:
    await bench.amend(to("91"))
    await eventually(lambda: not bench.amendments.pending)
    await bench.orders.prune(keep_s=-1)
    assert await bench.state_of("m1") is State.PLACED
    await bench.venue.cancel_order(ref())
    await bench.orders.prune(keep_s=-1)
    assert await bench.state_of("m1") is None
