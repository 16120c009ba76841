"""A venue that refuses every entry for good, over real sockets: the state is reported, and few requests are sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensqt.market_maker.service import MarketMaker
from opensqt.simulator.faults import Fault
from tests.service.grid_rig import Ledger, running, simulator
from tests.support import eventually


@pytest.mark.parametrize(("venue", "code"), [("binance", -4140), ("okx", 51004)])
async def test_a_permanent_refusal_is_reported_and_ends_by_itself(tmp_path: Path, venue: str, code: int) -> None:
    """F47: the venue's code is in the problems; after the first wave one entry is tried at a time."""
    async with simulator(exchange=venue) as sim:
        for operation in ("place_order", "batch_place"):
            sim.faults.add(Fault(kind="refuse", on=operation, code=code, times=0))
        async with running(sim, tmp_path / "grid.db") as maker:
            await eventually(lambda: any(f"{code}," in one for one in maker.problems()), what="it is reported")
            asked, until = _asked(maker), sim.engine.now_ms() + 3_000
            await eventually(lambda: sim.engine.now_ms() >= until)
            assert _asked(maker) - asked <= 5
            sim.faults.clear()
            await eventually(lambda: Ledger(sim).open_orders and not maker.problems(), what="it trades")


def _asked(maker: MarketMaker) -> int:
    total: int = maker.engine.orders.refusals.total
    return total
