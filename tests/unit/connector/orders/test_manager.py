from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.connector.orders.halts import Halts
from opensqt.connector.orders.intent import Barred
from opensqt.connector.orders.journal import HaltRecord, Journal, State
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.orders.resolve import resolve
from opensqt.connector.orders.resolver import Resolver
from opensqt.connector.tasks import Tasks
from opensqt.model.client_context import on_behalf_of
from opensqt.model.errors import (
    DuplicateOrder,
    ExchangeError,
    InsufficientMargin,
    OrderDenied,
    OrderNotFound,
    OutcomeUnknown,
    RateLimited,
    TradingHalted,
    Unreachable,
    VenueError,
)
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, OrderType, Side
from opensqt.testing.exchange import InMemoryExchange
from tests.support import eventually

LOST = OutcomeUnknown("the reply was lost")
HIDDEN = OrderNotFound("unknown order")


class Venue(InMemoryExchange):
    """Counts what reaches it, and holds orders back while its gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        for symbol in ("BTCUSDT", "ETHUSDT"):
            self.set_price(symbol, Decimal(100), Decimal("100.1"))

    async def place_order(self, request: OrderRequest) -> Order:
        self.sent.append(request.client_order_id)
        await self.gate.wait()
        return await super().place_order(request)

    async def batch_place_orders(self, requests):
        self.sent.extend(request.client_order_id for request in requests)
        return await super().batch_place_orders(requests)


async def resolve_at_once(exchange: Exchange, request: OrderRequest, sent_ns: int) -> Order | None:
    """The real resolution with windows of no length, so that an absence is proven by the first answer."""
    return await resolve(exchange, request, sent_ns=sent_ns, recv_window_ms=0, visibility_margin_ms=0)


def asked(client_order_id: str, quantity: str = "0.1", symbol: str = "BTCUSDT") -> OrderRequest:
    return OrderRequest(
        symbol=symbol, side=Side.BUY, quantity=Decimal(quantity), price=Decimal(100), client_order_id=client_order_id
    )


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def halts() -> Halts:
    return Halts()


@pytest.fixture
def manager(venue: Venue, journal: Journal, tasks: Tasks) -> OrderManager:
    return OrderManager(venue, journal, tasks, resolve_at_once)


async def state_of(journal: Journal, client_order_id: str) -> State | None:
    record = await journal.find(client_order_id)
    return record.state if record else None


async def test_the_intent_is_journaled_before_the_order_is_sent(manager: OrderManager, venue: Venue, journal: Journal):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    venue.gate.clear()
    placing = asyncio.create_task(manager.place(asked("a"), wait_s=5))
    await eventually(lambda: venue.sent)
    assert await state_of(journal, "a") is State.SENT
    venue.gate.set()
    assert (await placing).status is OrderStatus.OPEN
    await eventually(lambda: state_of(journal, "a"))


async def test_the_same_order_asked_for_again_is_answered_not_sent(manager: OrderManager, venue: Venue):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    first = await manager.place(asked("a"), wait_s=5)
    assert await manager.place(asked("a"), wait_s=5) == first
    assert venue.sent == ["a"]


async def test_the_same_order_asked_for_at_the_same_time_is_sent_once(manager: OrderManager, venue: Venue):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    orders = await asyncio.gather(*(manager.place(asked("a"), wait_s=5) for _ in range(20)))
    assert len({order.order_id for order in orders}) == 1
    assert venue.sent == ["a"]


@pytest.mark.parametrize("other", [asked("a", quantity="0.2"), asked("a", symbol="ETHUSDT")], ids=["size", "symbol"])
async def test_an_id_used_with_other_content_is_a_duplicate(manager: OrderManager, venue: Venue, other: OrderRequest):
    await manager.place(asked("a"), wait_s=5)
    with pytest.raises(DuplicateOrder, match="client_order_id a: used before with other content"):
        await manager.place(other, wait_s=5)
    assert venue.sent == ["a"]


async def test_an_id_in_flight_with_other_content_is_a_duplicate(manager: OrderManager, venue: Venue):
    venue.gate.clear()
    placing = asyncio.create_task(manager.place(asked("a"), wait_s=5))
    await eventually(lambda: venue.sent)
    with pytest.raises(DuplicateOrder):
        await manager.place(asked("a", quantity="0.2"), wait_s=5)
    venue.gate.set()
    await placing


async def test_a_refusal_by_the_venue_is_the_outcome_for_good(manager: OrderManager, venue: Venue):
    venue.fail_next(InsufficientMargin("too little"), on="place_order")
    for _ in range(2):
        with pytest.raises(InsufficientMargin):
            await manager.place(asked("a"), wait_s=5)
    assert venue.sent == ["a"]


@pytest.mark.parametrize(
    "error",
    [OrderDenied("step"), RateLimited("slow down", retry_after_s=1), Unreachable("no route")],
    ids=lambda error: type(error).__name__,
)
async def test_an_order_that_provably_did_not_happen_may_be_sent_again(manager: OrderManager, venue: Venue, error):
    venue.fail_next(error, on="place_order")
    with pytest.raises(type(error)):
        await manager.place(asked("a"), wait_s=5)
    assert (await manager.place(asked("a"), wait_s=5)).status is OrderStatus.OPEN
    assert venue.sent == ["a", "a"]


async def test_a_lost_reply_is_resolved_to_the_order_that_the_venue_accepted(manager: OrderManager, venue: Venue):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    venue.fail_next(LOST, on="place_order", after=True)
    assert (await manager.place(asked("a"), wait_s=5)).status is OrderStatus.OPEN
    assert (await manager.place(asked("a"), wait_s=5)).status is OrderStatus.OPEN
    assert venue.sent == ["a"]


async def test_a_lost_request_is_told_as_absent_and_then_may_be_sent_again(
    manager: OrderManager, venue: Venue, journal
):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    venue.fail_next(LOST, on="place_order")
    with pytest.raises(Unreachable, match="proven absent"):
        await manager.place(asked("a"), wait_s=5)
    await eventually(lambda: manager.unresolved == 0)
    assert await state_of(journal, "a") is State.ABSENT
    assert (await manager.place(asked("a"), wait_s=5)).status is OrderStatus.OPEN
    assert venue.sent == ["a", "a"]


async def test_a_clock_that_is_set_forward_proves_no_absence(venue, journal, tasks, monkeypatch: pytest.MonkeyPatch):
    """F1, F24: how long an order may still be hidden is a duration, whatever the time of day."""
    manager = OrderManager(venue, journal, tasks, Resolver(recv_window_ms=5_000, visibility_margin_ms=5_000))
    venue.fail_next(LOST, on="place_order", after=True)
    venue.fail_next(HIDDEN, on="get_order", times=2)
    hours = itertools.count(time.time_ns(), 3_600_000_000_000)
    monkeypatch.setattr(time, "time_ns", lambda: next(hours))
    assert (await manager.place(asked("a"), wait_s=9)).status is OrderStatus.OPEN


async def test_an_answer_that_no_table_knows_is_looked_into_before_it_is_believed(manager: OrderManager, venue: Venue):
    venue.fail_next(VenueError("what?"), on="place_order", after=True)
    assert (await manager.place(asked("a"), wait_s=5)).status is OrderStatus.OPEN
    venue.fail_next(VenueError("what?"), on="place_order")
    with pytest.raises(VenueError, match="what"):
        await manager.place(asked("b"), wait_s=5)


async def test_a_bug_below_is_treated_as_an_unknown_outcome(manager: OrderManager, venue: Venue):
    venue.fail_next(ZeroDivisionError("oops"), on="place_order", after=True)  # type: ignore[arg-type]
    assert (await manager.place(asked("a"), wait_s=5)).status is OrderStatus.OPEN
    assert venue.sent == ["a"]


async def test_a_query_that_fails_proves_nothing(manager: OrderManager, venue: Venue):
    """F3: a query that fails, or could not be made, is no proof of absence."""
    venue.fail_next(LOST, on="place_order", after=True)
    venue.fail_next(Unreachable("rest is down"), on="get_order", times=3)
    assert (await manager.place(asked("a"), wait_s=10)).status is OrderStatus.OPEN
    assert venue.sent == ["a"]


async def test_an_outcome_that_stays_unknown_is_said_so_in_time_and_told_later(manager: OrderManager, venue: Venue):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    venue.fail_next(LOST, on="place_order", after=True)
    venue.fail_next(Unreachable("rest is down"), on="get_order", times=2)
    with pytest.raises(OutcomeUnknown, match="ask again with the same id"):
        await manager.place(asked("a"), wait_s=0)
    assert (await manager.place(asked("a"), wait_s=10)).status is OrderStatus.OPEN
    assert venue.sent == ["a"]


async def test_a_query_for_an_unresolved_order_says_unknown_not_absent(venue: Venue, journal: Journal, tasks: Tasks):
    """F3: a query that fails, or could not be made, is no proof of absence."""
    proof = asyncio.Event()

    async def resolve_later(exchange: Exchange, request: OrderRequest, sent_ns: int) -> Order | None:
        await proof.wait()
        return await resolve_at_once(exchange, request, sent_ns)

    manager = OrderManager(venue, journal, tasks, resolve_later)
    venue.fail_next(LOST, on="place_order")
    with pytest.raises(OutcomeUnknown):
        await manager.place(asked("a"), wait_s=0.05)
    ref = OrderRef(symbol="BTCUSDT", client_order_id="a")
    assert (await manager.get_order(ref)).status is OrderStatus.UNKNOWN
    with pytest.raises(OutcomeUnknown, match="cancel it again"):
        await manager.cancel(ref)
    (answer,) = await manager.cancel_batch([ref])
    assert isinstance(answer, OutcomeUnknown)
    proof.set()
    await eventually(lambda: manager.unresolved == 0)
    with pytest.raises(OrderNotFound):
        await manager.get_order(ref)


async def test_an_order_just_accepted_but_hidden_from_queries_is_not_told_absent(manager: OrderManager, venue: Venue):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    order = await manager.place(asked("a"), wait_s=5)
    venue.fail_next(HIDDEN, on="get_order", times=2)
    told = await manager.get_order(OrderRef(symbol="BTCUSDT", client_order_id="a"))
    assert (told.order_id, told.status) == (order.order_id, OrderStatus.UNKNOWN)


async def test_an_order_that_the_venue_does_not_show_is_not_told_open_from_memory(manager: OrderManager, venue: Venue):
    """F3: it may have ended unseen, and then nobody would ever tell its end."""
    await manager.place(asked("a"), wait_s=5)
    ref = OrderRef(symbol="BTCUSDT", client_order_id="a")
    await venue.cancel_order(ref)
    venue.fail_next(HIDDEN, on="get_order", times=2)
    assert (await manager.get_order(ref)).status is OrderStatus.UNKNOWN
    assert (await manager.get_order(ref)).status is OrderStatus.CANCELED


async def test_an_id_of_another_symbols_order_is_not_answered_with_that_order(manager: OrderManager, venue: Venue):
    """F3: whoever asks for an order of one symbol is not shown another one's, least of all as one of unknown state."""
    await manager.place(asked("a"), wait_s=5)
    ref = OrderRef(symbol="ETHUSDT", client_order_id="a")
    with pytest.raises(OrderNotFound):
        await manager.get_order(ref)
    await venue.cancel_order(OrderRef(symbol="BTCUSDT", client_order_id="a"))
    # A cancel of it is no open question either, once it has ended.
    with pytest.raises(OrderNotFound):
        await manager.cancel(ref)


async def test_an_order_that_ended_at_once_keeps_its_end_while_the_venue_does_not_show_it(
    manager: OrderManager, venue: Venue
):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    filled = await manager.place(replace(asked("a"), price=Decimal("100.1")), wait_s=5)
    venue.fail_next(HIDDEN, on="get_order", times=2)
    assert filled.status is OrderStatus.FILLED
    assert await manager.get_order(OrderRef(symbol="BTCUSDT", client_order_id="a")) == filled


async def test_sending_goes_on_when_the_caller_gives_up(manager: OrderManager, venue: Venue, journal: Journal):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    venue.gate.clear()
    caller = asyncio.create_task(manager.place(asked("a"), wait_s=5))
    await eventually(lambda: venue.sent)
    caller.cancel()
    await asyncio.wait({caller})
    venue.gate.set()
    assert (await manager.place(asked("a"), wait_s=5)).status is OrderStatus.OPEN
    assert venue.sent == ["a"]


async def test_a_batch_answers_item_by_item_in_order(manager: OrderManager, venue: Venue):
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    await manager.place(asked("known"), wait_s=5)
    outcomes = await manager.place_batch(
        [asked("a"), asked("known"), asked("bad", quantity="0.00001"), asked("known", quantity="0.2"), asked("a")],
        wait_s=5,
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [Order, Order, OrderDenied, DuplicateOrder, Order]
    assert venue.sent == ["known", "a", "bad"]


async def test_a_batch_whose_reply_was_lost_is_resolved_and_never_sent_again(manager: OrderManager, venue: Venue):
    """F2: 3 of 5 accepted, 1 rejected, 1 not seen, reply lost: five right answers, no duplicate."""
    venue.fail_next(LOST, on="batch_place_orders", after=True)
    batch = [asked("a"), asked("b"), asked("c"), asked("d", quantity="0.00001"), asked("e", quantity="1000")]
    outcomes = await manager.place_batch(batch, wait_s=5)
    assert [type(outcome) for outcome in outcomes] == [Order, Order, Order, Unreachable, Unreachable]
    assert venue.sent == ["a", "b", "c", "d", "e"]
    assert len(await venue.get_open_orders()) == 3


async def test_intents_that_a_killed_run_left_are_resolved_before_they_are_sent_again(venue, journal, tasks):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost.
    F9: a restart neither loses nor doubles an order.
    """
    await journal.claim([asked("accepted"), asked("lost")])
    await venue.place_order(asked("accepted"))
    venue.sent.clear()
    manager = OrderManager(venue, journal, tasks, resolve_at_once)
    await manager.start()
    assert manager.unresolved == 2
    assert (await manager.place(asked("accepted"), wait_s=5)).status is OrderStatus.OPEN
    with pytest.raises(Unreachable, match="proven absent"):
        await manager.place(asked("lost"), wait_s=5)
    assert venue.sent == []


async def test_an_id_that_the_venue_knows_from_elsewhere_is_answered_when_it_is_the_same_order(manager, venue):
    venue.fail_next(DuplicateOrder("-4116"), on="place_order", after=True)
    assert (await manager.place(asked("a"), wait_s=5)).client_order_id == "a"
    await InMemoryExchange.place_order(venue, asked("b", quantity="0.3"))
    venue.fail_next(DuplicateOrder("-4116"), on="place_order")
    with pytest.raises(DuplicateOrder):
        await manager.place(asked("b", quantity="0.4"), wait_s=5)


async def test_nothing_is_sent_when_the_journal_can_not_be_written(venue: Venue, tasks: Tasks, tmp_path: Path):
    """F32: the state file is never torn, and lags behind nothing that was done."""
    journal = Journal(str(tmp_path / "j.db"))
    await journal.open()
    await journal.execute(lambda database: database.execute("PRAGMA query_only = 1"))
    manager = OrderManager(venue, journal, tasks, resolve_at_once)
    with pytest.raises(Unreachable, match="nothing was sent"):
        await manager.place(asked("a"), wait_s=5)
    assert venue.sent == []
    await journal.close()


async def test_what_was_sent_is_answered_for_when_the_journal_can_not_be_written(venue: Venue, tasks: Tasks, tmp_path):
    """F1: "nothing was sent" would have the client send it again under another id. It is one order at the venue."""
    journal = Journal(str(tmp_path / "j.db"))
    await journal.open()
    manager = OrderManager(venue, journal, tasks, resolve_at_once)
    first = await manager.place(asked("a"), wait_s=5)
    await eventually(lambda: state_of(journal, "a"))
    await journal.execute(lambda database: database.execute("PRAGMA query_only = 1"))
    again, new, other = await manager.place_batch([asked("a"), asked("b"), asked("a", quantity="0.9")], wait_s=5)
    assert again == first
    assert isinstance(new, Unreachable)
    assert isinstance(other, DuplicateOrder)
    assert (venue.sent, manager.own.open_count("")) == (["a"], 1)
    await journal.close()


async def test_a_journal_that_can_not_be_read_either_leaves_open_what_was_sent(venue: Venue, tasks: Tasks, tmp_path):
    """F1, F3: "could not look" is not taken for "was never sent"."""
    journal = Journal(str(tmp_path / "j.db"))
    await journal.open()
    manager = OrderManager(venue, journal, tasks, resolve_at_once)
    await manager.place(asked("a"), wait_s=5)
    await eventually(lambda: state_of(journal, "a"))
    await journal.execute(lambda database: database.execute("ALTER TABLE intent RENAME TO away"))
    with pytest.raises(OutcomeUnknown, match="neither be written nor read"):
        await manager.place(asked("a"), wait_s=5)
    assert (venue.sent, manager.own.open_count("")) == (["a"], 1)
    await journal.close()


async def test_pruning_keeps_what_the_venue_still_works(manager: OrderManager, venue: Venue, journal: Journal):
    await manager.place(asked("open"), wait_s=5)
    await manager.place(asked("gone"), wait_s=5)
    await venue.cancel_order(OrderRef(symbol="BTCUSDT", client_order_id="gone"))
    await eventually(lambda: state_of(journal, "gone"))
    assert await manager.prune(keep_s=0) == 1
    assert await state_of(journal, "open") is State.PLACED


async def test_a_barred_order_is_answered_for_when_it_was_asked_for_before_and_is_never_sent(manager, venue: Venue):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    first = await manager.place(asked("a"), wait_s=5)
    venue.fail_next(Unreachable("no route"), on="place_order")
    with pytest.raises(Unreachable):
        await manager.place(asked("absent"), wait_s=5)
    reason = OrderDenied("too much")
    again = [Barred(asked(name), reason) for name in ("a", "absent", "new")]
    assert await manager.place_batch(again, wait_s=5) == [first, reason, reason]
    assert (venue.sent, manager.own.open_count("")) == (["a", "absent"], 1)


async def test_while_trading_is_halted_an_id_that_was_used_still_gets_its_outcome(venue, journal, tasks, halts):
    """F1, F39: a refusal would say that nothing was sent."""
    manager = OrderManager(venue, journal, tasks, resolve_at_once, halts=halts)
    first = await manager.place(asked("a"), wait_s=5)
    halts.put(HaltRecord(halt_id="h", client="risk"))
    assert await manager.place(asked("a"), wait_s=5) == first
    with pytest.raises(TradingHalted):
        await manager.place(asked("b"), wait_s=5)
    assert await state_of(journal, "b") is None


async def test_a_reduce_only_order_that_names_the_halt_is_sent_and_no_other(venue, journal, tasks, halts):
    """F39: so that the kill switch can close a position while everybody else is kept out."""
    manager = OrderManager(venue, journal, tasks, resolve_at_once, halts=halts)
    held = replace(asked("open", quantity="0.2"), order_type=OrderType.MARKET, price=None)
    await manager.place(held, wait_s=5)
    halts.put(HaltRecord(halt_id="h", client="risk"))
    closing = replace(held, side=Side.SELL, reduce_only=True, client_order_id="close")
    with pytest.raises(TradingHalted):
        await manager.place(closing, wait_s=5)
    with pytest.raises(TradingHalted):
        await manager.place(closing, wait_s=5, halt_id="another")
    with pytest.raises(TradingHalted):
        await manager.place(replace(closing, reduce_only=False), wait_s=5, halt_id="h")
    assert (await manager.place(closing, wait_s=5, halt_id="h")).status is OrderStatus.FILLED
    assert venue.sent == ["open", "close"]


async def test_a_halt_takes_its_symbol_out_of_a_batch_that_waits_in_the_adapter(venue, journal, tasks, halts):
    """F39: the orders of other symbols in the same request are sent without it."""

    async def held_back(requests):
        venue.sent.append("batch")
        halts.put(HaltRecord(halt_id="h", client="risk", symbol="BTCUSDT"))
        return [halts.refusal("BTCUSDT")] * len(requests)

    manager = OrderManager(venue, journal, tasks, resolve_at_once, halts=halts)
    venue.batch_place_orders = held_back
    halted, other = await manager.place_batch([asked("a"), asked("b", symbol="ETHUSDT")], wait_s=5)
    assert isinstance(halted, TradingHalted)
    assert other.status is OrderStatus.OPEN
    assert venue.sent == ["batch", "b"]
    assert await state_of(journal, "a") is State.ABSENT


@pytest.mark.parametrize("hidden", [0, 3], ids=["visible", "hidden at first"])
async def test_many_lost_replies_leave_one_order_each_and_nothing_unresolved(
    manager: OrderManager, venue: Venue, large: bool, hidden: int
):
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    count = 1000 if large else 60
    venue.fail_next(LOST, on="place_order", after=True, times=count)
    venue.fail_next(Unreachable("cannot ask"), on="get_order", times=hidden)
    requests = [asked(f"n{number}", quantity="0.1") for number in range(count)]
    outcomes = await asyncio.gather(*(manager.place(request, wait_s=50) for request in requests))
    assert [order.client_order_id for order in outcomes] == [request.client_order_id for request in requests]
    assert len(await venue.get_open_orders()) == count == len(venue.sent)
    await eventually(lambda: manager.unresolved == 0)


@pytest.mark.parametrize("batch", [False, True])
async def test_a_cancel_under_another_symbol_is_not_sent_and_the_order_stays_counted(
    manager: OrderManager, venue: Venue, monkeypatch: pytest.MonkeyPatch, batch: bool
) -> None:
    """A client with `max_open_orders` took its orders out of the count in this way, and placed as many again."""
    monkeypatch.setattr("opensqt.connector.orders.manager.HIDDEN_NS", 0)
    with on_behalf_of("maker"):
        await manager.place(asked("a"), wait_s=5)
    await eventually(lambda: not manager.intents, what="its outcome is journaled")
    wrong = OrderRef(symbol="ETHUSDT", client_order_id="a")
    if batch:
        (answer,) = await manager.cancel_batch([wrong])
        assert isinstance(answer, OrderNotFound)
    else:
        with pytest.raises(OrderNotFound, match="BTCUSDT"):
            await manager.cancel(wrong)
    assert manager.own.open_count("maker") == 1
    assert [one.client_order_id for one in await venue.get_open_orders()] == ["a"]


async def test_an_order_that_a_cancel_does_not_find_stays_counted_while_the_venue_lists_it(
    manager: OrderManager, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensqt.connector.orders.manager.HIDDEN_NS", 0)
    await manager.start()
    with on_behalf_of("maker"):
        await manager.place(asked("a"), wait_s=5)
    await eventually(lambda: not manager.intents, what="its outcome is journaled")

    async def not_found(_ref: OrderRef) -> Order:
        raise HIDDEN

    monkeypatch.setattr(venue, "cancel_order", not_found)
    monkeypatch.setattr(venue, "get_order", not_found)
    with pytest.raises(ExchangeError):
        await manager.cancel(OrderRef(symbol="BTCUSDT", client_order_id="a"))
    assert manager.own.open_count("maker") == 1


class LostVenue(Venue):
    """Answers no placing, and knows without asking anybody which orders it would refuse."""

    lost = True
    denied = ""

    def order_denial(self, request: OrderRequest) -> OrderDenied | None:
        return OrderDenied("off the step") if request.client_order_id == self.denied else None

    async def place_order(self, request: OrderRequest) -> Order:
        if self.lost:
            self.sent.append(request.client_order_id)
            raise LOST
        return await super().place_order(request)


async def test_orders_of_unknown_outcome_are_bounded_for_each_client_and_new_ones_are_refused_with_a_time(
    journal: Journal, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,876 orders in 75 s of a dead venue cost 27 KB each, and a question each."""
    monkeypatch.setattr("opensqt.connector.orders.manager.MAX_UNRESOLVED_OF_CLIENT", 2)
    monkeypatch.setattr("opensqt.connector.orders.manager.MAX_UNRESOLVED", 3)
    answered = asyncio.Event()

    async def proves_absent(_exchange: Exchange, _request: OrderRequest, _sent_ns: int) -> Order | None:
        await answered.wait()
        return None

    venue = LostVenue()
    manager = OrderManager(venue, journal, tasks, proves_absent)
    with on_behalf_of("maker"):
        for name in ("a", "b"):
            with pytest.raises(OutcomeUnknown):
                await manager.place(asked(name), wait_s=0.01)
        await eventually(lambda: manager.unresolved == 2)
        with pytest.raises(RateLimited, match="2 orders of client maker") as refused:
            await manager.place(asked("c"), wait_s=5)
        assert refused.value.retry_after_s == 5
        with pytest.raises(OutcomeUnknown):
            await manager.place(asked("a"), wait_s=0.01)
    with on_behalf_of("other"):
        with pytest.raises(OutcomeUnknown):
            await manager.place(asked("d"), wait_s=0.01)
        await eventually(lambda: manager.unresolved == 3)
        with pytest.raises(RateLimited, match="3 orders of this account"):
            await manager.place(asked("e"), wait_s=5)
    assert venue.sent == ["a", "b", "d"]
    assert await journal.find("c") is None
    answered.set()
    venue.lost = False
    await eventually(lambda: not manager.unresolved)
    with on_behalf_of("maker"):
        assert (await manager.place(asked("c"), wait_s=5)).status is OrderStatus.OPEN


class SilentVenue(Venue):
    """Takes orders in and answers none until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()

    async def place_order(self, request: OrderRequest) -> Order:
        self.sent.append(request.client_order_id)
        await self.answers.wait()
        return await super().place_order(request)

    async def batch_place_orders(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        return list(await asyncio.gather(*(self.place_order(request) for request in requests)))


async def test_orders_on_their_way_are_bounded_before_any_of_them_is_known_to_be_unanswered(
    journal: Journal, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3,000 orders of one client were on their way to a dead venue at once, before the first was of unknown outcome."""
    monkeypatch.setattr("opensqt.connector.orders.manager.MAX_ON_THEIR_WAY_OF_CLIENT", 2)
    monkeypatch.setattr("opensqt.connector.orders.manager.MAX_ON_THEIR_WAY", 3)

    async def none(_exchange: Exchange, _request: OrderRequest, _sent_ns: int) -> Order | None:
        return None

    venue = SilentVenue()
    manager = OrderManager(venue, journal, tasks, none)
    with on_behalf_of("maker"):
        outcomes = await manager.place_batch([asked(name) for name in "abc"], wait_s=0.01)
        assert [type(one) for one in outcomes] == [OutcomeUnknown, OutcomeUnknown, RateLimited]
        with pytest.raises(RateLimited, match="2 orders of client maker") as refused:
            await manager.place(asked("d"), wait_s=5)
        assert refused.value.retry_after_s == 5
    with on_behalf_of("other"):
        with pytest.raises(OutcomeUnknown):
            await manager.place(asked("e"), wait_s=0.01)
        with pytest.raises(RateLimited, match="3 orders of this account"):
            await manager.place(asked("f"), wait_s=5)
    assert await journal.find("c") is None
    venue.answers.set()
    await eventually(lambda: not manager.intents)
    with on_behalf_of("maker"):
        outcomes = await manager.place_batch([asked(name) for name in "cd"], wait_s=5)
    assert [type(one) for one in outcomes] == [Order, Order]


async def test_an_order_that_our_own_rules_refuse_is_not_journaled_and_keeps_no_id(
    journal: Journal, tasks: Tasks
) -> None:
    """A flood of them wrote 216 GB a day."""
    venue = LostVenue()
    venue.lost, venue.denied = False, "a"
    manager = OrderManager(venue, journal, tasks, resolve_at_once)
    with pytest.raises(OrderDenied):
        await manager.place(asked("a"), wait_s=5)
    assert await journal.find("a") is None
    assert venue.sent == []
    venue.denied = ""
    assert (await manager.place(asked("a", quantity="0.2"), wait_s=5)).status is OrderStatus.OPEN
    venue.denied = "a"
    assert (await manager.place(asked("a", quantity="0.2"), wait_s=5)).status is OrderStatus.OPEN
