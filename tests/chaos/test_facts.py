"""What the venue does to an account of itself, on all five venues: a liquidation, by stream and by query."""

from __future__ import annotations

from decimal import Decimal

from opensqt.model.account import NoticeKind, PositionMode
from opensqt.model.order import ClosedBy, CloseReason, Fill, FillKind, OrderType, PositionSide, Side
from opensqt.model.venue import ExchangeStatus
from tests.chaos.adapter_rig import SYMBOL, Adapter, Rig
from tests.support import eventually

SIZE = Decimal("1.000")


async def liquidated(rig: Rig, position_side: PositionSide) -> str:
    """Go long, leave an order far away, and let the mark fall until the venue closes the position."""
    price = await rig.exchange.get_latest_price(SYMBOL)
    entry = rig.request(quantity=SIZE, order_type=OrderType.MARKET, position_side=position_side)
    await rig.exchange.place_order(entry)
    resting = await rig.exchange.place_order(rig.request(price=await rig.far(), position_side=position_side))
    await eventually(lambda: sum(fill.quantity for fill in rig.told) == SIZE)
    rig.simulator.engine.set_mark(SYMBOL, (price.bid * Decimal("0.78")).quantize(Decimal("0.1")))
    rig.simulator.engine.publish()
    await eventually(lambda: sum(fill.quantity for fill in rig.told if fill.side is Side.SELL) == SIZE)
    return resting.order_id


def facts(fill: Fill) -> tuple[object, ...]:
    return fill.trade_id, fill.kind, fill.side, fill.position_side, fill.quantity, fill.fees, fill.realized_pnl


def ids(rig: Rig) -> set[str]:
    return {fill["trade_id"] for fill in rig.account["fills"]}


async def test_a_liquidation_is_told_as_one(adapter: Adapter) -> None:
    """F10: neither the fills that close the position nor the end of the other orders look like the owner's."""
    async with adapter() as rig:
        order_id = await liquidated(rig, PositionSide.BOTH)
        assert {fill.kind for fill in rig.told if fill.side is Side.SELL} == {FillKind.LIQUIDATION}
        assert {fill.kind for fill in rig.told if fill.side is Side.BUY} == {FillKind.TRADE}
        assert {fill.trade_id for fill in rig.told} == ids(rig)
        await eventually(lambda: rig.orders[order_id].status.is_closed)
        ended = rig.orders[order_id]
        # Bitget has no word for it, and then nobody is named.
        assert (ended.closed_by, ended.close_reason) in (
            (ClosedBy.VENUE, CloseReason.LIQUIDATION),
            (None, None),
        )


async def test_a_liquidation_of_hedge_mode_is_the_same_by_stream_and_by_query(adapter: Adapter) -> None:
    """F12, F20: side, position side, kind, fees and profit."""
    async with adapter(PositionMode.HEDGE) as rig:
        await liquidated(rig, PositionSide.LONG)
        listed = await rig.exchange.list_fills(SYMBOL, since_ms=1)
        assert sorted(map(facts, listed), key=str) == sorted(map(facts, rig.told), key=str)
        assert {fill.position_side for fill in listed} == {PositionSide.LONG}


async def test_a_switch_of_the_position_mode_is_noticed_and_traded_in(adapter: Adapter) -> None:
    """F20: somebody switches it on the venue's site, while the adapter runs; the next full comparison finds it."""
    async with adapter() as rig:
        rig.simulator.engine.set_position_mode("sim-key", PositionMode.HEDGE)
        rig.fault(kind="cut", channel="private")
        status = await eventually(lambda: noticed(rig))
        assert [notice.kind for notice in status.notices] == [NoticeKind.POSITION_MODE]
        assert status.notices[0].text == "the account was switched from ONE_WAY to HEDGE mode"
        assert (await rig.exchange.get_exchange_info()).position_mode is PositionMode.HEDGE
        assert (await rig.exchange.get_account()).notices == status.notices
        await rig.exchange.place_order(
            rig.request(order_type=OrderType.MARKET, position_side=PositionSide.SHORT, side=Side.SELL)
        )
        await eventually(lambda: rig.told)
        assert {fill.position_side for fill in rig.told} == {PositionSide.SHORT}


async def noticed(rig: Rig) -> ExchangeStatus | None:
    status = await rig.exchange.get_status()
    return status if status.notices else None
