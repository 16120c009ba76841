"""The time that leases, halts and claims last: its bounds, and how much of it passed while this process ran."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from opensqt.model.errors import InvalidRequest

TICK_S = 0.25
SHORTEST_MS = 1_000
LONGEST_MS = 3_600_000


def check_ttl(ttl_ms: int, *, zero: str) -> None:
    """Check how long something shall last.

    Args:
        ttl_ms: Milliseconds.
        zero: What 0 is for.

    Raises:
        InvalidRequest: It is out of its bounds.
    """
    if ttl_ms != 0 and not SHORTEST_MS <= ttl_ms <= LONGEST_MS:
        raise InvalidRequest(f"ttl_ms {ttl_ms}: expected {SHORTEST_MS} to {LONGEST_MS}, or 0 {zero}")


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
