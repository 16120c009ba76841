"""The clock, as a function that can be injected."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns UTC epoch nanoseconds."""


MAX_AHEAD_MS = 60_000
"""A venue's time that is further ahead of ours is wrong. No watermark may be taken from it: what comes after the
wrong time would never be queried again."""


def is_plausible(event_time_ms: int, received_ns: int) -> bool:
    """Return whether a venue's time is not in the future of when it was received; without that, any time is."""
    return not received_ns or event_time_ms <= received_ns // 1_000_000 + MAX_AHEAD_MS


def now_ns() -> int:
    """Return UTC epoch nanoseconds."""
    return time.time_ns()


def now_ms() -> int:
    """Return UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000
