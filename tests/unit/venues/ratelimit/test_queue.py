"""The fair queue: each client gets its share of a limit, and every request is granted in the end."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from math import inf
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.model.client_context import INTERNAL
from opensqt.venues.ratelimit.queue import FairQueue, QueuedRequest
from opensqt.venues.ratelimit.window import Lane, Limit, Window

CLIENTS = ("a", "b", "c", INTERNAL)
_TAKES_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    at_s: float
    client: str
    lane: Lane = Lane.QUERY
    weight: int = 1
    takes_s: float = _TAKES_S
    name: str = ""


@dataclass
class QueueRig:
    """A fair queue over one limit, on a clock of its own."""

    limit: Limit
    window: Window = field(init=False)
    served: list[tuple[float, Arrival]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.window = Window(self.limit)

    def play(self, arrivals: Iterable[Arrival]) -> None:
        """Queue the arrivals, grant them and complete them until the queue is empty."""
        queue, agenda, number = FairQueue(), list[tuple[float, int, Any]](), 0

        def at(time_s: float, action: Any) -> None:
            nonlocal number
            number += 1
            heapq.heappush(agenda, (time_s, number, action))

        def go(arrival: Arrival, own: list[QueuedRequest]) -> None:
            self.served.append((now_s, arrival))
            at(now_s + arrival.takes_s, lambda: own[0].finish(now_s))

        def come(arrival: Arrival) -> None:
            own: list[QueuedRequest] = []
            cost = {self.window: arrival.weight}
            own.append(queue.add(arrival.lane, arrival.client, cost, now_s, partial(go, arrival, own)))

        for arrival in arrivals:
            at(arrival.at_s, partial(come, arrival))
        while agenda:
            now_s, _, action = heapq.heappop(agenda)
            if action is not None:
                action()
            if agenda and agenda[0][0] == now_s and agenda[0][2] is not None:
                continue
            if (next_s := queue.grant(now_s)) < inf:
                # Slightly later, so that what must have expired by then has expired.
                at(now_s + next_s + 1e-9, None)
        assert not any(queue.queued_by(client) for client in CLIENTS)

    def counts(self, until_s: float, lane: Lane | None = None) -> Counter[str]:
        """The amount that each client used until then."""
        found = Counter[str]()
        for at_s, arrival in self.served:
            if at_s < until_s and lane in (None, arrival.lane):
                found[arrival.client] += arrival.weight
        return found

    def started_s(self, name: str) -> float:
        return next(at_s for at_s, arrival in self.served if arrival.name == name)


def flood(client: str, requests: int, **more: Any) -> list[Arrival]:
    return [Arrival(at_s=0.0, client=client, **more) for _ in range(requests)]


arrivals = st.lists(
    st.builds(
        Arrival,
        at_s=st.floats(0, 3).map(lambda at_s: round(at_s, 2)),
        client=st.sampled_from(CLIENTS),
        lane=st.sampled_from(Lane),
        weight=st.integers(1, 4),
        takes_s=st.floats(0, 0.5).map(lambda takes_s: round(takes_s, 2)),
    ),
    max_size=60,
)


@given(arrivals, st.integers(4, 20))
def test_no_window_of_the_venues_holds_more_than_the_limit_for_any_clients(plan: list[Arrival], amount: int) -> None:
    """F16: and every request is granted in the end."""
    rig = QueueRig(Limit(amount, 1.0))
    rig.play(plan)
    assert len(rig.served) == len(plan)
    for start_s, _ in rig.served:
        assert sum(one.weight for at_s, one in rig.served if start_s <= at_s < start_s + 1) <= amount


@given(st.integers(1, 200), st.integers(10, 60), st.integers(1, 6))
def test_a_client_without_use_waits_for_at_most_one_request_of_each_other_client(
    greedy: int, amount: int, others: int
) -> None:
    """F16: for any number of queued requests of the greedy client, and any number of clients."""
    rig = QueueRig(Limit(amount, 1.0, shared=False))
    quiet = [Arrival(at_s=0.5, client=f"quiet{number}", name=f"quiet{number}") for number in range(others)]
    rig.play([*flood("greedy", greedy), *quiet])
    order = [arrival.client for at_s, arrival in rig.served if at_s >= 0.5]
    assert max(order.index(f"quiet{number}") for number in range(others)) <= others


@settings(max_examples=30)
@given(st.integers(2, 8), st.integers(10, 40))
def test_a_contended_limit_is_shared_equally(clients: int, amount: int) -> None:
    """F16: to within two requests, though each client has queued a different number."""
    rig = QueueRig(Limit(amount, 1.0, shared=False))
    floods = [flood(f"client{number}", (number + 2) * amount) for number in range(clients)]
    rig.play([arrival for one in floods for arrival in one])
    used = rig.counts(until_s=1.9)
    assert max(used.values()) - min(used[f"client{number}"] for number in range(clients)) <= 2


@settings(max_examples=20)
@given(st.integers(2, 8), st.integers(40, 120), st.randoms())
def test_in_each_window_every_client_gets_half_of_an_equal_share_in_any_order_of_arrival(
    clients: int, amount: int, random: Random
) -> None:
    """F16: though the burst of one client arrives before the first request of another."""
    rig = QueueRig(Limit(amount, 60.0, shared=False))
    each = [f"client{number}" for number in range(clients)]
    first = [Arrival(at_s=0.0, client=client) for client in each]
    bursts = [[Arrival(at_s=round(0.5 + random.random(), 3), client=client)] * (2 * amount) for client in each]
    rig.play([*first, *(arrival for burst in bursts for arrival in burst)])
    used = rig.counts(until_s=59)
    assert min(used[client] for client in each) >= amount // (2 * clients)
    assert used.total() >= amount * 9 // 10 - clients


def test_heavy_requests_get_no_more_of_a_limit_than_light_ones() -> None:
    rig = QueueRig(Limit(100, 1.0, shared=False))
    rig.play([*flood("heavy", 100, weight=10), *flood("light", 1000)])
    used = rig.counts(until_s=1.9)
    assert abs(used["heavy"] - used["light"]) <= 20


def test_a_lone_client_leaves_capacity_for_one_that_comes_later_in_a_long_window() -> None:
    """F16: otherwise it would fill the minute at its start, and another client would wait until the end."""
    rig = QueueRig(Limit(60, 60.0, shared=False))
    late = [Arrival(at_s=10.0, client="late", name=f"late{number}") for number in range(5)]
    rig.play([*flood("greedy", 200), *late])
    assert rig.counts(until_s=10.0) == {"greedy": 54}
    assert rig.started_s("late4") == 10.0


def test_internal_requests_weigh_as_much_as_four_clients() -> None:
    """F16: the queries that keep orders and positions true run though eight clients use all that is left."""
    rig = QueueRig(Limit(120, 1.0, shared=False))
    floods = [flood(f"client{number}", 100) for number in range(8)]
    rig.play([*(arrival for one in floods for arrival in one), *flood(INTERNAL, 200)])
    used = rig.counts(until_s=0.9)
    assert used[INTERNAL] >= 40
    assert min(used[f"client{number}"] for number in range(8)) >= 9


def test_a_cancel_goes_before_every_queued_query_and_order() -> None:
    """F16: a cancel of the client that used the most goes before the first order of another."""
    rig = QueueRig(Limit(10, 1.0))
    rig.play(
        [
            *flood("a", 40),
            *flood("a", 40, lane=Lane.ORDER),
            *(Arrival(at_s=0.5, client="a", lane=Lane.CANCEL, weight=2, name="cancel") for _ in range(3)),
            *(Arrival(at_s=0.5, client="b", lane=Lane.ORDER) for _ in range(3)),
        ]
    )
    after = [arrival.lane for at_s, arrival in rig.served if at_s >= 0.5]
    assert after[:3] == [Lane.CANCEL] * 3


def test_a_clients_queries_do_not_count_against_its_orders() -> None:
    rig = QueueRig(Limit(100, 1.0))
    rig.play([*flood("queries", 60), *flood("queries", 100, lane=Lane.ORDER), *flood("places", 100, lane=Lane.ORDER)])
    placed = rig.counts(0.9, Lane.ORDER)
    assert abs(placed["queries"] - placed["places"]) <= 1


def test_queued_requests_are_counted_by_client_and_lane() -> None:
    queue, window = FairQueue(), Window(Limit(1, 1.0))
    for lane in (Lane.ORDER, Lane.ORDER, Lane.QUERY):
        queue.add(lane, "a", {window: 1}, 0.0, lambda: None)
    queue.add(Lane.QUERY, "b", {window: 1}, 0.0, lambda: None)
    assert [queue.queued_by("a"), queue.queued_by("a", Lane.ORDER), queue.queued_by("b"), queue.queued_by("c")] == [
        3,
        2,
        1,
        0,
    ]
