"""The rate budget: never more than the venue grants, cancels first, and silence where the venue asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.model.caller import on_behalf_of
from opensqt.model.errors import ExchangeError, OrderDenied, RateLimited
from opensqt.model.order_gate import departing, through
from opensqt.venues.ratelimit.limiter import RateLimiter, in_lane
from opensqt.venues.ratelimit.policy import EndpointPolicy, Request, int_header
from opensqt.venues.ratelimit.window import Lane, Limit, Window
from tests.support import eventually

ORDER = Request("POST", "order")


def budget(limit: Limit, *, queue_timeout_s: float = 10, clock_s: Callable[[], float] | None = None) -> RateLimiter:
    rate_limits = EndpointPolicy(limits={}, default=limit, read=lambda headers: (None, int_header(headers, "remain")))
    return RateLimiter(rate_limits, queue_timeout_s=queue_timeout_s, **({"clock_s": clock_s} if clock_s else {}))


async def held(shared: RateLimiter, request: Request, lane: Lane, told: list[str], name: str) -> None:
    with in_lane(lane):
        async with shared.acquire(request):
            told.append(name)


@given(st.lists(st.tuples(st.floats(0, 0.4), st.floats(0, 0.6), st.floats(0, 1)), min_size=1, max_size=60))
def test_no_window_of_the_venues_holds_more_than_the_limit(plan: list[tuple[float, float, float]]) -> None:
    """F16: whatever the requests take, and whenever within that time the venue counts them."""
    window, now_s, counted = Window(Limit(5, 1.0)), 0.0, list[float]()
    under_way: list[float] = []
    for gap_s, takes_s, counted_at in plan:
        now_s += gap_s
        while (delay_s := window.delay_s(1, Lane.CANCEL, now_s)) > 0:
            now_s = min([*under_way, now_s + delay_s])
            for end_s in [end_s for end_s in under_way if end_s <= now_s]:
                under_way.remove(end_s)
                window.finish(1, end_s)
        window.start(1)
        under_way.append(now_s + takes_s)
        counted.append(now_s + takes_s * counted_at)
        for end_s in sorted(end_s for end_s in under_way if end_s <= now_s):
            under_way.remove(end_s)
            window.finish(1, end_s)
    assert all(sum(start <= at_s < start + 1 for at_s in counted) <= 5 for start in counted)


def test_queries_leave_room_to_orders_and_both_to_cancels() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    assert [Limit(60, 1.0).capacity_for(lane) for lane in Lane] == [60, 54, 40]
    assert [Limit(5, 1.0).capacity_for(lane) for lane in Lane] == [5, 4, 3]
    assert [Limit(5, 1.0, shared=False).capacity_for(lane) for lane in Lane] == [5, 5, 5]


def test_what_is_larger_than_a_share_goes_when_nothing_else_counts() -> None:
    window = Window(Limit(10, 1.0))
    assert window.delay_s(40, Lane.QUERY, 0.0) == 0
    window.start(1)
    window.finish(1, 0.0)
    assert window.delay_s(40, Lane.QUERY, 0.5) == 0.5


def test_what_others_use_of_the_limit_counts() -> None:
    window = Window(Limit(10, 1.0))
    window.start(1)
    window.reconcile_usage(9, 0.0)
    window.reconcile_usage(4, 0.0)
    assert window.used(0.5) == 9
    assert window.used(1.0) == 1


async def test_cancels_go_before_orders_and_orders_before_queries() -> None:
    """F16: in each lane first come, first served."""
    shared, told = budget(Limit(1, 0.05, shared=False)), list[str]()
    callers = [(Lane.QUERY, "q1"), (Lane.QUERY, "q2"), (Lane.ORDER, "o1"), (Lane.QUERY, "q3"), (Lane.CANCEL, "c1")]
    await asyncio.gather(*(held(shared, ORDER, lane, told, name) for lane, name in callers))
    assert told == ["q1", "c1", "o1", "q2", "q3"]


async def test_who_waits_for_one_limit_holds_nobody_up_at_another() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    shared, told = budget(Limit(1, 30, shared=False)), list[str]()
    await held(shared, ORDER, Lane.ORDER, told, "first")
    waiting = asyncio.create_task(held(shared, ORDER, Lane.CANCEL, told, "second"))
    await asyncio.sleep(0)
    await held(shared, Request("GET", "time"), Lane.QUERY, told, "time")
    waiting.cancel()
    assert told == ["first", "time"]


async def test_a_turn_that_comes_too_late_is_refused_with_the_time_it_would_take() -> None:
    """F16: nothing is sent."""
    shared = budget(Limit(1, 30, shared=False), clock_s=lambda: 0.0)
    async with shared.acquire(ORDER):
        pass
    with pytest.raises(RateLimited) as refused:
        await held(shared, ORDER, Lane.CANCEL, [], "late")
    assert refused.value.retry_after_s == 30


async def test_in_a_silence_nothing_leaves_until_it_is_over() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    now_s = 0.0
    shared = budget(Limit(5, 1.0), clock_s=lambda: now_s)
    shared.pause(30)
    shared.pause(1)
    now_s = 19.0
    with pytest.raises(RateLimited, match=r"11\.0 s"):
        await held(shared, ORDER, Lane.CANCEL, [], "early")
    now_s, told = 30.0, list[str]()
    await held(shared, ORDER, Lane.CANCEL, told, "after")
    assert told == ["after"]


async def test_a_short_silence_is_waited_out() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    shared, told = budget(Limit(5, 1.0)), list[str]()
    shared.pause(0.1)
    await held(shared, ORDER, Lane.QUERY, told, "after")
    assert (told, shared.snapshot().paused_s) == (["after"], 0)


async def test_a_caller_who_gives_up_takes_nobodys_turn() -> None:
    shared, told = budget(Limit(1, 0.1, shared=False)), list[str]()
    await held(shared, ORDER, Lane.ORDER, told, "first")
    gives_up = asyncio.create_task(held(shared, ORDER, Lane.ORDER, told, "second"))
    stays = asyncio.create_task(held(shared, ORDER, Lane.ORDER, told, "third"))
    await asyncio.sleep(0)
    gives_up.cancel()
    await stays
    assert told == ["first", "third"]
    await eventually(lambda: shared.snapshot().windows["POST order"].left == 1)


async def test_a_caller_who_gives_up_when_his_turn_came_leaves_nothing_under_way() -> None:
    now_s = 0.0
    shared = budget(Limit(1, 1.0, shared=False), clock_s=lambda: now_s)
    shared.pause(1.0)
    waiting = asyncio.create_task(held(shared, ORDER, Lane.ORDER, [], "never"))
    await asyncio.sleep(0)
    now_s = 1.0
    shared._dispatch()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    now_s = 2.0
    assert shared.snapshot().windows["POST order"].left == 1


async def test_what_is_left_is_told_after_what_the_venue_said() -> None:
    shared = budget(Limit(10, 1.0), clock_s=lambda: 0.0)
    async with shared.acquire(ORDER):
        shared.observe(ORDER, {"Remain": "4"}, {})
        assert shared.snapshot().windows["POST order"].left == 4


async def test_a_client_is_told_what_it_used_and_how_many_of_its_requests_wait() -> None:
    """F16: and nothing of another's."""
    shared = budget(Limit(3, 30, shared=False))
    with on_behalf_of("first"):
        await held(shared, ORDER, Lane.ORDER, [], "one")
        await held(shared, ORDER, Lane.QUERY, [], "two")
        waiting = asyncio.create_task(held(shared, ORDER, Lane.ORDER, [], "three"))
    shared.pause(5)
    await asyncio.sleep(0)
    first, second = shared.snapshot("first"), shared.snapshot("second")
    waiting.cancel()
    assert (first.windows["POST order"].used_by_client, first.queued) == (2, 1)
    assert (second.windows["POST order"].used_by_client, second.windows["POST order"].left, second.queued) == (0, 1, 0)


async def test_a_client_with_too_many_waiting_is_refused_at_once_and_its_cancels_and_others_are_not() -> None:
    """F16: its queue is bounded, and it is told how long what waits there takes."""
    now_s = 0.0
    shared = budget(Limit(10, 1.0), clock_s=lambda: now_s)
    shared.pause(5)
    with on_behalf_of("greedy"):
        queued = [asyncio.create_task(held(shared, ORDER, Lane.QUERY, [], "query")) for _ in range(256)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimited, match="256 requests of this client") as refused:
            await held(shared, ORDER, Lane.QUERY, [], "one more")
        queued.append(asyncio.create_task(held(shared, ORDER, Lane.CANCEL, [], "cancel")))
    with on_behalf_of("other"):
        queued.append(asyncio.create_task(held(shared, ORDER, Lane.QUERY, [], "other")))
    await asyncio.sleep(0)
    assert (shared.snapshot("greedy").queued, shared.snapshot("other").queued) == (257, 1)
    assert refused.value.retry_after_s == 25.6
    for task in queued:
        task.cancel()


async def test_a_request_that_uses_no_limit_is_refused_like_any_other_when_too_many_wait() -> None:
    rate_limits = EndpointPolicy(limits={}, default=Limit(10, 1.0), count=lambda request: int(request is ORDER))
    shared = RateLimiter(rate_limits, queue_timeout_s=10)
    shared.pause(5)
    with on_behalf_of("greedy"):
        queued = [asyncio.create_task(held(shared, ORDER, Lane.QUERY, [], "query")) for _ in range(256)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimited, match="256 requests of this client"):
            await held(shared, Request("GET", "free"), Lane.QUERY, [], "free")
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


async def sent(shared: RateLimiter, gate: Gate, symbol: str, told: list[str]) -> None:
    with through(gate), departing([symbol]), in_lane(Lane.ORDER):
        async with shared.acquire(ORDER):
            told.append(symbol)


async def test_an_order_that_waits_is_not_sent_when_its_gate_closes() -> None:
    """F39: the halt comes while the orders wait for the rate limit; one of another symbol goes on."""
    shared, gate, told = budget(Limit(1, 0.1, shared=False)), Gate(), list[str]()
    await held(shared, ORDER, Lane.ORDER, told, "first")
    halted = asyncio.create_task(sent(shared, gate, "BTCUSDT", told))
    other = asyncio.create_task(sent(shared, gate, "ETHUSDT", told))
    await asyncio.sleep(0)
    gate.close("BTCUSDT")
    with pytest.raises(OrderDenied, match="BTCUSDT: closed"):
        await halted
    await other
    assert told == ["first", "ETHUSDT"]


async def test_an_order_whose_gate_is_closed_does_not_even_wait() -> None:
    """F39: and takes nothing of the limit."""
    shared, gate, told = budget(Limit(1, 30, shared=False)), Gate(), list[str]()
    gate.close("BTCUSDT")
    with pytest.raises(OrderDenied):
        await sent(shared, gate, "BTCUSDT", told)
    await held(shared, ORDER, Lane.ORDER, told, "next")
    assert told == ["next"]


async def test_a_gate_has_no_say_once_the_order_has_left() -> None:
    """F39: a refusal then would say that nothing was sent, though it was; what follows only asks about it."""
    shared, gate, told = budget(Limit(5, 30, shared=False)), Gate(), list[str]()
    with through(gate), departing(["BTCUSDT"]):
        async with shared.acquire(ORDER):
            gate.close("BTCUSDT")
        async with shared.acquire(ORDER):
            told.append("asked what became of it")
    assert told == ["asked what became of it"]
