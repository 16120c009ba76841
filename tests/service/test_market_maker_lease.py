"""A market maker that dies: its connector cancels its orders, and the next start lays the same grid again."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.service.grid_rig import chain
from tests.support import eventually

SHORT = {"OPENSQT__SYSTEM__LEASE_SECONDS": "2", "OPENSQT__SYSTEM__CANCEL_ON_EXIT": "false"}


async def test_a_market_maker_that_dies_leaves_no_order_and_its_next_run_lays_the_grid_again(tmp_path: Path) -> None:
    """F9 F30"""
    async with chain(tmp_path) as made:
        async with made.maker(**SHORT) as maker:
            await maker.ready()
            await eventually(lambda: len(made.open_orders) >= 5)
            maker.send(signal.SIGKILL)
            await maker.wait()
        await eventually(lambda: made.open_orders == [], within_s=20)
        async with made.maker(**SHORT) as maker:
            await maker.ready()
            await eventually(lambda: len(made.open_orders) >= 5, within_s=30)
            assert made.account["duplicate_client_order_ids"] == []


async def test_a_clean_stop_gives_the_lease_up_and_leaves_the_orders_where_they_are(tmp_path: Path) -> None:
    async with chain(tmp_path) as made:
        async with made.maker(**SHORT) as maker:
            await maker.ready()
            await eventually(lambda: len(made.open_orders) >= 5)
            maker.send(signal.SIGTERM)
            assert await maker.wait() == 0, maker.output
        before = len(made.open_orders)
        assert before >= 5
        asked = made.sim.engine.now_ms()
        await eventually(lambda: made.sim.engine.now_ms() > asked + 4_000)
        assert {order["status"] for order in made.account["orders"]} <= {"OPEN", "PARTIALLY_FILLED", "FILLED"}
