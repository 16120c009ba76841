"""Reports the frames that could not be read, and the errors of this program in handling a frame."""

from __future__ import annotations

import time
from typing import Any

from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.health import Health
from opensqt.venues.metrics import VenueMetrics
from opensqt.venues.set_aside import SetAside

_log = get_logger("venue")
FRAMES_CHECK = "frames"
"""Fails after an error of this program in handling a frame of the account, until a comparison succeeds."""
MARKET_FRAMES_CHECK = "market_frames"
"""Fails after an error of this program in handling a frame of the market, for `REPORTED_S`."""
EVENTS_CHECK = "events"
"""Names the kinds of events that the adapter does not know. It does not fail."""
REPORTED_S = 180.0
"""Seconds for which a frame or a candle that could not be read is reported: unlike a row, it does not come again."""
_LOGGED = 10
_LOGGED_EVERY = 1_000
PRIVATE, MARKET = "private", "market"


class FrameReports:
    """Counts, logs and reports, by stream: `private` or `market`.

    Args:
        venue: Name for the log.
        health: Receives the checks `frames` and `market_frames`.
        set_aside: Receives the frames that can't be read.
        metrics: Counts.
    """

    def __init__(self, venue: str, health: Health, set_aside: SetAside, metrics: VenueMetrics) -> None:
        self._venue = venue
        self._health = health
        self._set_aside = set_aside
        self._metrics = metrics
        self._market_error_s: float | None = None

    def unreadable(self, stream: str, symbol: str, channel: str, error: object, frame: Any) -> None:
        """Report a frame that can't be read.

        Args:
            stream: Where it came from.
            symbol: Its symbol; empty where it has none that can be read.
            channel: Its channel; empty where it has none that can be read.
            error: What is wrong with it.
            frame: As the venue sent it.
        """
        self._set_aside.add("frame", symbol, channel or stream, error, frame)
        count = self._count(self._metrics.malformed_frames, stream)
        if _is_logged(count):
            text = redact(f"{frame}: {error}"[:400])
            _log.warning("malformed frame", venue=self._venue, stream=stream, count=count, frame=text)

    def own_error(self, stream: str, error: Exception) -> None:
        """Report an error of this program in handling a frame: it says nothing about the frame."""
        count = self._count(self._metrics.own_errors, stream)
        if _is_logged(count):
            _log.error("own error in handling a frame", venue=self._venue, stream=stream, count=count, exc_info=error)
        reason = f"own error in handling a frame: {error!r}"
        if stream == PRIVATE:
            # The next comparison with the venue repairs it.
            self._health.set(FRAMES_CHECK, False, reason)
        else:
            self._market_error_s = time.monotonic()
            self._health.set(MARKET_FRAMES_CHECK, False, reason)

    def expire(self) -> None:
        """Forget the reports that are old enough."""
        before_s = time.monotonic() - REPORTED_S
        for kind in ("frame", "price", "candle", "trade"):
            self._set_aside.expire(kind, before_s)
        if self._market_error_s is not None and self._market_error_s < before_s:
            self._market_error_s = None
            self._health.forget(MARKET_FRAMES_CHECK)

    @staticmethod
    def _count(counter: Any, stream: str) -> int:
        counter[stream] += 1
        return int(counter[stream])


def _is_logged(count: int) -> bool:
    """Return whether a report is logged: the first ones show what is wrong, and a stream of them would fill the log."""
    return count <= _LOGGED or count % _LOGGED_EVERY == 0
