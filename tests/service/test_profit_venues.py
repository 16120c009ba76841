"""The profit on each venue: its own way to report fills, fees and funding leads to the same sum."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensqt.model.order import Side
from tests.service.grid_rig import SYMBOL, Ledger, running, simulator
from tests.service.profit_rig import differences, is_exact, pay_funding, stored_equals
from tests.support import eventually


@pytest.mark.parametrize("venue", ["bitget", "bybit", "gate", "okx"])
async def test_the_parts_are_those_of_the_ledger_on_every_venue(tmp_path: Path, venue: str) -> None:
    """F36 F50: with funding while it runs and while it does not, a trade by hand, and a restart."""
    async with simulator(exchange=venue) as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db"):
            await eventually(lambda: len(ledger.account["fills"]) >= 5)
            pay_funding(sim, "0.0002")
        pay_funding(sim, "-0.0003")
        ledger.place(Side.BUY)
        ledger.place(Side.SELL)
        async with running(sim, tmp_path / "grid.db") as maker:
            sim.market.pause(SYMBOL)
            await eventually(lambda: is_exact(differences(maker.status(), ledger)), what="status and ledger agree")
            assert maker.status()["profit"]["foreign_fills"] == 2
        await stored_equals(f"sqlite:///{tmp_path}/grid.db", ledger)
