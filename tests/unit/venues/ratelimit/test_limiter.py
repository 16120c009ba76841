"""The rate limiter: never more than the venue's limits, cancels first, and a pause where the venue requests one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.model.client_context import on_behalf_of
from opensqt.model.errors import ExchangeError, OrderDenied, RateLimited
from opensqt.model.order_gate import departing, through
from opensqt.venues.ratelimit.limiter import RateLimiter, in_lane
from opensqt.venues.ratelimit.policy import EndpointPolicy, Request, int_header
from opensqt.venues.ratelimit.window import Lane, Limit, Window
from tests.support import eventually

ORDER = Request("POST", "order")


def make_limiter(
    limit: Limit, *, queue_timeout_s: float = 10, clock_s: Callable[[], float] | None = None
) -> RateLimiter:
    rate_limits = EndpointPolicy(limits={}, default=limit, read=lambda headers: (None, int_header(headers, "remain")))
    return RateLimiter(rate_limits, queue_timeout_s=queue_timeout_s, **({"clock_s": clock_s} if clock_s else {}))


async def send(limiter: RateLimiter, request: Request, lane: Lane, served: list[str], name: str) -> None:
    with in_lane(lane):
        async with limiter.acquire(request):
            served.append(name)


async def has_served(served: list[str], count: int) -> None:
    await eventually(lambda: len(served) == count)


@given(st.lists(st.tuples(st.floats(0, 0.4), st.floats(0, 0.6), st.floats(0, 1)), min_size=1, max_size=60))
def test_no_window_of_the_venues_holds_more_than_the_limit(plan: list[tuple[float, float, float]]) -> None:
    """F16: for any duration of the requests, and whenever within it the venue counts them."""
    window, now_s, counted = Window(Limit(5, 1.0)), 0.0, list[float]()
    in_flight: list[float] = []
    for gap_s, takes_s, counted_at in plan:
        now_s += gap_s
        while (delay_s := window.delay_s(1, Lane.CANCEL, now_s)) > 0:
            now_s = min([*in_flight, now_s + delay_s])
            for end_s in [end_s for end_s in in_flight if end_s <= now_s]:
                in_flight.remove(end_s)
                window.finish(1, end_s)
        window.start(1)
        in_flight.append(now_s + takes_s)
        counted.append(now_s + takes_s * counted_at)
        for end_s in sorted(end_s for end_s in in_flight if end_s <= now_s):
            in_flight.remove(end_s)
            window.finish(1, end_s)
    assert all(sum(start <= at_s < start + 1 for at_s in counted) <= 5 for start in counted)


def test_queries_leave_room_to_orders_and_both_to_cancels() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    assert [Limit(60, 1.0).capacity_for(lane) for lane in Lane] == [60, 54, 40]
    assert [Limit(5, 1.0).capacity_for(lane) for lane in Lane] == [5, 4, 3]
    assert [Limit(5, 1.0, shared=False).capacity_for(lane) for lane in Lane] == [5, 5, 5]


def test_a_request_larger_than_its_capacity_is_sent_when_nothing_else_is_in_use() -> None:
    window = Window(Limit(10, 1.0))
    assert window.delay_s(40, Lane.QUERY, 0.0) == 0
    window.start(1)
    window.finish(1, 0.0)
    assert window.delay_s(40, Lane.QUERY, 0.5) == 0.5


def test_usage_by_other_programs_counts() -> None:
    window = Window(Limit(10, 1.0))
    window.start(1)
    window.reconcile_usage(9, 0.0)
    window.reconcile_usage(4, 0.0)
    assert window.used(0.5) == 9
    assert window.used(1.0) == 1


async def test_cancels_go_before_orders_and_orders_before_queries() -> None:
    """F16: within a lane, requests of one client keep their order."""
    now_s = 0.0
    limiter, served = make_limiter(Limit(1, 1.0, shared=False), clock_s=lambda: now_s), list[str]()
    callers = [(Lane.QUERY, "q1"), (Lane.QUERY, "q2"), (Lane.ORDER, "o1"), (Lane.QUERY, "q3"), (Lane.CANCEL, "c1")]
    sending = asyncio.gather(*(send(limiter, ORDER, lane, served, name) for lane, name in callers))
    await eventually(lambda: sum(limiter.queued_by_lane().values()) == len(callers) - 1)
    for sent in range(2, len(callers) + 1):
        now_s += 1.0
        limiter.dispatch()
        await has_served(served, sent)
    await sending
    assert served == ["q1", "c1", "o1", "q2", "q3"]


async def test_a_request_that_waits_for_one_limit_does_not_block_another_limit() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    limiter, served = make_limiter(Limit(1, 30, shared=False)), list[str]()
    await send(limiter, ORDER, Lane.ORDER, served, "first")
    waiting = asyncio.create_task(send(limiter, ORDER, Lane.CANCEL, served, "second"))
    await asyncio.sleep(0)
    await send(limiter, Request("GET", "time"), Lane.QUERY, served, "time")
    waiting.cancel()
    assert served == ["first", "time"]


async def test_a_request_that_would_wait_too_long_is_refused_with_the_delay() -> None:
    """F16: the request is not sent."""
    limiter = make_limiter(Limit(1, 30, shared=False), clock_s=lambda: 0.0)
    async with limiter.acquire(ORDER):
        pass
    with pytest.raises(RateLimited) as refused:
        await send(limiter, ORDER, Lane.CANCEL, [], "late")
    assert refused.value.retry_after_s == 30


async def test_nothing_is_sent_during_a_pause() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    now_s = 0.0
    limiter = make_limiter(Limit(5, 1.0), clock_s=lambda: now_s)
    limiter.pause(30)
    limiter.pause(1)
    now_s = 19.0
    with pytest.raises(RateLimited, match=r"11\.0 s"):
        await send(limiter, ORDER, Lane.CANCEL, [], "early")
    now_s, served = 30.0, list[str]()
    await send(limiter, ORDER, Lane.CANCEL, served, "after")
    assert served == ["after"]


async def test_a_short_pause_is_waited_for() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    limiter, served = make_limiter(Limit(5, 1.0)), list[str]()
    limiter.pause(0.1)
    await send(limiter, ORDER, Lane.QUERY, served, "after")
    assert (served, limiter.snapshot().paused_s) == (["after"], 0)


async def test_a_cancelled_caller_frees_its_place_in_the_queue() -> None:
    now_s = 0.0
    limiter, served = make_limiter(Limit(1, 1.0, shared=False), clock_s=lambda: now_s), list[str]()
    await send(limiter, ORDER, Lane.ORDER, served, "first")
    cancelled = asyncio.create_task(send(limiter, ORDER, Lane.ORDER, served, "second"))
    stays = asyncio.create_task(send(limiter, ORDER, Lane.ORDER, served, "third"))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    now_s = 1.0
    limiter.dispatch()
    await stays
    assert served == ["first", "third"]
    now_s = 2.0
    assert limiter.snapshot().windows["POST order"].left == 1


async def test_a_caller_cancelled_after_its_grant_leaves_nothing_in_flight() -> None:
    now_s = 0.0
    limiter = make_limiter(Limit(1, 1.0, shared=False), clock_s=lambda: now_s)
    limiter.pause(1.0)
    waiting = asyncio.create_task(send(limiter, ORDER, Lane.ORDER, [], "never"))
    await asyncio.sleep(0)
    now_s = 1.0
    limiter.dispatch()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    now_s = 2.0
    assert limiter.snapshot().windows["POST order"].left == 1


async def test_the_snapshot_follows_the_usage_that_the_venue_reports() -> None:
    limiter = make_limiter(Limit(10, 1.0), clock_s=lambda: 0.0)
    async with limiter.acquire(ORDER):
        limiter.observe(ORDER, {"Remain": "4"}, {})
        assert limiter.snapshot().windows["POST order"].left == 4


async def test_a_snapshot_shows_what_a_client_used_and_has_queued() -> None:
    """F16: and nothing of another client."""
    limiter = make_limiter(Limit(3, 30, shared=False))
    with on_behalf_of("first"):
        await send(limiter, ORDER, Lane.ORDER, [], "one")
        await send(limiter, ORDER, Lane.QUERY, [], "two")
        waiting = asyncio.create_task(send(limiter, ORDER, Lane.ORDER, [], "three"))
    limiter.pause(5)
    await asyncio.sleep(0)
    first, second = limiter.snapshot("first"), limiter.snapshot("second")
    waiting.cancel()
    assert (first.windows["POST order"].used_by_client, first.queued) == (2, 1)
    assert (second.windows["POST order"].used_by_client, second.windows["POST order"].left, second.queued) == (0, 1, 0)


async def test_a_client_with_a_full_queue_is_refused_at_once_but_not_its_cancels_nor_other_clients() -> None:
    """F16: the queue of a client is bounded; the refusal says how long its queued requests take."""
    now_s = 0.0
    limiter = make_limiter(Limit(10, 1.0), clock_s=lambda: now_s)
    limiter.pause(5)
    with on_behalf_of("greedy"):
        queued = [asyncio.create_task(send(limiter, ORDER, Lane.QUERY, [], "query")) for _ in range(256)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimited, match="256 requests of this client") as refused:
            await send(limiter, ORDER, Lane.QUERY, [], "one more")
        queued.append(asyncio.create_task(send(limiter, ORDER, Lane.CANCEL, [], "cancel")))
    with on_behalf_of("other"):
        queued.append(asyncio.create_task(send(limiter, ORDER, Lane.QUERY, [], "other")))
    await asyncio.sleep(0)
    assert (limiter.snapshot("greedy").queued, limiter.snapshot("other").queued) == (257, 1)
    assert refused.value.retry_after_s == 25.6
    for task in queued:
        task.cancel()


async def test_a_request_without_a_cost_is_refused_too_when_the_queue_is_full() -> None:
    rate_limits = EndpointPolicy(limits={}, default=Limit(10, 1.0), count=lambda request: int(request is ORDER))
    limiter = RateLimiter(rate_limits, queue_timeout_s=10)
    limiter.pause(5)
    with on_behalf_of("greedy"):
        queued = [asyncio.create_task(send(limiter, ORDER, Lane.QUERY, [], "query")) for _ in range(256)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimited, match="256 requests of this client"):
            await send(limiter, Request("GET", "free"), Lane.QUERY, [], "free")
    for task in queued:
        task.cancel()


class Gate:
    """An order gate that a test closes."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self._watchers: set[Callable[[], None]] = set()

    def refusal(self, symbol: str) -> ExchangeError | None:
        return OrderDenied(f"{symbol}: closed") if symbol in self.closed else None

    @contextmanager
    def watch(self, closed: Callable[[], None]) -> Iterator[None]:
        self._watchers.add(closed)
        yield
        self._watchers.discard(closed)

    def close(self, symbol: str) -> None:
        self.closed.add(symbol)
        for closed in list(self._watchers):
            closed()


async def place(limiter: RateLimiter, gate: Gate, symbol: str, served: list[str]) -> None:
    with through(gate), departing([symbol]), in_lane(Lane.ORDER):
        async with limiter.acquire(ORDER):
            served.append(symbol)


async def test_an_order_that_waits_is_not_sent_when_its_gate_closes() -> None:
    """F39: the halt comes while the orders wait for the rate limit; an order of another symbol is sent."""
    now_s = 0.0
    limiter, gate = make_limiter(Limit(1, 1.0, shared=False), clock_s=lambda: now_s), Gate()
    served: list[str] = []
    await send(limiter, ORDER, Lane.ORDER, served, "first")
    halted = asyncio.create_task(place(limiter, gate, "BTCUSDT", served))
    other = asyncio.create_task(place(limiter, gate, "ETHUSDT", served))
    await asyncio.sleep(0)
    gate.close("BTCUSDT")
    with pytest.raises(OrderDenied, match="BTCUSDT: closed"):
        await halted
    now_s = 1.0
    limiter.dispatch()
    await other
    assert served == ["first", "ETHUSDT"]


async def test_an_order_whose_gate_is_closed_does_not_even_wait() -> None:
    """F39: and uses nothing of the limit."""
    limiter, gate, served = make_limiter(Limit(1, 30, shared=False)), Gate(), list[str]()
    gate.close("BTCUSDT")
    with pytest.raises(OrderDenied):
        await place(limiter, gate, "BTCUSDT", served)
    await send(limiter, ORDER, Lane.ORDER, served, "next")
    assert served == ["next"]


async def test_a_gate_that_closes_after_the_order_was_sent_refuses_nothing() -> None:
    """F39: a refusal would say that nothing was sent, though it was; what follows only queries the outcome."""
    limiter, gate, served = make_limiter(Limit(5, 30, shared=False)), Gate(), list[str]()
    with through(gate), departing(["BTCUSDT"]):
        async with limiter.acquire(ORDER):
            gate.close("BTCUSDT")
        async with limiter.acquire(ORDER):
            served.append("queried the outcome")
    assert served == ["queried the outcome"]
