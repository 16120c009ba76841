"""Retries a step of an adapter's start, with the capacity of the rate limit that is reserved for cancels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from opensqt.service.retry import retry_start
from opensqt.venues.ratelimit.limiter import in_lane
from opensqt.venues.ratelimit.window import Lane

_TIMEOUT_S = 180.0


async def retry_start_step(
    step: Callable[[], Awaitable[None]],
    *,
    timeout_s: float = _TIMEOUT_S,
    clock_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run a step of the start as `retry_start` does; the arguments and the errors are the same."""

    async def in_reserved_capacity() -> None:
        # Every cancel waits for the start, so its requests may use the capacity that is reserved for cancels.
        with in_lane(Lane.CANCEL):
            await step()

    await retry_start(in_reserved_capacity, logger="venue", timeout_s=timeout_s, clock_s=clock_s, sleep=sleep)
