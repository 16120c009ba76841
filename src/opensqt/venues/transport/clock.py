"""The offset between the venue's clock and the local one, and whether it is known well enough to sign with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from opensqt.model.clock import now_ms
from opensqt.model.errors import ExchangeError, RateLimited
from opensqt.telemetry.logging import get_logger
from opensqt.venues.health import Health

_log = get_logger("venue")
_SAMPLES = 3
_LOG_CHANGE_MS = 250
_STALE_INTERVALS = 3
"""Intervals without a measurement after which the last one is stale."""


class VenueClock:
    """Measures the clock offset that every request is signed with.

    Args:
        query_time: Queries the venue for its time, in epoch milliseconds.
        client: The ccxt client; it signs with its `clock_offset_ms`.
        health: Receives the check `clock`.
        window_ms: How far a signed timestamp may be off.
        interval_s: Age of a measurement at which the next one is due.
    """

    def __init__(
        self,
        query_time: Callable[[], Awaitable[int]],
        client: Any,
        health: Health,
        *,
        window_ms: int,
        interval_s: float,
    ) -> None:
        self._query_time = query_time
        self._client = client
        self._health = health
        self._window_ms = window_ms
        self._interval_s = interval_s
        self._measuring = asyncio.Lock()
        self._measured_s: float | None = None
        self._step_ms = 0.0
        health.add_probe("clock", self._stale_reason)

    @property
    def due(self) -> bool:
        """Whether a measurement is due: the last one is old or failed, or the local clock was set."""
        if self._measured_s is None or not self._health.ok("clock"):
            return True
        was_set = abs(_local_step_ms() - self._step_ms) > _LOG_CHANGE_MS
        return was_set or time.monotonic() - self._measured_s > self._interval_s

    async def measure(self) -> None:
        """Measure the offset, from the quickest of a few queries, and set the check `clock`.

        Raises:
            ExchangeError: The venue's time is not available.
        """
        async with self._measuring:
            try:
                samples = [await self._sample() for _ in range(_SAMPLES)]
            except RateLimited:
                # A limit is used up: that says nothing about the clock.
                raise
            except ExchangeError as error:
                self._health.set("clock", False, f"the venue's time could not be queried: {error}")
                raise
        took_ms, offset_ms = min(samples)
        was_ms = self._client.clock_offset_ms
        moved_ms = abs(offset_ms - was_ms)
        if moved_ms > _LOG_CHANGE_MS:
            _log.info("clock offset changed", offset_ms=offset_ms, was_ms=was_ms)
        self._client.clock_offset_ms = offset_ms
        reason = rejection_reason(took_ms, moved_ms if self._measured_s is not None else 0, self._window_ms)
        self._measured_s, self._step_ms = time.monotonic(), _local_step_ms()
        self._health.set("clock", not reason, reason)

    async def _sample(self) -> tuple[int, int]:
        """Return the milliseconds that one query took, and the offset that follows from it."""
        sent_ms = now_ms()
        venue_ms = await self._query_time()
        took_ms = now_ms() - sent_ms
        return took_ms, venue_ms - sent_ms - took_ms // 2

    def _stale_reason(self) -> str:
        age_s = time.monotonic() - self._measured_s if self._measured_s is not None else 0.0
        return f"not measured for {age_s:.0f} s" if age_s > _STALE_INTERVALS * self._interval_s else ""


def rejection_reason(took_ms: int, moved_ms: int, window_ms: int) -> str:
    """Return the reason not to sign with a measurement; empty when it can be trusted.

    The distance between the clocks does not matter: a request signed with a known offset is accepted. An offset that
    jumped since the last measurement may jump again. It is trusted when the next measurement confirms it.
    """
    if took_ms >= window_ms:
        return f"the query for the venue's time took {took_ms} ms; a signed request may be {window_ms} ms old"
    if moved_ms >= window_ms:
        return f"jumped by {moved_ms} ms since the last measurement; trusted when the next one confirms it"
    return ""


def _local_step_ms() -> float:
    """Return a value that changes only when the local wall clock is set or the machine slept."""
    return time.time() * 1000 - time.monotonic() * 1000
