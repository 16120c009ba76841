"""Wanted orders minus live orders: what to place and what to cancel, as a function of slots and price."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from opensqt.market_maker.orders.slots import LiveOrder, Slot, SlotState
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.quotes import quotes
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import Permission, Wanted
from opensqt.model.market import Price
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do now; empty when all is as it should be."""

    places: tuple[Wanted, ...] = ()
    cancels: tuple[LiveOrder, ...] = ()


def plan(
    grid: Grid,
    slots: Mapping[int, Slot],
    strays: Collection[LiveOrder],
    price: Price,
    *,
    settings: GridSettings,
    rules: SymbolRules,
    permission: Permission,
) -> Plan:
    """Compare what the grid wants with what is live.

    Args:
        grid: The levels.
        slots: Those that hold something or have an order.
        strays: Orders of ours that have no slot; they are cancelled.
        price: A fresh quote.
        settings: Amounts and windows.
        rules: The venue's steps and minimums.
        permission: What may be placed now.
    """
    live = [slot.order for slot in slots.values() if slot.order is not None]
    cancels = {order.client_order_id: order for order in strays}
    for order in live:
        if _misplaced(order, slots[order.level], grid, price, settings, permission):
            cancels[order.client_order_id] = order
    wanted = quotes(grid, slots, price, settings=settings, rules=rules, permission=permission)
    room = max(0, settings.max_live - len(live) - len(strays))
    places, waiting = _within(wanted, room, permission.buys)
    if waiting is not None:
        for order in _furthest(live, cancels, abs(waiting.price - price.mid), price.mid, settings):
            cancels[order.client_order_id] = order
    return Plan(places=places, cancels=tuple(order for order in cancels.values() if _cancellable(order, slots)))


def _within(wanted: list[Wanted], room: int, buys: int) -> tuple[tuple[Wanted, ...], Wanted | None]:
    """Choose the nearest that there is room for, and the nearest one for which there is none."""
    chosen: list[Wanted] = []
    for want in wanted:
        if want.side is Side.BUY:
            if buys <= 0:
                continue
            buys -= 1
        if len(chosen) == room:
            return tuple(chosen), want
        chosen.append(want)
    return tuple(chosen), None


def _misplaced(
    order: LiveOrder, slot: Slot, grid: Grid, price: Price, settings: GridSettings, permission: Permission
) -> bool:
    home = grid.price_of(order.level)
    if order.side is Side.BUY:
        displaced = order.price <= min(home, price.bid) - grid.interval
        return permission.pull_buys or order.level < grid.buy_floor(price.mid, settings.buy_window) or displaced
    too_much = order.remaining > slot.quantity
    return too_much or order.price >= max(home + grid.interval, price.ask) + grid.interval


def _furthest(
    live: list[LiveOrder], chosen: Mapping[str, LiveOrder], beyond: Decimal, mid: Decimal, settings: GridSettings
) -> list[LiveOrder]:
    """Make room: from the side that has more, the furthest orders, but only ones further than what waits."""
    if any(order.cancel_asked for order in live) or chosen:
        return []  # room is being made already
    sides = {side: [order for order in live if order.side is side] for side in Side}
    larger = max(sides.values(), key=len)
    candidates = [order for order in larger if not order.counted and not order.filled]
    candidates = [order for order in candidates if abs(order.price - mid) > beyond]
    candidates.sort(key=lambda order: abs(order.price - mid), reverse=True)
    return candidates[: settings.cleanup_batch]


def _cancellable(order: LiveOrder, slots: Mapping[int, Slot]) -> bool:
    if order.cancel_asked or not order.status.is_open:
        return False
    slot = slots.get(order.level)
    own = slot is not None and slot.order is not None and slot.order.client_order_id == order.client_order_id
    return not own or (slot is not None and slot.state is SlotState.LOCKED)
