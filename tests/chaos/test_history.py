"""What happened before we came is told whole, however many pages the venue needs for it."""

from __future__ import annotations

from decimal import Decimal

from opensqt.model.order import Side
from tests.chaos.adapter_rig import PART, SYMBOL, Adapter


async def test_fills_since_the_beginning_are_all_of_them(adapter: Adapter) -> None:
    """F6: a client that begins anew asks from 0, and one page is not all."""
    async with adapter() as rig:
        await rig.exchange.place_order(rig.request(price=await rig.front(Side.BUY), quantity=120 * PART))
        for _ in range(120):
            rig.hit(Side.BUY, PART)
        listed = await rig.exchange.list_fills(SYMBOL, since_ms=0)
        assert [fill.trade_id for fill in listed] == [fill["trade_id"] for fill in rig.account["fills"]]
        assert sum(fill.quantity for fill in listed) == Decimal("0.120")
