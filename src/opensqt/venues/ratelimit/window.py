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
        self._past: deque[tuple[float, int, Hashable]] = deque()
        self._past_amount = 0
        self._by_user: Counter[Hashable] = Counter()

    def used(self, now_s: float) -> int:
        """Answer how much counts now."""
        while self._past and self._past[0][0] + self.limit.window_s <= now_s:
            _, amount, user = self._past.popleft()
            self._past_amount -= amount
            self._charge(user, -amount)
        return self._under_way + self._past_amount

    def used_by(self, user: Hashable, now_s: float) -> int:
        """Answer how much of what counts now is one user's."""
        self.used(now_s)
        return self._by_user[user]

    def wait_s(self, amount: int, lane: Lane, now_s: float) -> float:
        """Answer in how many seconds, at the earliest, *amount* has room."""
        # What is larger than the lane's share goes when nothing else counts.
        excess = self.used(now_s) + amount - max(amount, self.limit.share(lane))
        if excess <= 0:
            return 0.0
        for at_s, freed, _ in self._past:
            excess -= freed
            if excess <= 0:
                return at_s + self.limit.window_s - now_s
        return self.limit.window_s

    def modest_wait_s(
        self, amount: int, lane: Lane, now_s: float, user: Hashable, known: Collection[Hashable]
    ) -> float:
        """Answer in how many seconds a user who takes *amount* leaves enough to the others.

        Kept for each other user is half of an equal part, less what it used of it; by one who used its own half, a
        tenth of all for who is not known yet. Else whoever comes first could fill a long window, and the others would
        wait until it is over.

        Args:
            amount: What is to be taken.
            lane: Whose share of the window is divided.
            now_s: Monotonic seconds.
            user: Who takes it.
            known: All who use this lane now, the user among them.
        """
        share, counted = self.limit.share(lane), self.used(now_s)
        part = share // (2 * max(1, len(known)))
        unused = {other: part - self._by_user[other] for other in known if other != user}
        beyond = self._by_user[user] + amount > part
        kept = share // 10 * beyond + sum(max(0, left) for left in unused.values())
        if counted + amount <= max(amount, share - kept):
            return 0.0
        for at_s, freed, by in self._past:
            counted -= freed
            if by in unused:
                kept += max(0, unused[by] + freed) - max(0, unused[by])
                unused[by] += freed
            if counted + amount <= max(amount, share - kept):
                return at_s + self.limit.window_s - now_s
        return self.limit.window_s

    def begin(self, amount: int, user: Hashable = None) -> None:
        """Count a request that leaves."""
        self._under_way += amount
        self._charge(user, amount)

    def end(self, amount: int, now_s: float, user: Hashable = None) -> None:
        """Count a request whose answer came."""
        self._under_way -= amount
        self._count(amount, now_s, user)

    def told(self, used: int, now_s: float) -> None:
        """Take in how much the venue counted: what is more than ours was used by somebody else."""
        if (others := used - self.used(now_s)) > 0:
            self._charge(None, others)
            self._count(others, now_s, None)

    def _count(self, amount: int, now_s: float, user: Hashable) -> None:
        self._past.append((now_s, amount, user))
        self._past_amount += amount

    def _charge(self, user: Hashable, amount: int) -> None:
        self._by_user[user] += amount
        if not self._by_user[user]:
            del self._by_user[user]
