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
from opensqt.venues.ratelimit.policy import Request, Tariff
from opensqt.venues.ratelimit.queue import Turn, Turns
from opensqt.venues.ratelimit.window import Lane, Window

_lane: ContextVar[Lane] = ContextVar("lane", default=Lane.QUERY)
_LEAST_WAIT_S = 0.1
_MOST_WAITING = 256
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
class Room:
    """What is left of one limit."""

    limit: int
    left: int
    window_s: float
    used_by_client: int
    """By the one for whom it is told."""


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """What is left of a budget."""

    silent_s: float
    """How long the venue still asks for silence."""
    rooms: Mapping[str, Room]
    """By the limit's name; one that was never drawn on is not told."""
    waiting: int
    """Requests of the one for whom it is told that wait for their turn."""


class _Grant:
    """Whether a request that waits may leave, and what wakes it to look."""

    def __init__(self) -> None:
        self.given = False
        self.woken = asyncio.Event()

    def give(self) -> None:
        """Let it leave."""
        self.given = True
        self.woken.set()


class Budget:
    """One account's requests to one venue.

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
        self._turns = Turns()
        self._silent_until_s = -inf
        self._timer: asyncio.TimerHandle | None = None

    def left(self, client: str = OURSELVES) -> BudgetLeft:
        """Tell what is left now, and a client's part in what is not."""
        now_s = self._clock_s()
        rooms = {
            name: Room(
                window.limit.amount,
                max(0, window.limit.amount - window.used(now_s)),
                window.limit.window_s,
                sum(window.used_by((client, lane), now_s) for lane in Lane),
            )
            for name, window in self._windows.items()
        }
        return BudgetLeft(self._silent_s(), rooms, self._turns.waiting(client))

    def waiting_by_lane(self) -> dict[str, int]:
        """Tell how many requests of all clients wait for their turn, by the name of their lane."""
        return {lane.name.lower(): self._turns.waiting_in(lane) for lane in Lane}

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Wait until a request may leave, and count it until it is answered.

        Raises:
            RateLimited: Its turn does not come in time, or too many of its client's wait; nothing was sent.
            ExchangeError: It places orders, and the order gate is closed, or closes before it leaves; nothing was sent.
        """
        leaving = departure()
        if leaving is not None and (refusal := leaving.refusal) is not None:
            raise refusal
        charges = {self._window(name): amount for name, amount in self._tariff.charges(request).items() if amount}
        lane, client = _lane.get(), caller()
        self._check_queue(client, lane, charges)
        grant = _Grant()
        turn = self._turns.add(lane, client, charges, self._clock_s(), grant.give)
        try:
            self._serve()
            if not grant.given:
                await self._wait(turn, grant, leaving)
            if leaving is not None:
                leaving.leave()
            yield
        finally:
            if grant.given:
                turn.end(self._clock_s())
            else:
                self._turns.drop(turn)
            self._serve()

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

    def _check_queue(self, client: str, lane: Lane, charges: Mapping[Window, int]) -> None:
        # Our own upkeep asks one after the other.
        if client == OURSELVES or (waiting := self._turns.waiting(client, lane)) < _MOST_WAITING:
            return
        ahead_s = max(
            (waiting * amount * window.limit.window_s / window.limit.amount for window, amount in charges.items()),
            default=0.0,
        )
        wait_s = max(_LEAST_WAIT_S, self._silent_s(), ahead_s)
        raise RateLimited(f"{waiting} requests of this client wait for their turn already", retry_after_s=wait_s)

    async def _wait(self, turn: Turn, grant: _Grant, leaving: Departure | None) -> None:
        if self._wait_s(turn) <= self._patience_s:
            with leaving.watch(grant.woken.set) if leaving is not None else nullcontext(), suppress(TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    while not grant.given and (leaving is None or leaving.refusal is None):
                        grant.woken.clear()
                        await grant.woken.wait()
        if not grant.given:
            raise (leaving and leaving.refusal) or self._refusal(turn)

    def _refusal(self, turn: Turn) -> RateLimited:
        wait_s = max(_LEAST_WAIT_S, self._wait_s(turn))
        if (silent_s := self._silent_s()) > 0:
            return RateLimited(f"the venue asked for silence; {silent_s:.1f} s of it are left", retry_after_s=wait_s)
        return RateLimited(f"the venue's limit has no room for this for {wait_s:.1f} s", retry_after_s=wait_s)

    def _wait_s(self, turn: Turn) -> float:
        return max(self._silent_s(), self._turns.wait_s(turn, self._clock_s()))

    def _silent_s(self) -> float:
        return max(0.0, self._silent_until_s - self._clock_s())

    def _serve(self) -> None:
        """Grant every turn that may go now, and come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        next_s = self._silent_s() or self._turns.grant(self._clock_s())
        if next_s < inf:
            self._timer = asyncio.get_running_loop().call_later(next_s, self._serve)

    def _window(self, name: str) -> Window:
        if name not in self._windows:
            self._windows[name] = Window(self._tariff.limit(name))
        return self._windows[name]
