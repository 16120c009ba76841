"""The grid on every venue, in both position modes: what it stored is what the account did."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensqt.model.account import PositionMode
from opensqt.model.order import PositionSide
from opensqt.simulator.settings import AccountSettings
from tests.service.grid_rig import Ledger, one_order_a_level, running, simulator, store_fills
from tests.support import eventually


@pytest.mark.parametrize("mode", list(PositionMode))
async def test_a_lively_grid_stores_what_the_ledger_holds(venue: str, mode: PositionMode, tmp_path: Path) -> None:
    """F6, F20, F36: in hedge mode all orders go to the long side."""
    async with simulator(exchange=venue, accounts=(AccountSettings(position_mode=mode),)) as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db") as maker:
            await eventually(lambda: len(ledger.account["fills"]) >= 12)
            assert one_order_a_level(ledger.open_orders)
            assert not maker.status()["halted"]
        side = PositionSide.LONG if mode is PositionMode.HEDGE else PositionSide.BOTH
        assert {fill["position_side"] for fill in ledger.account["fills"]} == {side}
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()
        assert ledger.open_orders == []
