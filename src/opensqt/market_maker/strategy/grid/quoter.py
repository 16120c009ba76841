"""The grid as a quoter: an opening order on each empty level of a window, a closing one for each level that holds.

A long level buys at its price and sells one level higher; a short one sells at its price and buys one level lower. The
mode says which of them are opened. What is held is offered in every mode, so that a change of the mode strands nothing.
"""

from __future__ import annotations

from dataclasses import field
from decimal import Decimal

from opensqt.market_maker.strategy.grid.geometry import Grid, level_quantity
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.grid.skew import opening_price
from opensqt.market_maker.strategy.quoter import (
    FAR,
    NO_LEVELS,
    Inventory,
    Keep,
    Level,
    MarketState,
    SideWindow,
    TargetOrder,
    Windows,
    WorkingOrder,
)
from opensqt.model.immutable import immutable
from opensqt.model.order import BUY, SELL, Side
from opensqt.model.venue import SymbolRules

_NOTHING = Decimal(0)


@immutable
class GridFrame:
    """The levels that the price lies between: equal frames want the same orders."""

    market: MarketState = field(compare=False)
    buys: range
    """Levels that may open with a buy, nearest first."""
    sells: range
    buy_floor: int
    """The lowest level whose opening buy is kept: the edge of the window, with a delay while the price rises.

    The window moves half way between two levels, and its last level is kept until the price is at the next one. Without
    the delay a price that moves around the middle would cancel and place the furthest buy again and again.
    """
    sell_cap: int
    """The highest level whose opening sell is kept, with a delay while the price falls."""
    sell_ceiling: int
    """The highest level whose coins are offered."""
    buy_bottom: int
    """The lowest level whose short holding is bought back."""
    bid_level: int
    ask_level: int


class GridQuoter:
    """Quotes a grid.

    Args:
        grid: The levels.
        settings: Mode, amounts and windows.
        rules: The venue's steps and minimums.
    """

    def __init__(self, grid: Grid, settings: GridSettings, rules: SymbolRules) -> None:
        self.grid = grid
        self._settings = settings
        self._rules = rules
        self._least = max(rules.min_quantity, rules.quantity_step)
        self._buys, self._sells = (side in settings.mode.opens for side in (BUY, SELL))
        self._skewed = bool(settings.inventory_skew or settings.funding_skew)
        lowest, highest = settings.lowest_price, settings.highest_price
        # An opening order and the one that closes it lie inside the range.
        self._lowest = grid.level_above(lowest) if lowest is not None else grid.level_below(Decimal(0)) + 1
        self._highest = grid.level_below(highest) if highest is not None else FAR

    def frame(self, market: MarketState, inventory: Inventory) -> GridFrame:
        """Return a value that changes whenever price or inventory alone could change the orders."""
        grid, settings, price = self.grid, self._settings, market.reference
        buys = sells = NO_LEVELS
        below, above = grid.around(price)
        buy_floor, sell_cap = FAR, -FAR
        if self._buys:
            at = opening_price(BUY, market, inventory, settings) if self._skewed else price
            buys = grid.buy_levels(at, settings.buy_window)
            if buys.start >= self._highest or buys.stop < self._lowest - 1:
                buys = range(min(buys.start, self._highest - 1), max(buys.stop, self._lowest - 1), -1)
            buy_floor = (grid.level_below(at) if self._skewed else below) - settings.buy_window + 1
        if self._sells:
            at = opening_price(SELL, market, inventory, settings) if self._skewed else price
            sells = grid.sell_levels(at, settings.sell_window)
            if sells.start <= self._lowest or sells.stop > self._highest + 1:
                sells = range(max(sells.start, self._lowest + 1), min(sells.stop, self._highest + 1))
            sell_cap = (grid.level_above(at) if self._skewed else above) + settings.sell_window - 1
        return GridFrame(
            market=market,
            buys=buys,
            sells=sells,
            buy_floor=buy_floor,
            sell_cap=sell_cap,
            sell_ceiling=below + settings.sell_window,
            buy_bottom=above - settings.buy_window,
            bid_level=grid.level_below(market.bid),
            ask_level=grid.level_below(market.ask),
        )

    def windows(self, frame: GridFrame) -> Windows:
        """Return the windows of opening orders, and the levels whose holding is offered: the nearest price first."""
        return Windows(
            buy=SideWindow(
                entries=frame.buys, exits=range(FAR, frame.buy_bottom - 1, -1), kept=range(frame.buy_floor, FAR)
            ),
            sell=SideWindow(
                entries=frame.sells, exits=range(-FAR, frame.sell_ceiling + 1), kept=range(-FAR, frame.sell_cap + 1)
            ),
        )

    def quote(self, frame: GridFrame, level: int, held: Level, *, at_touch: bool) -> TargetOrder | None:
        """Return the order that closes what a level holds, or the one that opens an empty level.

        A rest that is too small to be traded does not prevent an opening order.
        """
        if abs(held.quantity) >= self._least:
            return self._exit(frame.market, level, held.quantity, at_touch=at_touch)
        buys = level in frame.buys
        if not buys and level not in frame.sells:
            return None
        home = self.grid.price_of(level)
        size = level_quantity(home, self._settings, self._rules) if home > 0 else _NOTHING
        if size <= 0:
            return None
        side = BUY if buys else SELL
        price = self._off_touch(side, home, frame.market, at_touch=at_touch)
        return TargetOrder(level=level, side=side, price=price, quantity=size)

    def _exit(self, market: MarketState, level: int, held: Decimal, *, at_touch: bool) -> TargetOrder | None:
        side, most = SELL if held > 0 else BUY, self._rules.max_quantity
        price = self._off_touch(side, self.grid.price_of(level - side.sign), market, at_touch=at_touch)
        if price <= 0:
            return None
        size = self._rules.round_quantity(abs(held) if most is None else min(abs(held), most))
        return TargetOrder(level=level, side=side, price=price, quantity=size, closes=True)

    def _off_touch(self, side: Side, price: Decimal, market: MarketState, *, at_touch: bool) -> Decimal:
        """Return the price of an order, moved to where it takes no liquidity."""
        if side is BUY:
            highest = market.bid if at_touch else market.ask - self._rules.price_step
            return price if price < highest else highest
        lowest = market.ask if at_touch else market.bid + self._rules.price_step
        return price if price > lowest else lowest

    def keeps(self, frame: GridFrame, order: WorkingOrder, held: Level) -> Keep:
        """Return how long an order stays.

        An opening order stays in its window and a closing one always, unless they are an interval from where they
        should be. An order that would close more than its level holds goes.
        """
        remaining = order.remaining
        if remaining <= 0:
            return Keep.ALWAYS
        market, sign = frame.market, order.side.sign
        offered = -sign * held.quantity
        closes = order.closes
        if closes and remaining > offered:
            return Keep.NO
        if not closes and (offered >= self._least or order.side not in self._settings.mode.opens):
            return Keep.NO
        home = self.grid.price_of(order.level - sign if closes else order.level)
        interval = self.grid.interval_at(home)
        # How far the price of the order is on the far side of its level, and of the touch.
        behind_home = sign * (home - order.price)
        if behind_home < interval:
            return Keep.ALWAYS if closes else Keep.IN_WINDOW
        outside = order.level < frame.buy_floor if sign > 0 else order.level > frame.sell_cap
        touch = market.bound(order.side, market.bid if sign > 0 else market.ask)
        far = sign * (touch - order.price) >= interval
        return Keep.NO if far or (outside and not closes) else Keep.FOR_NOW
