"""Back-off: delays that double with each failure in a row, with full jitter where many clients may fail at once."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

Jitter = Callable[[], float]
"""Returns a number from 0 to 1, the part of a delay that is waited for."""

_MOST_DOUBLINGS = 64
"""Failures are counted without end, and a float can't be doubled without end."""


def exponential_s(failures: int, base_s: float, cap_s: float) -> float:
    """Return the delay after so many failures in a row, without jitter: *base_s* after the first, then twice it."""
    return min(base_s * 2.0 ** min(max(failures - 1, 0), _MOST_DOUBLINGS), cap_s)


class Backoff:
    """The delays of one series of attempts.

    Full jitter takes each delay at random between zero and the exponential one. Clients that failed together then
    don't come back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter).

    Args:
        base_s: The longest delay after the first failure.
        cap_s: The longest delay after any failure.
        jitter: Draws the part of the delay to wait; None waits for the whole delay.
    """

    def __init__(self, base_s: float, cap_s: float, *, jitter: Jitter | None = random.random) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._jitter = jitter
        self.failures = 0
        """Failures since the last success."""

    def next_s(self, *, at_least_s: float | None = None) -> float:
        """Count a failure and return the seconds to wait before the next attempt.

        Args:
            at_least_s: The delay that the other side requires, such as Retry-After.
        """
        self.failures += 1
        delay_s = exponential_s(self.failures, self._base_s, self._cap_s)
        if self._jitter is not None:
            delay_s *= self._jitter()
        return max(delay_s, at_least_s or 0.0)

    def reset(self) -> None:
        """Begin a new series after a success."""
        self.failures = 0


@dataclass(slots=True)
class BackoffTimer:
    """A back-off that blocks until a time. It has no jitter: the state of its owner follows from events alone.

    Times are seconds of any clock that only goes forward.
    """

    base_s: float
    cap_s: float
    until: float = 0.0
    failures: int = 0

    def record_failure(self, now: float, *, at_least_s: float = 0.0) -> float:
        """Block for longer than last time, and return the seconds."""
        self.failures += 1
        delay_s = max(exponential_s(self.failures, self.base_s, self.cap_s), at_least_s)
        self.until = now + delay_s
        return delay_s

    def reset(self) -> None:
        """Unblock after a success."""
        self.failures, self.until = 0, 0.0


@dataclass(slots=True)
class KeyedBackoff(Generic[K]):
    """One `BackoffTimer` for each key that failed; a success forgets the key."""

    base_s: float
    cap_s: float
    failing: dict[K, BackoffTimer] = field(default_factory=dict)
    """The keys that failed and have not succeeded since."""
    _due: list[tuple[float, int, K]] = field(default_factory=list)
    """A heap of the ends of the blocks; what was reset or blocked anew since is dropped when it is reached."""
    _pushed: int = 0

    def record_failure(self, key: K, now: float) -> float:
        """Block *key* for longer than last time, and return the seconds."""
        timer = self.failing.setdefault(key, BackoffTimer(self.base_s, self.cap_s))
        delay_s = timer.record_failure(now)
        self._pushed += 1
        heapq.heappush(self._due, (timer.until, self._pushed, key))
        return delay_s

    def reset(self, key: K) -> None:
        """Forget the failures of *key*."""
        self.failing.pop(key, None)

    def blocked(self, now: float) -> set[K]:
        """Return the keys that are not due yet."""
        return {key for key, timer in self.failing.items() if timer.until > now}

    def is_blocked(self, key: K, now: float) -> bool:
        """Return whether *key* is not due yet."""
        timer = self.failing.get(key)
        return timer is not None and timer.until > now

    def next_due(self, now: float) -> float:
        """Return the time at which the next blocked key is due; infinite without one."""
        due = self._due
        while due:
            until, _, key = due[0]
            timer = self.failing.get(key)
            if until > now and timer is not None and timer.until == until:
                return until
            heapq.heappop(due)
        return float("inf")
