"""The clock, as a function that can be injected."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns UTC epoch nanoseconds."""


def now_ns() -> int:
    """Return UTC epoch nanoseconds."""
    return time.time_ns()


def now_ms() -> int:
    """Return UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000
