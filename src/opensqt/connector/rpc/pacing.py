"""Paces the calls that don't trade, so that orders don't wait behind a flood of them.

The event loop answers calls in the order in which they come. A hundred reads at once, or a stranger's hundred refused
calls, take 50 ms of it, and an order, which needs the loop a dozen times on its way, waits behind them each time.
While somebody trades, one of the other calls is begun each few milliseconds, and a little later where an order is being
answered just then. Callers that wait for their answers, as all that gRPC's limit of streams holds back do in the end,
are slowed down by that themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_QUIET_S = 60.0
"""Trading counts as going on for so long after its last call: a market maker's next order may come at any time."""
_LOOK_AGAIN_S = 0.002
_MOST_LOOKS = 3
"""While an order is being answered a call is put off for so long, so often: an exchange may take its time to answer."""
_MAX_WAITING = 1000
"""Calls of one caller that wait. More are not held back, for each that waits takes memory."""


class TradingActivity:
    """Whether somebody trades.

    Args:
        clock_s: Monotonic seconds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._calls = 0
        self._last_s = float("-inf")

    @property
    def goes_on(self) -> bool:
        """Whether a call that trades is being answered, or was within the last minute."""
        return self._calls > 0 or self._clock_s() - self._last_s <= _QUIET_S

    @property
    def answering(self) -> bool:
        """Whether a call that trades is being answered."""
        return self._calls > 0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Answer a call that trades, or makes trading safer, within the block."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            self._last_s = self._clock_s()


class Pacer:
    """Begins the calls that don't trade one after the other, and serves all callers alike.

    Args:
        trading: Whether anybody has to be let by.
        every_s: Seconds between the beginnings of two calls.
        clock_s: Monotonic seconds.
    """

    def __init__(self, trading: TradingActivity, every_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._trading = trading
        self._every_s = every_s
        self._clock_s = clock_s
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._callers: deque[str] = deque()
        """Those with calls that wait, in the order in which they are served."""
        self._timer: asyncio.TimerHandle | None = None
        self._next_s = float("-inf")
        self._looks = 0
        """How often the next call was put off."""

    @property
    def waiting(self) -> int:
        """Number of calls that wait for their permit."""
        return sum(map(len, self._waiting.values()))

    async def acquire(self, caller: str) -> None:
        """Wait until a call may begin: at once while nobody trades.

        Args:
            caller: The client's name, or the address of one that is not known. One call of each is begun in rotation.
        """
        if not self._callers and self._begin_now():
            return
        waiting = self._waiting.get(caller)
        if waiting is None:
            waiting = self._waiting[caller] = deque()
            self._callers.append(caller)
        if len(waiting) >= _MAX_WAITING:
            return
        permit = asyncio.get_running_loop().create_future()
        waiting.append(permit)
        self._schedule()
        # A call that is cancelled meanwhile leaves its future behind, which is passed over.
        await permit

    def _begin_now(self) -> bool:
        """Let a call begin if none has to wait now; return whether it may."""
        if not self._trading.goes_on:
            return True
        now_s = self._clock_s()
        if now_s >= self._next_s and not self._trading.answering:
            self._next_s = now_s + self._every_s
            return True
        return False

    def _schedule(self) -> None:
        if self._timer is None and self._callers:
            wait_s = min(self._every_s, max(_LOOK_AGAIN_S, self._next_s - self._clock_s()))
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._grant)

    def _grant(self) -> None:
        self._timer = None
        if self._trading.answering and self._looks < _MOST_LOOKS:
            self._looks += 1
            self._schedule()
            return
        self._looks = 0
        while self._callers:
            caller = self._callers.popleft()
            waiting = self._waiting[caller]
            permit = waiting.popleft()
            if waiting:
                self._callers.append(caller)
            else:
                del self._waiting[caller]
            if not permit.done():
                permit.set_result(None)
                break
        self._next_s = self._clock_s() + self._every_s
        self._schedule()
