"""Keeps requests apart where a venue limits each endpoint by the second, so that it never has to refuse one."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping


class Pace:
    """Lets so many requests to an endpoint go in any second; the others wait their turn, in order.

    Args:
        limits: Requests a second by endpoint; an endpoint that is not named has no limit.
        period_s: A little over a second, as requests may come closer together at the venue than they left.
        clock_s: Monotonic seconds.
    """

    def __init__(
        self, limits: Mapping[str, int], *, period_s: float = 1.05, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._turns: dict[str, deque[float]] = {name: deque(maxlen=limit) for name, limit in limits.items()}
        self._period_s = period_s
        self._clock_s = clock_s

    def book(self, endpoint: str) -> float:
        """Take the next turn and answer how many seconds it is away."""
        turns = self._turns.get(endpoint)
        if turns is None:
            return 0.0
        now_s = self._clock_s()
        at_s = max(now_s, turns[0] + self._period_s) if len(turns) == turns.maxlen else now_s
        turns.append(at_s)
        return at_s - now_s

    def allow(self, endpoint: str, limit: int) -> None:
        """Take in what the venue says an endpoint's limit is; one that was not named stays without."""
        turns = self._turns.get(endpoint)
        if turns is not None and turns.maxlen != limit > 0:
            self._turns[endpoint] = deque(turns, maxlen=limit)

    async def wait(self, endpoint: str) -> None:
        """Wait for the next turn."""
        wait_s = self.book(endpoint)
        if wait_s > 0:
            await asyncio.sleep(wait_s)
