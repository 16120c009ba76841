"""Hedge and one-way mode on every venue: adapted to, switched while nothing is open, and never mixed up."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest

from opensqt.model.account import PositionMode
from opensqt.model.errors import InvalidRequest, OrderDenied, PositionModeMismatch
from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side
from opensqt.venues.factory import create_exchange
from tests.chaos.adapter_rig import LOT, SYMBOL, Adapter, settings

pytestmark = pytest.mark.parametrize("mode", list(PositionMode))
SIDE = {PositionMode.ONE_WAY: PositionSide.BOTH, PositionMode.HEDGE: PositionSide.LONG}
OTHER = {PositionMode.ONE_WAY: PositionMode.HEDGE, PositionMode.HEDGE: PositionMode.ONE_WAY}


async def test_the_accounts_own_mode_is_found_and_traded_in(adapter: Adapter, mode: PositionMode) -> None:
    """F20: nothing was asked for, so the adapter adapts."""
    async with adapter(mode) as rig:
        assert (await rig.exchange.get_exchange_info()).position_mode is mode
        await rig.exchange.place_order(rig.request(order_type=OrderType.MARKET, position_side=SIDE[mode]))
        held = {p.position_side: p.quantity for p in await rig.exchange.get_positions(SYMBOL)}
        assert held[SIDE[mode]] == LOT
        await rig.agrees()


async def test_the_mode_is_switched_while_nothing_is_open(adapter: Adapter, mode: PositionMode) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    async with adapter(mode, position_mode=OTHER[mode]) as rig:
        side = SIDE[OTHER[mode]]
        assert (await rig.exchange.get_exchange_info()).position_mode is OTHER[mode]
        order = await rig.exchange.place_order(rig.request(price=await rig.far(), position_side=side))
        assert (order.status, order.position_side) == (OrderStatus.OPEN, side)


@pytest.mark.parametrize("open_is", ["position", "order"])
async def test_the_mode_is_never_switched_with_something_open(
    adapter: Adapter, mode: PositionMode, open_is: str
) -> None:
    """F20: the start is refused with what to do, and the account stays as it is."""
    async with adapter(mode) as rig:
        price = {"order_type": OrderType.MARKET} if open_is == "position" else {"price": await rig.far()}
        await rig.exchange.place_order(rig.request(position_side=SIDE[mode], **price))
        with pytest.raises(PositionModeMismatch, match="close them first"):
            await create_exchange(settings(rig.simulator, position_mode=OTHER[mode])).start()
        assert rig.simulator.engine.position_mode("sim-key") is mode


async def test_an_order_for_the_other_mode_is_denied_before_it_is_sent(adapter: Adapter, mode: PositionMode) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    async with adapter(mode) as rig:
        wrong = SIDE[OTHER[mode]]
        with pytest.raises(OrderDenied, match=f"position_side {wrong}: expected"):
            await rig.exchange.place_order(rig.request(price=await rig.far(), position_side=wrong))
        assert rig.account["orders"] == []


async def test_a_mode_that_was_changed_behind_our_back_turns_no_order_round(
    adapter: Adapter, mode: PositionMode
) -> None:
    """F20: what was to open a long and close it again does so or is refused for the mode; it never opens a short."""
    async with adapter(mode) as rig:
        rig.simulator.engine.set_position_mode("sim-key", OTHER[mode])
        held = []
        for side in (Side.BUY, Side.SELL):
            with suppress(PositionModeMismatch, InvalidRequest):
                await rig.exchange.place_order(
                    rig.request(
                        side, order_type=OrderType.MARKET, position_side=SIDE[mode], reduce_only=side is Side.SELL
                    )
                )
            held.append(sum((Decimal(one["quantity"]) for one in rig.account["positions"]), Decimal(0)))
        assert held in ([LOT, 0], [0, 0])
