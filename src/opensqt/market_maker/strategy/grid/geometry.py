"""The geometry of the grid: where levels lie, and which of them belong to a window around a price."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from opensqt.model.venue import SymbolRules

EDGE = Decimal("0.1")
"""A buy keeps this part of an interval away from the price."""
LAG = Decimal("0.5")
"""A buy is cancelled when the price is this part of an interval past the point where it left the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Levels at `anchor + k * interval`; a level is named by its k."""

    anchor: Decimal
    interval: Decimal

    def price_of(self, level: int) -> Decimal:
        """The price of a level."""
        return self.anchor + level * self.interval

    def centre(self, price: Decimal) -> int:
        """The level nearest to *price*."""
        return int(((price - self.anchor) / self.interval).to_integral_value(ROUND_HALF_UP))

    def level_below(self, price: Decimal) -> int:
        """The highest level at or below *price*."""
        return int(((price - self.anchor) / self.interval).to_integral_value(ROUND_FLOOR))

    def buy_levels(self, price: Decimal, window: int) -> range:
        """The levels of the buy window that lie far enough under *price*, nearest first."""
        centre = self.centre(price)
        highest = min(centre, self.level_below(price - EDGE * self.interval))
        if self.price_of(highest) == price - EDGE * self.interval:
            highest -= 1
        return range(highest, centre - window, -1)

    def buy_floor(self, price: Decimal, window: int) -> int:
        """The lowest level whose live buy is kept: the window's edge, a little later while the price rises.

        Without the delay a price that trembles about the middle of two levels would cancel and send the furthest
        buy again and again.
        """
        return self.centre(price - LAG * self.interval) - window + 1

    def sell_ceiling(self, price: Decimal, window: int) -> int:
        """The highest level whose holding is offered."""
        return self.level_below(price + window * self.interval)


def buy_quantity(price: Decimal, order_quantity: Decimal, min_order_value: Decimal, rules: SymbolRules) -> Decimal:
    """Answer the base coins that a level buys, down to the step; zero when that is less than may be sent.

    Args:
        price: Of the level, quote.
        order_quantity: Quote amount per level.
        min_order_value: Quote; our own minimum, beside the venue's.
        rules: The venue's steps and minimums.
    """
    quantity = rules.round_quantity(order_quantity / price)
    if rules.max_quantity is not None:
        quantity = min(quantity, rules.max_quantity)
    if quantity < rules.min_quantity or quantity <= 0:
        return Decimal(0)
    return quantity if quantity * price >= max(min_order_value, rules.min_notional) else Decimal(0)


def least_order_quantity(price: Decimal, min_order_value: Decimal, rules: SymbolRules) -> Decimal:
    """Answer the smallest quote amount per level that buys anything at *price*."""
    least = max(rules.min_quantity, rules.quantity_step)
    needed = max(min_order_value, rules.min_notional)
    while least * price < needed:
        least = max(least + rules.quantity_step, rules.round_quantity(needed / price))
    return least * price
