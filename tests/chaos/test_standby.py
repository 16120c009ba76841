"""A market maker in standby takes over from one that is dead or hangs, and that one does nothing more."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from opensqt.simulator.settings import ServerRules
from tests.chaos.standby_rig import KILL, STOP, in_standby, pair
from tests.service.grid_rig import all_known, chain, get, store_fills_of
from tests.service.profit_rig import differences, is_exact, stored_equals
from tests.support import eventually
from tests.support.blocking import in_thread
from tests.support.postgres import missing, postgres

TAKEN_OVER_WITHIN_S = 10.0


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    with postgres() as address:
        yield address


@pytest.mark.timeout(7200)
async def test_a_standby_takes_over_and_the_books_equal(tmp_path: Path, url: str, large: bool) -> None:
    """F42: killed or stopped in turns, one takes over from the other; one that wakes up sends nothing and ends."""
    take_overs = 100 if large else 2
    async with chain(tmp_path, server=ServerRules(weight_per_minute=100_000)) as made, pair(made, url) as makers:
        trading = await makers.start()
        await trading.ready()
        waiting = await makers.start()
        for number in range(take_overs):
            how = (STOP, KILL)[number % 2]
            await makers.take_over(trading, waiting, how)
            print(f"{number + 1}: {how.name} {makers.seconds[-1]:.2f} s", flush=True)
            if how is STOP:
                trading.send(signal.SIGCONT)
                assert await trading.wait() == 5, trading.output
                assert "this one has ended and has left the orders to that one" in trading.stderr.decode()
            await trading.wait()
            await eventually(lambda: "BTCUSDT: taken over" in waiting.output, what="an alert")  # noqa: B023 - awaited in this turn
            trading, waiting = waiting, await makers.start()
        print(makers.figures())
        await trading.ready()
        await in_standby(waiting)
        health = await in_thread(get, waiting, "/health")
        assert health["healthy"], health
        assert f"pid {trading.pid} ({'BTCUSDT'}, number {take_overs + 1}), renewed" in health["standby"]
        await eventually(lambda: all_known(trading), what="every order's outcome is known")
        await eventually(lambda: _exact(trading, made), what="the profit is the ledger's")
        waiting.send(signal.SIGTERM)
        assert await waiting.wait() == 0, waiting.output
        trading.send(signal.SIGTERM)
        assert await trading.wait() == 0, trading.output
        assert made.open_orders == []
        await makers.books_equal()
        assert await store_fills_of(url) == made.fills()
        await stored_equals(url, made)
        if large:
            assert makers.p99_s < TAKEN_OVER_WITHIN_S


async def _exact(maker: object, made: object) -> bool:
    await asyncio.sleep(0)
    return is_exact(differences(await in_thread(get, maker, "/status"), made))
