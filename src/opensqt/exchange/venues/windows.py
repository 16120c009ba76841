"""What a venue grants in a window of time, counted so that the venue can never count more."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import IntEnum


class Lane(IntEnum):
    """Who goes first."""

    CANCEL = 0
    ORDER = 1
    QUERY = 2


@dataclass(frozen=True, slots=True)
class Limit:
    """So much in any *window_s* seconds."""

    amount: int
    window_s: float
    shared: bool = True
    """Whether several lanes draw on it, so that the lower ones have to leave headroom."""

    def share(self, lane: Lane) -> int:
        """Answer how far a lane may fill the window: a tenth is kept for cancels, a third from queries."""
        if not self.shared or lane is Lane.CANCEL:
            return self.amount
        kept = max(1, self.amount // 10) if lane is Lane.ORDER else max(2, self.amount // 3)
        return max(1, self.amount - kept)


class Window:
    """The use of one limit.

    A request counts from when it leaves until the window's length after its answer came. The venue counted it in
    between, so that no window of the venue's, fixed or sliding, holds more than this one did.
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._under_way = 0
        self._past: deque[tuple[float, int]] = deque()
        self._past_amount = 0

    def used(self, now_s: float) -> int:
        """Answer how much counts now."""
        while self._past and self._past[0][0] + self.limit.window_s <= now_s:
            self._past_amount -= self._past.popleft()[1]
        return self._under_way + self._past_amount

    def wait_s(self, amount: int, lane: Lane, now_s: float) -> float:
        """Answer in how many seconds, at the earliest, *amount* has room."""
        # What is larger than the lane's share goes when nothing else counts.
        excess = self.used(now_s) + amount - max(amount, self.limit.share(lane))
        if excess <= 0:
            return 0.0
        for at_s, freed in self._past:
            excess -= freed
            if excess <= 0:
                return at_s + self.limit.window_s - now_s
        return self.limit.window_s

    def begin(self, amount: int) -> None:
        """Count a request that leaves."""
        self._under_way += amount

    def end(self, amount: int, now_s: float) -> None:
        """Count a request whose answer came."""
        self._under_way -= amount
        self._count(amount, now_s)

    def told(self, used: int, now_s: float) -> None:
        """Take in how much the venue counted: what is more than ours was used by somebody else."""
        if (others := used - self.used(now_s)) > 0:
            self._count(others, now_s)

    def _count(self, amount: int, now_s: float) -> None:
        self._past.append((now_s, amount))
        self._past_amount += amount
