"""The grid in holes, sweeps and flash moves: no order and no fill more than a level beyond the market's own price."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.market_maker.service import MarketMaker
from opensqt.model.order import Side
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.venues.factory import VENUES
from tests.chaos.price_watch import PriceWatch
from tests.service.grid_rig import (
    SYMBOL,
    Ledger,
    chain,
    get,
    running,
    simulator,
    store_fills,
    unchanged_for_a_second,
)
from tests.support import eventually
from tests.support.blocking import in_thread

INTERVAL = Decimal(5)


@asynccontextmanager
async def calm_market(venue: str) -> AsyncIterator[Simulator]:
    """A simulator whose own price hardly moves, so that what goes beyond it is the grid's doing."""
    listed = tuple(one.model_copy(update={"volatility_bps": Decimal("0.3")}) for one in SimulatorSettings().symbols)
    async with simulator(exchange=venue, symbols=listed) as sim:
        yield sim


async def passed(sim: Simulator, milliseconds: int) -> None:
    until_ms = sim.engine.now_ms() + milliseconds
    await eventually(lambda: sim.engine.now_ms() >= until_ms, what="the time passes")


async def test_the_grid_does_not_bid_itself_up_while_the_asks_are_away(tmp_path: Path) -> None:
    """F40: the asks go away for half a second; ten buys filled up to 2.9 % above the market."""
    async with calm_market("binance") as sim:
        ledger, watch = Ledger(sim), PriceWatch(sim, interval=INTERVAL)
        async with running(sim, tmp_path / "grid.db"):
            await eventually(lambda: len(ledger.open_orders) >= 10)
            for distance in ("0.015", "0.02", "0.03"):
                sim.market.open_hole(SYMBOL, Side.SELL, Decimal(distance), 500)
                await passed(sim, 1500)
        assert watch.breaches == []
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()


async def test_the_grid_does_not_walk_up_in_a_quiet_wide_spread(tmp_path: Path) -> None:
    """F40: between quotes 0.4 % apart it saw its own bid as the market's, and walked 135 USDT up in a second."""
    async with calm_market("binance") as sim:
        ledger, watch = Ledger(sim), PriceWatch(sim, interval=INTERVAL)
        async with running(sim, tmp_path / "grid.db"):
            await eventually(lambda: len(ledger.open_orders) >= 10)
            sim.market.pause(SYMBOL)
            sim.market.open_hole(SYMBOL, Side.SELL, Decimal("0.004"), 3000)
            await passed(sim, 4000)
        assert watch.breaches == []


async def disturb(sim: Simulator, dice: random.Random) -> None:
    """Open a hole, sweep a side or flash the market, anywhere from a fifth of a percent to four percent, and wait."""
    side, distance = dice.choice(list(Side)), Decimal(dice.randint(20, 400)) / 10_000
    for_ms = dice.randint(100, 1500)
    kind = dice.choice((sim.market.open_hole, sim.market.sweep, sim.market.flash_move))
    kind(SYMBOL, side, distance, for_ms)
    await passed(sim, for_ms + dice.randint(0, 500))


def quotes_the_price(maker: MarketMaker, ledger: Ledger) -> bool:
    """Whether the grid is well and has orders around the market's own price."""
    mark = ledger.sim.engine.mark(SYMBOL).mark_price
    near = [one for one in ledger.open_orders if abs(Decimal(one["price"]) - mark) <= 4 * INTERVAL]
    return bool(near) and not maker.problems()


async def through_disturbances(venue: str, folder: Path, count: int) -> PriceWatch:
    """Run a grid through random disturbances of one venue; it trades, and is well at the end."""
    dice = random.Random(venue)
    async with calm_market(venue) as sim:
        ledger, watch = Ledger(sim), PriceWatch(sim, interval=INTERVAL)
        async with running(sim, folder / f"{venue}.db") as maker:
            await eventually(lambda: len(ledger.open_orders) >= 10)
            sim.market.sweep(SYMBOL, Side.SELL, Decimal("0.002"))  # so that there is something to sell
            await passed(sim, 500)
            for _ in range(count):
                await disturb(sim, dice)
            await eventually(lambda: quotes_the_price(maker, ledger), what=f"{venue}: the grid quotes the price again")
        assert await store_fills(folder / f"{venue}.db") == ledger.fills()
    return watch


@pytest.mark.timeout(3600)
async def test_no_fill_is_beyond_the_price_in_random_holes_sweeps_and_flash_moves(tmp_path: Path, large: bool) -> None:
    """F40: 1,000 of them on five venues, by the venues' own ledgers: no order and no fill more than a level beyond."""
    venues, each = (sorted(VENUES), 200) if large else (["binance", "okx"], 4)
    watches = await asyncio.gather(*(through_disturbances(venue, tmp_path, each) for venue in venues))
    report = {venue: (watch.laid, watch.fills) for venue, watch in zip(venues, watches, strict=True)}
    print("orders and fills:", report)
    assert [watch.breaches for watch in watches] == [[] for _ in venues]
    assert all(watch.fills for watch in watches), report


async def test_the_price_is_held_through_a_connector_too(tmp_path: Path) -> None:
    """F40: book, trades and mark come over gRPC; /status says why the price is held, and the orders stay."""
    listed = tuple(one.model_copy(update={"volatility_bps": Decimal("0.3")}) for one in SimulatorSettings().symbols)
    async with chain(tmp_path, symbols=listed) as rig, rig.maker() as maker:
        watch = PriceWatch(rig.sim, interval=INTERVAL)
        await maker.ready()
        await eventually(lambda: len(rig.open_orders) >= 10)
        rig.sim.market.pause(SYMBOL)
        await unchanged_for_a_second(rig.sim, lambda: len(rig.account["orders"]))
        before = {one["order_id"] for one in rig.open_orders}
        rig.sim.market.open_hole(SYMBOL, Side.SELL, Decimal("0.02"), 600_000)

        async def held() -> bool:
            reference = (await in_thread(get, maker, "/status"))["reference"]
            return bool(reference["held"]) and "max_spread" in reference["held_reason"]

        await eventually(held, what="the price is held")
        assert {one["order_id"] for one in rig.open_orders} == before
        rig.sim.market.resume(SYMBOL)
        assert watch.breaches == []
