"""Eight callers at three times what the venue grants: it refuses nothing and bans nobody, and every cancel passes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from opensqt.model.errors import BackOff, Banned, RateLimited
from opensqt.model.order import OrderRef, OrderStatus
from opensqt.simulator.settings import ServerRules
from opensqt.venues.factory import venue_type
from opensqt.venues.ratelimit.limiter import RateLimiter
from tests.chaos.adapter_rig import SYMBOL, Adapter, Rig, on_simulator
from tests.support import eventually

CALLERS = 8
TIMES = 3
CANCELS = 6
SMALL = ServerRules(weight_window_s=2, orders_per_10s=100)
"""80 of Binance's weight in two seconds; the other venues' windows are short anyway."""
UNHURRIED: dict[str, Any] = {
    "server": SMALL,
    "request_timeout_s": 120.0,
    "recv_window_ms": 60_000,
    "reconcile_interval_s": 60.0,
}
"""On a busy machine a reply may take long; what is refused here is refused by the budget, or by the venue."""
QUEUE_TIMEOUT_S = 4.0
"""How long a request may wait for the budget: some wait for the next window, and others are refused."""
NAMES = {
    "binance": {"place_order": "10s", "get_order": "weight"},
    "bitget": {"place_order": "POST v2/mix/order/place-order", "get_order": "GET v2/mix/order/detail"},
    "gate": {"place_order": "orders", "get_order": "GET {settle}/orders/{order_id}"},
    "okx": {"place_order": "POST trade/order", "get_order": "GET trade/order"},
    "bybit": {"place_order": "POST v5/order/create", "get_order": "GET v5/order/realtime"},
}
"""The limit that each operation uses up first, by venue."""
Call = Callable[[], Awaitable[object]]


class StoppableClock:
    """The time of a venue and of its budget, which `stop` stops for both."""

    def __init__(self) -> None:
        self._stopped_s: float | None = None

    def monotonic_s(self) -> float:
        """Tell the budget's time."""
        return time.monotonic() if self._stopped_s is None else self._stopped_s

    def stop(self, rig: Rig) -> None:
        """Stop both. The venue reads the wall clock through its own, so this is where it is stopped."""
        self._stopped_s = time.monotonic()
        server = rig.simulator.market.clock
        now_ms = server.server_ms()
        server.server_ms = lambda: now_ms  # type: ignore[method-assign]


def limiter(venue: str, clock_s: Callable[[], float] = time.monotonic) -> RateLimiter:
    """The budget that the adapter would make itself, but for its time-out and its clock."""
    return RateLimiter(venue_type(venue).rate_limits, queue_timeout_s=QUEUE_TIMEOUT_S, clock_s=clock_s)


async def granted(rig: Rig, operation: str) -> int:
    """What the venue grants of the limit that *operation* uses up first, told by what the adapter knows of it."""
    limits = {limit.name: limit for limit in (await rig.exchange.get_rate_budget()).limits}
    return limits[NAMES[rig.exchange.name][operation]].limit


async def call_at_once(call: Call, times: int) -> None:
    """Call so often at once; what has no turn in time is refused to the caller."""
    answers = await asyncio.gather(*(call() for _ in range(times)), return_exceptions=True)
    others = [answer for answer in answers if isinstance(answer, Exception) and not isinstance(answer, BackOff)]
    assert others == []


async def call_in_turn(call: Call, times: int) -> None:
    """Call so often, one after the other, whatever is refused."""
    for _ in range(times):
        with contextlib.suppress(BackOff):
            await call()


async def rested(rig: Rig) -> None:
    """Wait until the reads of the start, of which the last is that of funding payments, no longer count."""
    await anext(rig.exchange.subscribe_funding_payments())

    async def unused() -> bool:
        limits = (await rig.exchange.get_rate_budget()).limits
        return all(limit.left == limit.limit for limit in limits if limit.name in NAMES[rig.exchange.name].values())

    await eventually(unused, what="windows in which nothing is used")


async def load(rig: Rig, meanwhile: Call) -> None:
    """Let half of the callers place and half ask, together three times what a window grants of each."""
    price = await rig.far()
    known = await rig.exchange.place_order(rig.request(price=price))
    asked = OrderRef(symbol=SYMBOL, order_id=known.order_id)
    await rig.exchange.get_order(asked)
    calls: dict[str, Call] = {
        "place_order": lambda: rig.exchange.place_order(rig.request(price=price)),
        "get_order": lambda: rig.exchange.get_order(asked),
    }
    each = {operation: await granted(rig, operation) * TIMES // (CALLERS // 2) for operation in calls}
    async with asyncio.TaskGroup() as group:
        group.create_task(meanwhile())
        for operation, call in calls.items():
            for _ in range(CALLERS // 2):
                group.create_task(call_at_once(call, each[operation]))


def refused(rig: Rig) -> dict[str, int]:
    """How often the venue refused a request for its rate, by code."""
    statistics = rig.simulator.ledger()["statistics"]
    codes = venue_type(rig.exchange.name).codes
    found = {code: n for code, n in statistics["refused"].items() if codes.get(code) in (RateLimited, Banned)}
    return found | {name: statistics[name] for name in ("http_429", "http_418") if statistics[name]}


async def test_three_times_the_limit_brings_no_refusal_and_no_ban_and_cancels_pass(venue: str) -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    async with on_simulator(venue, rate_limiter=limiter(venue), **UNHURRIED) as rig:
        price = await rig.far(5)
        orders = [await rig.exchange.place_order(rig.request(price=price)) for _ in range(CANCELS)]
        canceled: list[OrderStatus] = []

        async def cancel() -> None:
            before = requests(rig)
            await eventually(lambda: requests(rig) > before + CALLERS)
            for order in orders:
                ended = await rig.exchange.cancel_order(OrderRef(symbol=SYMBOL, order_id=order.order_id))
                canceled.append(ended.status)

        await load(rig, cancel)
        assert refused(rig) == {}
        assert canceled == [OrderStatus.CANCELED] * CANCELS


@pytest.mark.parametrize("limited", [True, False], ids=["with the budget", "without it"])
async def test_the_venue_refuses_the_same_load_just_when_the_budget_is_off(venue: str, limited: bool) -> None:
    """F16: so that the proof above can fail.

    Both clocks stand still, the venue's and the budget's: a slow machine would spread the load over several windows.
    """
    clock = StoppableClock()
    async with on_simulator(venue, rate_limiter=limiter(venue, clock.monotonic_s), **UNHURRIED) as rig:
        await rested(rig)
        clock.stop(rig)

        async def switch_off() -> None:
            if not limited:
                rig.exchange.client.rate_limiter = None

        await load(rig, switch_off)
        assert (refused(rig) == {}) is limited


async def test_after_a_refusal_nothing_arrives_until_the_silence_is_over(adapter: Adapter) -> None:
    """F16: but for what had left before the refusal came back; cancels keep the silence too."""
    async with adapter(server=SMALL, reconcile_interval_s=60.0) as rig:
        order = await rig.exchange.place_order(rig.request(price=await rig.far()))
        ref = OrderRef(symbol=SYMBOL, order_id=order.order_id)
        rig.fault(kind="rate_limited", on="get_order", retry_after_s=3)
        callers = [asyncio.create_task(call_in_turn(lambda: rig.exchange.get_order(ref), 5)) for _ in range(CALLERS)]
        await eventually(lambda: refused(rig) != {})
        before = arrived = requests(rig)
        cancel = asyncio.create_task(rig.exchange.cancel_order(ref))

        async def over() -> bool:
            nonlocal arrived
            so_far = requests(rig)
            if silent := (await rig.exchange.get_rate_budget()).silent_s > 0:
                arrived = so_far
            return not silent

        await eventually(over, what="the end of the silence")
        assert arrived - before < CALLERS
        await asyncio.gather(*callers)
        assert requests(rig) - before > CALLERS
        assert (await cancel).status is OrderStatus.CANCELED


def requests(rig: Rig) -> int:
    """How many requests arrived."""
    return Counter(rig.simulator.ledger()["statistics"]["requests"]).total()
