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

_INTERNAL_WEIGHT = 4
"""Our own upkeep counts as so many clients: what it asks keeps true what all of them are told."""

_ACTIVE_FOR_S = 60.0
"""Seconds that a part is kept for a client after its last request."""


@dataclass(frozen=True, slots=True, eq=False)
class QueuedRequest:
    """One request that waits."""

    number: int
    """In the order of their coming."""
    lane: Lane
    client: str
    cost: dict[Window, int]
    """What it uses of each limit."""
    on_granted: Callable[[], None]
    """Called once, when it may go."""

    @property
    def owner(self) -> Owner:
        """Whose use of a window it adds to: a client's queries must not count against its orders."""
        return self.client, self.lane

    @property
    def flow(self) -> _Flow:
        """Those of the same client that want the same: the first of them is the next."""
        return self.lane, self.client, tuple(self.cost)

    def sort_key(self, now_s: float) -> _SortKey:
        """Answer its place: the least goes first."""
        used = max((window.used_by(self.owner, now_s) / window.limit.amount for window in self.cost), default=0.0)
        return self.lane, used / (_INTERNAL_WEIGHT if self.client == OURSELVES else 1), self.number

    def delays_s(self, now_s: float) -> dict[Window, float]:
        """Answer in how many seconds, at the earliest, each of its limits has room."""
        return {window: window.delay_s(amount, self.lane, now_s) for window, amount in self.cost.items()}

    def fair_delays_s(self, now_s: float, active: Collection[Owner]) -> dict[Window, float]:
        """Answer in how many seconds each of its limits has room beside what is kept for other clients."""
        if self.client == OURSELVES or self.lane is Lane.CANCEL:
            return {}
        return {
            window: window.fair_delay_s(amount, self.lane, now_s, self.owner, active)
            for window, amount in self.cost.items()
        }

    def start(self) -> None:
        """Count it as under way."""
        for window, amount in self.cost.items():
            window.start(amount, self.owner)

    def finish(self, now_s: float) -> None:
        """Count it as answered."""
        for window, amount in self.cost.items():
            window.finish(amount, now_s, self.owner)


Owner = tuple[str, Lane]
_Flow = tuple[Lane, str, tuple[Window, ...]]
_SortKey = tuple[Lane, float, int]
_Resource = Window | tuple[Window, str, Lane]


class FairQueue:
    """All that wait for a turn. None overtakes another that waits for the same limit and is before it."""

    def __init__(self) -> None:
        self._flows: dict[_Flow, deque[QueuedRequest]] = {}
        self._numbers = count()
        self._last_request_s: dict[Owner, float] = {}

    def add(
        self, lane: Lane, client: str, cost: dict[Window, int], now_s: float, on_granted: Callable[[], None]
    ) -> QueuedRequest:
        """Queue a request."""
        request = QueuedRequest(next(self._numbers), lane, client, cost, on_granted)
        self._flows.setdefault(request.flow, deque()).append(request)
        if client != OURSELVES:
            self._last_request_s.pop(request.owner, None)
            self._last_request_s[request.owner] = now_s
        return request

    def delay_s(self, request: QueuedRequest, now_s: float) -> float:
        """Answer in how many seconds, at the earliest, a turn may come if nobody is before it."""
        return max(self._delays_s(request, now_s, self._active(now_s)).values(), default=0.0)

    def drop(self, request: QueuedRequest) -> None:
        """Forget a request that gave up waiting."""
        self._flows[request.flow].remove(request)

    def queued_by(self, client: str, lane: Lane | None = None) -> int:
        """Answer how many of a client's requests wait, in all lanes or in one."""
        return sum(len(flow) for (of, by, _), flow in self._flows.items() if by == client and lane in (None, of))

    def queued_in(self, lane: Lane) -> int:
        """Answer how many requests of all clients wait in a lane."""
        return sum(len(flow) for (of, _, _), flow in self._flows.items() if of is lane)

    def grant(self, now_s: float) -> float:
        """Grant every turn that may go now; answer in how many seconds to look again."""
        self._flows = {key: flow for key, flow in self._flows.items() if flow}
        if not self._flows:
            return inf
        heads = [(flow[0].sort_key(now_s), flow) for flow in self._flows.values()]
        heapq.heapify(heads)
        active = self._active(now_s)
        awaited: set[_Resource] = set()
        next_s = inf
        while heads:
            sort_key, flow = heapq.heappop(heads)
            request = flow[0]
            if (key_now := request.sort_key(now_s)) != sort_key:
                # Another request of the same client was granted meanwhile.
                heapq.heappush(heads, (key_now, flow))
                continue
            waits = self._delays_s(request, now_s, active)
            if awaited.isdisjoint(waits) and not any(waits.values()):
                flow.popleft()
                request.start()
                request.on_granted()
                if flow:
                    heapq.heappush(heads, (flow[0].sort_key(now_s), flow))
            else:
                awaited.update(resource for resource, delay_s in waits.items() if delay_s > 0)
                next_s = min(next_s, max(waits.values()) or inf)
        return next_s

    def _active(self, now_s: float) -> dict[Lane, list[Owner]]:
        """Answer who asked lately, by lane."""
        while self._last_request_s and (first := next(iter(self._last_request_s.items())))[1] + _ACTIVE_FOR_S <= now_s:
            del self._last_request_s[first[0]]
        return {lane: [owner for owner in self._last_request_s if owner[1] is lane] for lane in Lane}

    def _delays_s(
        self, request: QueuedRequest, now_s: float, active: Mapping[Lane, Collection[Owner]]
    ) -> dict[_Resource, float]:
        """Answer how long it waits for each limit, and for its client's own part of each, which is in nobody's way."""
        waits: dict[_Resource, float] = dict(request.delays_s(now_s).items())
        for window, delay_s in request.fair_delays_s(now_s, active[request.lane]).items():
            waits[window, *request.owner] = delay_s
        return waits
