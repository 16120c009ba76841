"""Who goes next: cancels, orders, queries; in each lane whoever used the least so far of what the request needs."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import count
from math import inf

from opensqt.model.caller import OURSELVES
from opensqt.venues.ratelimit.window import Lane, Window

_OWN_WEIGHT = 4
"""Our own upkeep counts as so many clients: what it asks keeps true what all of them are told."""

_KNOWN_FOR_S = 60.0
"""Seconds that a part is kept for a client after its last request."""


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One request that waits."""

    number: int
    """In the order of their coming."""
    lane: Lane
    client: str
    charges: dict[Window, int]
    """What it uses of each limit."""
    granted: Callable[[], None]
    """Called once, when it may go."""

    @property
    def user(self) -> User:
        """Whose use of a window it adds to: a client's queries must not count against its orders."""
        return self.client, self.lane

    @property
    def line(self) -> _Line:
        """Those of the same client that want the same: the first of them is the next."""
        return self.lane, self.client, tuple(self.charges)

    def rank(self, now_s: float) -> _Rank:
        """Answer its place: the least goes first."""
        used = max((window.used_by(self.user, now_s) / window.limit.amount for window in self.charges), default=0.0)
        return self.lane, used / (_OWN_WEIGHT if self.client == OURSELVES else 1), self.number

    def waits_s(self, now_s: float) -> dict[Window, float]:
        """Answer in how many seconds, at the earliest, each of its limits has room."""
        return {window: window.wait_s(amount, self.lane, now_s) for window, amount in self.charges.items()}

    def modest_waits_s(self, now_s: float, known: Collection[User]) -> dict[Window, float]:
        """Answer in how many seconds each of its limits has room beside what is kept for other clients."""
        if self.client == OURSELVES or self.lane is Lane.CANCEL:
            return {}
        return {
            window: window.modest_wait_s(amount, self.lane, now_s, self.user, known)
            for window, amount in self.charges.items()
        }

    def begin(self) -> None:
        """Count it as under way."""
        for window, amount in self.charges.items():
            window.begin(amount, self.user)

    def end(self, now_s: float) -> None:
        """Count it as answered."""
        for window, amount in self.charges.items():
            window.end(amount, now_s, self.user)


User = tuple[str, Lane]
_Line = tuple[Lane, str, tuple[Window, ...]]
_Rank = tuple[Lane, float, int]
_Wanted = Window | tuple[Window, str, Lane]


class Turns:
    """All that wait for a turn. None overtakes another that waits for the same limit and is before it."""

    def __init__(self) -> None:
        self._lines: dict[_Line, deque[Turn]] = {}
        self._numbers = count()
        self._seen_s: dict[User, float] = {}

    def add(
        self, lane: Lane, client: str, charges: dict[Window, int], now_s: float, granted: Callable[[], None]
    ) -> Turn:
        """Queue a request."""
        turn = Turn(next(self._numbers), lane, client, charges, granted)
        self._lines.setdefault(turn.line, deque()).append(turn)
        if client != OURSELVES:
            self._seen_s.pop(turn.user, None)
            self._seen_s[turn.user] = now_s
        return turn

    def wait_s(self, turn: Turn, now_s: float) -> float:
        """Answer in how many seconds, at the earliest, a turn may come if nobody is before it."""
        return max(self._waits_s(turn, now_s, self._known(now_s)).values(), default=0.0)

    def drop(self, turn: Turn) -> None:
        """Forget a request that gave up waiting."""
        self._lines[turn.line].remove(turn)

    def waiting(self, client: str, lane: Lane | None = None) -> int:
        """Answer how many of a client's requests wait, in all lanes or in one."""
        return sum(len(line) for (of, by, _), line in self._lines.items() if by == client and lane in (None, of))

    def waiting_in(self, lane: Lane) -> int:
        """Answer how many requests of all clients wait in a lane."""
        return sum(len(line) for (of, _, _), line in self._lines.items() if of is lane)

    def grant(self, now_s: float) -> float:
        """Grant every turn that may go now; answer in how many seconds to look again."""
        self._lines = {key: line for key, line in self._lines.items() if line}
        if not self._lines:
            return inf
        heads = [(line[0].rank(now_s), line) for line in self._lines.values()]
        heapq.heapify(heads)
        known = self._known(now_s)
        awaited: set[_Wanted] = set()
        next_s = inf
        while heads:
            rank, line = heapq.heappop(heads)
            turn = line[0]
            if (rank_now := turn.rank(now_s)) != rank:
                # Another request of the same client was granted meanwhile.
                heapq.heappush(heads, (rank_now, line))
                continue
            waits = self._waits_s(turn, now_s, known)
            if awaited.isdisjoint(waits) and not any(waits.values()):
                line.popleft()
                turn.begin()
                turn.granted()
                if line:
                    heapq.heappush(heads, (line[0].rank(now_s), line))
            else:
                awaited.update(wanted for wanted, wait_s in waits.items() if wait_s > 0)
                next_s = min(next_s, max(waits.values()) or inf)
        return next_s

    def _known(self, now_s: float) -> dict[Lane, list[User]]:
        """Answer who asked lately, by lane."""
        while self._seen_s and (first := next(iter(self._seen_s.items())))[1] + _KNOWN_FOR_S <= now_s:
            del self._seen_s[first[0]]
        return {lane: [user for user in self._seen_s if user[1] is lane] for lane in Lane}

    def _waits_s(self, turn: Turn, now_s: float, known: Mapping[Lane, Collection[User]]) -> dict[_Wanted, float]:
        """Answer how long it waits for each limit, and for its client's own part of each, which is in nobody's way."""
        waits: dict[_Wanted, float] = dict(turn.waits_s(now_s).items())
        for window, wait_s in turn.modest_waits_s(now_s, known[turn.lane]).items():
            waits[window, *turn.user] = wait_s
        return waits
