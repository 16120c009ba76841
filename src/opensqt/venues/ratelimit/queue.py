"""The fair queue: cancels before orders before queries; within a lane, the client that used the least goes first."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import count
from math import inf

from opensqt.model.client_context import INTERNAL
from opensqt.venues.ratelimit.window import Lane, Window

_INTERNAL_WEIGHT = 4
"""Internal requests weigh as much as this number of clients: they keep the state true that every client receives."""

_ACTIVE_FOR_S = 60.0
"""Seconds for which a client keeps its share after its last request."""


@dataclass(frozen=True, slots=True, eq=False)
class QueuedRequest:
    """One request in the queue."""

    number: int
    """Position in the order of arrival."""
    lane: Lane
    client: str
    cost: dict[Window, int]
    """Amount that the request uses of each limit."""
    on_granted: Callable[[], None]
    """Called once, when the request may be sent."""

    @property
    def owner(self) -> Owner:
        """The owner that its use is charged to: queries of a client must not count against its orders."""
        return self.client, self.lane

    @property
    def flow(self) -> _Flow:
        """The FIFO that it waits in: requests of one client and lane that use the same limits."""
        return self.lane, self.client, tuple(self.cost)

    def sort_key(self, now_s: float) -> _SortKey:
        """Return its priority; the least goes first."""
        used = max((window.used_by(self.owner, now_s) / window.limit.amount for window in self.cost), default=0.0)
        return self.lane, used / (_INTERNAL_WEIGHT if self.client == INTERNAL else 1), self.number

    def delays_s(self, now_s: float) -> dict[Window, float]:
        """Return the seconds until each of its limits has capacity, at the earliest."""
        return {window: window.delay_s(amount, self.lane, now_s) for window, amount in self.cost.items()}

    def fair_delays_s(self, now_s: float, active: Collection[Owner]) -> dict[Window, float]:
        """Return the seconds until each of its limits has capacity beyond what is reserved for other clients."""
        if self.client == INTERNAL or self.lane is Lane.CANCEL:
            return {}
        return {
            window: window.fair_delay_s(amount, self.lane, now_s, self.owner, active)
            for window, amount in self.cost.items()
        }

    def start(self) -> None:
        """Charge it as in flight."""
        for window, amount in self.cost.items():
            window.start(amount, self.owner)

    def finish(self, now_s: float) -> None:
        """Charge it as completed."""
        for window, amount in self.cost.items():
            window.finish(amount, now_s, self.owner)


Owner = tuple[str, Lane]
_Flow = tuple[Lane, str, tuple[Window, ...]]
_SortKey = tuple[Lane, float, int]
_Resource = Window | tuple[Window, str, Lane]


class FairQueue:
    """All queued requests. No request overtakes one ahead of it that waits for the same limit."""

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
        if client != INTERNAL:
            self._last_request_s.pop(request.owner, None)
            self._last_request_s[request.owner] = now_s
        return request

    def delay_s(self, request: QueuedRequest, now_s: float) -> float:
        """Return the seconds until a request could be granted if no other one were ahead of it."""
        return max(self._delays_s(request, now_s, self._active(now_s)).values(), default=0.0)

    def drop(self, request: QueuedRequest) -> None:
        """Remove a request that no longer waits."""
        self._flows[request.flow].remove(request)

    def queued_by(self, client: str, lane: Lane | None = None) -> int:
        """Return the number of queued requests of a client, in all lanes or in one."""
        return sum(len(flow) for (of, by, _), flow in self._flows.items() if by == client and lane in (None, of))

    def queued_in(self, lane: Lane) -> int:
        """Return the number of queued requests of all clients in a lane."""
        return sum(len(flow) for (of, _, _), flow in self._flows.items() if of is lane)

    def grant(self, now_s: float) -> float:
        """Grant every request that may be sent now, and return the seconds until the next call is due."""
        self._expire(now_s)
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
                # Another request of the same client was granted since its key was computed.
                heapq.heappush(heads, (key_now, flow))
                continue
            delays = self._delays_s(request, now_s, active)
            if awaited.isdisjoint(delays) and not any(delays.values()):
                flow.popleft()
                request.start()
                request.on_granted()
                if flow:
                    heapq.heappush(heads, (flow[0].sort_key(now_s), flow))
            else:
                awaited.update(resource for resource, delay_s in delays.items() if delay_s > 0)
                next_s = min(next_s, max(delays.values()) or inf)
        return next_s

    def _expire(self, now_s: float) -> None:
        """Forget the clients whose last request is too old."""
        while self._last_request_s and (first := next(iter(self._last_request_s.items())))[1] + _ACTIVE_FOR_S <= now_s:
            del self._last_request_s[first[0]]

    def _active(self, now_s: float) -> dict[Lane, list[Owner]]:
        """Return the owners with a recent request, by lane."""
        recent = [owner for owner, at_s in self._last_request_s.items() if at_s + _ACTIVE_FOR_S > now_s]
        return {lane: [owner for owner in recent if owner[1] is lane] for lane in Lane}

    def _delays_s(
        self, request: QueuedRequest, now_s: float, active: Mapping[Lane, Collection[Owner]]
    ) -> dict[_Resource, float]:
        """Return the delay for each limit, and for the client's own share of each.

        Only the same client waits for the share, so waiting for it blocks no other client.
        """
        delays: dict[_Resource, float] = dict(request.delays_s(now_s).items())
        for window, delay_s in request.fair_delays_s(now_s, active[request.lane]).items():
            delays[window, *request.owner] = delay_s
        return delays
