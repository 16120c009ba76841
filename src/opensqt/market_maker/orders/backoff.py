"""Who has to wait, and until when, after the venue said no: growing waits, so that nothing is sent for ever."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class Wait:
    """One growing wait. Times are monotonic seconds."""

    first_s: float
    most_s: float
    until: float = 0.0
    streak: int = 0

    def grow(self, now: float, *, at_least_s: float = 0.0) -> float:
        """Wait longer than last time, and answer how long."""
        length = max(min(self.first_s * float(2**self.streak), self.most_s), at_least_s)
        self.streak = min(self.streak + 1, 30)
        self.until = now + length
        return length

    def reset(self) -> None:
        """Forget the refusals: it went well."""
        self.streak, self.until = 0, 0.0


@dataclass(slots=True)
class Waits(Generic[K]):
    """Growing waits by key; a key that does well is forgotten."""

    first_s: float
    most_s: float
    _waits: dict[K, Wait] = field(default_factory=dict)

    def grow(self, key: K, now: float) -> float:
        """Let *key* wait longer than last time."""
        return self._waits.setdefault(key, Wait(self.first_s, self.most_s)).grow(now)

    def reset(self, key: K) -> None:
        """Forget what *key* was refused."""
        self._waits.pop(key, None)

    def waiting(self, now: float) -> set[K]:
        """The keys whose time has not come yet."""
        return {key for key, wait in self._waits.items() if wait.until > now}

    def known(self) -> set[K]:
        """The keys that were refused and have not done well since."""
        return set(self._waits)

    def next_due(self, now: float) -> float:
        """When the next of those that wait may go on."""
        return min((wait.until for wait in self._waits.values() if wait.until > now), default=float("inf"))
