"""The outside participants of one symbol: quotes around a centre price, and the takers that cross them.

Their orders are ordinary orders of the book. They move the price by trading through it, so an account's order fills
only when their orders reach it: after the queue ahead of it is gone, or because the market went through its price.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random

from opensqt.model.order import Side
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.market.disturbances import Disturbances
from opensqt.simulator.settings import SymbolSettings

HALF_SPREAD = 2
"""Ticks from the centre to the touch."""
_LEVELS = 15
"""Quotes on each side behind the touch."""
_GAP_SHARE = Decimal("0.00004")
"""Distance between two quotes, as a share of the price."""
_SWEEP = 20
"""Maximum quantity of one move through the book, in typical quotes."""


class OutsideParticipants:
    """All outside participants of one symbol.

    Args:
        engine: The venue.
        rules: The symbol's settings.
        random: Random generator of this symbol.
        price: The first centre; typical sizes follow from it.
    """

    def __init__(self, engine: SimEngine, rules: SymbolSettings, random: Random, price: Decimal) -> None:
        self._engine = engine
        self._symbol = rules.symbol
        self._random = random
        self.tick = rules.price_step
        self._step = rules.quantity_step
        self._gap = max(2 * HALF_SPREAD, int(price * _GAP_SHARE / self.tick))
        self._typical = max(1, int(rules.touch_notional / price / self._step))
        self._quotes: dict[Side, dict[int, str]] = {side: {} for side in Side}
        self.disturbances = Disturbances()
        self._centre = self.ticks(price)
        self.requote(self._centre)

    def ticks(self, price: Decimal) -> int:
        """Return the price in ticks, rounded to the nearest."""
        return int((price / self.tick).to_integral_value())

    def move_to(self, centre: int) -> None:
        """Move the market to a new centre: trade through the orders in between, then quote around it."""
        if centre != self._centre:
            side = Side.SELL if centre < self._centre else Side.BUY
            # A falling market sells to every bid at the coming best ask or above it; a rising one buys likewise.
            limit_price = (centre - side.sign * HALF_SPREAD) * self.tick
            self._engine.trade_outside(self._symbol, side, self._typical * _SWEEP * self._step, limit_price)
        self.requote(centre)

    def trade_small(self) -> None:
        """Trade part of the best quote, or all of it and a little of the next."""
        side = Side.BUY if self._random.getrandbits(1) else Side.SELL
        limit_price = (self._centre + side.sign * (HALF_SPREAD + self._gap)) * self.tick
        self._engine.trade_outside(self._symbol, side, self._size(5, 120), limit_price)

    def sweep(self, side: Side, distance: Decimal) -> Decimal:
        """Take every quote and order up to *distance*, a share of the price; return the quantity that was traded."""
        limit_price = self.ticks(self._centre * self.tick * (1 + side.sign * distance)) * self.tick
        quantity = self._engine.symbol(self._symbol).max_quantity
        return self._engine.trade_outside(self._symbol, side, quantity, limit_price)

    def leave(self) -> None:
        """Withdraw every quote, where the book is a recorded one from now on."""
        for side, ids in self._quotes.items():
            for ticks in tuple(ids):
                self._withdraw(side, ticks)

    def requote_here(self) -> None:
        """Quote around the current centre, after a disturbance began or ended."""
        self.requote(self._centre)

    def replay_trade(self, price: int, quantity: Decimal, side: Side) -> None:
        """Execute a recorded trade at *price*: *side* is the taker, and a quote is placed there for it.

        Orders that rested at that price before fill first, so an account's order there fills only when the recorded
        volume exceeds the queue ahead of it; an order that the trade went through fills for certain.
        """
        for quoted, ids in self._quotes.items():
            for ticks in tuple(ids):
                if (price - ticks) * quoted.sign < 0 or (ticks == price and quoted is side):
                    self._withdraw(quoted, ticks)
        at = price * self.tick
        counter = self._engine.quote_outside(self._symbol, side.opposite, at, quantity)
        self._engine.trade_outside(self._symbol, side, quantity, at)
        self._engine.withdraw_outside(self._symbol, counter)
        self.requote(price - side.sign * HALF_SPREAD)

    def requote(self, centre: int) -> None:
        """Quote around *centre*; quotes that still fit stay, with their place in the queue."""
        self._centre = centre
        wanted = {side: self._ladder(side) for side in Side}
        for side, ladder in wanted.items():
            for ticks in tuple(self._quotes[side]):
                if ticks not in ladder:
                    self._withdraw(side, ticks)
        for side, ladder in wanted.items():
            quotes = self._quotes[side]
            for ticks in ladder:
                if ticks > 0 and not self._engine.outside_quantity(self._symbol, quotes.get(ticks, "")):
                    quotes[ticks] = self._engine.quote_outside(
                        self._symbol, side, ticks * self.tick, self._size(40, 200)
                    )

    def _ladder(self, side: Side) -> dict[int, None]:
        """Return the prices to quote: the touch, and round ones behind it that stay while the touch moves."""
        hole = int(self._centre * self.disturbances.hole(side))
        best_price = self._centre - side.sign * (HALF_SPREAD + hole)
        behind = -(-best_price // self._gap) - 1 if side is Side.BUY else best_price // self._gap + 1
        return dict.fromkeys([best_price, *((behind - side.sign * n) * self._gap for n in range(_LEVELS))])

    def _withdraw(self, side: Side, ticks: int) -> None:
        self._engine.withdraw_outside(self._symbol, self._quotes[side].pop(ticks))

    def _size(self, least: int, most: int) -> Decimal:
        """Return a quantity between two percentages of the typical quote."""
        return max(1, self._typical * self._random.randint(least, most) // 100) * self._step
