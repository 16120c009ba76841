"""The limits of the risk controls on the simulator, over its sockets: entries stop, exits stay, the ledger shows it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from opensqt.market_maker.service import MarketMaker
from opensqt.model.order import Side
from opensqt.simulator import Simulator
from opensqt.simulator.faults import Fault
from tests.service.grid_rig import SYMBOL, Ledger, running, simulator
from tests.support import eventually


async def test_refusals_open_the_breaker_which_survives_a_restart_and_a_reset_closes_it(tmp_path: Path) -> None:
    """F9 F17: entries stop after many refusals, stay stopped in the next process, and begin again with a reset."""
    risk = {"breaker": {"reject_rate": "0.3", "least_orders": 5}}
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", risk=risk) as maker:
            await _hold(sim, ledger, maker)
            for command in ("place_order", "batch_place"):
                sim.faults.add(Fault(kind="refuse", on=command, code=-4140, times=0))
            await _until_stopped(sim, ledger, maker, "circuit_breaker")
            assert any("orders refused" in problem for problem in maker.problems())
            assert b'market_maker_circuit_breaker_open{symbol="BTCUSDT"} 1.0' in maker.metrics.text()
        sim.faults.clear()
        async with running(sim, tmp_path / "grid.db", risk=risk) as maker:
            await eventually(lambda: _offered(ledger) == ledger.position, what="what is held is offered")
            assert "circuit_breaker" in maker.status()["risk"]["reasons"]
            assert _open(ledger, "BUY") == []
            maker.engine.risk.reset(maker.engine.price_at)
            await eventually(lambda: len(_open(ledger, "BUY")) > 3, what="entries begin")


async def test_the_position_stays_under_the_wallet_exposure_limit_in_a_falling_market(tmp_path: Path) -> None:
    """F5: with every fill and every open buy of the ledger, at each step the market falls."""
    limit = Decimal(500)
    async with simulator() as sim, running(sim, tmp_path / "grid.db", risk={"wallet_exposure_limit": "0.05"}) as maker:
        ledger = Ledger(sim)
        await eventually(lambda: len(_open(ledger, "BUY")) >= 4)
        for _ in range(12):
            sim.market.send_outside_order(SYMBOL, Side.SELL, Decimal(2))
            await eventually(lambda: len(_open(ledger, "SELL")) > 0)
            at = sim.engine.best(SYMBOL).bid
            waiting = sum((_rest(order) for order in _open(ledger, "BUY")), Decimal(0))
            assert (ledger.position + waiting) * at <= limit
        await eventually(lambda: maker.status()["risk"]["entries"] == "LIMITED")
        assert ledger.position > 0


async def test_an_alarm_of_the_monitor_stops_entries_and_missing_symbols_are_left_out(tmp_path: Path) -> None:
    """Volume and price of the venue's own candles; the past ones of the simulator have twenty times the volume."""
    risk = {"monitor_symbols": [SYMBOL, "DOGEUSDT"], "average_window": 2, "volume_multiplier": "0.1"}
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", risk=risk) as maker:
            await _hold(sim, ledger, maker)
            await _until_stopped(sim, ledger, maker, "risk_monitor", Decimal(60))
            told = maker.status()["risk"]["monitor"]
            assert told == {"symbols": {SYMBOL: "ALARM"}, "left_out": {"DOGEUSDT": "not traded at binance"}}


async def _hold(sim: Simulator, ledger: Ledger, maker: MarketMaker) -> None:
    await eventually(lambda: len(_open(ledger, "BUY")) >= 4)

    def held() -> bool:
        if ledger.position > 0:
            return True
        sim.market.send_outside_order(SYMBOL, Side.SELL, Decimal(2))
        return False

    await eventually(held, what="the grid holds something")


async def _until_stopped(
    sim: Simulator, ledger: Ledger, maker: MarketMaker, rule: str, quantity: Decimal = Decimal(2)
) -> None:
    """Sell at the market until the rule stops entries, and see them gone and exits there."""

    def stopped() -> bool:
        if rule in maker.status()["risk"]["reasons"]:
            return True
        sim.market.send_outside_order(SYMBOL, Side.SELL, quantity)
        return False

    await eventually(stopped, what=f"{rule} stops entries")
    await eventually(lambda: _open(ledger, "BUY") == [], what="entries are cancelled")


def _open(ledger: Ledger, side: str) -> list[dict[str, Any]]:
    return [order for order in ledger.open_orders if order["side"] == side]


def _rest(order: dict[str, Any]) -> Decimal:
    return Decimal(order["quantity"]) - Decimal(order["filled_quantity"])


def _offered(ledger: Ledger) -> Decimal:
    return sum((_rest(order) for order in _open(ledger, "SELL")), Decimal(0))
