"""The geometry of the grid: the prices of levels, and the levels in a window around a price."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.model.venue import SymbolRules

MIN_DISTANCE = Decimal("0.1")
"""Part of an interval that an opening order keeps from the price."""
_CACHED = 20_000


class _Last:
    """The level that the last price was found at: the prices of one decision mostly lie between the same two levels."""

    __slots__ = ("above", "level", "price")

    def __init__(self) -> None:
        self.level = 0
        self.price = self.above = Decimal(0)
        """Of the level and of the next one; nothing lies between them before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Levels at a fixed distance, or at a fixed ratio; a level is named by its number, 0 at the anchor.

    Level k lies at `anchor + k * interval`, with a geometric step at `anchor * (1 + interval) ** k`.
    """

    anchor: Decimal
    interval: Decimal
    """Quote; a fraction of the price for a geometric step."""
    geometric: bool = False
    price_step: Decimal = Decimal(0)
    """Levels of a geometric grid are rounded to it."""
    _prices: dict[int, Decimal] = field(default_factory=dict, compare=False, repr=False)
    _last: _Last = field(default_factory=_Last, compare=False, repr=False)

    def price_of(self, level: int) -> Decimal:
        """Return the price of a level."""
        if not self.geometric:
            return self.anchor + level * self.interval
        price = self._prices.get(level)
        if price is None:
            price = self.anchor * (1 + self.interval) ** level
            if self.price_step:
                price = (price / self.price_step).to_integral_value() * self.price_step
            if len(self._prices) >= _CACHED:
                self._prices.clear()
            self._prices[level] = price
        return price

    def interval_at(self, price: Decimal) -> Decimal:
        """Return the distance of the two levels around *price*, quote."""
        if not self.geometric:
            return self.interval
        level = self.level_below(price)
        return self.price_of(level + 1) - self.price_of(level)

    def level_below(self, price: Decimal) -> int:
        """Return the highest level at or below *price*."""
        last = self._last
        if not last.price <= price < last.above:
            level = last.level = self._level_below(price)
            last.price = self.price_of(level)
            last.above = self.price_of(level + 1) if self.geometric else last.price + self.interval
        return last.level

    def _level_below(self, price: Decimal) -> int:
        if not self.geometric:
            distance = price - self.anchor
            level = int(distance // self.interval)  # towards zero
            return level - 1 if distance < 0 and level * self.interval != distance else level
        if price <= 0:
            return -_CACHED
        # The logarithm only finds the neighbourhood; prices are compared exactly.
        level = math.floor(math.log(price / self.anchor) / math.log1p(self.interval))
        while self.price_of(level) > price:
            level -= 1
        while self.price_of(level + 1) <= price:
            level += 1
        return level

    def level_above(self, price: Decimal) -> int:
        """Return the lowest level at or above *price*."""
        return self.around(price)[1]

    def around(self, price: Decimal) -> tuple[int, int]:
        """Return the levels that *price* lies between: twice the same one when it is on a level."""
        level = self.level_below(price)
        return level, level if self._last.price == price else level + 1

    def centre(self, price: Decimal) -> int:
        """Return the level nearest to *price*."""
        level, last = self.level_below(price), self._last
        below, above = price - last.price, last.above - price
        # Half way between two levels of a fixed distance the one further from the anchor counts.
        lower = below < above or (below == above and level < 0 and not self.geometric)
        return level if lower else level + 1

    def buy_levels(self, price: Decimal, window: int) -> range:
        """Return the levels of the buy window that are far enough below *price*, nearest first."""
        centre = self.centre(price)
        highest = self.level_above(price - MIN_DISTANCE * self.interval_at(price)) - 1
        return range(highest, centre - window, -1)

    def sell_levels(self, price: Decimal, window: int) -> range:
        """Return the levels of a short grid's sell window that are far enough above *price*, nearest first."""
        centre = self.centre(price)
        lowest = self.level_below(price + MIN_DISTANCE * self.interval_at(price)) + 1
        return range(lowest, centre + window)


def level_quantity(price: Decimal, settings: GridSettings, rules: SymbolRules) -> Decimal:
    """Return the base coins that a level opens with; zero when that is below a minimum."""
    wanted = settings.order_quantity if settings.in_base else settings.order_quantity / price
    return _tradable(wanted, price, settings.min_order_value, rules)


def buy_quantity(price: Decimal, order_quantity: Decimal, min_order_value: Decimal, rules: SymbolRules) -> Decimal:
    """Return the base coins that a level buys, rounded down to the step; zero when that is below a minimum.

    Args:
        price: Of the level, quote.
        order_quantity: Quote amount per level.
        min_order_value: Quote; the minimum of the settings, in addition to the venue's.
        rules: The venue's steps and minimums.
    """
    return _tradable(order_quantity / price, price, min_order_value, rules)


def _tradable(wanted: Decimal, price: Decimal, min_order_value: Decimal, rules: SymbolRules) -> Decimal:
    quantity = rules.round_quantity(wanted)
    if rules.max_quantity is not None:
        quantity = min(quantity, rules.max_quantity)
    if quantity < rules.min_quantity or quantity <= 0:
        return Decimal(0)
    value = quantity * price
    return quantity if value >= min_order_value and value >= rules.min_notional else Decimal(0)


def least_order_quantity(price: Decimal, min_order_value: Decimal, rules: SymbolRules) -> Decimal:
    """Return the smallest quote amount per level that buys anything at *price*."""
    least = max(rules.min_quantity, rules.quantity_step)
    needed = max(min_order_value, rules.min_notional)
    while least * price < needed:
        least = max(least + rules.quantity_step, rules.round_quantity(needed / price))
    return least * price
