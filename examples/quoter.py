"""A strategy of your own: one bid under and one offer over the price, and what was filled is closed one level on.

    market-maker --config my.yaml     with  trading: {strategy: "quoter:TwoQuotes", grid_mode: neutral}
    and this file in a folder of PYTHONPATH

The market maker calls these four functions, and does the rest: orders that happen once, fills that count once,
restarts, back-offs, limits. Keep them pure: no clock, no I/O, nothing remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from opensqt.market_maker.strategy.grid.geometry import Grid, level_quantity
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import (
    Inventory,
    Keep,
    Level,
    MarketState,
    SideWindow,
    TargetOrder,
    Windows,
    WorkingOrder,
)  # fmt: skip
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules

EVERY_LEVEL = range(-1_000_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Around:
    market: MarketState = field(compare=False)
    level: int


class TwoQuotes:
    def __init__(self, grid: Grid, settings: GridSettings, rules: SymbolRules) -> None:
        self.grid, self.settings, self.rules = grid, settings, rules

    def frame(self, market: MarketState, inventory: Inventory) -> Around:
        return Around(market, self.grid.centre(market.reference))

    def windows(self, frame: Around) -> Windows:
        below, above = range(frame.level - 1, frame.level), range(frame.level + 1, frame.level + 2)
        return Windows(
            buy=SideWindow(entries=below, exits=EVERY_LEVEL), sell=SideWindow(entries=above, exits=EVERY_LEVEL)
        )

    def quote(self, frame: Around, level: int, held: Level, *, at_touch: bool) -> TargetOrder | None:
        closes = abs(held.quantity) >= self.rules.min_quantity
        side = Side.SELL if (held.quantity > 0 if closes else level > frame.level) else Side.BUY
        price = self.grid.price_of(level - side.sign if closes else level)
        quantity = abs(held.quantity) if closes else level_quantity(price, self.settings, self.rules)
        # Never across the market: the order is post-only.
        limit = (
            frame.market.ask - self.rules.price_step if side is Side.BUY else frame.market.bid + self.rules.price_step
        )
        price = min(price, limit) if side is Side.BUY else max(price, limit)
        return TargetOrder(level=level, side=side, price=price, quantity=quantity, closes=closes) if quantity else None

    def keeps(self, frame: Around, order: WorkingOrder, held: Level) -> Keep:
        if order.closes:
            return Keep.NO if order.remaining > abs(held.quantity) else Keep.ALWAYS
        return Keep.FOR_NOW if abs(order.level - frame.level) <= 2 else Keep.NO
