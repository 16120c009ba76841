"""A strategy of your own: one bid under and one offer over the price, and what was filled is closed one level on.

    trading: {strategy: "quoter:TwoQuotes", grid_mode: neutral}      with this file in a folder of PYTHONPATH

The market maker calls these four functions and does the rest: orders that happen once, fills that count once, restarts,
back-offs, limits. Keep them pure: no clock, no I/O, nothing remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from opensqt.market_maker.strategy import quoter as seam
from opensqt.market_maker.strategy.grid.geometry import Grid, level_quantity
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules


@dataclass(frozen=True, slots=True)
class Around:
    market: seam.MarketState = field(compare=False)
    level: int


class TwoQuotes:
    def __init__(self, grid: Grid, settings: GridSettings, rules: SymbolRules) -> None:
        self.grid, self.settings, self.rules = grid, settings, rules

    def frame(self, market: seam.MarketState, inventory: seam.Inventory) -> Around:
        return Around(market, self.grid.centre(market.reference))

    def windows(self, frame: Around) -> seam.Windows:
        buy = seam.SideWindow(entries=range(frame.level - 1, frame.level), exits=seam.ALL_LEVELS)
        sell = seam.SideWindow(entries=range(frame.level + 1, frame.level + 2), exits=seam.ALL_LEVELS)
        return seam.Windows(buy=buy, sell=sell)

    def quote(self, frame: Around, level: int, held: seam.Level, *, at_touch: bool) -> seam.TargetOrder | None:
        closes = abs(held.quantity) >= self.rules.min_quantity
        side = Side.SELL if (held.quantity > 0 if closes else level > frame.level) else Side.BUY
        price = self.grid.price_of(level - side.sign if closes else level)
        quantity = abs(held.quantity) if closes else level_quantity(price, self.settings, self.rules)
        if not quantity:
            return None
        # Never across the market: the order is post-only.
        step, market = self.rules.price_step, frame.market
        price = min(price, market.ask - step) if side is Side.BUY else max(price, market.bid + step)
        return seam.TargetOrder(level=level, side=side, price=price, quantity=quantity, closes=closes)

    def keeps(self, frame: Around, order: seam.WorkingOrder, held: seam.Level) -> seam.Keep:
        if order.closes:
            return seam.Keep.NO if order.remaining > abs(held.quantity) else seam.Keep.ALWAYS
        return seam.Keep.FOR_NOW if abs(order.level - frame.level) <= 2 else seam.Keep.NO
