"""Another interval for a grid without orders: what is held keeps its quantity and cost, on other levels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.strategy.grid.geometry import Grid


def rescaled(grid: Grid, slots: Iterable[Slot], interval: Decimal) -> list[Slot]:
    """Return the slots of the grid with another interval.

    A long holding moves to the next level at or above its own price and a short one to the next below, so that neither
    is closed at a worse price than before. Holdings of one level are added up; a level never holds both.
    """
    moved = replace(grid, interval=interval, _prices={})
    found: dict[int, Slot] = {}
    for slot in slots:
        if not slot.quantity:
            continue
        price, step = grid.price_of(slot.level), 1 if slot.quantity > 0 else -1
        level = moved.level_above(price) if step > 0 else moved.level_below(price)
        while level in found and found[level].quantity * slot.quantity < 0:
            level += step
        there = found.get(level, Slot(level=level))
        found[level] = replace(there, quantity=there.quantity + slot.quantity, cost=there.cost + slot.cost)
    return list(found.values())
