"""The intent of an order, and the request that it is sent with."""

from __future__ import annotations

from opensqt.market_maker.orders.slots import LiveOrder, SlotEvent
from opensqt.market_maker.orders.state import GridState
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.market_maker.strategy.quoter import TargetOrder
from opensqt.model.order import OrderRequest, PositionSide, Side, TimeInForce


def make_request(
    state: GridState, target: TargetOrder, *, symbol: str, hedged: bool, mode: GridMode, now: float
) -> OrderRequest:
    """Record the intent of a target order, and return the request for it.

    Args:
        state: Takes the intent; it is stored before the request is sent.
        target: What the strategy wants.
        symbol: Of the grid.
        hedged: Whether the account holds long and short apart.
        mode: What the grid opens.
        now: Monotonic seconds.
    """
    client_order_id = state.next_id(target.level, target.side)
    order = LiveOrder(
        client_order_id=client_order_id,
        level=target.level,
        side=target.side,
        price=target.price,
        quantity=target.quantity,
        since=now,
        closes=target.closes,
    )
    state.put(SlotEvent.PLACE, order)
    long = (target.side is Side.BUY) is not target.closes
    held_side = PositionSide.LONG if long else PositionSide.SHORT
    # In one-way mode long and short levels net off: the position may be smaller than what a level closes, and the
    # venue would refuse or cancel a reduce-only order of more than it.
    nets_off = not hedged and (mode is GridMode.NEUTRAL or not state.is_one_sided)
    return OrderRequest(
        symbol=symbol,
        side=target.side,
        quantity=target.quantity,
        client_order_id=client_order_id,
        price=target.price,
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=target.closes and not nets_off,
        position_side=held_side if hedged else PositionSide.BOTH,
    )
