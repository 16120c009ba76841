"""Rate-limit windows: how much of a venue's limit is used, and by which client."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from enum import IntEnum


class Lane(IntEnum):
    """Priority class of a request; the lowest value goes first."""

    CANCEL = 0
    ORDER = 1
    QUERY = 2


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *amount* in any *window_s* seconds."""

    amount: int
    window_s: float
    shared: bool = True
    """Whether several lanes use this limit, so that the lower lanes must leave headroom."""

    def capacity_for(self, lane: Lane) -> int:
        """Return how much of the window a lane may fill: orders leave a tenth for cancels, queries leave a third."""
        if not self.shared or lane is Lane.CANCEL:
            return self.amount
        reserved = max(1, self.amount // 10) if lane is Lane.ORDER else max(2, self.amount // 3)
        return max(1, self.amount - reserved)


class Window:
    """The use of one limit.

    A request counts from when it is sent until one window length after its response arrived. The venue counted it
    at some time in between. So no window of the venue, fixed or sliding, holds more than this one did.
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._in_flight = 0
        self._completed: deque[tuple[float, int, Hashable]] = deque()
        self._completed_amount = 0
        self._used_by_owner: Counter[Hashable] = Counter()

    def used(self, now_s: float) -> int:
        """Return the amount in use now. Expired entries are dropped first."""
        while self._completed and self._completed[0][0] + self.limit.window_s <= now_s:
            _, amount, owner = self._completed.popleft()
            self._completed_amount -= amount
            self._charge(owner, -amount)
        return self._in_flight + self._completed_amount

    def used_by(self, owner: Hashable, now_s: float) -> int:
        """Return the part of the amount in use that is charged to one owner."""
        self.used(now_s)
        return self._used_by_owner[owner]

    def delay_s(self, amount: int, lane: Lane, now_s: float) -> float:
        """Return the seconds until *amount* fits, at the earliest."""
        # A request larger than the lane's capacity may start when nothing else is in use.
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
        """Return the seconds until an owner may take *amount* and still leave enough for the others.

        For each other active owner, half of an equal share is reserved, less what that owner has used of it. An owner
        that has used its own half also leaves a tenth of the capacity for clients that are not active yet. Without
        this, the first client could fill a long window, and the others would wait until it ends.

        Args:
            amount: The amount to take.
            lane: The lane whose capacity is shared.
            now_s: Monotonic seconds.
            owner: The owner of the request.
            active: All owners that use this lane now, including *owner*.
        """
        capacity, used = self.limit.capacity_for(lane), self.used(now_s)
        share = capacity // (2 * max(1, len(active)))
        unused = {other: share - self._used_by_owner[other] for other in active if other != owner}
        exceeds_share = self._used_by_owner[owner] + amount > share
        reserved = capacity // 10 * exceeds_share + sum(max(0, left) for left in unused.values())
        if used + amount <= max(amount, capacity - reserved):
            return 0.0
        for at_s, freed, by in self._completed:
            used -= freed
            if by in unused:
                reserved += max(0, unused[by] + freed) - max(0, unused[by])
                unused[by] += freed
            if used + amount <= max(amount, capacity - reserved):
                return at_s + self.limit.window_s - now_s
        return self.limit.window_s

    def start(self, amount: int, owner: Hashable = None) -> None:
        """Charge a request that is sent now."""
        self._in_flight += amount
        self._charge(owner, amount)

    def finish(self, amount: int, now_s: float, owner: Hashable = None) -> None:
        """Record that a request completed; its charge expires one window length from now."""
        self._in_flight -= amount
        self._complete(amount, now_s, owner)

    def reconcile_usage(self, used: int, now_s: float) -> None:
        """Apply the usage that the venue reports. What exceeds our own count was used by other programs."""
        if (others := used - self.used(now_s)) > 0:
            self._charge(None, others)
            self._complete(others, now_s, None)

    def _complete(self, amount: int, now_s: float, owner: Hashable) -> None:
        self._completed.append((now_s, amount, owner))
        self._completed_amount += amount

    def _charge(self, owner: Hashable, amount: int) -> None:
        self._used_by_owner[owner] += amount
        if not self._used_by_owner[owner]:
            del self._used_by_owner[owner]
