"""Market data: one upstream per topic however many read it, kept fresh, closed when nobody reads any more."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from opensqt.model.content import without_times
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.streams.feed import Feed
from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.transport.ccxt_client import is_open
from opensqt.venues.transport.subscription import QUERY_ERRORS, Subscription

_log = get_logger("venue")
_CANDLES_KEPT = 100
_CHECKS_PER_PERIOD = 4
"""How often a topic that stalled is asked about in the time after which it counts as silent."""
_CHECK_TIMEOUT_S = 2.0
"""What the venue is given to say whether there is newer data."""
_CONTENT: dict[type[Any], Callable[[Any], Any]] = {kind: without_times(kind) for kind in (Price, Candle)}
T = TypeVar("T", bound=Price | Candle)


class MarketTopic(Generic[T]):
    """One topic: its feed, its upstream, and how fresh it is.

    Args:
        name: E.g. `price:BTCUSDT`.
        feed: What readers read.
        watch: Holds the subscription.
        unwatch: Gives it up on a connection that others use too.
        ask: Asks the venue for the newest of what the stream tells, oldest first.
        changed: Told when the topic turns fresh or stale, with the reason.
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
        """The connection that it is subscribed on."""
        self.last: T | None = None
        self.unwatch = unwatch
        self._query: Callable[[], Awaitable[list[T]]] = query
        self._on_freshness_change = on_freshness_change
        self._clock_s = clock_s
        self._verified_s = clock_s()
        self._last_update_s: float | None = None
        self._last_query_s = clock_s()
        self._replaced_s = clock_s()
        self._stalled_reason = ""
        """How the stream was found to be behind the venue; empty once it told something again."""
        self._idle_since_s: float | None = None
        self.subscription = Subscription(
            name, watch, on_lost=self._on_lost, catch_up=self.catch_up, on_socket=self._on_socket
        )
        self.fresh = False

    @property
    def connected(self) -> bool:
        """Whether its connection is open."""
        return is_open(self.socket)

    def handle(self, update: T, socket: Any) -> None:
        """Publish a streamed update, unless it is a repeated or a late one."""
        self.socket = socket
        self._last_update_s = self._clock_s()
        self._stalled_reason = ""
        self.subscription.reset_backoff()
        self._mark_fresh()
        if self._is_newer(update):
            self._publish(update)

    async def catch_up(self) -> None:
        """Publish what the venue tells on request and the stream has not told."""
        for update in await self._query():
            if self._is_newer(update):
                self._publish(update)
        if not self._stalled_reason:
            self._mark_fresh()

    def unverified_s(self) -> float:
        """Seconds since the stream, or a query that found nothing newer, last vouched for the last update."""
        return self._clock_s() - self._verified_s

    def data_age_s(self) -> float | None:
        """Seconds since the stream told anything, or None before it did."""
        return None if self._last_update_s is None else self._clock_s() - self._last_update_s

    def needs_check(self, stale_after_s: float) -> bool:
        """Whether it was silent for so long that it is time to ask the venue, again if need be."""
        pause_s = stale_after_s / _CHECKS_PER_PERIOD
        return self.unverified_s() > stale_after_s and self._clock_s() - self._last_query_s > pause_s

    def mark_stale_if_unverified(self, stale_after_s: float) -> str:
        """Say why the last update is not vouched for; empty while it is. Then it is stale from now on."""
        if not self.fresh or self.unverified_s() <= stale_after_s + _CHECK_TIMEOUT_S:
            return ""
        self.fresh = False
        return f"no data for {self.unverified_s():.0f} s, and the venue has not said yet whether there is newer"

    def begin_replacement(self, stale_after_s: float) -> bool:
        """Whether its connection should be replaced: once, and again when that one stays silent for as long."""
        if self._clock_s() - self._replaced_s <= stale_after_s:
            return False
        self._replaced_s = self._clock_s()
        return True

    async def check_stalled(self) -> bool:
        """Ask whether the venue knows something newer than the stream told: it stalled, the market did not."""
        before, self._last_query_s = self.last, self._clock_s()
        try:
            behind = [update for update in await self._query() if self._is_newer(update)]
        except QUERY_ERRORS as error:
            # Nothing was proven, neither way; but nothing vouches for the last update any more.
            reason = redact(repr(error))
            _log.warning("could not ask whether a stream stalled", topic=self.name, error=reason)
            self._mark_stale(f"no data for {self.unverified_s():.0f} s, and the venue could not be asked: {reason}")
            return False
        if not behind or self.last is not before:
            self._stalled_reason = ""
            self._mark_fresh()
            return False
        for update in behind:
            self._publish(update)
        self._stalled_reason = f"no data for {self.unverified_s():.0f} s while the venue knows newer data"
        self._mark_stale(self._stalled_reason)
        return True

    def update_idle_s(self) -> float:
        """Seconds that nobody has been reading."""
        if self.feed.readers:
            self._idle_since_s = None
            return 0.0
        if self._idle_since_s is None:
            self._idle_since_s = self._clock_s()
        return self._clock_s() - self._idle_since_s

    def _is_newer(self, update: T) -> bool:
        """Whether the update is neither late nor a repetition."""
        last = self.last
        return last is None or (update.event_time_ms >= last.event_time_ms and not _same(update, last))

    def _publish(self, update: T) -> None:
        self.last = update
        self.feed.publish((update,))

    def _mark_fresh(self) -> None:
        self._verified_s = self._clock_s()
        if not self.fresh:
            self.fresh = True
            self._on_freshness_change(True, "")

    def _on_lost(self, reason: str) -> None:
        self._mark_stale(self._stalled_reason or reason)

    def _on_socket(self, socket: Any) -> None:
        self.socket = socket

    def _mark_stale(self, reason: str) -> None:
        self.fresh = False
        self._on_freshness_change(False, reason)


class CandleTopic(MarketTopic[Candle]):
    """Candles of one symbol and interval: each closing one is delivered once, whatever the stream loses.

    Args:
        hole: Called when a candle began and the one before it was not seen to close; has `catch_up` called.
    """

    def __init__(self, name: str, feed: Feed[Candle], *, on_gap: Callable[[], None], **rest: Any) -> None:
        super().__init__(name, feed, **rest)
        self._on_gap = on_gap
        self._first_ms: int | None = None
        self._closed: dict[int, None] = {}

    def handle(self, update: Candle, socket: Any) -> None:
        """Publish a streamed candle, and look whether the one before it was seen to close."""
        super().handle(update, socket)
        before_ms = update.open_time_ms - INTERVALS_MS[update.interval]
        if self._first_ms is not None and before_ms >= self._first_ms and before_ms not in self._closed:
            self._on_gap()

    def _is_newer(self, update: Candle) -> bool:
        if update.open_time_ms in self._closed or (self._first_ms or 0) > update.open_time_ms:
            return False
        last = self.last
        if update.closed or last is None:
            return True
        # Volume only grows while a candle forms, and queries tell it too; event times they do not.
        return (update.open_time_ms, update.volume) >= (last.open_time_ms, last.volume) and not _same(update, last)

    def _publish(self, update: Candle) -> None:
        if self._first_ms is None:
            self._first_ms = update.open_time_ms
        if update.closed:
            self._closed[update.open_time_ms] = None
            if len(self._closed) > _CANDLES_KEPT:
                del self._closed[next(iter(self._closed))]
                self._first_ms = min(self._closed)
        if self.last is None or update.open_time_ms >= self.last.open_time_ms:
            self.last = update
        self.feed.publish((update,))


def price_feed() -> Feed[Price]:
    """Make the feed of one symbol's prices."""
    return Feed(key=_symbol, conflate=True)


def candle_feed() -> Feed[Candle]:
    """Make the feed of one symbol's candles; the key keeps a closing one from being conflated with the next."""
    return Feed(key=lambda candle: candle.open_time_ms, conflate=True, snapshot_limit=_CANDLES_KEPT)


def _symbol(price: Price) -> Hashable:
    return price.symbol


def _same(one: T, other: T) -> bool:
    told = _CONTENT[type(one)]
    return bool(told(one) == told(other))
