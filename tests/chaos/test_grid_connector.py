"""The grid outlives its connector: killed and started again, nothing is lost and nothing is sent twice."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.service.grid_rig import all_known, chain, connector, store_fills
from tests.support import eventually


async def test_a_connector_killed_and_started_again_costs_no_fill(tmp_path: Path) -> None:
    """F1 F6 F9: fills of the outage are counted, orders on their way are resolved by their ids."""
    async with chain(tmp_path) as made, made.maker(OPENSQT__EXCHANGES__REMOTE__RETRY_SCALE="0.3") as maker:
        await maker.ready()
        await eventually(lambda: len(made.account["fills"]) >= 3)
        made.connector.send(signal.SIGKILL)
        await made.connector.wait()
        fills = len(made.account["fills"])
        port = made.connector.address.rpartition(":")[2]
        async with connector(made.sim, tmp_path, port=port):
            await eventually(lambda: len(made.account["fills"]) >= fills + 5)
            await eventually(lambda: all_known(maker), what="every order's outcome is known")
            maker.send(signal.SIGTERM)
            assert await maker.wait(20) == 0, maker.output
        assert made.open_orders == []
        assert made.account["duplicate_client_order_ids"] == []
        assert await store_fills(tmp_path / "grid.db") == made.fills()
