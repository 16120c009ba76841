"""The comparison of the venue's position with the fills of the grid, and what follows from a difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.strategy.grid.geometry import Grid, level_quantity
from opensqt.market_maker.strategy.grid.settings import GridMode, GridSettings
from opensqt.model.account import Position
from opensqt.model.order import PositionSide
from opensqt.model.venue import SymbolRules

CONFIRMATIONS = 2
"""Comparisons in a row that must show a difference before anything follows from it: a fill may be on its way."""
ADOPT_CONFIRMATIONS = 5
"""The same before a found position is assigned to levels: a fill that arrives later would then count twice."""
MOST_LEVELS = 1000
"""A found position that would need more levels than this is not assigned."""


def position_sides(mode: GridMode) -> tuple[PositionSide, ...]:
    """Return the positions of an account in hedge mode that a grid trades."""
    sides = {GridMode.LONG: (PositionSide.LONG,), GridMode.SHORT: (PositionSide.SHORT,)}
    return sides.get(mode, (PositionSide.LONG, PositionSide.SHORT))


def grid_position(positions: Sequence[Position], symbol: str, mode: GridMode = GridMode.LONG) -> Position | None:
    """Return the position that the grid trades, or None when the venue's response leaves it out.

    An account in hedge mode holds long and short apart: a long or a short grid has the one, a neutral one the sum.
    """
    held = {position.position_side: position for position in positions if position.symbol == symbol}
    if (net := held.get(PositionSide.BOTH)) is not None:
        return net
    long, short = held.get(PositionSide.LONG), held.get(PositionSide.SHORT)
    if mode is not GridMode.NEUTRAL:
        return long if mode is GridMode.LONG else short
    if long is None or short is None:
        return None
    larger = long if abs(long.quantity) >= abs(short.quantity) else short
    return replace(larger, quantity=long.quantity + short.quantity)


@dataclass(slots=True)
class PositionCheck:
    """A difference between venue and slots, until it is confirmed or gone."""

    difference: Decimal = Decimal(0)
    """Base coins that the venue has and no slot explains; below zero when it has less."""
    confirmations: int = 0
    """Comparisons in a row that showed this difference."""

    @property
    def suspected(self) -> bool:
        """Whether the last comparison did not match."""
        return self.difference != 0

    def record(self, venue: Decimal, explained: Decimal) -> bool:
        """Record one comparison, and return whether the difference is confirmed."""
        difference = venue - explained
        self.confirmations = (
            self.confirmations + 1 if difference and difference == self.difference else int(bool(difference))
        )
        self.difference = difference
        return self.confirmations >= CONFIRMATIONS


def assign_to_levels(
    grid: Grid,
    slots: Mapping[int, Slot],
    quantity: Decimal,
    entry_price: Decimal,
    settings: GridSettings,
    rules: SymbolRules,
) -> list[Slot] | None:
    """Spread a found position over empty levels, so that no level closes at a loss.

    A long one goes from its entry price upwards, a short one from there downwards.

    Args:
        grid: The levels.
        slots: The slots in use.
        quantity: Base coins that no slot explains; below zero is short.
        entry_price: Average, quote; the cost of each coin.
        settings: The amounts of a level.
        rules: The venue's steps.

    Returns:
        The slots with the position on them, or None when it is too large.
    """
    sign = 1 if quantity > 0 else -1
    level = grid.level_above(entry_price) if sign > 0 else grid.level_below(entry_price)
    assigned: list[Slot] = []
    left = abs(quantity)
    for candidate in range(level, level + sign * MOST_LEVELS, sign):
        if left <= 0:
            return assigned
        slot = slots.get(candidate) or Slot(level=candidate)
        if slot.quantity or slot.order is not None:
            continue
        price = grid.price_of(candidate)
        part = level_quantity(price, settings, rules) if price > 0 else Decimal(0)
        if part <= 0:
            return None
        part = left if left < 2 * part else part
        assigned.append(replace(slot, quantity=sign * part, cost=sign * part * entry_price))
        left -= part
    return assigned if left <= 0 else None
