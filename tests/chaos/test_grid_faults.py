"""The grid on every venue while something goes wrong: within its limits meanwhile, and exact afterwards."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.faults import Fault
from tests.chaos.grid_watch import GridWatch
from tests.service.grid_rig import ACCOUNT, SYMBOL, Ledger, running, simulator, store_fills
from tests.support import eventually
from tests.support.wait import WITHIN_S

BLIND = ("fills", "get_order", "open_orders", "positions")


def watched(sim: Simulator, order_quantity: int = 100) -> GridWatch:
    return GridWatch(sim, interval=Decimal(5), order_quantity=Decimal(order_quantity))


@pytest.mark.timeout(900)
async def test_fills_told_late_never_take_the_grid_over_its_limit(venue: str, tmp_path: Path, large: bool) -> None:
    """F5: the streams are mute, queries fail and the clocks differ; afterwards it trades on, and all is counted."""
    late_ms = 180_000 if large else 2_000
    async with simulator(exchange=venue) as sim:
        ledger, watch = Ledger(sim), watched(sim)
        async with running(sim, tmp_path / "grid.db", reconcile_interval="0.5"):
            await eventually(lambda: len(ledger.account["fills"]) >= 3)
            for skew_ms in (-10, 10):
                sim.engine.clock.skew_ms = skew_ms
                await _go_blind(sim, late_ms)
                told = len(ledger.account["fills"])
                await eventually(lambda told=told: len(ledger.account["fills"]) >= told + 4)
        assert watch.breaches == []
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()


async def test_fills_between_the_grids_cancels_and_their_answers_count_once(venue: str, tmp_path: Path) -> None:
    """F4: the stop cancels all; while the cancels wait at the venue, the orders fill piece by piece."""
    async with simulator(exchange=venue) as sim:
        ledger, watch = Ledger(sim), watched(sim, 2_000)
        filling = asyncio.create_task(_fill_while_canceling(sim))
        async with running(sim, tmp_path / "grid.db", order_quantity="2000", position_safety_check=10):
            await eventually(lambda: len(ledger.open_orders) >= 8)
            sim.market.pause(SYMBOL)
            for operation in ("cancel_order", "batch_cancel", "cancel_all"):
                sim.faults.add(Fault(kind="delay", on=operation, delay_ms=4_000, times=0))
        assert await filling >= 20
        assert watch.breaches == []
        assert ledger.open_orders == []
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()


async def test_quotes_are_pulled_while_no_price_comes(venue: str, tmp_path: Path) -> None:
    """F13: the channel stalls, its pings are answered; readiness goes with the quotes, and both come back."""
    async with simulator(exchange=venue) as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", price_max_age_seconds="0.7") as maker:
            await eventually(lambda: _buys(ledger))
            sim.faults.add(Fault(kind="mute", channel="market", for_ms=4_000))
            await eventually(lambda: any("stale price" in one for one in maker.problems()))
            await eventually(lambda: not _buys(ledger), what="the buys are gone")
            await eventually(lambda: _buys(ledger) and not maker.problems())


async def test_late_orders_in_a_running_market_never_take(venue: str, tmp_path: Path) -> None:
    """F18: a share of the post-only orders comes when the price is through them; all that fills is a maker's."""
    listed = tuple(one.model_copy(update={"volatility_bps": Decimal(20)}) for one in SimulatorSettings().symbols)
    async with simulator(exchange=venue, symbols=listed) as sim:
        ledger, watch = Ledger(sim), watched(sim)
        for operation in ("place_order", "batch_place"):
            sim.faults.add(Fault(kind="delay", on=operation, delay_ms=150, times=0, probability=Decimal("0.5")))
        async with running(sim, tmp_path / "grid.db"):
            await eventually(lambda: watch.post_only_refused + _refused(sim) >= 3)
            await eventually(lambda: len(ledger.account["fills"]) >= 10)
        assert watch.breaches == []
        assert all(fill["is_maker"] for fill in ledger.account["fills"])
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()


async def test_a_position_sold_from_outside_is_never_flipped_and_brings_no_loop(venue: str, tmp_path: Path) -> None:
    """F19: the exits rest, their position is gone; few requests, no short, and the difference is told."""
    async with simulator(exchange=venue) as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", reconcile_interval="0.5") as maker:
            await eventually(lambda: ledger.position >= Decimal("0.006"))
            ledger.place(Side.SELL, quantity=str(ledger.position))
            await eventually(lambda: "close the difference by hand" in maker.status()["halted"])
            placed = len(ledger.account["orders"]) + _refused(sim)
            until = sim.engine.now_ms() + 3_000
            await eventually(lambda: sim.engine.now_ms() >= until)
            assert len(ledger.account["orders"]) + _refused(sim) - placed <= 20
            assert ledger.position >= 0
        assert ledger.position >= 0


async def _go_blind(sim: Simulator, late_ms: int) -> None:
    """Let the venue tell nothing of the account for a while, unless an order is placed."""
    sim.faults.add(Fault(kind="mute", channel="private", for_ms=late_ms))
    sim.faults.add(*(Fault(kind="unreachable", on=one, times=0, for_ms=late_ms) for one in BLIND))
    await eventually(lambda: not any(one["active"] for one in sim.faults.listing()), within_s=late_ms / 1000 + WITHIN_S)


def _buys(ledger: Ledger) -> list[str]:
    return [one["order_id"] for one in ledger.open_orders if one["side"] == "BUY"]


def _refused(sim: Simulator) -> int:
    return sum(sim.ledger()["statistics"]["refused"].values())


async def _fill_while_canceling(sim: Simulator) -> int:
    """Wait for the grid's cancels, then sell into its buys in small pieces; answer the fills that this made."""
    await eventually(lambda: any(one["hits"] for one in sim.faults.listing()), what="a cancel waits")
    before = len(sim.engine.fills(ACCOUNT))
    made = 0
    while made < 20 and (buys := [one.price for one in sim.engine.open_orders(ACCOUNT) if one.side is Side.BUY]):
        # Whoever stands before the next one is served first, however deep the market is there.
        sim.market.send_outside_order(SYMBOL, Side.SELL, Decimal(50), max(buys) + Decimal("0.1"))
        sim.market.send_outside_order(SYMBOL, Side.SELL, Decimal("0.004"))
        await asyncio.sleep(0)
        made = len(sim.engine.fills(ACCOUNT)) - before
    return made
