"""The comparison of the venue's position with the fills of the grid, and what follows from a difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.strategy.grid.geometry import Grid, buy_quantity
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.model.account import Position
from opensqt.model.order import PositionSide
from opensqt.model.venue import SymbolRules

CONFIRMATIONS = 2
"""Comparisons in a row that must show a difference before anything follows from it: a fill may be on its way."""
ADOPT_CONFIRMATIONS = 5
"""The same before a found position is assigned to levels: a fill that arrives later would then count twice."""
MOST_LEVELS = 1000
"""A found position that would need more levels than this is not assigned."""


def grid_position(positions: Sequence[Position], symbol: str) -> Position | None:
    """Return the position that the long grid trades, or None when the venue's response leaves it out."""
    sides = (PositionSide.BOTH, PositionSide.LONG)
    return next(
        (position for position in positions if position.symbol == symbol and position.position_side in sides), None
    )


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
    """Spread a found long position over empty levels, from its entry price upwards, so that no level sells at a loss.

    Args:
        grid: The levels.
        slots: The slots in use.
        quantity: Base coins that no slot explains, above zero.
        entry_price: Average, quote; the cost of each coin.
        settings: The amounts of a level.
        rules: The venue's steps.

    Returns:
        The slots with the position on them, or None when it is too large.
    """
    level = grid.level_below(entry_price)
    if grid.price_of(level) < entry_price:
        level += 1
    assigned: list[Slot] = []
    left = quantity
    for candidate in range(level, level + MOST_LEVELS):
        if left <= 0:
            return assigned
        slot = slots.get(candidate) or Slot(level=candidate)
        if slot.quantity or slot.order is not None:
            continue
        part = buy_quantity(grid.price_of(candidate), settings.order_quantity, settings.min_order_value, rules)
        if part <= 0:
            return None
        part = left if left < 2 * part else part
        assigned.append(replace(slot, quantity=part, cost=part * entry_price))
        left -= part
    return assigned if left <= 0 else None
