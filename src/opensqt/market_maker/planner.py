"""Wanted orders minus live orders: what to place and what to cancel, as a function of slots and price."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from opensqt.market_maker.grid import Grid, buy_quantity
from opensqt.market_maker.slot import LiveOrder, Slot, SlotState
from opensqt.model.market import Price
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The settings that a plan keeps to."""

    order_quantity: Decimal
    """Quote per level."""
    min_order_value: Decimal
    """Quote."""
    buy_window: int
    sell_window: int
    max_live: int
    """Live orders, both sides together."""
    cleanup_batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What may be placed at this moment."""

    buys: int
    """How many new ones."""
    sells: bool = True
    pull_buys: bool = False
    """Whether live buys are to be cancelled."""
    held_back: Collection[int] = ()
    """Levels that wait after a refusal."""
    requoted: Collection[int] = ()
    """Levels whose last order would have taken: priced at the touch instead of one step beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An order to place."""

    level: int
    side: Side
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do now; empty when all is as it should be."""

    places: tuple[Wanted, ...] = ()
    cancels: tuple[LiveOrder, ...] = ()


def bucket(grid: Grid, price: Price, limits: Limits) -> tuple[int, ...]:
    """Answer a value that changes whenever the price alone could change the plan."""
    buys = grid.buy_levels(price.mid, limits.buy_window)
    return (
        buys.start,
        buys.stop,
        grid.buy_floor(price.mid, limits.buy_window),
        grid.sell_ceiling(price.mid, limits.sell_window),
        grid.level_below(price.bid),
        grid.level_below(price.ask),
    )


def plan(
    grid: Grid,
    slots: Mapping[int, Slot],
    strays: Collection[LiveOrder],
    price: Price,
    *,
    limits: Limits,
    rules: SymbolRules,
    permission: Permission,
) -> Plan:
    """Compare what the grid wants with what is live.

    Args:
        grid: The levels.
        slots: Those that hold something or have an order.
        strays: Orders of ours that have no slot; they are cancelled.
        price: A fresh quote.
        limits: The settings.
        rules: The venue's steps and minimums.
        permission: What may be placed now.
    """
    live = [slot.order for slot in slots.values() if slot.order is not None]
    cancels = {order.client_order_id: order for order in strays}
    for order in live:
        if _misplaced(order, slots[order.level], grid, price, limits, permission):
            cancels[order.client_order_id] = order
    wanted = sorted(
        [*_sells(grid, slots, price, limits, rules, permission), *_buys(grid, slots, price, limits, rules, permission)],
        key=lambda want: (abs(want.price - price.mid), want.side is Side.BUY),
    )
    room = max(0, limits.max_live - len(live) - len(strays))
    places, waiting = _within(wanted, room, permission.buys)
    if waiting is not None:
        for order in _furthest(live, cancels, abs(waiting.price - price.mid), price.mid, limits):
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


def _buys(
    grid: Grid, slots: Mapping[int, Slot], price: Price, limits: Limits, rules: SymbolRules, permission: Permission
) -> Iterator[Wanted]:
    if permission.buys <= 0:
        return
    for level in grid.buy_levels(price.mid, limits.buy_window):
        slot, level_price = slots.get(level), grid.price_of(level)
        if level_price <= 0:
            return
        if level in permission.held_back or (slot is not None and not _can_buy(slot, rules)):
            continue
        asked = price.bid if level in permission.requoted else price.ask - rules.price_step
        at = min(level_price, asked)
        quantity = buy_quantity(level_price, limits.order_quantity, limits.min_order_value, rules)
        if quantity > 0:
            yield Wanted(level=level, side=Side.BUY, price=at, quantity=quantity)


def _sells(
    grid: Grid, slots: Mapping[int, Slot], price: Price, limits: Limits, rules: SymbolRules, permission: Permission
) -> Iterator[Wanted]:
    if not permission.sells:
        return
    ceiling = grid.sell_ceiling(price.mid, limits.sell_window)
    for level, slot in slots.items():
        if slot.state is not SlotState.FREE or level > ceiling or level in permission.held_back:
            continue
        if slot.quantity < rules.min_quantity or slot.quantity <= 0:
            continue
        offered = price.ask if level in permission.requoted else price.bid + rules.price_step
        quantity = slot.quantity if rules.max_quantity is None else min(slot.quantity, rules.max_quantity)
        yield Wanted(
            level=level,
            side=Side.SELL,
            price=max(grid.price_of(level + 1), offered),
            quantity=rules.round_quantity(quantity),
        )


def _can_buy(slot: Slot, rules: SymbolRules) -> bool:
    """A rest too small to be sold does not keep a level from buying; what is then held is sold together."""
    return slot.state is SlotState.FREE and 0 <= slot.quantity < max(rules.min_quantity, rules.quantity_step)


def _misplaced(order: LiveOrder, slot: Slot, grid: Grid, price: Price, limits: Limits, permission: Permission) -> bool:
    home = grid.price_of(order.level)
    if order.side is Side.BUY:
        displaced = order.price <= min(home, price.bid) - grid.interval
        return permission.pull_buys or order.level < grid.buy_floor(price.mid, limits.buy_window) or displaced
    too_much = order.remaining > slot.quantity
    return too_much or order.price >= max(home + grid.interval, price.ask) + grid.interval


def _furthest(
    live: list[LiveOrder], chosen: Mapping[str, LiveOrder], beyond: Decimal, mid: Decimal, limits: Limits
) -> list[LiveOrder]:
    """Make room: from the side that has more, the furthest orders, but only ones further than what waits."""
    if any(order.cancel_asked for order in live) or chosen:
        return []  # room is being made already
    sides = {side: [order for order in live if order.side is side] for side in Side}
    larger = max(sides.values(), key=len)
    candidates = [order for order in larger if not order.counted and not order.filled]
    candidates = [order for order in candidates if abs(order.price - mid) > beyond]
    candidates.sort(key=lambda order: abs(order.price - mid), reverse=True)
    return candidates[: limits.cleanup_batch]


def _cancellable(order: LiveOrder, slots: Mapping[int, Slot]) -> bool:
    if order.cancel_asked or not order.status.is_open:
        return False
    slot = slots.get(order.level)
    own = slot is not None and slot.order is not None and slot.order.client_order_id == order.client_order_id
    return not own or (slot is not None and slot.state is SlotState.LOCKED)
