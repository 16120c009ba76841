"""Target orders minus live orders: what to place and what to cancel, as a function of slots and price."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from opensqt.market_maker.orders.slots import LiveOrder, Slot, SlotState
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.quotes import quotes
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import Permission, TargetOrder
from opensqt.model.market import Price
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The orders to place and to cancel; empty when the live orders are the target orders."""

    places: tuple[TargetOrder, ...] = ()
    cancels: tuple[LiveOrder, ...] = ()


def plan(
    grid: Grid,
    slots: Mapping[int, Slot],
    extra_orders: Collection[LiveOrder],
    price: Price,
    *,
    settings: GridSettings,
    rules: SymbolRules,
    permission: Permission,
) -> Plan:
    """Compare the target orders of the grid with its live orders.

    Args:
        grid: The levels.
        slots: The slots that hold something or have an order.
        extra_orders: Orders of the grid whose slot has another order; they are cancelled.
        price: A fresh quote.
        settings: Amounts and windows.
        rules: The venue's steps and minimums.
        permission: The orders that may be placed now.
    """
    live = [slot.order for slot in slots.values() if slot.order is not None]
    cancels = {order.client_order_id: order for order in extra_orders}
    for order in live:
        if _misplaced(order, slots[order.level], grid, price, settings, permission):
            cancels[order.client_order_id] = order
    targets = quotes(grid, slots, price, settings=settings, rules=rules, permission=permission)
    room = max(0, settings.max_open_orders - len(live) - len(extra_orders))
    places, next_target = _within(targets, room, permission.buys)
    if next_target is not None:
        for order in _furthest(live, cancels, abs(next_target.price - price.mid), price.mid, settings):
            cancels[order.client_order_id] = order
    return Plan(places=places, cancels=tuple(order for order in cancels.values() if _cancellable(order, slots)))


def _within(targets: list[TargetOrder], room: int, buys: int) -> tuple[tuple[TargetOrder, ...], TargetOrder | None]:
    """Return the nearest target orders that there is room for, and the nearest one that there is no room for."""
    chosen: list[TargetOrder] = []
    for target in targets:
        if target.side is Side.BUY:
            if buys <= 0:
                continue
            buys -= 1
        if len(chosen) == room:
            return tuple(chosen), target
        chosen.append(target)
    return tuple(chosen), None


def _misplaced(
    order: LiveOrder, slot: Slot, grid: Grid, price: Price, settings: GridSettings, permission: Permission
) -> bool:
    home = grid.price_of(order.level)
    if order.side is Side.BUY:
        displaced = order.price <= min(home, price.bid) - grid.interval
        pulled = permission.pull_buys or order.client_order_id in permission.pulled
        return pulled or order.level < grid.buy_floor(price.mid, settings.buy_window) or displaced
    too_much = order.remaining > slot.quantity
    return too_much or order.price >= max(home + grid.interval, price.ask) + grid.interval


def _furthest(
    live: list[LiveOrder], chosen: Mapping[str, LiveOrder], beyond: Decimal, mid: Decimal, settings: GridSettings
) -> list[LiveOrder]:
    """Return orders to cancel for a nearer one: the furthest of the larger side, further away than *beyond*."""
    if any(order.cancel_requested for order in live) or chosen:
        return []  # room is being made already
    sides = {side: [order for order in live if order.side is side] for side in Side}
    larger = max(sides.values(), key=len)
    candidates = [order for order in larger if not order.counted and not order.filled]
    candidates = [order for order in candidates if abs(order.price - mid) > beyond]
    candidates.sort(key=lambda order: abs(order.price - mid), reverse=True)
    return candidates[: settings.cleanup_batch]


def _cancellable(order: LiveOrder, slots: Mapping[int, Slot]) -> bool:
    if order.cancel_requested or not order.status.is_open:
        return False
    slot = slots.get(order.level)
    own = slot is not None and slot.order is not None and slot.order.client_order_id == order.client_order_id
    return not own or (slot is not None and slot.state is SlotState.LOCKED)
