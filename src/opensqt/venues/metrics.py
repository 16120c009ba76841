"""What an adapter counts of its dealings with the venue, for whoever shows it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from opensqt.telemetry.distribution import SECONDS, Distribution


def _seconds() -> Distribution:
    return Distribution(SECONDS)


class VenueMetrics:
    """The counts of one adapter since its start; lanes are `cancel`, `order` and `query`."""

    def __init__(self) -> None:
        self.requests: defaultdict[str, Distribution] = defaultdict(_seconds)
        """By lane: seconds from when a request left until it was answered."""
        self.queue_seconds: defaultdict[str, Distribution] = defaultdict(_seconds)
        """By lane: seconds that a request waited for its turn in the rate budget."""
        self.errors: Counter[str] = Counter()
        """Requests that failed, by the reason of our error."""
        self.connections: Counter[str] = Counter()
        """WebSocket connections made: `private` or `market`."""
        self.queued: Callable[[], Mapping[str, int]] = dict
        """Answers by lane how many requests wait for their turn now."""


@runtime_checkable
class HasVenueMetrics(Protocol):
    """An exchange that counts."""

    @property
    def venue_metrics(self) -> VenueMetrics:
        """What it counted."""
        ...
