"""The ways out of a changed position, a lost database and an older one, with the market maker as its user runs it."""

from __future__ import annotations

import shutil
import signal
from decimal import Decimal
from pathlib import Path

from opensqt.model.order import Side
from tests.service.grid_rig import SYMBOL, Ledger, chain, get, running, simulator, store_fills
from tests.support import eventually
from tests.support.blocking import in_thread


async def test_take_venue_shows_the_change_and_then_makes_it(tmp_path: Path) -> None:
    """F48: what is held was closed by hand while the grid was stopped; two starts later it trades again."""
    async with chain(tmp_path) as made:
        async with made.maker() as maker:
            await maker.ready()
            await eventually(lambda: made.position >= Decimal("0.004"))
            maker.send(signal.SIGTERM)
            assert await maker.wait() == 0
        fills = made.fills()
        made.place(Side.SELL, quantity=str(made.position))
        async with made.maker("--take-venue") as maker:
            assert await maker.wait() == 0, maker.output
            assert "drop level" in maker.output
        assert made.open_orders == []
        async with made.maker("--take-venue", "--yes") as maker:
            await maker.ready()
            await eventually(lambda: made.open_orders)
            assert (await in_thread(get, maker, "/status"))["halted"] == ""
        assert set(fills) <= set(await store_fills(tmp_path / "grid.db"))


async def test_a_lost_database_takes_the_grid_of_the_open_orders(tmp_path: Path) -> None:
    """F48 F9: the same anchor, so that each order stays on its level, and none is doubled."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", cancel_on_exit=False) as first:
            await eventually(lambda: len(ledger.open_orders) >= 8)
            sim.market.pause(SYMBOL)
        left = {order["order_id"] for order in ledger.open_orders if order["side"] == "BUY"}
        async with running(sim, tmp_path / "new.db") as second:
            assert second.status()["anchor"] == first.status()["anchor"]
            await eventually(lambda: left <= {order["order_id"] for order in second.status()["open_orders"]})
        assert ledger.account["duplicate_client_order_ids"] == []


async def test_an_older_copy_of_the_database_finds_what_came_after_it(tmp_path: Path) -> None:
    """F48 F8: fills since its watermark are counted once, and no id is used again."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db"):
            await eventually(lambda: len(ledger.account["fills"]) >= 2)
        shutil.copy(tmp_path / "grid.db", tmp_path / "old.db")
        async with running(sim, tmp_path / "grid.db"):
            before = len(ledger.account["fills"])
            await eventually(lambda: len(ledger.account["fills"]) >= before + 4)
        async with running(sim, tmp_path / "old.db") as maker:
            await eventually(lambda: not maker.problems())
            assert not maker.status()["halted"]
        assert await store_fills(tmp_path / "old.db") == ledger.fills()
        assert ledger.account["duplicate_client_order_ids"] == []
