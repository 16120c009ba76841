"""The time that passed while this process ran: what leases, halts and claims last is counted by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

TICK_S = 0.25


async def elapsed(clock_s: Callable[[], float]) -> AsyncIterator[float]:
    """Yield, four times a second and without end, the seconds that passed since the last time.

    Time in which the process stood still does not count: nobody could be heard in it.

    Args:
        clock_s: Monotonic seconds.
    """
    last_s = clock_s()
    while True:
        await asyncio.sleep(TICK_S)
        now_s = clock_s()
        passed_s = min(now_s - last_s, 2 * TICK_S)
        last_s = now_s
        yield passed_s
