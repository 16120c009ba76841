"""The rate limiter of an account: cancels first, a fair share for each client, never more than the venue grants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf
from typing import Any

from opensqt.model.client_context import INTERNAL, current_client
from opensqt.model.errors import RateLimited
from opensqt.model.order_gate import Departure, departure
from opensqt.venues.ratelimit.policy import RateLimitPolicy, Request
from opensqt.venues.ratelimit.queue import FairQueue, QueuedRequest
from opensqt.venues.ratelimit.window import Lane, Window

_lane: ContextVar[Lane] = ContextVar("lane", default=Lane.QUERY)
_MIN_RETRY_AFTER_S = 0.1
_MAX_QUEUED = 256
"""Queued requests of one client and lane. More would only wait longer than any client waits for them."""


@contextmanager
def in_lane(lane: Lane) -> Iterator[None]:
    """Send every request within the block in *lane*. The query that verifies a cancel belongs to the cancel."""
    token = _lane.set(lane)
    try:
        yield
    finally:
        _lane.reset(token)


def current_lane() -> Lane:
    """Return the lane that requests of the current task are sent in."""
    return _lane.get()


@dataclass(frozen=True, slots=True)
class WindowSnapshot:
    """State of one limit."""

    limit: int
    left: int
    window_s: float
    used_by_client: int
    """Amount in use that is charged to the client that the snapshot is for."""


@dataclass(frozen=True, slots=True)
class LimiterSnapshot:
    """State of a rate limiter."""

    paused_s: float
    """Seconds left of the pause that the venue requested."""
    windows: Mapping[str, WindowSnapshot]
    """By the limit's name; a limit that was never used is not included."""
    queued: int
    """Queued requests of the client that the snapshot is for."""


class _Permit:
    """Permission for one queued request to be sent, and the event that wakes it to check."""

    def __init__(self) -> None:
        self.granted = False
        self.woken = asyncio.Event()

    def grant(self) -> None:
        """Allow the request to be sent."""
        self.granted = True
        self.woken.set()


class RateLimiter:
    """Limits the requests of one account to one venue.

    Args:
        rate_limits: The venue's limits.
        queue_timeout_s: How long a request may wait in the queue before it is refused.
        clock_s: Monotonic seconds.
    """

    def __init__(
        self, rate_limits: RateLimitPolicy, *, queue_timeout_s: float, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._policy = rate_limits
        self._queue_timeout_s = queue_timeout_s
        self._clock_s = clock_s
        self._windows: dict[str, Window] = {}
        self._queue = FairQueue()
        self._paused_until_s = -inf
        self._timer: asyncio.TimerHandle | None = None

    def snapshot(self, client: str = INTERNAL) -> LimiterSnapshot:
        """Return the state of every limit, and a client's part in it."""
        now_s = self._clock_s()
        windows = {
            name: WindowSnapshot(
                window.limit.amount,
                max(0, window.limit.amount - window.used(now_s)),
                window.limit.window_s,
                sum(window.used_by((client, lane), now_s) for lane in Lane),
            )
            for name, window in self._windows.items()
        }
        return LimiterSnapshot(self._paused_s(), windows, self._queue.queued_by(client))

    def queued_by_lane(self) -> dict[str, int]:
        """Return the number of queued requests of all clients, by the name of the lane."""
        return {lane.name.lower(): self._queue.queued_in(lane) for lane in Lane}

    @asynccontextmanager
    async def acquire(self, request: Request) -> AsyncIterator[None]:
        """Wait until a request may be sent, and charge it until it completes.

        Raises:
            RateLimited: The request can't be sent before the queue timeout, or the client has too many requests in
                the queue. Nothing was sent.
            ExchangeError: The request places orders, and the order gate is closed or closes before it is sent.
                Nothing was sent.
        """
        leaving = departure()
        if leaving is not None and (refusal := leaving.refusal) is not None:
            raise refusal
        cost = {self._window(name): amount for name, amount in self._policy.cost(request).items() if amount}
        lane, client = _lane.get(), current_client()
        self._check_queue(client, lane, cost)
        permit = _Permit()
        queued = self._queue.add(lane, client, cost, self._clock_s(), permit.grant)
        try:
            self.dispatch()
            if not permit.granted:
                await self._wait(queued, permit, leaving)
            if leaving is not None:
                leaving.leave()
            yield
        finally:
            if permit.granted:
                queued.finish(self._clock_s())
            else:
                self._queue.drop(queued)
            self.dispatch()

    def observe(self, request: Request, headers: Mapping[str, str], response: Any) -> None:
        """Apply the limits and the usage that a response reports."""
        lowered = {name.lower(): value for name, value in headers.items()}
        for reported in self._policy.read_usage(request, lowered, response):
            window = self._window(reported.name)
            if reported.limit is not None:
                window.limit = reported.limit
            if reported.used is not None:
                window.reconcile_usage(reported.used, self._clock_s())

    def pause(self, seconds: float) -> None:
        """Hold back every request for a time that the venue requested."""
        self._paused_until_s = max(self._paused_until_s, self._clock_s() + seconds)

    def _check_queue(self, client: str, lane: Lane, cost: Mapping[Window, int]) -> None:
        # Internal requests are sent one after the other, so their queue needs no limit.
        if client == INTERNAL or (queued := self._queue.queued_by(client, lane)) < _MAX_QUEUED:
            return
        ahead_s = max(
            (queued * amount * window.limit.window_s / window.limit.amount for window, amount in cost.items()),
            default=0.0,
        )
        delay_s = max(_MIN_RETRY_AFTER_S, self._paused_s(), ahead_s)
        raise RateLimited(
            f"{queued} requests of this client are queued for the rate limit already", retry_after_s=delay_s
        )

    async def _wait(self, queued: QueuedRequest, permit: _Permit, leaving: Departure | None) -> None:
        if self._delay_s(queued) <= self._queue_timeout_s:
            with leaving.watch(permit.woken.set) if leaving is not None else nullcontext(), suppress(TimeoutError):
                async with asyncio.timeout(self._queue_timeout_s):
                    while not permit.granted and (leaving is None or leaving.refusal is None):
                        permit.woken.clear()
                        await permit.woken.wait()
        if not permit.granted:
            raise (leaving and leaving.refusal) or self._refusal(queued)

    def _refusal(self, queued: QueuedRequest) -> RateLimited:
        delay_s = max(_MIN_RETRY_AFTER_S, self._delay_s(queued))
        if (paused_s := self._paused_s()) > 0:
            return RateLimited(f"the venue requested a pause; {paused_s:.1f} s of it are left", retry_after_s=delay_s)
        return RateLimited(
            f"the venue's rate limit has no capacity for this request for {delay_s:.1f} s", retry_after_s=delay_s
        )

    def _delay_s(self, queued: QueuedRequest) -> float:
        return max(self._paused_s(), self._queue.delay_s(queued, self._clock_s()))

    def _paused_s(self) -> float:
        return max(0.0, self._paused_until_s - self._clock_s())

    def dispatch(self) -> None:
        """Grant every request that may be sent now, and schedule the next call."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        next_s = self._paused_s() or self._queue.grant(self._clock_s())
        if next_s < inf:
            self._timer = asyncio.get_running_loop().call_later(next_s, self.dispatch)

    def _window(self, name: str) -> Window:
        if name not in self._windows:
            self._windows[name] = Window(self._policy.limit(name))
        return self._windows[name]
