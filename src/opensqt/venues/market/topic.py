"""One market data topic: one subscription for all its readers, and whether its data is fresh."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from opensqt.model.content import without_times
from opensqt.model.errors import ExchangeError
from opensqt.model.market import INTERVALS_MS, Candle, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.streams.feed import Feed
from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.transport.ccxt_client import is_open
from opensqt.venues.transport.subscription import QUERY_ERRORS, VenueSubscription

_log = get_logger("venue")
_CANDLES_KEPT = 100
_CHECKS_PER_PERIOD = 4
"""Number of checks of a stalled topic in each period of `stale_after_s`."""
_CHECK_TIMEOUT_S = 2.0
"""Time that the venue gets to say whether there is newer data."""
_WITHOUT_TIMES: dict[type[Any], Callable[[Any], Any]] = {
    kind: without_times(kind) for kind in (Price, Candle, MarkPrice)
}
T = TypeVar("T", bound=Price | Candle | OrderBook | PublicTrade | MarkPrice)


class MarketTopic(Generic[T]):
    """One topic: its feed, its subscription, and its freshness.

    Args:
        name: E.g. `price:BTCUSDT`.
        feed: Publishes to the readers.
        watch: Subscribes; ends when the connection does.
        unwatch: Unsubscribes on a connection that other topics use, too.
        query: Queries the venue for the newest updates, oldest first.
        on_freshness_change: Called with (fresh, reason) when the topic becomes fresh or stale.
        clock_s: Monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        feed: Feed[T],
        *,
        watch: Callable[[], Awaitable[Any]],
        unwatch: Callable[[], Awaitable[None]],
        query: Callable[[], Awaitable[list[T]]],
        on_freshness_change: Callable[[bool, str], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.feed: Feed[T] = feed
        self.socket: Any = None
        """The connection of the subscription."""
        self.last: T | None = None
        self.unwatch = unwatch
        self._query: Callable[[], Awaitable[list[T]]] = query
        self._on_freshness_change = on_freshness_change
        self._clock_s = clock_s
        self._verified_s = clock_s()
        self._last_update_s: float | None = None
        self.last_query_s = clock_s()
        self._replaced_s = clock_s()
        self._stalled_reason = ""
        """Reason why the stream counts as stalled; cleared once it publishes an update."""
        self._idle_since_s: float | None = None
        self.subscription = VenueSubscription(
            name, watch, on_lost=self._on_lost, catch_up=self.catch_up, on_socket=self._on_socket
        )
        self.fresh = False

    @property
    def connected(self) -> bool:
        """Whether its connection is open."""
        return is_open(self.socket)

    @property
    def readers(self) -> int:
        """Number of readers."""
        return self.feed.readers

    async def run(self) -> None:
        """Keep the subscription up until cancelled."""
        await self.subscription.run()

    def close(self, error: ExchangeError) -> None:
        """End every reader with *error*."""
        self.feed.close(error)

    def handle(self, update: T, socket: Any) -> None:
        """Publish a streamed update, unless it is repeated or late."""
        self.socket = socket
        self._last_update_s = self._clock_s()
        self._stalled_reason = ""
        self.subscription.reset_backoff()
        self.mark_fresh()
        if self._is_newer(update):
            self._publish(update)

    async def catch_up(self) -> None:
        """Query the venue, and publish the updates that the stream has not published."""
        for update in await self._query():
            if self._is_newer(update):
                self._publish(update)
        if not self._stalled_reason:
            self.mark_fresh()

    def unverified_s(self) -> float:
        """Return the seconds since the stream, or a query that found nothing newer, last verified the last update."""
        return self._clock_s() - self._verified_s

    def data_age_s(self) -> float | None:
        """Return the seconds since the stream's last update, or None before the first."""
        return None if self._last_update_s is None else self._clock_s() - self._last_update_s

    def needs_check(self, stale_after_s: float) -> bool:
        """Return whether the stream has had no data for so long that a query is due, the first or another one."""
        pause_s = stale_after_s / _CHECKS_PER_PERIOD
        return self.unverified_s() > stale_after_s and self._clock_s() - self.last_query_s > pause_s

    def mark_stale_if_unverified(self, stale_after_s: float) -> str:
        """Mark the last update as stale if it is no longer verified.

        Returns:
            The reason; empty while the update is verified, or when it was stale before.
        """
        if not self.fresh or self.unverified_s() <= stale_after_s + _CHECK_TIMEOUT_S:
            return ""
        self.fresh = False
        return f"no data for {self.unverified_s():.0f} s, and the venue has not said yet whether there is newer data"

    def begin_replacement(self, stale_after_s: float) -> bool:
        """Begin to replace a stalled connection: once, and again when the new one has had no data for as long.

        Returns:
            Whether the connection should be replaced now.
        """
        if self._clock_s() - self._replaced_s <= stale_after_s:
            return False
        self._replaced_s = self._clock_s()
        return True

    async def check_stalled(self) -> bool:
        """Query the venue, and mark the topic fresh, or stale if the venue has newer data than the stream published.

        Returns:
            Whether the stream is stalled: the market has moved and the stream has not.
        """
        before, heard_s, self.last_query_s = self.last, self._last_update_s, self._clock_s()
        try:
            newer = [update for update in await self._query() if self._is_newer(update)]
        except QUERY_ERRORS as error:
            # This proves nothing either way, but the last update is no longer verified.
            reason = redact(repr(error))
            _log.warning("could not check whether a stream is stalled", topic=self.name, error=reason)
            self._mark_stale(f"no data for {self.unverified_s():.0f} s, and the venue could not be queried: {reason}")
            return False
        if self.last is not before and self._last_update_s == heard_s:
            # A query after a reconnect has published meanwhile, which proves nothing about the stream.
            return False
        if not newer or self.last is not before:
            self._stalled_reason = ""
            self.mark_fresh()
            return False
        for update in newer:
            self._publish(update)
        self._stalled_reason = f"no data for {self.unverified_s():.0f} s while the venue has newer data"
        self._mark_stale(self._stalled_reason)
        return True

    def update_idle_s(self) -> float:
        """Update how long the topic has had no reader, and return the seconds."""
        if self.readers:
            self._idle_since_s = None
            return 0.0
        if self._idle_since_s is None:
            self._idle_since_s = self._clock_s()
        return self._clock_s() - self._idle_since_s

    def _is_newer(self, update: T) -> bool:
        """Return whether an update is neither late nor repeated."""
        last = self.last
        return last is None or (update.event_time_ms >= last.event_time_ms and not _same(update, last))

    def _publish(self, update: T) -> None:
        self.last = update
        self.feed.publish((update,))

    def mark_fresh(self) -> None:
        """Note that the data is verified now."""
        self._verified_s = self._clock_s()
        if not self.fresh:
            self.fresh = True
            self._on_freshness_change(True, "")

    def _mark_stale(self, reason: str) -> None:
        self.fresh = False
        self._on_freshness_change(False, reason)

    def _on_lost(self, reason: str) -> None:
        self._mark_stale(self._stalled_reason or reason)

    def _on_socket(self, socket: Any) -> None:
        self.socket = socket


class CandleTopic(MarketTopic[Candle]):
    """Candles of one symbol and interval: each closed candle is published once, whatever the stream loses.

    Args:
        on_gap: Called when a candle began and the one before it was not seen to close; it starts `catch_up`.
    """

    def __init__(self, name: str, feed: Feed[Candle], *, on_gap: Callable[[], None], **rest: Any) -> None:
        super().__init__(name, feed, **rest)
        self._on_gap = on_gap
        self._first_ms: int | None = None
        self.closed_bars: dict[int, None] = {}

    def handle(self, update: Candle, socket: Any) -> None:
        """Publish a streamed candle, and check whether the one before it was seen to close."""
        super().handle(update, socket)
        before_ms = update.open_time_ms - INTERVALS_MS[update.interval]
        if self._first_ms is not None and before_ms >= self._first_ms and before_ms not in self.closed_bars:
            self._on_gap()

    def _is_newer(self, update: Candle) -> bool:
        if update.open_time_ms in self.closed_bars or (self._first_ms or 0) > update.open_time_ms:
            return False
        last = self.last
        if update.closed or last is None:
            return True
        # Volume only grows while a candle forms, and queries report it, too; they report no event times.
        return (update.open_time_ms, update.volume) >= (last.open_time_ms, last.volume) and not _same(update, last)

    def _publish(self, update: Candle) -> None:
        if self._first_ms is None:
            self._first_ms = update.open_time_ms
        if update.closed:
            self.closed_bars[update.open_time_ms] = None
            if len(self.closed_bars) > _CANDLES_KEPT:
                del self.closed_bars[next(iter(self.closed_bars))]
                self._first_ms = min(self.closed_bars)
        if self.last is None or update.open_time_ms >= self.last.open_time_ms:
            self.last = update
        self.feed.publish((update,))


def price_feed() -> Feed[Price]:
    """Make the feed of one symbol's prices."""
    return Feed(key=_symbol, conflate=True)


def candle_feed() -> Feed[Candle]:
    """Make the feed of one symbol's candles. Its key keeps a closed candle from being conflated with the next."""
    return Feed(key=lambda candle: candle.open_time_ms, conflate=True, snapshot_limit=_CANDLES_KEPT)


def _symbol(price: Price) -> Hashable:
    return price.symbol


def _same(one: T, other: T) -> bool:
    strip = _WITHOUT_TIMES[type(one)]
    return bool(strip(one) == strip(other))
