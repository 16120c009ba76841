"""The feed of funding payments: each once, none lost, whatever the stream announced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, cast

from opensqt.model.errors import ExchangeError, PermissionDenied, Unreachable
from opensqt.model.funding import FundingPayment
from opensqt.venues.account.funding import FundingPayments
from opensqt.venues.health import Health
from opensqt.venues.rows import RowError
from opensqt.venues.set_aside import SetAside
from tests.support import eventually

HOUR_MS = 3_600_000
NOON_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS


def payment(number: int, at_ms: int = NOON_MS) -> FundingPayment:
    return FundingPayment(symbol="BTCUSDT", payment_id=str(number), amount=Decimal(-number), event_time_ms=at_ms)


class List:
    """A venue's list of payments; records since when it was asked for."""

    def __init__(self, *payments: FundingPayment) -> None:
        self.payments = list(payments)
        self.since: list[int] = []
        self.failures: list[ExchangeError] = []
        self.set_aside = SetAside("test")
        self.unreadable = False
        """Whether the list has a row that can't be read."""
        self.now_ms = NOON_MS + 60_000

    async def funding_payments(self, symbol: str, since_ms: int) -> list[FundingPayment]:
        assert symbol == ""
        self.since.append(since_ms)
        if self.unreadable:
            self.set_aside.add("funding", "BTCUSDT", "2", RowError("amount: expected a number"))
        if self.failures:
            raise self.failures.pop(0)
        return [one for one in self.payments if one.event_time_ms >= since_ms]


@asynccontextmanager
async def running(venue: List, health: Health | None = None) -> AsyncIterator[FundingPayments]:
    made = FundingPayments(
        cast("Any", venue), health or Health("test"), lambda: venue.now_ms, booked_after_s=0.1, retry_s=0.01
    )
    task = asyncio.create_task(made.run())
    try:
        yield made
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def asked(venue: List, more_than: int) -> None:
    await eventually(lambda: len(venue.since) > more_than, what="another query")


async def told_by(made: FundingPayments) -> Callable[[], list[str]]:
    """The ids that a reader is given from now on, the snapshot included."""
    await eventually(lambda: made.feed.ready)
    ids: list[str] = []
    stream = made.feed.subscribe()

    async def read() -> None:
        async for batch in stream:
            ids.extend(one.payment_id for one in batch.updates)

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda task: task.cancelled() or task.exception())
    return lambda: ids


async def test_what_was_paid_before_the_start_is_the_snapshot() -> None:
    venue = List(payment(1), payment(2))
    async with running(venue) as made:
        told = await told_by(made)
        await eventually(lambda: told() == ["1", "2"])
        assert venue.since == [0]


async def test_an_announced_payment_is_queried_and_told_once() -> None:
    """F8: each query overlaps the one before, and each payment counts once."""
    venue = List(payment(1))
    async with running(venue) as made:
        told = await told_by(made)
        venue.payments.append(payment(2, NOON_MS + HOUR_MS))
        for _ in range(3):
            queries = len(venue.since)
            made.announce()
            await asked(venue, queries)
        await eventually(lambda: told() == ["1", "2"])
        assert max(venue.since) < NOON_MS


async def test_a_payment_that_is_booked_after_its_announcement_is_told_by_a_later_query() -> None:
    """F6: queries may be stale, so one query after an announcement proves nothing."""
    venue = List(payment(1))
    async with running(venue) as made:
        told = await told_by(made)
        queries = len(venue.since)
        made.announce()
        await asked(venue, queries)
        venue.payments.append(payment(2, NOON_MS + HOUR_MS))
        await eventually(lambda: told() == ["1", "2"])


async def test_a_payment_of_an_older_time_than_the_newest_is_told() -> None:
    """F6: the payments of one hour are booked one after the other."""
    venue = List(payment(1, NOON_MS + HOUR_MS))
    async with running(venue) as made:
        told = await told_by(made)
        venue.payments.append(payment(2, NOON_MS))
        made.announce()
        await eventually(lambda: told() == ["1", "2"])


async def test_a_full_hour_is_an_announcement() -> None:
    """F6: the frame that announces a payment may be lost on a healthy connection."""
    venue = List(payment(1))
    venue.now_ms = NOON_MS + HOUR_MS - 1
    async with running(venue) as made:
        told = await told_by(made)
        venue.payments.append(payment(2, NOON_MS + HOUR_MS))
        await eventually(lambda: told() == ["1", "2"])


async def test_a_failed_query_is_reported_and_tried_again() -> None:
    """F3: "could not ask" is not taken for "nothing was paid", and everything else goes on."""
    venue, health = List(payment(1)), Health("test")
    venue.failures = [Unreachable("away"), PermissionDenied("no right to read the bills")]
    async with running(venue, health) as made:
        told = await told_by(made)
        await eventually(lambda: told() == ["1"])
        assert len(venue.since) == 3
        assert health.evaluate().checks == ()


async def test_a_row_that_cannot_be_read_holds_the_watermark() -> None:
    """F25: it is queried again until it can be read."""
    venue = List(payment(1, NOON_MS))
    async with running(venue) as made:
        told = await told_by(made)
        venue.unreadable = True
        venue.payments.append(payment(3, NOON_MS + 20 * HOUR_MS))
        made.announce()
        await eventually(lambda: told() == ["1", "3"])
        queries = len(venue.since)
        made.announce()
        await asked(venue, queries)
        assert max(venue.since) < NOON_MS
