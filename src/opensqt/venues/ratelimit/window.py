"""What a venue grants in a window of time, counted so that the venue can never count more, and who used it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Hashable
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

    def capacity_for(self, lane: Lane) -> int:
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
        self._in_flight = 0
        self._completed: deque[tuple[float, int, Hashable]] = deque()
        self._completed_amount = 0
        self._used_by_owner: Counter[Hashable] = Counter()

    def used(self, now_s: float) -> int:
        """Answer how much counts now."""
        while self._completed and self._completed[0][0] + self.limit.window_s <= now_s:
            _, amount, owner = self._completed.popleft()
            self._completed_amount -= amount
            self._charge(owner, -amount)
        return self._in_flight + self._completed_amount

    def used_by(self, owner: Hashable, now_s: float) -> int:
        """Answer how much of what counts now is one user's."""
        self.used(now_s)
        return self._used_by_owner[owner]

    def delay_s(self, amount: int, lane: Lane, now_s: float) -> float:
        """Answer in how many seconds, at the earliest, *amount* has room."""
        # What is larger than the lane's share goes when nothing else counts.
        excess = self.used(now_s) + amount - max(amount, self.limit.capacity_for(lane))
        if excess <= 0:
            return 0.0
        for at_s, freed, _ in self._completed:
            excess -= freed
            if excess <= 0:
                return at_s + self.limit.window_s - now_s
        return self.limit.window_s

    def fair_delay_s(
        self, amount: int, lane: Lane, now_s: float, owner: Hashable, active: Collection[Hashable]
    ) -> float:
        """Answer in how many seconds a user who takes *amount* leaves enough to the others.

        Kept for each other user is half of an equal part, less what it used of it; by one who used its own half, a
        tenth of all for who is not known yet. Else whoever comes first could fill a long window, and the others would
        wait until it is over.

        Args:
            amount: What is to be taken.
            lane: Whose share of the window is divided.
            now_s: Monotonic seconds.
            owner: Who takes it.
            active: All who use this lane now, the owner among them.
        """
        capacity, counted = self.limit.capacity_for(lane), self.used(now_s)
        part = capacity // (2 * max(1, len(active)))
        unused = {other: part - self._used_by_owner[other] for other in active if other != owner}
        beyond = self._used_by_owner[owner] + amount > part
        kept = capacity // 10 * beyond + sum(max(0, left) for left in unused.values())
        if counted + amount <= max(amount, capacity - kept):
            return 0.0
        for at_s, freed, by in self._completed:
            counted -= freed
            if by in unused:
                kept += max(0, unused[by] + freed) - max(0, unused[by])
                unused[by] += freed
            if counted + amount <= max(amount, capacity - kept):
                return at_s + self.limit.window_s - now_s
        return self.limit.window_s

    def start(self, amount: int, owner: Hashable = None) -> None:
        """Count a request that leaves."""
        self._in_flight += amount
        self._charge(owner, amount)

    def finish(self, amount: int, now_s: float, owner: Hashable = None) -> None:
        """Count a request whose answer came."""
        self._in_flight -= amount
        self._count(amount, now_s, owner)

    def reconcile_usage(self, used: int, now_s: float) -> None:
        """Take in how much the venue counted: what is more than ours was used by somebody else."""
        if (others := used - self.used(now_s)) > 0:
            self._charge(None, others)
            self._count(others, now_s, None)

    def _count(self, amount: int, now_s: float, owner: Hashable) -> None:
        self._completed.append((now_s, amount, owner))
        self._completed_amount += amount

    def _charge(self, owner: Hashable, amount: int) -> None:
        self._used_by_owner[owner] += amount
        if not self._used_by_owner[owner]:
            del self._used_by_owner[owner]
