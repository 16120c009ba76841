"""The geometry of the grid: the prices of levels, and the levels in a window around a price."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from opensqt.model.venue import SymbolRules

MIN_DISTANCE = Decimal("0.1")
"""Part of an interval that a buy keeps from the price."""
TRAILING_DISTANCE = Decimal("0.5")
"""Part of an interval that the price has to move on before a buy that has left the window is cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Levels at `anchor + k * interval`; a level is named by its k."""

    anchor: Decimal
    interval: Decimal

    def price_of(self, level: int) -> Decimal:
        """Return the price of a level."""
        return self.anchor + level * self.interval

    def centre(self, price: Decimal) -> int:
        """Return the level nearest to *price*."""
        return int(((price - self.anchor) / self.interval).to_integral_value(ROUND_HALF_UP))

    def level_below(self, price: Decimal) -> int:
        """Return the highest level at or below *price*."""
        return int(((price - self.anchor) / self.interval).to_integral_value(ROUND_FLOOR))

    def buy_levels(self, price: Decimal, window: int) -> range:
        """Return the levels of the buy window that are far enough below *price*, nearest first."""
        centre = self.centre(price)
        highest = min(centre, self.level_below(price - MIN_DISTANCE * self.interval))
        if self.price_of(highest) == price - MIN_DISTANCE * self.interval:
            highest -= 1
        return range(highest, centre - window, -1)

    def buy_floor(self, price: Decimal, window: int) -> int:
        """Return the lowest level whose live buy is kept: the edge of the window, with a delay while the price rises.

        Without the delay a price that moves around the middle of two levels would cancel and place the furthest
        buy again and again.
        """
        return self.centre(price - TRAILING_DISTANCE * self.interval) - window + 1

    def sell_ceiling(self, price: Decimal, window: int) -> int:
        """Return the highest level whose coins are offered."""
        return self.level_below(price + window * self.interval)


def buy_quantity(price: Decimal, order_quantity: Decimal, min_order_value: Decimal, rules: SymbolRules) -> Decimal:
    """Return the base coins that a level buys, rounded down to the step; zero when that is below a minimum.

    Args:
        price: Of the level, quote.
        order_quantity: Quote amount per level.
        min_order_value: Quote; the minimum of the settings, in addition to the venue's.
        rules: The venue's steps and minimums.
    """
    quantity = rules.round_quantity(order_quantity / price)
    if rules.max_quantity is not None:
        quantity = min(quantity, rules.max_quantity)
    if quantity < rules.min_quantity or quantity <= 0:
        return Decimal(0)
    return quantity if quantity * price >= max(min_order_value, rules.min_notional) else Decimal(0)


def least_order_quantity(price: Decimal, min_order_value: Decimal, rules: SymbolRules) -> Decimal:
    """Return the smallest quote amount per level that buys anything at *price*."""
    least = max(rules.min_quantity, rules.quantity_step)
    needed = max(min_order_value, rules.min_notional)
    while least * price < needed:
        least = max(least + rules.quantity_step, rules.round_quantity(needed / price))
    return least * price
