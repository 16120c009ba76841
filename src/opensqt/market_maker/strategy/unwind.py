"""Quotes of a grid that has been stopped: everything held is closed at the market's price, and nothing is opened."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

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

SLIPPAGE = Decimal("0.005")
"""Part of the price that an order which closes as a taker goes beyond the touch at most."""


@dataclass(frozen=True, slots=True)
class UnwindFrame:
    """The market that everything is closed at."""

    market: MarketState


class UnwindQuoter:
    """Closes what is held.

    Args:
        rules: The venue's steps and minimums.
        taker: Whether it is closed at once; otherwise post-only orders follow the touch.
    """

    def __init__(self, rules: SymbolRules, *, taker: bool) -> None:
        self._rules = rules
        self._taker = taker
        self._least = max(rules.min_quantity, rules.quantity_step)

    def frame(self, market: MarketState, inventory: Inventory) -> UnwindFrame:
        """Return the market."""
        return UnwindFrame(market)

    def windows(self, frame: UnwindFrame) -> Windows:
        """Return no entries, and every level for exits."""
        return Windows(buy=SideWindow(exits=range(-FAR, FAR)), sell=SideWindow(exits=range(-FAR, FAR)))

    def quote(self, frame: UnwindFrame, level: int, held: Level, *, at_touch: bool) -> TargetOrder | None:
        """Return the order that closes what a level holds."""
        size = abs(held.quantity)
        if size < self._least:
            return None
        rules = self._rules
        side = Side.SELL if held.quantity > 0 else Side.BUY
        size = rules.round_quantity(size if rules.max_quantity is None else min(size, rules.max_quantity))
        price = self._price(side, frame.market, at_touch=at_touch)
        return TargetOrder(level=level, side=side, price=price, quantity=size, closes=True, taker=self._taker)

    def keeps(self, frame: UnwindFrame, order: WorkingOrder, held: Level) -> Keep:
        """Return whether an order still closes at the touch; one that opens never stays."""
        if order.remaining <= 0:
            return Keep.ALWAYS
        if not order.closes or order.remaining > abs(held.quantity):
            return Keep.NO
        market, sign = frame.market, order.side.sign
        if self._taker:
            # One that crosses is being filled; one that rests was placed before the stop.
            crosses = sign * (order.price - (market.ask if sign > 0 else market.bid)) >= 0
            return Keep.FOR_NOW if crosses else Keep.NO
        touch = market.bound(order.side, market.bid if sign > 0 else market.ask)
        return Keep.FOR_NOW if sign * (touch - order.price) <= self._rules.price_step else Keep.NO

    def _price(self, side: Side, market: MarketState, *, at_touch: bool) -> Decimal:
        step = self._rules.price_step
        if self._taker:
            beyond = market.bid * (1 - SLIPPAGE) if side is Side.SELL else market.ask * (1 + SLIPPAGE)
            return self._rules.round_price(beyond)
        if side is Side.SELL:
            return market.ask if at_touch else max(market.ask - step, market.bid + step)
        return market.bid if at_touch else min(market.bid + step, market.ask - step)
