"""The order book of one symbol as its readers see it: each depth, invalid at once, valid again with a snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from opensqt.model.errors import Unreachable
from opensqt.venues.events import BookUpdate
from opensqt.venues.market.book import LocalBook
from opensqt.venues.market.book_topic import BookTopic
from tests.support import eventually

Levels = dict[int, int]


def levels(found: Levels) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(price), Decimal(quantity)) for price, quantity in found.items())


def frame(last: int, bids: Levels, asks: Levels | None = None, **more: Any) -> BookUpdate:
    return BookUpdate(
        symbol="BTCUSDT",
        bids=levels(bids),
        asks=levels(asks or {}),
        last=last,
        event_time_ms=last,
        received_ns=1,
        **more,
    )


def snapshot(last: int, bids: Levels | None = None) -> BookUpdate:
    return frame(last, bids or {99: 1, 98: 2, 97: 3}, {101: 1, 102: 2}, snapshot=True)


class Rig:
    """A venue that answers snapshots, and a topic of its book."""

    def __init__(self, *, begins_on_stream: bool = False) -> None:
        self.snapshots: list[BookUpdate | Exception | None] = []
        self.renewals = 0
        self.venues: BookUpdate | Exception = snapshot(10)
        self.changes: list[tuple[bool, str]] = []
        self.now_s = 100.0
        self.socket = SimpleNamespace(error=None, connection=SimpleNamespace(closed=False))
        self.lost = asyncio.Event()
        self.topic = BookTopic(
            "order_book:BTCUSDT",
            "BTCUSDT",
            LocalBook(window=100, sends_entering_levels=True, checksum=lambda _bids, _asks: 0),
            watch=self.watch,
            unwatch=self.nothing,
            renew=self.renew,
            compare=self.compare,
            begins_on_stream=begins_on_stream,
            linger_s=10,
            on_freshness_change=lambda fresh, reason: self.changes.append((fresh, reason)),
            clock_s=lambda: self.now_s,
        )
        self.topic.socket = self.socket

    async def watch(self) -> None:
        await self.lost.wait()
        raise Unreachable("the connection is gone")

    async def nothing(self) -> None:
        return

    async def renew(self) -> BookUpdate | None:
        self.renewals += 1
        self.now_s += 60
        answer = self.snapshots.pop(0) if self.snapshots else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def compare(self) -> BookUpdate:
        if isinstance(self.venues, Exception):
            raise self.venues
        return self.venues

    def handle(self, *frames: BookUpdate) -> None:
        for one in frames:
            self.topic.handle_frame(one, self.socket)


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    task = asyncio.create_task(rig.topic.run())
    try:
        yield rig
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def holds(condition: Callable[[], bool]) -> None:
    await eventually(condition, what="the state of the book")


async def test_each_depth_has_its_own_levels_and_is_published_when_they_change() -> None:
    rig = Rig()
    flat, deep = rig.topic.feed_of(1), rig.topic.feed_of(3)
    rig.handle(snapshot(10), frame(11, {97: 9}, previous=10))
    assert [len(book.bids) for book in (*flat.snapshot, *deep.snapshot)] == [1, 3]
    assert (flat.sequence, deep.sequence) == (1, 2)


async def test_a_reader_of_another_depth_gets_the_book_at_once() -> None:
    rig = Rig()
    rig.topic.feed_of(1)
    rig.handle(snapshot(10))
    (book,) = rig.topic.feed_of(2).snapshot
    assert (book.sequence, len(book.bids)) == (10, 2)


async def test_a_hole_is_published_as_an_invalid_book_without_levels() -> None:
    """F14: a book with a hole in it is not traded on."""
    rig = Rig()
    feed = rig.topic.feed_of(3)
    rig.handle(snapshot(10), frame(14, {99: 5}, previous=12))
    (book,) = feed.snapshot
    assert (book.valid, book.bids, book.asks) == (False, (), ())
    assert "12" in book.invalid_reason


async def test_the_reader_of_a_depth_that_is_new_is_told_that_the_book_is_invalid() -> None:
    """F14: a book with a hole in it is not traded on."""
    rig = Rig()
    rig.handle(snapshot(10), frame(14, {99: 5}, previous=12))
    (book,) = rig.topic.feed_of(5).snapshot
    assert not book.valid


async def test_a_hole_is_mended_by_a_queried_snapshot() -> None:
    rig = Rig()
    feed = rig.topic.feed_of(3)
    async with running(rig):
        rig.snapshots = [snapshot(10), Unreachable("gone"), snapshot(11), snapshot(13)]
        rig.handle(frame(10, {1: 1}, previous=9))
        await holds(lambda: rig.topic.book.valid)
        rig.handle(frame(14, {99: 5}, previous=12))
        await holds(lambda: rig.topic.book.valid)
        assert (rig.renewals, rig.topic.book.sequence, feed.snapshot[0].bids[0]) == (4, 14, (Decimal(99), Decimal(5)))


async def test_nothing_is_queried_while_the_connection_is_down() -> None:
    """F14: a snapshot without the stream would be true for a moment only."""
    rig = Rig()
    rig.socket.connection.closed = True
    async with running(rig):
        rig.snapshots = [snapshot(10)]
        await asyncio.sleep(0.2)
        assert (rig.renewals, rig.topic.book.valid) == (0, False)
        rig.socket.connection.closed = False
        await holds(lambda: rig.topic.book.valid)


async def test_a_venue_that_sends_the_snapshot_itself_is_not_asked_for_another() -> None:
    rig = Rig(begins_on_stream=True)
    async with running(rig):
        await asyncio.sleep(0)
        rig.handle(snapshot(10))
        await asyncio.sleep(0.1)
        assert (rig.renewals, rig.topic.book.valid) == (0, True)


async def test_a_lost_connection_is_told_to_the_readers() -> None:
    """F14: what happened while the stream was away is not known."""
    rig = Rig()
    feed = rig.topic.feed_of(3)
    async with running(rig):
        rig.handle(snapshot(10))
        rig.lost.set()
        await holds(lambda: not feed.snapshot[0].valid)
        assert rig.changes[-1][0] is False


async def test_a_hole_that_is_mended_in_time_is_no_failure_of_health() -> None:
    rig = Rig()
    rig.handle(snapshot(10), frame(14, {99: 5}, previous=12))
    assert rig.changes[-1][0] is True
    assert "12" in rig.changes[-1][1]
    rig.handle(snapshot(15))
    assert rig.changes[-1] == (True, "")


async def test_a_book_that_stays_invalid_is_a_failure_of_health() -> None:
    """F13: readiness is lost while the book is not known."""
    rig = Rig()
    rig.handle(snapshot(10), frame(14, {99: 5}, previous=12))
    rig.now_s += 30
    assert rig.topic.needs_check(10)
    assert not await rig.topic.check_stalled()
    assert rig.changes[-1][0] is False


async def test_a_connection_on_which_no_snapshot_helps_is_replaced() -> None:
    """F13: a channel that stalls while pings go on is noticed."""
    rig = Rig()
    rig.snapshots = [Unreachable("gone")] * 1000
    async with running(rig):
        rig.handle(snapshot(10), frame(14, {99: 5}, previous=12))
        await holds(lambda: rig.renewals >= 3)
        assert await rig.topic.check_stalled()


async def test_a_quiet_stream_is_verified_by_the_venues_own_book() -> None:
    """F13: a channel that stalls while pings go on is noticed."""
    rig = Rig()
    rig.handle(snapshot(10))
    rig.now_s += 30
    assert not await rig.topic.check_stalled()
    assert rig.topic.unverified_s() == 0
    rig.venues = snapshot(12, {99: 7, 98: 2, 97: 3})
    assert await rig.topic.check_stalled()
    assert not rig.topic.book.valid


async def test_a_comparison_that_failed_proves_nothing() -> None:
    """F3: a query that fails, or could not be made, is no proof of absence."""
    rig = Rig()
    rig.handle(snapshot(10))
    rig.venues = Unreachable("gone")
    rig.now_s += 30
    assert not await rig.topic.check_stalled()
    assert (rig.topic.book.valid, rig.topic.unverified_s()) == (True, 30)


async def test_a_depth_without_readers_is_forgotten_after_the_grace_period() -> None:
    """F26: memory does not grow with subscriptions that end."""
    rig = Rig()
    rig.handle(snapshot(10))
    first = rig.topic.feed_of(3)
    reader = first.subscribe()
    rig.topic.update_idle_s()
    reader.entries.close()
    for _ in range(2):
        assert rig.topic.feed_of(3) is first
        rig.topic.update_idle_s()
        rig.now_s += 11
    rig.topic.update_idle_s()
    assert rig.topic.feed_of(3) is not first
