"""What changed settings would cancel and place, without doing it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from opensqt.market_maker.orders.slots import LiveOrder, Slot
from opensqt.market_maker.orders.state import GridState
from opensqt.market_maker.orders.stored import Stored
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import Permission, TargetOrder

if TYPE_CHECKING:
    from opensqt.market_maker.engine import GridEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The orders that would be cancelled and placed at the price of the moment."""

    cancels: tuple[LiveOrder, ...] = ()
    places: tuple[TargetOrder, ...] = ()
    replaced: tuple[LiveOrder, ...] = ()
    """Those of the cancels that stand at a level that has another price or quantity then."""


def preview(engine: GridEngine, settings: GridSettings, now: float) -> Preview:
    """Return what *settings* would change. The engine stays as it is.

    Args:
        engine: The grid.
        settings: Those that would be in force.
        now: Monotonic seconds.
    """
    state, market = engine.state, engine.quoting_market()
    if state.header is None or market is None:
        return Preview()
    permission = engine.permission(market, now)
    touched = set(state.touched)
    planner = engine.make_planner(settings, state)
    if planner is None:
        return Preview()
    plan = planner.plan(planner.quoter.frame(market, state), permission)
    # This planner has looked at every slot, which the engine's own has not.
    state.touched = touched | set(state.slots)
    before, targets = (_targets(engine, one, permission, now) for one in (engine.settings.grid, settings))
    live = [slot.order for slot in state.slots.values() if slot.order is not None]
    replaced = tuple(
        order
        for order in live
        if before.get(order.level) != targets.get(order.level) and _differs(order, targets.get(order.level))
    )
    cancels = {order.client_order_id: order for order in (*plan.cancels, *replaced)}
    kept = {order.level for order in live if order.client_order_id not in cancels}
    return Preview(
        cancels=tuple(cancels.values()),
        places=tuple(target for level, target in targets.items() if level not in kept),
        replaced=replaced,
    )


def _targets(engine: GridEngine, settings: GridSettings, permission: Permission, now: float) -> dict[int, TargetOrder]:
    """Return all orders that are wanted, by level: what would be placed if none were live."""
    state, market = engine.state, engine.quoting_market()
    holdings = tuple(
        Slot(level=slot.level, quantity=slot.quantity, cost=slot.cost) for slot in state.slots.values() if slot.quantity
    )
    empty = GridState(state.ids, Stored(header=state.header, slots=holdings), state.accounting, now=now)
    planner = engine.make_planner(settings, empty)
    if planner is None or market is None:
        return {}
    unlimited = replace(
        permission,
        buys=0 if permission.pull_buys else settings.max_open_orders,
        sells=0 if permission.pull_sells else settings.max_open_orders,
        pulled=(),
        backed_off=(),
    )
    plan = planner.plan(planner.quoter.frame(market, state), unlimited)
    return {target.level: target for target in plan.places}


def _differs(order: LiveOrder, target: TargetOrder | None) -> bool:
    """Return whether a live entry is wanted with another price or quantity; one that is filled in part stays."""
    if target is None or target.closes or target.side is not order.side or order.filled or order.counted:
        return False
    return (order.price, order.quantity) != (target.price, target.quantity)
