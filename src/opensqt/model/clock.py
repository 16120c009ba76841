"""Time, as a thing that can be handed in."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Answers UTC epoch nanoseconds."""


def now_ns() -> int:
    """UTC epoch nanoseconds."""
    return time.time_ns()


def now_ms() -> int:
    """UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000
