"""The order book of one symbol: one subscription, one local book, and a feed for each depth that is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import Any

from opensqt.model.errors import ExchangeError
from opensqt.model.market import MAX_DEPTH, BookLevel, OrderBook
from opensqt.service.backoff import Backoff
from opensqt.streams.feed import Feed
from opensqt.streams.market_feeds import order_book_feed
from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.events import BookUpdate
from opensqt.venues.market.book import LocalBook
from opensqt.venues.market.topic import MarketTopic
from opensqt.venues.transport.subscription import QUERY_ERRORS

_log = get_logger("venue")
_RENEW_BACKOFF_S = 0.2, 10.0
_SNAPSHOT_TIMEOUT_S = 3.0
"""Time that the venue gets to send a snapshot on the stream before it is requested again."""
_COMPARED_LEVELS = 20
_FIRST_CHANGE_TIMEOUT_S = 1.0
"""Time that the market gets to change: a snapshot that is queried before the stream has begun may miss changes."""
_CONNECTION_CHECK_S = 0.05
_REQUESTS_IN_VAIN = 3
"""Number of snapshots without effect after which the connection is replaced."""
_STABLE_S = 5.0
"""Time between two snapshots from which the first one counts as a success."""
Sides = tuple[tuple[BookLevel, ...], tuple[BookLevel, ...]]


class BookTopic(MarketTopic[OrderBook]):
    """Keeps the book up, and publishes its best levels to the readers of each depth.

    When the book becomes invalid, every reader is sent an invalid book at once. A new snapshot is then requested, with
    a back-off, until the book is valid again.

    Args:
        symbol: Canonical.
        book: Kept up by the frames.
        renew: Returns a snapshot, or None after it has requested one on the stream.
        compare: Queries the best levels, to verify a stream without data.
        begins_on_stream: See `PublicChannels.book_begins_on_stream`.
        linger_s: Seconds that the feed of a depth outlives its last reader.
    """

    def __init__(
        self,
        name: str,
        symbol: str,
        book: LocalBook,
        *,
        renew: Callable[[], Awaitable[BookUpdate | None]],
        compare: Callable[[], Awaitable[BookUpdate]],
        begins_on_stream: bool,
        linger_s: float,
        **rest: Any,
    ) -> None:
        super().__init__(name, order_book_feed(), query=self._no_query, **rest)
        self._symbol = symbol
        self.book = book
        self._renew = renew
        self._compare = compare
        self._begins_on_stream = begins_on_stream
        self._linger_s = linger_s
        self._feeds: dict[int, Feed[OrderBook]] = {}
        self._published: dict[int, Sides] = {}
        self._without_readers_since_s: dict[int, float] = {}
        self._invalid_reason = ""
        """Reason of the invalid book that was published last; empty after a valid one."""
        self._renewal_due = asyncio.Event()
        self._is_valid = asyncio.Event()
        self._has_frames = asyncio.Event()
        """Set once the current subscription has sent a frame."""
        self._is_new = False
        """Whether the subscription is new, so that its first frame is waited for."""
        self._renew_backoff = Backoff(*_RENEW_BACKOFF_S)
        self._renewed_s = -inf
        self._requests_in_vain = 0
        """Number of snapshots that were requested since the book was last valid."""
        self.invalidations = 0
        """How often the book became invalid."""

    @property
    def readers(self) -> int:
        """Number of readers, of all depths."""
        return sum(feed.readers for feed in self._feeds.values())

    def feed_of(self, depth: int) -> Feed[OrderBook]:
        """Return the feed of a depth."""
        feed = self._feeds.get(depth)
        if feed is None:
            feed = self._feeds[depth] = order_book_feed()
            self._without_readers_since_s.pop(depth, None)
            if self.book.valid:
                self._publish_sides(depth, feed, self._best())
            elif self._invalid_reason:
                feed.publish((self._invalid_book(),))
        return feed

    def close(self, error: ExchangeError) -> None:
        """End every reader with *error*."""
        for feed in self._feeds.values():
            feed.close(error)

    def update_idle_s(self) -> float:
        """Forget depths without readers, and return how long the topic has had none."""
        for depth, feed in tuple(self._feeds.items()):
            if feed.readers:
                self._without_readers_since_s.pop(depth, None)
            elif self._clock_s() - self._without_readers_since_s.setdefault(depth, self._clock_s()) > self._linger_s:
                del self._feeds[depth], self._without_readers_since_s[depth]
                self._published.pop(depth, None)
        return super().update_idle_s()

    async def run(self) -> None:
        """Keep the subscription up, and the book valid, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.subscription.run())
            group.create_task(self._keep_valid())

    def handle_frame(self, frame: BookUpdate, socket: Any) -> None:
        """Take in a frame of the stream."""
        self.socket = socket
        self._last_update_s = self._clock_s()
        self._stalled_reason = ""
        self._has_frames.set()
        self.book.handle(frame)
        self._publish_state()

    async def catch_up(self) -> None:
        """Begin with a snapshot: the subscription is new."""
        self._is_new = True
        self._has_frames.clear()
        self._renewal_due.set()

    async def check_stalled(self) -> bool:
        """Compare the book with the venue's, and mark it invalid if they differ and no change has come.

        Returns:
            Whether the stream is stalled.
        """
        before, self.last_query_s = self._last_update_s, self._clock_s()
        if not self.book.valid:
            # A hole that is mended in time is no failure of health, and a new connection is no remedy for it unless
            # snapshots have been requested in vain.
            self._mark_stale(f"invalid for {self.unverified_s():.0f} s: {self.book.invalid_reason}")
            return self._requests_in_vain >= _REQUESTS_IN_VAIN
        try:
            venues = await self._compare()
        except QUERY_ERRORS as error:
            reason = redact(repr(error))
            _log.warning("could not check whether a stream is stalled", topic=self.name, error=reason)
            self._mark_stale(f"no data for {self.unverified_s():.0f} s, and the venue could not be queried: {reason}")
            return False
        if self._last_update_s != before or not self._differs(venues):
            self.mark_fresh()
            return False
        self._stalled_reason = f"no data for {self.unverified_s():.0f} s while the venue has another book"
        self.book.invalidate(self._stalled_reason)
        self._publish_state()
        return True

    def _differs(self, venues: BookUpdate) -> bool:
        depth = min(_COMPARED_LEVELS, max(len(venues.bids), len(venues.asks)))
        ours = (self.book.bids.best(depth), self.book.asks.best(depth))
        return (venues.bids[:depth], venues.asks[:depth]) != ours

    def _on_lost(self, reason: str) -> None:
        self.book.invalidate(f"the connection was lost: {reason}")
        super()._on_lost(reason)
        self._publish_state()

    def _publish_state(self) -> None:
        """Publish the book, or that it became invalid."""
        if self.book.valid:
            self.subscription.reset_backoff()
            self._is_valid.set()
            self._requests_in_vain = 0
            if not self.book.runs_low:
                self._renewal_due.clear()
            elif not self._begins_on_stream:
                self._renewal_due.set()
            if self._invalid_reason and self.fresh:
                self._on_freshness_change(True, "")
            self.mark_fresh()
            self._invalid_reason = ""
            sides = self._best()
            for depth, feed in self._feeds.items():
                self._publish_sides(depth, feed, sides)
            return
        if self._is_valid.is_set():
            self._is_valid.clear()
            self.invalidations += 1
            self._invalid_reason = self.book.invalid_reason
            _log.warning("order book invalid", topic=self.name, reason=redact(self._invalid_reason))
            if self.fresh:
                self._on_freshness_change(True, f"invalid, a snapshot is requested: {self._invalid_reason}")
            self._published.clear()
            for feed in self._feeds.values():
                feed.publish((self._invalid_book(),))
        self._renewal_due.set()

    def _publish_sides(self, depth: int, feed: Feed[OrderBook], sides: Sides) -> None:
        """Publish the best levels of a depth, unless they have not changed."""
        best = sides[0][:depth], sides[1][:depth]
        if self._published.get(depth) == best:
            return
        self._published[depth] = best
        feed.publish(
            (
                OrderBook(
                    symbol=self._symbol,
                    bids=best[0],
                    asks=best[1],
                    sequence=self.book.sequence,
                    event_time_ms=self.book.event_time_ms,
                    received_ns=self.book.received_ns,
                ),
            )
        )

    def _best(self) -> Sides:
        return self.book.bids.best(MAX_DEPTH), self.book.asks.best(MAX_DEPTH)

    def _invalid_book(self) -> OrderBook:
        return OrderBook(
            symbol=self._symbol,
            sequence=self.book.sequence,
            invalid_reason=self._invalid_reason,
            event_time_ms=self.book.event_time_ms,
            received_ns=self.book.received_ns,
        )

    async def _keep_valid(self) -> None:
        """Request a snapshot each time that the book is not valid."""
        while True:
            await self._renewal_due.wait()
            if self.book.valid and not self.book.runs_low:
                self._renewal_due.clear()
                continue
            if not self.connected:
                # A snapshot without the stream would be true for a moment only.
                await asyncio.sleep(_CONNECTION_CHECK_S)
                continue
            if self._is_new:
                self._is_new = False
                await self._wait_for_stream()
                continue
            await self._pause()
            self._requests_in_vain += 1
            try:
                snapshot = await self._renew()
            except QUERY_ERRORS as error:
                _log.warning("snapshot of the order book failed", topic=self.name, error=redact(repr(error)))
                continue
            if snapshot is None:
                await self._wait_for_snapshot()
            elif self.connected:
                self.book.join(snapshot)
                self._publish_state()

    async def _pause(self) -> None:
        """Wait before a snapshot that follows the last one closely: a book that never stays valid must not flood."""
        if self._clock_s() - self._renewed_s > _STABLE_S:
            self._renew_backoff.reset()
        else:
            await asyncio.sleep(self._renew_backoff.next_s())
        self._renewed_s = self._clock_s()

    async def _wait_for_stream(self) -> None:
        """Wait for what a new subscription begins with: a snapshot, or the first change."""
        if self._begins_on_stream:
            await self._wait_for_snapshot()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_CHANGE_TIMEOUT_S):
                await self._has_frames.wait()

    async def _wait_for_snapshot(self) -> None:
        try:
            async with asyncio.timeout(_SNAPSHOT_TIMEOUT_S):
                await self._is_valid.wait()
        except TimeoutError:
            _log.warning("no snapshot of the order book came", topic=self.name)

    async def _no_query(self) -> list[OrderBook]:
        raise NotImplementedError("a book is compared with the venue's, and renewed by a snapshot")
