"""How far the venue's clock is from ours, and whether that is known well enough to sign by it."""

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
"""Intervals without a measurement after which the last one counts for nothing."""


class VenueClock:
    """Measures the offset that every request is signed with.

    Args:
        ask: Asks the venue for its time.
        client: The tapped ccxt client; signs by its `clock_offset_ms`.
        health: Where `clock` is told.
        window_ms: How far a signed timestamp may be off.
        interval_s: How old a measurement may become before the next one is due.
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
        """Whether it should be measured now: the last time is long ago or went wrong, or our own clock was set."""
        if self._measured_s is None or not self._health.ok("clock"):
            return True
        was_set = abs(_our_step_ms() - self._step_ms) > _LOG_CHANGE_MS
        return was_set or time.monotonic() - self._measured_s > self._interval_s

    async def measure(self) -> None:
        """Go by the quickest of a few answers.

        Raises:
            ExchangeError: The venue's time could not be had.
        """
        async with self._measuring:
            samples = [await self._sample() for _ in range(_SAMPLES)]
        took_ms, offset_ms = min(samples)
        was_ms = self._client.clock_offset_ms
        moved_ms = abs(offset_ms - was_ms)
        if moved_ms > _LOG_CHANGE_MS:
            _log.info("the venue's clock moved against ours", offset_ms=offset_ms, was_ms=was_ms)
        self._client.clock_offset_ms = offset_ms
        reason = rejection_reason(took_ms, moved_ms if self._measured_s is not None else 0, self._window_ms)
        self._measured_s, self._step_ms = time.monotonic(), _our_step_ms()
        self._health.set("clock", not reason, reason)

    async def _sample(self) -> tuple[int, int]:
        """Answer how long the venue took to tell its time, and the offset that follows."""
        sent_ms = now_ms()
        try:
            venue_ms = await self._query_time()
        except RateLimited:
            # A limit is used up: that says nothing about the clock.
            raise
        except ExchangeError as error:
            self._health.set("clock", False, f"the venue's clock could not be asked: {error}")
            raise
        took_ms = now_ms() - sent_ms
        return took_ms, venue_ms - sent_ms - took_ms // 2

    def _stale_reason(self) -> str:
        age_s = time.monotonic() - self._measured_s if self._measured_s is not None else 0.0
        return f"not measured for {age_s:.0f} s" if age_s > _STALE_INTERVALS * self._interval_s else ""


def rejection_reason(took_ms: int, moved_ms: int, window_ms: int) -> str:
    """Say why a measurement is not to be signed by; empty when it is.

    However far the clocks are apart, a request signed by a known offset is taken. One that jumped since it was
    measured last may jump again: it is trusted when the next measurement finds it where this one did.
    """
    if took_ms >= window_ms:
        return f"the venue took {took_ms} ms to tell its time; a signed request may be {window_ms} ms old"
    if moved_ms >= window_ms:
        return f"jumped by {moved_ms} ms since it was measured last; trusted when it is found there again"
    return ""


def _our_step_ms() -> float:
    """Answer what only changes when our wall clock is set or the machine slept."""
    return time.time() * 1000 - time.monotonic() * 1000
