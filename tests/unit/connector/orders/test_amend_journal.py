"""Amendments on disk: they survive a restart, and a journal from before them is taken over."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal

from opensqt.connector.orders.amend_journal import AmendJournal
from opensqt.connector.orders.journal import Journal, State
from opensqt.model.errors import OrderRejected
from opensqt.model.order import AmendRequest, Order, OrderRef, OrderStatus, Side

ORDER = Order(
    symbol="BTCUSDT",
    side=Side.BUY,
    quantity=Decimal("0.5"),
    price=Decimal("100.10"),
    client_order_id="mine",
    order_id="77",
    status=OrderStatus.OPEN,
)
REQUEST = AmendRequest(order=OrderRef(symbol="BTCUSDT", client_order_id="mine"), amend_id="m1", price=Decimal("100.20"))


async def reopened(journal: Journal) -> Journal:
    await journal.close()
    again = Journal(journal.path)
    await again.open()
    return again


async def test_an_amendment_is_there_after_a_restart_as_it_was_sent(journal: Journal) -> None:
    """F9: a restart loses no intent."""
    assert await AmendJournal(journal).claim(REQUEST, REQUEST.completed(ORDER), "maker") is None
    again = await reopened(journal)
    (record,) = await AmendJournal(again).unresolved()
    assert (record.request, record.client, record.state, record.outcome) == (REQUEST, "maker", State.SENT, None)
    assert (record.target.quantity, record.target.order.order_id) == (Decimal("0.5"), "77")
    assert await AmendJournal(again).was_amended("mine")
    assert not await AmendJournal(again).was_amended("another")
    await again.close()


async def test_an_outcome_is_kept_whatever_it_is(journal: Journal) -> None:
    amendments = AmendJournal(journal)
    for amend_id, outcome in (("m1", ORDER), ("m2", OrderRejected("no", venue_code="-5027"))):
        request = AmendRequest(order=REQUEST.order, amend_id=amend_id, price=Decimal(1))
        await amendments.claim(request, request.completed(ORDER), "maker")
        await amendments.settle(amend_id, State.PLACED, outcome)
    placed, refused = await amendments.find("m1"), await amendments.find("m2")
    assert placed is not None
    assert refused is not None
    assert placed.outcome == ORDER
    assert isinstance(refused.outcome, OrderRejected)
    assert refused.outcome.venue_code == "-5027"


async def test_one_that_is_proven_undone_may_be_claimed_again_by_its_client_only(journal: Journal) -> None:
    amendments, target = AmendJournal(journal), REQUEST.completed(ORDER)
    await amendments.claim(REQUEST, target, "maker")
    assert await amendments.claim(REQUEST, target, "maker") is not None
    await amendments.settle("m1", State.ABSENT, None)
    assert await amendments.claim(REQUEST, target, "taker") is not None
    assert await amendments.claim(REQUEST, target, "maker") is None


async def test_a_journal_from_before_amendments_is_taken_over(journal: Journal) -> None:
    await journal.close()
    with closing(sqlite3.connect(journal.path)) as database:
        database.executescript("DROP TABLE amendment; DROP TABLE lease; PRAGMA user_version = 4;")
    again = Journal(journal.path)
    await again.open()
    assert await AmendJournal(again).unresolved() == []
    await again.close()
