"""Shares what a venue grants among all callers: cancels first, then orders, then queries, and never more than that."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import Any

from opensqt.exchange.venues.tariff import Request, Tariff
from opensqt.exchange.venues.windows import Lane, Window
from opensqt.model.errors import RateLimited

_lane: ContextVar[Lane] = ContextVar("lane", default=Lane.QUERY)
_LEAST_WAIT_S = 0.1
_Line = tuple[Lane, tuple[Window, ...]]
"""Those who want the same, in the same lane: the first of them is the next."""


@contextmanager
def in_lane(lane: Lane) -> Iterator[None]:
    """Send every request within in *lane*: the question that proves a cancel is a part of the cancel."""
    token = _lane.set(lane)
    try:
        yield
    finally:
        _lane.reset(token)


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of one limit."""

    limit: int
    left: int
    window_s: float


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """What is left of a budget."""

    silent_s: float
    """How long the venue still asks for silence."""
    rooms: Mapping[str, Room]
    """By the limit's name; one that was never drawn on is not told."""


@dataclass(slots=True, eq=False)
class _Turn:
    number: int
    """In the order of their coming."""
    lane: Lane
    charges: dict[Window, int]
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def line(self) -> _Line:
        return self.lane, tuple(self.charges)

    def waits_s(self, now_s: float) -> dict[Window, float]:
        return {window: window.wait_s(amount, self.lane, now_s) for window, amount in self.charges.items()}

    def grant(self) -> None:
        for window, amount in self.charges.items():
            window.begin(amount)
        self.granted.set_result(None)


class Budget:
    """One account's requests to one venue.

    Each lane is served first come, first served, and none overtakes a turn that waits for the same limit.

    Args:
        tariff: The venue's limits.
        patience_s: How long a request waits for its turn before it is refused.
        clock_s: Monotonic seconds.
    """

    def __init__(self, tariff: Tariff, *, patience_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._tariff = tariff
        self._patience_s = patience_s
        self._clock_s = clock_s
        self._windows: dict[str, Window] = {}
        self._lines: dict[_Line, deque[_Turn]] = {}
        self._turns = count()
        self._silent_until_s = -inf
        self._timer: asyncio.TimerHandle | None = None

    @property
    def left(self) -> BudgetLeft:
        """What is left now."""
        now_s = self._clock_s()
        rooms = {
            name: Room(window.limit.amount, max(0, window.limit.amount - window.used(now_s)), window.limit.window_s)
            for name, window in self._windows.items()
        }
        return BudgetLeft(max(0.0, self._silent_until_s - now_s), rooms)

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Wait until a request may leave, and count it until it is answered.

        Raises:
            RateLimited: Its turn does not come in time; nothing was sent.
        """
        charges = {self._window(name): amount for name, amount in self._tariff.charges(request).items() if amount}
        turn = _Turn(next(self._turns), _lane.get(), charges)
        self._lines.setdefault(turn.line, deque()).append(turn)
        try:
            self._serve()
            if not turn.granted.done():
                await self._wait(turn)
            yield
        finally:
            self._leave(turn)

    def learn(self, request: Request, headers: Mapping[str, str], answer: Any) -> None:
        """Take in what an answer tells of the limits."""
        lowered = {name.lower(): value for name, value in headers.items()}
        for told in self._tariff.told(request, lowered, answer):
            window = self._window(told.name)
            if told.limit is not None:
                window.limit = told.limit
            if told.used is not None:
                window.told(told.used, self._clock_s())

    def silence(self, seconds: float) -> None:
        """Let nothing leave for so long: the venue asked for it."""
        self._silent_until_s = max(self._silent_until_s, self._clock_s() + seconds)

    async def _wait(self, turn: _Turn) -> None:
        if self._wait_s(turn) <= self._patience_s:
            await asyncio.wait((turn.granted,), timeout=self._patience_s)
        if not turn.granted.done():
            raise self._refusal(turn)

    def _leave(self, turn: _Turn) -> None:
        if turn.granted.done():
            now_s = self._clock_s()
            for window, amount in turn.charges.items():
                window.end(amount, now_s)
        else:
            self._lines[turn.line].remove(turn)
        self._serve()

    def _refusal(self, turn: _Turn) -> RateLimited:
        wait_s = max(_LEAST_WAIT_S, self._wait_s(turn))
        silent_s = self._silent_until_s - self._clock_s()
        if silent_s > 0:
            return RateLimited(f"the venue asked for silence; {silent_s:.1f} s of it are left", retry_after_s=wait_s)
        return RateLimited(f"the venue's limit has no room for this for {wait_s:.1f} s", retry_after_s=wait_s)

    def _wait_s(self, turn: _Turn) -> float:
        now_s = self._clock_s()
        return max(self._silent_until_s - now_s, 0.0, *turn.waits_s(now_s).values())

    def _serve(self) -> None:
        """Grant every turn that may go now, and come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._lines = {key: line for key, line in self._lines.items() if line}
        if not self._lines:
            return
        now_s = self._clock_s()
        next_s = self._silent_until_s - now_s
        if next_s <= 0:
            next_s = self._grant(now_s)
        if next_s < inf:
            self._timer = asyncio.get_running_loop().call_later(next_s, self._serve)

    def _grant(self, now_s: float) -> float:
        """Grant in order; answer in how many seconds to look again."""
        heads = [(line[0].lane, line[0].number, line) for line in self._lines.values()]
        heapq.heapify(heads)
        awaited: set[Window] = set()
        next_s = inf
        while heads:
            *_, line = heapq.heappop(heads)
            waits_s = line[0].waits_s(now_s)
            if awaited.isdisjoint(waits_s) and not any(waits_s.values()):
                line.popleft().grant()
                if line:
                    heapq.heappush(heads, (line[0].lane, line[0].number, line))
            else:
                awaited.update(window for window, wait_s in waits_s.items() if wait_s > 0)
                next_s = min(next_s, max(waits_s.values()) or inf)
        return next_s

    def _window(self, name: str) -> Window:
        if name not in self._windows:
            self._windows[name] = Window(self._tariff.limit(name))
        return self._windows[name]
