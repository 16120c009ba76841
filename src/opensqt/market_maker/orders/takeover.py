"""Taking the venue's position over: levels are dropped or laid until they explain what is held. The way out of a halt.

History stays: counted fills, closed orders and the profit are as they were. What was traded by hand, by liquidation or
by automatic deleveraging is counted where its fill arrives, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from opensqt.market_maker.orders.planner import Plan
from opensqt.market_maker.orders.reconcile import assign_to_levels
from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.orders.state import GridState
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import TargetOrder
from opensqt.model.venue import SymbolRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """What taking the venue's position over changes."""

    slots: tuple[Slot, ...]
    """The levels that change, as they are after it; none when nothing can be taken over."""
    preview: str
    """The change in lines for a person; without a change, why there is none."""
    possible: bool = True
    """False where the levels can't explain what the venue holds."""


def take_venue(
    grid: Grid,
    slots: Mapping[int, Slot],
    venue: Decimal,
    entry_price: Decimal,
    settings: GridSettings,
    rules: SymbolRules,
) -> Takeover:
    """Return the change of the levels that makes them explain the venue's position.

    Where the venue holds less, the levels furthest from their exit are dropped first: the highest of a long position,
    the lowest of a short one. Where it holds more, the rest is laid on empty levels from its entry price onwards.

    Args:
        grid: The levels.
        slots: Those in use.
        venue: Base coins that the venue holds; below zero is short.
        entry_price: The venue's average, quote.
        settings: The amounts of a level, and the mode.
        rules: The venue's steps.
    """
    explained = sum((slot.quantity for slot in slots.values()), Decimal(0))
    change = venue - explained
    coin = rules.base_asset
    if not change:
        return Takeover(slots=(), preview=f"nothing to take over: the levels explain the {venue} {coin} that are held")
    dropped = _dropped(slots, change)
    left = change - sum((slot.quantity - slots[slot.level].quantity for slot in dropped), Decimal(0))
    laid: list[Slot] = []
    if left:
        if not any(side.sign * left > 0 for side in settings.mode.opens):
            text = f"can't be taken over: the venue holds {venue} {coin}, which a {settings.mode.value} grid can't hold"
            text += "; close it with `opensqt cancel-all --flatten`, then try again"
            return Takeover(slots=(), preview=text, possible=False)
        kept = {**slots, **{slot.level: slot for slot in dropped}}
        found = assign_to_levels(grid, kept, left, entry_price, settings, rules)
        if found is None:
            text = f"can't be taken over: {left} {coin} need more levels than the grid has"
            return Takeover(slots=(), preview=f"{text}; close a part by hand, then try again", possible=False)
        laid = found
    lines = [f"the venue holds {venue} {coin}, the levels explain {explained}"]
    lines += [f"drop {_row(grid, slots[slot.level], slot.quantity - slots[slot.level].quantity)}" for slot in dropped]
    lines += [f"lay  {_row(grid, slot, slot.quantity)}" for slot in laid]
    return Takeover(slots=(*dropped, *laid), preview="\n".join(lines))


def within_position(plan: Plan, state: GridState, venue: Decimal, price: Decimal, rules: SymbolRules) -> Plan:
    """Return *plan* with no more exits than the venue's position has: the nearest stay, the others are cancelled.

    Args:
        plan: What the levels want.
        state: The live orders.
        venue: Base coins that the venue holds; below zero is short.
        price: Of the market, quote.
        rules: The venue's steps.
    """
    exits = sorted((order for order in state.live_orders() if order.closes), key=lambda order: abs(order.price - price))
    left = abs(venue)
    cancels = {order.client_order_id: order for order in plan.cancels}
    for order in exits:
        if order.client_order_id in cancels or order.client_order_id in state.canceling:
            continue
        if order.remaining > left and order.status.is_open:
            cancels[order.client_order_id] = order
        else:
            left -= order.remaining
    places: list[TargetOrder] = []
    for target in plan.places:
        if not target.closes:
            places.append(target)
            continue
        quantity = rules.round_quantity(max(Decimal(0), min(target.quantity, left)))
        if quantity >= max(rules.min_quantity, rules.quantity_step):
            places.append(replace(target, quantity=quantity))
            left -= quantity
    return Plan(places=tuple(places), cancels=tuple(cancels.values()))


def _dropped(slots: Mapping[int, Slot], change: Decimal) -> list[Slot]:
    """Return the levels after giving up what the venue has no more, as far as they hold it."""
    sign = 1 if change < 0 else -1
    holding = sorted((slot for slot in slots.values() if sign * slot.quantity > 0), key=lambda slot: -sign * slot.level)
    found, left = [], abs(change)
    for slot in holding:
        if left <= 0:
            break
        part = min(abs(slot.quantity), left)
        quantity = slot.quantity - sign * part
        cost = slot.cost * quantity / slot.quantity
        found.append(replace(slot, quantity=quantity, cost=cost))
        left -= part
    return found


def _row(grid: Grid, slot: Slot, change: Decimal) -> str:
    at = f"level {slot.level} at {grid.price_of(slot.level)}: {change:+f}"
    return f"{at}, bought at {slot.average_price:.8g}" if slot.average_price is not None else at
