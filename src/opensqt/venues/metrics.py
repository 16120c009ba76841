"""Metrics of an adapter: requests, queue times, errors and connections. The connector exports them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from opensqt.telemetry.distribution import SECONDS, Distribution


def _seconds() -> Distribution:
    return Distribution(SECONDS)


class VenueMetrics:
    """Counters of one adapter since its start. The lanes are `cancel`, `order` and `query`."""

    def __init__(self) -> None:
        self.requests: defaultdict[str, Distribution] = defaultdict(_seconds)
        """Seconds from the send of a request to its response, by lane."""
        self.queue_seconds: defaultdict[str, Distribution] = defaultdict(_seconds)
        """Seconds that a request waited in the rate limiter's queue, by lane."""
        self.errors: Counter[str] = Counter()
        """Failed requests, by the reason of the OpenSQT error."""
        self.connections: Counter[str] = Counter()
        """WebSocket connections made, by kind: `private` or `market`."""
        self.malformed_frames: Counter[str] = Counter()
        """Frames that could not be read, by stream: `private` or `market`."""
        self.own_errors: Counter[str] = Counter()
        """Errors of this program in handling a frame, by stream."""
        self.unhandled_events: Counter[str] = Counter()
        """Events of a kind that the adapter does not know, by kind."""
        self.unreadable_rows: Counter[str] = Counter()
        """Rows of the venue that could not be read, by kind."""
        self.rows_set_aside: Callable[[], Mapping[str, int]] = dict
        """Returns the number of rows that can't be read now, by kind."""
        self.account_notices: Counter[str] = Counter()
        """Notices about the account, by kind."""
        self.untradable_held: Callable[[], Mapping[str, str]] = dict
        """Returns the symbols that are held or have open orders and do not trade, each with its state."""
        self.queued: Callable[[], Mapping[str, int]] = dict
        """Returns the number of requests in the rate limiter's queue now, by lane."""


@runtime_checkable
class HasVenueMetrics(Protocol):
    """An exchange that exposes the metrics of its adapter."""

    @property
    def venue_metrics(self) -> VenueMetrics:
        """The metrics of the adapter."""
        ...
