"""The account's funding payments: announced by the account stream or due by the clock, and always queried."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from opensqt.model.clock import is_plausible
from opensqt.model.funding import FundingPayment
from opensqt.streams.feed import Feed
from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.health import Health
from opensqt.venues.transport.subscription import QUERY_ERRORS
from opensqt.venues.venue import Venue

_log = get_logger("venue")
_CHECK = "funding_payments"
KIND = "funding"
"""Kind of the rows that are set aside."""
_HOUR_MS = 3_600_000
_OVERLAP_MS = 8 * _HOUR_MS
"""Overlap of a query with the previous one: a payment may be booked late. Repeated ones count once."""
_DELAYS_S = (0.0, 1.0, 5.0, 20.0, 60.0)
"""Pauses before the queries after an announcement: queries may be stale, and each position is booked for itself."""
_KEPT = 1_000


class FundingPayments:
    """Publishes each funding payment once.

    No venue's stream has a payment completely: that of Binance lacks the symbol and the id. So what is published
    always comes from a query, which begins before the newest payment that is known. A payment that an announcement
    missed is found by the next query, at the latest after the next full hour, and after each reconnect.

    Args:
        venue: Sends the queries.
        health: Receives the check `funding_payments` while they can't be queried.
        now_ms: Returns the venue's time.
        booked_after_s: Funding is due at full hours at the earliest, and booked so much later.
        retry_s: Seconds before a query that failed is made again.
    """

    def __init__(
        self,
        venue: Venue,
        health: Health,
        now_ms: Callable[[], int],
        *,
        booked_after_s: float = 5.0,
        retry_s: float = 5.0,
    ) -> None:
        self._venue = venue
        self._health = health
        self._now_ms = now_ms
        self._booked_after_s = booked_after_s
        self._retry_s = retry_s
        self.feed: Feed[FundingPayment] = Feed(
            key=lambda payment: payment.payment_id, conflate=False, snapshot_limit=_KEPT
        )
        self._known: dict[str, int] = {}
        """Times of the payments that were published, by id."""
        self._watermark_ms = 0
        self._announced = asyncio.Event()

    def announce(self) -> None:
        """Query the payments now, and again for a while."""
        self._announced.set()

    async def run(self) -> None:
        """Query after each announcement and after each full hour, for ever."""
        pauses_s = [0.0]
        while True:
            if not pauses_s:
                pauses_s = [self._until_due_s(), *_DELAYS_S[1:]]
            if await self._announced_within(pauses_s.pop(0)):
                pauses_s = list(_DELAYS_S[1:])
            try:
                await self._query()
            except QUERY_ERRORS as error:
                _log.warning("funding query failed", error=redact(repr(error)))
                self._health.set(_CHECK, True, f"could not be queried: {redact(str(error))}")
                pauses_s.insert(0, max(self._retry_s, getattr(error, "retry_after_s", None) or 0))
            else:
                self._health.forget(_CHECK)

    def _until_due_s(self) -> float:
        """Return the seconds until funding may have been paid by the clock."""
        return (_HOUR_MS - self._now_ms() % _HOUR_MS) / 1000 + self._booked_after_s

    async def _announced_within(self, pause_s: float) -> bool:
        """Wait for an announcement, at most *pause_s* seconds, and return whether there was one."""
        try:
            async with asyncio.timeout(pause_s):
                await self._announced.wait()
        except TimeoutError:
            return False
        self._announced.clear()
        return True

    async def _query(self) -> None:
        """Query the payments since the newest known one, less an overlap, and publish those that are new."""
        set_aside, queried_s = self._venue.set_aside, time.monotonic()
        found = await self._venue.funding_payments("", max(self._watermark_ms - _OVERLAP_MS, 0))
        set_aside.expire(KIND, queried_s)
        fresh = [payment for payment in found if payment.payment_id not in self._known]
        self._known |= {payment.payment_id: payment.event_time_ms for payment in fresh}
        if not self.feed.ready:
            self.feed.replace(fresh, gap=False)
        elif fresh:
            self.feed.publish(fresh)
        if not set_aside.rows(KIND):
            now_ns = time.time_ns()
            times = (payment.event_time_ms for payment in found if is_plausible(payment.event_time_ms, now_ns))
            self._watermark_ms = max(self._watermark_ms, *times, 0)
        oldest_ms = self._watermark_ms - 2 * _OVERLAP_MS
        self._known = {name: time_ms for name, time_ms in self._known.items() if time_ms >= oldest_ms}
