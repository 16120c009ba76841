"""Eight clients of one connector at three times what the venue grants: no ban, no starving, and cancels pass."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from decimal import Decimal

from opensqt.client.exchange import RemoteExchange
from opensqt.model.clock import now_ms
from opensqt.model.errors import BackOff, Banned, RateLimited
from opensqt.model.order import Order, OrderRef, OrderStatus
from opensqt.model.venue import RateLimit
from opensqt.simulator.settings import ServerRules
from opensqt.venues.factory import venue_type
from opensqt.venues.ratelimit.limiter import RateLimiter
from tests.chaos.gateway_inside import Inside, inside
from tests.chaos.gateway_rig import far, request
from tests.support import eventually

CLIENTS = 8
TIMES = 3
WAITS_S = 4.0
"""How long a request may wait for the budget."""
SMALL = ServerRules(weight_window_s=2, weight_per_minute=6_000, orders_per_10s=100)
"""200 of Binance's weight in two seconds, of which a start takes 165; the other venues' windows are short anyway."""
LIMITS = {
    "binance": ("10s", "weight"),
    "bitget": ("POST v2/mix/order/place-order", "GET v2/mix/order/detail"),
    "gate": ("orders", "GET {settle}/orders/{order_id}"),
    "okx": ("POST trade/order", "GET trade/order"),
    "bybit": ("POST v5/order/create", "GET v5/order/realtime"),
}
"""What placing and asking use up first, as GetRateBudget calls it."""
Call = Callable[[], Awaitable[object]]


async def at_once(call: Call, times: int) -> int:
    """Call so often at once; answer how often it was done. What has no turn in time is refused, and nothing else is."""
    answers = await asyncio.gather(*(call() for _ in range(times)), return_exceptions=True)
    others = [answer for answer in answers if isinstance(answer, Exception) and not isinstance(answer, BackOff)]
    assert others == []
    return sum(not isinstance(answer, Exception) for answer in answers)


def refused(running: Inside) -> dict[str, int]:
    """How often the venue refused a request for its rate, by code."""
    statistics = running.simulator.ledger()["statistics"]
    codes = venue_type(running.exchange.name).codes
    found = {code: n for code, n in statistics["refused"].items() if codes.get(code) in (RateLimited, Banned)}
    return found | {name: statistics[name] for name in ("http_429", "http_418") if statistics[name]}


def arrived(running: Inside) -> int:
    return Counter(running.simulator.ledger()["statistics"]["requests"]).total()


def ref(order: Order) -> OrderRef:
    return OrderRef(symbol=order.symbol, client_order_id=order.client_order_id)


def least(limit: RateLimit, part: list[int]) -> int:
    """What each client gets at least: half of an equal part.

    Of a long window it is the half that is kept for each, the one who placed first among them: on a slow machine
    requests of the first one still arrive when the others have theirs and are gone, and the next window is its own.
    """
    if limit.window_s < WAITS_S:
        return sum(part) // len(part) // 2
    return limit.limit * 2 // 3 // (len(part) + 1) // 2


async def place(client: RemoteExchange, price: Decimal) -> Order:
    return await client.place_order(request(price=price))


async def test_eight_clients_at_three_times_the_limit_each_get_their_part(venue: str) -> None:
    """F16: though the first placer and the first asker alone want as much as the three beside them together.

    Each has done it once before: a part is kept only for who is known.
    """
    waits = RateLimiter(venue_type(venue).rate_limits, queue_timeout_s=WAITS_S)
    # On a busy machine a reply may take long; what is refused here is refused for its rate.
    unhurried = {"request_timeout_s": 120.0, "recv_window_ms": 60_000, "reconcile_interval_s": 3.0}
    async with (
        inside(venue, server=SMALL, rate_limiter=waits, order_wait_s=120, **unhurried) as running,
        AsyncExitStack() as stack,
    ):
        opened = [running.client(f"c{number}", deadline_s=150) for number in range(CLIENTS)]
        clients = [await stack.enter_async_context(client) for client in opened]
        price = await far(clients[0])
        resting = [await place(client, price) for client in clients[: CLIENTS // 2]]
        known = ref(resting[0])
        for client in clients[CLIENTS // 2 :]:
            await client.get_order(known)
        limits = {limit.name: limit for limit in (await clients[0].get_rate_budget()).limits}
        half = CLIENTS // 2
        calls: list[Call] = [lambda client=client: place(client, price) for client in clients[:half]]  # type: ignore[misc]
        calls += [lambda client=client: client.get_order(known) for client in clients[half:]]  # type: ignore[misc]
        wants = [
            limits[name].limit * TIMES // 6 * (3 if number == 0 else 1)
            for name in LIMITS[venue]
            for number in range(half)
        ]
        load = [asyncio.create_task(at_once(call, times)) for call, times in zip(calls, wants, strict=True)]
        before = arrived(running)
        await eventually(lambda: arrived(running) > before + CLIENTS)
        canceled = [(await clients[1].cancel_order(ref(order))).status for order in resting[1:]]
        done = await asyncio.gather(*load)
        assert refused(running) == {}
        assert canceled == [OrderStatus.CANCELED] * 3
        for name, part in zip(LIMITS[venue], (done[:half], done[half:]), strict=True):
            # But for the one that each had before.
            assert min(part) >= least(limits[name], part) - 1, done


async def test_a_client_with_one_question_is_not_held_up_by_anothers_thousand() -> None:
    """F16: it is answered while the other still waits, and each is told its own part."""
    async with (
        inside("binance", server=SMALL, reconcile_interval_s=60.0, request_timeout_s=15.0) as running,
        running.client("greedy") as greedy,
        running.client("modest") as modest,
    ):
        known = ref(await place(modest, await far(modest)))
        # Each costs 30 of the 200 that are granted in two seconds: no machine is too slow to use them up.
        flood = asyncio.create_task(at_once(lambda: greedy.list_funding_payments(since_ms=now_ms()), 60))
        await eventually(lambda: _waiting(greedy))
        assert (await modest.get_order(known)).status is OrderStatus.OPEN
        mine, theirs = await modest.get_rate_budget(), await greedy.get_rate_budget()
        assert (mine.client, mine.waiting, theirs.client) == ("modest", 0, "greedy")
        assert theirs.waiting > 0
        used = [
            next(limit.used_by_client for limit in told.limits if limit.name == "weight") for told in (mine, theirs)
        ]
        assert 0 < used[0] < used[1]
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)


async def test_nobodys_request_leaves_before_the_silence_is_over() -> None:
    """F16: but for what had left before the refusal came back; cancels keep the silence too."""
    patient = {"reconcile_interval_s": 60.0, "request_timeout_s": 10.0}
    async with inside("binance", **patient) as running, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(running.client(f"c{number}")) for number in range(3)]
        known = ref(await place(clients[0], await far(clients[0])))
        running.fault(kind="rate_limited", on="get_order", retry_after_s=2)
        asking = [asyncio.create_task(_keep_asking(client, known)) for client in clients]
        await eventually(lambda: refused(running) != {})
        before = meanwhile = arrived(running)
        cancel = asyncio.create_task(clients[0].cancel_order(known))

        async def over() -> bool:
            nonlocal meanwhile
            so_far = arrived(running)
            if silent := (await running.exchange.get_rate_budget()).silent_s > 0:
                meanwhile = so_far
            return not silent

        await eventually(over, what="the end of the silence")
        assert meanwhile - before < len(clients)
        assert (await cancel).status is OrderStatus.CANCELED
        await asyncio.gather(*asking)


async def _keep_asking(client: RemoteExchange, known: OrderRef) -> None:
    for _ in range(3):
        with contextlib.suppress(BackOff):
            await client.get_order(known)


async def _waiting(client: RemoteExchange) -> bool:
    return (await client.get_rate_budget()).waiting > 0
