"""A market maker that dies: its connector cancels its orders, and the next start lays the same grid again."""

from __future__ import annotations

import signal
from pathlib import Path

from opensqt.simulator.faults import Fault
from tests.service.grid_rig import SYMBOL, chain
from tests.support import eventually

SHORT = {"OPENSQT__SYSTEM__LEASE_SECONDS": "4", "OPENSQT__SYSTEM__CANCEL_ON_EXIT": "false"}


async def test_a_market_maker_that_dies_leaves_no_order_and_its_next_run_lays_the_grid_again(tmp_path: Path) -> None:
    """F9: the next run lays the same grid. F30: what the dead run left is canceled."""
    async with chain(tmp_path) as made:
        async with made.maker(**SHORT) as maker:
            await maker.ready()
            await eventually(lambda: len(made.open_orders) >= 5)
            maker.send(signal.SIGKILL)
            await maker.wait()
        await eventually(lambda: made.open_orders == [])
        async with made.maker(**SHORT) as maker:
            await maker.ready()
            await eventually(lambda: len(made.open_orders) >= 5)
            assert made.account["duplicate_client_order_ids"] == []


async def test_a_clean_stop_gives_the_lease_up_and_leaves_the_orders_where_they_are(tmp_path: Path) -> None:
    async with chain(tmp_path) as made:
        async with made.maker(**SHORT) as maker:
            await maker.ready()
            await eventually(lambda: len(made.open_orders) >= 5)
            # So that none fills from now on, and the grid moves none.
            made.sim.market.pause(SYMBOL)
            maker.send(signal.SIGTERM)
            assert await maker.wait() == 0, maker.output
        left = {order["client_order_id"] for order in made.open_orders}
        assert len(left) >= 5
        asked = made.sim.engine.now_ms()
        await eventually(lambda: made.sim.engine.now_ms() > asked + 6_000)
        assert {order["client_order_id"] for order in made.open_orders} == left


async def test_orders_that_a_stop_could_not_cancel_are_left_to_the_connector(tmp_path: Path) -> None:
    """F30: given up with them, the lease would leave them open until somebody starts the grid again."""
    async with chain(tmp_path) as made:
        async with made.maker(**SHORT | {"OPENSQT__SYSTEM__CANCEL_ON_EXIT": "true"}) as maker:
            await maker.ready()
            await eventually(lambda: len(made.open_orders) >= 5)
            made.sim.market.pause(SYMBOL)
            for operation in ("cancel_order", "batch_cancel", "cancel_all"):
                made.sim.faults.add(Fault(kind="unreachable", on=operation, times=0))
            maker.send(signal.SIGTERM)
            assert await maker.wait() == 1
        assert made.open_orders != []
        made.sim.faults.clear()
        await eventually(lambda: made.open_orders == [])
