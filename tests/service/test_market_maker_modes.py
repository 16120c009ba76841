"""Each mode of the grid on the simulator: what it trades is in the store, exact, and a restart goes on with it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.model.account import PositionMode
from opensqt.simulator.engine.order import ClosingReason
from tests.service.grid_rig import ACCOUNT, Ledger, one_order_a_level, running, simulator, store_fills
from tests.support import eventually

GLFT = {
    "strategy": "glft",
    "grid_mode": "neutral",
    "price_interval": "1",
    "glft": {"arrivals": "0.5", "decay": "0.5", "volatility": "3", "risk_aversion": "0.02", "most_lots": 10},
}
MODES: dict[str, dict[str, Any]] = {
    "short": {"grid_mode": "short"},
    "neutral": {"grid_mode": "neutral"},
    "geometric": {"grid_mode": "neutral", "grid_step": "geometric", "price_interval_percent": "0.011"},
    "glft": GLFT,
    "examples/quoter.py": {"grid_mode": "neutral", "strategy": "examples.quoter:TwoQuotes"},
}


@pytest.mark.parametrize("mode", MODES)
async def test_the_store_equals_the_ledger_in_every_mode(tmp_path: Path, mode: str) -> None:
    """F6 F9 F36: over a restart, no fill lost or counted twice, one order a level, nothing refused as reduce-only."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        for fills in (5, 10):
            async with running(sim, tmp_path / "grid.db", **MODES[mode]) as maker:
                await eventually(lambda fills=fills: len(ledger.account["fills"]) >= fills)  # type: ignore[misc]
                assert one_order_a_level(ledger.open_orders)
                assert not maker.status()["halted"]
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()
        assert ledger.account["duplicate_client_order_ids"] == []
        assert not any(order.get("closing_reason") == ClosingReason.REDUCE_ONLY for order in ledger.account["orders"])


@pytest.mark.parametrize("mode", ["short", "neutral"])
@pytest.mark.parametrize("exchange", ["bitget", "gate", "okx", "bybit"])
async def test_short_and_neutral_are_exact_on_the_other_venues(tmp_path: Path, exchange: str, mode: str) -> None:
    """F6 F36: a short is opened, closed and stored as the ledger of that venue has it, whatever its units."""
    async with simulator(exchange=exchange) as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", **MODES[mode]) as maker:
            await eventually(lambda: {"BUY", "SELL"} <= {fill["side"] for fill in ledger.account["fills"]})
            await eventually(lambda: len(ledger.account["fills"]) >= 5)
            assert one_order_a_level(ledger.open_orders)
            assert not maker.status()["halted"]
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()
        assert ledger.open_orders == []
        assert not any(order.get("closing_reason") == ClosingReason.REDUCE_ONLY for order in ledger.account["orders"])


@pytest.mark.parametrize(("mode", "sides"), [("short", {"SHORT"}), ("neutral", {"LONG", "SHORT"})])
async def test_an_account_in_hedge_mode_holds_the_sides_of_the_mode(tmp_path: Path, mode: str, sides: set[str]) -> None:
    """F19: each order goes to the side that it opens or closes, and the levels explain the positions."""
    async with simulator() as sim:
        sim.engine.set_position_mode(ACCOUNT, PositionMode.HEDGE)
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", grid_mode=mode) as maker:
            await eventually(lambda: {fill["position_side"] for fill in ledger.account["fills"]} >= sides)
            await eventually(lambda: len(ledger.account["fills"]) >= 8)
            assert not maker.status()["halted"]
        assert {fill["position_side"] for fill in ledger.account["fills"]} == sides
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()


async def test_a_stopped_grid_is_closed_at_once_when_that_was_asked_for(tmp_path: Path) -> None:
    """The position ends flat, and no order is left."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db") as maker:
            await eventually(lambda: ledger.position > 0)
            loss = {"stop_below": str(Decimal(maker.status()["price"]) * 2), "stop_closes": "taker"}
        async with running(sim, tmp_path / "grid.db", **loss) as maker:
            await eventually(lambda: ledger.position == 0 and not ledger.open_orders)
            assert maker.status()["course"]["stopped"].startswith("stop_below")
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()


async def test_the_interval_follows_the_candles_of_the_exchange(tmp_path: Path) -> None:
    """Candles come from the gateway, and the grid is laid again at another interval."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        follow = {"dynamic_interval": "true", "volatility_candles": "1m", "volatility_scale": "3"}
        async with running(sim, tmp_path / "grid.db", **follow) as maker:
            await eventually(lambda: Decimal(maker.status()["interval"]) > Decimal(5))
            await eventually(lambda: len(ledger.open_orders) >= 8)
            assert not maker.status()["halted"]
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()
