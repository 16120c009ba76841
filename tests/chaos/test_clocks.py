"""Clocks that drift and a loop that stalls: each request is signed afresh as it is sent, and trading goes on."""

from __future__ import annotations

import asyncio
import time

import pytest

from opensqt.model.order import OrderStatus
from tests.chaos.adapter_rig import UNLIMITED, Adapter
from tests.support import eventually


async def test_a_stall_of_the_loop_costs_no_order(adapter: Adapter, large: bool) -> None:
    """F24: orders at every stage of being sent when the loop stands still for longer than the venue's window."""
    stall_s, window_ms = (6.0, 5_000) if large else (0.6, 400)
    async with adapter(server=UNLIMITED, recv_window_ms=window_ms) as rig:
        price = await rig.far()
        placing = []
        for _ in range(12):
            placing.append(asyncio.create_task(rig.exchange.place_order(rig.request(price=price))))
            await asyncio.sleep(0)
        time.sleep(stall_s)  # noqa: ASYNC251 - the stall is what is tested
        orders = await asyncio.gather(*placing)
        assert {order.status for order in orders} == {OrderStatus.OPEN}
        assert len(rig.account["orders"]) == 12
        await rig.agrees()


@pytest.mark.parametrize("skew_ms", [-90_000, 90_000])
async def test_a_clock_that_jumps_ends_neither_orders_nor_streams(adapter: Adapter, skew_ms: int) -> None:
    """F24, F15: the clock is measured afresh; a login and a subscription are signed by it as well."""
    async with adapter() as rig:
        rig.simulator.engine.clock.skew_ms = skew_ms
        rig.fault(kind="cut", channel="private")
        await rig.trade(2)
        await eventually(lambda: rig.simulator.ledger()["statistics"]["connections_opened"]["private"] >= 2)
        await rig.agrees()
        assert len(rig.account["orders"]) == 2
