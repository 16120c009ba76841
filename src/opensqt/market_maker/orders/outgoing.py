"""What is sent: the intent of each order, and the commands that a plan leads to."""

from __future__ import annotations

from collections.abc import Iterable

from opensqt.market_maker.orders.events import Cancel, Command, Place
from opensqt.market_maker.orders.lifecycle import OrderLifecycle
from opensqt.market_maker.orders.planner import Plan
from opensqt.market_maker.orders.slots import LiveOrder
from opensqt.market_maker.orders.state import GridState
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.market_maker.strategy.quoter import TargetOrder
from opensqt.model.order import OrderRef, OrderRequest, PositionSide, Side, TimeInForce

_POST_ONLY, _BOTH = TimeInForce.POST_ONLY, PositionSide.BOTH


class Outgoing:
    """Makes commands. Each order that they name is recorded before they are returned.

    Args:
        state: Takes the intents.
        orders: Takes note of the cancels, and knows which of them failed lately.
        symbol: Of the grid.
        mode: What the grid opens.
        hedged: Whether the account holds long and short apart.
    """

    def __init__(self, state: GridState, orders: OrderLifecycle, symbol: str, mode: GridMode, *, hedged: bool) -> None:
        self._state = state
        self._orders = orders
        self._symbol = symbol
        self._mode = mode
        self._hedged = hedged

    def commands(self, plan: Plan, now: float) -> list[Command]:
        """Return the commands of a plan."""
        commands = self._cancel(plan.cancels, now) if plan.cancels else []
        if plan.places:
            commands.append(Place(tuple([self._request(target, now) for target in plan.places])))
        return commands

    def cancel_all(self, now: float) -> list[Command]:
        """Return the commands that cancel every open order for which none was sent yet."""
        return self._cancel(tuple(self._state.cancellable.values()), now)

    def _cancel(self, orders: Iterable[LiveOrder], now: float) -> list[Command]:
        failed = self._orders.cancel_backoff
        if failed.failing:
            orders = [order for order in orders if not failed.is_blocked(order.client_order_id, now)]
        refs = []
        for order in orders:
            self._state.cancel_sent(order)
            ref = OrderRef(symbol=self._symbol, client_order_id=order.client_order_id, order_id=order.order_id)
            refs.append(ref)
        return [Cancel(tuple(refs))] if refs else []

    def _request(self, target: TargetOrder, now: float) -> OrderRequest:
        client_order_id = self._state.next_id(target.level, target.side)
        order = LiveOrder(
            client_order_id=client_order_id,
            level=target.level,
            side=target.side,
            price=target.price,
            quantity=target.quantity,
            since=now,
            closes=target.closes,
        )
        self._state.place(order)
        return OrderRequest(
            symbol=self._symbol,
            side=target.side,
            quantity=target.quantity,
            client_order_id=client_order_id,
            price=target.price,
            time_in_force=TimeInForce.IOC if target.taker else _POST_ONLY,
            reduce_only=target.closes and not self._nets_off,
            position_side=self._position_side(target) if self._hedged else _BOTH,
        )

    @property
    def _nets_off(self) -> bool:
        """Whether long and short levels are one position, so that it may be smaller than what a level closes.

        The venue would refuse or cancel a reduce-only order of more than the position.
        """
        return not self._hedged and (self._mode is GridMode.NEUTRAL or not self._state.is_one_sided)

    def _position_side(self, target: TargetOrder) -> PositionSide:
        return PositionSide.LONG if (target.side is Side.BUY) is not target.closes else PositionSide.SHORT
