"""The long grid: a buy on each empty level below the price, a sell above each level that holds coins."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.market_maker.strategy.grid.geometry import Grid, buy_quantity
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import (
    FAR,
    Inventory,
    Keep,
    Level,
    MarketState,
    SideWindow,
    TargetOrder,
    Windows,
    WorkingOrder,
)
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules


@dataclass(frozen=True, slots=True)
class GridFrame:
    """The levels that the price lies between: equal frames want the same orders."""

    market: MarketState = field(compare=False)
    highest_buy: int
    last_buy: int
    """The level below the buy window."""
    buy_floor: int
    sell_ceiling: int
    bid_level: int
    ask_level: int


class LongGrid:
    """Quotes a long grid.

    Args:
        grid: The levels.
        settings: Amounts and windows.
        rules: The venue's steps and minimums.
    """

    def __init__(self, grid: Grid, settings: GridSettings, rules: SymbolRules) -> None:
        self.grid = grid
        self._settings = settings
        self._rules = rules
        self._lowest = grid.level_below(Decimal(0)) + 1

    def frame(self, market: MarketState, inventory: Inventory) -> GridFrame:
        """Return a value that changes whenever the price alone could change the orders."""
        grid, settings, price = self.grid, self._settings, market.reference
        buys = grid.buy_levels(price, settings.buy_window)
        return GridFrame(
            market,
            buys.start,
            buys.stop,
            grid.buy_floor(price, settings.buy_window),
            grid.sell_ceiling(price, settings.sell_window),
            grid.level_below(market.bid),
            grid.level_below(market.ask),
        )

    def windows(self, frame: GridFrame) -> Windows:
        """Return the buy window, and every level up to the ceiling for the sells."""
        return Windows(
            buy=SideWindow(
                entries=range(frame.highest_buy, max(frame.last_buy, self._lowest - 1), -1),
                kept=range(frame.buy_floor, FAR),
            ),
            sell=SideWindow(exits=range(-FAR, frame.sell_ceiling + 1)),
        )

    def quote(self, frame: GridFrame, level: int, held: Level, *, at_touch: bool) -> TargetOrder | None:
        """Return the sell of what a level holds, or the buy of an empty one.

        A rest that is too small to be sold does not prevent a buy.
        """
        rules, market = self._rules, frame.market
        if held.quantity >= max(rules.min_quantity, rules.quantity_step):
            lowest = market.ask if at_touch else market.bid + rules.price_step
            quantity = held.quantity if rules.max_quantity is None else min(held.quantity, rules.max_quantity)
            return TargetOrder(
                level=level,
                side=Side.SELL,
                price=max(self.grid.price_of(level + 1), lowest),
                quantity=rules.round_quantity(quantity),
                closes=True,
            )
        price = self.grid.price_of(level)
        if held.quantity < 0 or price <= 0:
            return None
        quantity = buy_quantity(price, self._settings.order_quantity, self._settings.min_order_value, rules)
        if quantity <= 0:
            return None
        highest = market.bid if at_touch else market.ask - rules.price_step
        return TargetOrder(level=level, side=Side.BUY, price=min(price, highest), quantity=quantity)

    def keeps(self, frame: GridFrame, order: WorkingOrder, held: Level) -> Keep:
        """Return how long an order stays: a buy in the window, a sell always, unless they are an interval off."""
        interval, home = self.grid.interval, self.grid.price_of(order.level)
        if order.side is Side.BUY:
            if order.price > home - interval:
                return Keep.IN_WINDOW
            outside = order.level < frame.buy_floor
            return Keep.NO if outside or order.price <= frame.market.bid - interval else Keep.FOR_NOW
        if order.remaining > held.quantity:
            return Keep.NO
        if order.price < home + 2 * interval:
            return Keep.ALWAYS
        return Keep.NO if order.price >= frame.market.ask + interval else Keep.FOR_NOW
