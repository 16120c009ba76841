"""Fills that an earlier run has told are not told again, whatever is asked for."""

from __future__ import annotations

import asyncio

from opensqt.model.order import OrderRef
from opensqt.venues.factory import create_exchange
from tests.chaos.adapter_rig import PART, SYMBOL, Rig, on_simulator, settings
from tests.support import eventually


async def test_asking_for_an_old_order_does_not_tell_its_fills_again() -> None:
    """F8: OKX shows its newest hundred trades at the start; an older order that a client asks for has others."""
    async with on_simulator("okx") as rig:
        order = await rig.exchange.place_order(rig.request(price=await rig.front(rig.request().side)))
        rig.hit(order.side, order.quantity)
        await rig.trade(60)
        await rig.agrees()
        later = create_exchange(settings(rig.simulator))
        await later.start()
        again = Rig(rig.simulator, later)  # type: ignore[arg-type]
        reading = asyncio.create_task(again.read())
        try:
            asked = _asked(rig)
            await later.get_order(OrderRef(symbol=SYMBOL, order_id=order.order_id))
            await eventually(lambda: _asked(rig) >= asked + 2)
            await rig.trade(1)
            await eventually(lambda: sum(fill.quantity for fill in again.told) == 3 * PART)
            assert order.order_id not in {fill.order_id for fill in again.told}
        finally:
            reading.cancel()
            await later.close()


def _asked(rig: Rig) -> int:
    return int(rig.simulator.ledger()["statistics"]["requests"].get("fills", 0))
