"""What does not trade is paced while somebody trades, and only then."""

from __future__ import annotations

import asyncio

from opensqt.connector.rpc.pacing import Pacer, TradingActivity
from tests.support import eventually


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


async def begins(pacer: Pacer, caller: str, begun: list[str]) -> None:
    await pacer.acquire(caller)
    begun.append(caller)


async def test_while_nobody_trades_no_call_waits() -> None:
    pacer = Pacer(TradingActivity(), 3600)
    for _ in range(100):
        await pacer.acquire("page")
    assert pacer.waiting == 0


async def test_while_somebody_trades_calls_begin_one_by_one_and_callers_are_served_alike() -> None:
    trading = TradingActivity()
    pacer, begun = Pacer(trading, 0.005), list[str]()
    with trading.call():
        pass
    tasks = [asyncio.create_task(begins(pacer, "greedy", begun)) for _ in range(20)]
    await asyncio.sleep(0)
    assert pacer.waiting == 19
    tasks.append(asyncio.create_task(begins(pacer, "modest", begun)))
    await asyncio.gather(*tasks)
    assert begun.index("modest") <= 3
    assert pacer.waiting == 0


async def test_no_call_begins_while_an_order_is_being_answered() -> None:
    trading = TradingActivity()
    pacer = Pacer(trading, 0.002)
    with trading.call():
        read = asyncio.create_task(pacer.acquire("page"))
        await asyncio.sleep(0)
        assert pacer.waiting == 1
    await read


async def test_an_order_that_the_exchange_answers_late_holds_up_no_call() -> None:
    trading = TradingActivity()
    pacer = Pacer(trading, 0.002)
    with trading.call():
        for _ in range(3):
            await pacer.acquire("page")


async def test_trading_goes_on_for_a_minute_after_its_last_call() -> None:
    clock = Clock()
    trading = TradingActivity(clock)
    assert not trading.goes_on
    with trading.call():
        clock.now_s += 3600
        assert trading.goes_on
    clock.now_s += 60
    assert trading.goes_on
    clock.now_s += 1
    assert not trading.goes_on


async def test_a_call_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    trading = TradingActivity()
    pacer, begun = Pacer(trading, 0.005), list[str]()
    with trading.call():
        await pacer.acquire("page")
        gone = asyncio.create_task(begins(pacer, "gone", begun))
        stays = asyncio.create_task(begins(pacer, "stays", begun))
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        await eventually(gone.done)
    assert begun == ["stays"]


async def test_beyond_a_thousand_calls_of_one_caller_none_more_waits() -> None:
    """F26: each that waits takes memory."""
    trading = TradingActivity()
    pacer = Pacer(trading, 3600)
    with trading.call():
        await pacer.acquire("flood")
        tasks = [asyncio.create_task(pacer.acquire("flood")) for _ in range(1500)]
        await asyncio.sleep(0)
        assert pacer.waiting == 1000
        assert sum(task.done() for task in tasks) == 500
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
