"""Shares what a venue grants among all clients: cancels first, each client its part, and never more than that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf
from typing import Any

from opensqt.model.caller import OURSELVES, caller
from opensqt.model.errors import RateLimited
from opensqt.model.order_gate import Departure, departure
from opensqt.venues.ratelimit.policy import RateLimitPolicy, Request
from opensqt.venues.ratelimit.queue import FairQueue, QueuedRequest
from opensqt.venues.ratelimit.window import Lane, Window

_lane: ContextVar[Lane] = ContextVar("lane", default=Lane.QUERY)
_MIN_RETRY_AFTER_S = 0.1
_MAX_QUEUED = 256
"""Requests of one client and lane: more would only wait longer than anybody waits for them."""


@contextmanager
def in_lane(lane: Lane) -> Iterator[None]:
    """Send every request within in *lane*: the question that proves a cancel is a part of the cancel."""
    token = _lane.set(lane)
    try:
        yield
    finally:
        _lane.reset(token)


def current_lane() -> Lane:
    """Answer the lane that a request of the current task is sent in."""
    return _lane.get()


@dataclass(frozen=True, slots=True)
class WindowSnapshot:
    """What is left of one limit."""

    limit: int
    left: int
    window_s: float
    used_by_client: int
    """By the one for whom it is told."""


@dataclass(frozen=True, slots=True)
class LimiterSnapshot:
    """What is left of a budget."""

    paused_s: float
    """How long the venue still asks for silence."""
    windows: Mapping[str, WindowSnapshot]
    """By the limit's name; one that was never drawn on is not told."""
    queued: int
    """Requests of the one for whom it is told that wait for their turn."""


class _Permit:
    """Whether a request that waits may leave, and what wakes it to look."""

    def __init__(self) -> None:
        self.granted = False
        self.woken = asyncio.Event()

    def grant(self) -> None:
        """Let it leave."""
        self.granted = True
        self.woken.set()


class RateLimiter:
    """One account's requests to one venue.

    Args:
        tariff: The venue's limits.
        patience_s: How long a request waits for its turn before it is refused.
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

    def snapshot(self, client: str = OURSELVES) -> LimiterSnapshot:
        """Tell what is left now, and a client's part in what is not."""
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
        """Tell how many requests of all clients wait for their turn, by the name of their lane."""
        return {lane.name.lower(): self._queue.queued_in(lane) for lane in Lane}

    @asynccontextmanager
    async def acquire(self, request: Request) -> AsyncIterator[None]:
        """Wait until a request may leave, and count it until it is answered.

        Raises:
            RateLimited: Its turn does not come in time, or too many of its client's wait; nothing was sent.
            ExchangeError: It places orders, and the order gate is closed, or closes before it leaves; nothing was sent.
        """
        leaving = departure()
        if leaving is not None and (refusal := leaving.refusal) is not None:
            raise refusal
        cost = {self._window(name): amount for name, amount in self._policy.cost(request).items() if amount}
        lane, client = _lane.get(), caller()
        self._check_queue(client, lane, cost)
        permit = _Permit()
        queued = self._queue.add(lane, client, cost, self._clock_s(), permit.grant)
        try:
            self._dispatch()
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
            self._dispatch()

    def observe(self, request: Request, headers: Mapping[str, str], answer: Any) -> None:
        """Take in what an answer tells of the limits."""
        lowered = {name.lower(): value for name, value in headers.items()}
        for told in self._policy.read_usage(request, lowered, answer):
            window = self._window(told.name)
            if told.limit is not None:
                window.limit = told.limit
            if told.used is not None:
                window.reconcile_usage(told.used, self._clock_s())

    def pause(self, seconds: float) -> None:
        """Let nothing leave for so long: the venue asked for it."""
        self._paused_until_s = max(self._paused_until_s, self._clock_s() + seconds)

    def _check_queue(self, client: str, lane: Lane, cost: Mapping[Window, int]) -> None:
        # Our own upkeep asks one after the other.
        if client == OURSELVES or (waiting := self._queue.queued_by(client, lane)) < _MAX_QUEUED:
            return
        ahead_s = max(
            (waiting * amount * window.limit.window_s / window.limit.amount for window, amount in cost.items()),
            default=0.0,
        )
        delay_s = max(_MIN_RETRY_AFTER_S, self._paused_s(), ahead_s)
        raise RateLimited(f"{waiting} requests of this client wait for their turn already", retry_after_s=delay_s)

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
            return RateLimited(f"the venue asked for silence; {paused_s:.1f} s of it are left", retry_after_s=delay_s)
        return RateLimited(f"the venue's limit has no room for this for {delay_s:.1f} s", retry_after_s=delay_s)

    def _delay_s(self, queued: QueuedRequest) -> float:
        return max(self._paused_s(), self._queue.delay_s(queued, self._clock_s()))

    def _paused_s(self) -> float:
        return max(0.0, self._paused_until_s - self._clock_s())

    def _dispatch(self) -> None:
        """Grant every turn that may go now, and come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        next_s = self._paused_s() or self._queue.grant(self._clock_s())
        if next_s < inf:
            self._timer = asyncio.get_running_loop().call_later(next_s, self._dispatch)

    def _window(self, name: str) -> Window:
        if name not in self._windows:
            self._windows[name] = Window(self._policy.limit(name))
        return self._windows[name]
