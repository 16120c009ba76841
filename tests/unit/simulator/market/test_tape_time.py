"""The market's clock waits for the tape: the speed changes when things happen for the watcher, never what happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.model.order import Side
from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.engine.order import NewOrder
from opensqt.simulator.ledger import ledger
from opensqt.simulator.market.market import Market, open_market
from opensqt.simulator.settings import SimulatorSettings
from tests.support import eventually

KEY, SYMBOL = "sim-key", "BTCUSDT"
START_MS = 1_641_022_200_000
"""Half an hour before funding."""
MINUTE_MS = 60_000
MINUTES = 50
FASTER_THAN_THE_MACHINE = Decimal(100_000)
Request = tuple[int, Callable[[Market], object]]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars that fall, over an hour of funding."""
    rows = ["timestamp,open,high,low,close,volume"]
    for n in range(MINUTES):
        price = 46_000 - 20 * (n % 50) + n
        rows.append(f"{START_MS + n * MINUTE_MS},{price},{price + 30},{price - 30},{price - 10},2300000")
    path = tmp_path_factory.mktemp("recording") / "bars.csv"
    path.write_text("\n".join(rows))
    return path


def order(side: Side, price: int, symbol: str = SYMBOL) -> Callable[[Market], object]:
    wanted = NewOrder(symbol=symbol, side=side, quantity=Decimal("0.01"), price=Decimal(price))
    return lambda market: market.engine.place(KEY, wanted)


def cancel_first(market: Market) -> None:
    if found := market.engine.open_orders(KEY):
        market.engine.cancel(KEY, found[0].symbol, order_id=found[0].order_id)


REQUESTS: list[Request] = [
    (START_MS + 30_000, order(Side.BUY, 45_900)),
    (START_MS + 30_000, order(Side.BUY, 44_100)),
    (START_MS + 5 * MINUTE_MS + 6_000, order(Side.BUY, 1_990, "ETHUSDT")),
    (START_MS + 11 * MINUTE_MS + 1, order(Side.SELL, 46_050)),
    (START_MS + 25 * MINUTE_MS, order(Side.BUY, 46_000)),
    (START_MS + 31 * MINUTE_MS, cancel_first),
]
END_MS = START_MS + MINUTES * MINUTE_MS


def stepped(recording: Path, **more: Any) -> str:
    """The ledger after the requests at their market times, by a manual clock."""
    market = open_market(SimulatorSettings(replay=recording, replay_history=0, clock="manual", **more))
    for time_ms, request in REQUESTS:
        market.advance(time_ms - market.clock.market_ms())
        request(market)
    market.advance(END_MS - market.clock.market_ms())
    return json.dumps(ledger(market.engine, finished=market.finished))


async def played(recording: Path, speed: Decimal) -> str:
    """The ledger after the same requests, by a clock that runs."""
    market = open_market(SimulatorSettings(replay=recording, replay_history=0, clock="held", speed=speed))
    running = asyncio.create_task(market.run())
    try:
        for time_ms, request in REQUESTS:
            await market.run_until(time_ms)
            request(market)
        market.clock.release()
        await eventually(lambda: market.ended or running.done())
        return json.dumps(ledger(market.engine, finished=market.finished))
    finally:
        running.cancel()
        await asyncio.wait({running})


@pytest.mark.parametrize("speed", [Decimal(1), Decimal(600), FASTER_THAN_THE_MACHINE])
def test_a_stepped_ledger_does_not_depend_on_the_speed(recording: Path, speed: Decimal) -> None:
    """F35: the same requests at the same market times give the same ledger, to the byte, at any speed."""
    now = stepped(recording, speed=speed)
    assert now == stepped(recording)
    assert len(json.loads(now)["accounts"][KEY]["fills"]) >= 3
    assert json.loads(now)["accounts"][KEY]["funding_payments"]


@pytest.mark.parametrize("speed", [Decimal(20_000), FASTER_THAN_THE_MACHINE, Decimal(10) ** 9])
async def test_a_recording_that_is_played_faster_than_the_machine_gives_the_ledger_of_a_slow_one(
    recording: Path, speed: Decimal
) -> None:
    """F35: a clock that runs waits for the tape, so the ledger is that of the stepped market, to the byte."""
    assert await played(recording, speed) == stepped(recording)


async def test_a_request_while_the_market_is_late_happens_at_the_time_that_was_played(recording: Path) -> None:
    """F35: no fill is stamped with a time whose prices were not played yet."""
    market = open_market(SimulatorSettings(replay=recording, replay_history=0, speed=Decimal(10) ** 9))
    await asyncio.sleep(0.01)
    placed = market.engine.place(
        KEY, NewOrder(symbol=SYMBOL, side=Side.BUY, quantity=Decimal("0.01"), price=Decimal(40_000))
    )
    assert placed.created_ms == START_MS
    assert market.clock.lag_ms > END_MS - START_MS


async def test_market_time_ends_with_the_recording(recording: Path) -> None:
    """F35: no funding is paid at the last price of a recording that is over."""
    market = open_market(SimulatorSettings(replay=recording, replay_history=0, speed=Decimal(10) ** 9))
    running = asyncio.create_task(market.run())
    await eventually(lambda: market.ended or running.done())
    running.cancel()
    assert market.engine.now_ms() == END_MS
    assert market.clock.market_ms() == END_MS
    bars = market.engine.candles(SYMBOL, "1m", start_ms=END_MS - MINUTE_MS)
    assert bars[0].closed


def test_a_clock_runs_up_to_a_stop_and_on_from_there() -> None:
    """The time until the next stop is given does not count."""
    wall = [1_000]
    clock = SimulatorClock(start_ms=50_000, speed=Decimal(10), held=True, wall_ms=lambda: wall[0])
    clock.run_until(50_400)
    wall[0] += 30
    assert clock.market_ms() == 50_300
    wall[0] += 9_000
    assert clock.market_ms() == 50_400
    clock.run_until(51_000)
    assert clock.market_ms() == 50_400
    wall[0] += 5
    assert clock.market_ms() == 50_450
    clock.release()
    wall[0] += 900
    assert clock.market_ms() == 59_450


def test_a_stop_in_the_past_is_refused() -> None:
    """Market time never goes back."""
    clock = SimulatorClock(start_ms=50_000, held=True, wall_ms=lambda: 0)
    with pytest.raises(ValueError, match="until_ms 49999: expected 50000 or later"):
        clock.run_until(49_999)


def test_what_a_market_was_late_at_a_high_speed_is_forgotten_at_another() -> None:
    """A clock that is set to a playable speed does not race through the rest of the recording first."""
    wall = [0]
    clock = SimulatorClock(start_ms=0, speed=Decimal(100_000), wall_ms=lambda: wall[0])
    clock.played_ms = 700
    wall[0] += 1_000
    assert (clock.market_ms(), clock.lag_ms) == (700, 99_999_300)
    clock.set_speed(Decimal(1))
    clock.played_ms = 10_000
    wall[0] += 5
    assert (clock.market_ms(), clock.lag_ms) == (705, 0)
