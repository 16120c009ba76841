"""The comparison with the venue: does its position equal what our fills explain, and what if it does not."""

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
"""A difference has to be seen this often in a row before anything follows from it: a fill may be on its way."""
ADOPT_CONFIRMATIONS = 5
"""This often before a found position is laid on levels: a fill that shows up later would then count twice."""
MOST_LEVELS = 1000
"""A found position that would need more levels than this is not laid out."""


def held(positions: Sequence[Position], symbol: str) -> Position | None:
    """Answer the position that the long grid trades, or None when the venue's answer leaves it out."""
    sides = (PositionSide.BOTH, PositionSide.LONG)
    return next(
        (position for position in positions if position.symbol == symbol and position.position_side in sides), None
    )


@dataclass(slots=True)
class PositionWatch:
    """Remembers a difference between venue and slots until it is confirmed or gone."""

    difference: Decimal = Decimal(0)
    seen: int = 0

    @property
    def suspected(self) -> bool:
        """Whether the last comparison did not match."""
        return self.difference != 0

    def compare(self, venue: Decimal, ours: Decimal) -> bool:
        """Take in one comparison, and say whether the difference is confirmed."""
        difference = venue - ours
        self.seen = self.seen + 1 if difference and difference == self.difference else int(bool(difference))
        self.difference = difference
        return self.seen >= CONFIRMATIONS


def lay_on_levels(
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
        slots: Those in use.
        quantity: Base coins that no slot explains, above zero.
        entry_price: Average, quote; the cost of each coin.
        settings: For the quantity of a level.
        rules: The venue's steps.

    Returns:
        The slots as they then stand, or None when the position is too large to lay out.
    """
    level = grid.level_below(entry_price)
    if grid.price_of(level) < entry_price:
        level += 1
    laid: list[Slot] = []
    left = quantity
    for candidate in range(level, level + MOST_LEVELS):
        if left <= 0:
            return laid
        slot = slots.get(candidate) or Slot(level=candidate)
        if slot.quantity or slot.order is not None:
            continue
        part = buy_quantity(grid.price_of(candidate), settings.order_quantity, settings.min_order_value, rules)
        if part <= 0:
            return None
        part = left if left < 2 * part else part
        laid.append(replace(slot, quantity=part, cost=part * entry_price))
        left -= part
    return laid if left <= 0 else None
