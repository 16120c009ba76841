"""Token bucket: a limit on a rate that allows bursts."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class TokenBucket:
    """A bucket that is full at first. Times are seconds of any clock that only goes forward."""

    rate: float
    """Tokens a second."""
    capacity: float
    """Tokens at most."""
    filled_at: float
    """Time of the last count of the tokens."""
    _tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = self.capacity

    def available(self, now: float) -> float:
        """Return the tokens that may be taken at once."""
        return min(self.capacity, self._tokens + (now - self.filled_at) * self.rate)

    def take(self, now: float, tokens: float = 1) -> bool:
        """Take tokens, or leave all of them where they don't suffice; return whether they were taken."""
        self._tokens, self.filled_at = self.available(now), now
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True
