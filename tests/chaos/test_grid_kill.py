"""A market maker killed at any instant comes back to exactly the same grid."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from opensqt.simulator.settings import ServerRules
from tests.service.grid_rig import ACCOUNT, Chain, all_known, chain, one_order_a_level, store_fills
from tests.support import eventually


@pytest.mark.timeout(900)
async def test_a_killed_grid_comes_back_the_same(tmp_path: Path, large: bool) -> None:
    """F9 F8: killed between any two orders, no order is doubled, no fill is lost or counted twice."""
    dice = random.Random(7)
    # A start asks for everything, and fifty starts a minute are more than an address may ask.
    async with chain(tmp_path, server=ServerRules(weight_per_minute=100_000)) as made:
        for _ in range(50 if large else 3):
            async with made.maker() as maker:
                await maker.ready()
                orders = made.sim.engine.orders
                enough = len(orders(ACCOUNT)) + dice.randint(1, 14)
                await eventually(lambda: len(orders(ACCOUNT)) >= enough, every_s=0.001)  # noqa: B023 - awaited in this turn
                maker.send(signal.SIGKILL)
                await maker.wait()
            assert one_order_a_level(made.open_orders)
        await _ends_exact(made, tmp_path)


async def _ends_exact(made: Chain, folder: Path) -> None:
    async with made.maker() as maker:
        await maker.ready()
        await eventually(lambda: all_known(maker), what="every order's outcome is known")
        maker.send(signal.SIGTERM)
        assert await maker.wait() == 0, maker.output
    assert made.open_orders == []
    assert made.account["duplicate_client_order_ids"] == []
    assert len(made.fills()) > 0
    assert await store_fills(folder / "grid.db") == made.fills()
