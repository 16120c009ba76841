"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

WITHIN_S = 60.0
"""How long a test waits for what must come. Far more than it takes on a busy machine: no behaviour asserts a time."""
_POLL_S = 0.02


async def eventually(condition: Callable[[], Awaitable[T | None]], *, what: str, within_s: float = WITHIN_S) -> T:
    """Return the first true value of *condition*; fail, with the last value, when none came in time."""
    deadline = time.monotonic() + within_s
    while True:
        value = await condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not met within {within_s} s; last value: {value!r}")
        await asyncio.sleep(_POLL_S)
