"""A recorded book in the simulated one: the outside participants' orders at each price are those that were recorded."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from sortedcontainers import SortedDict

from opensqt.model.order import Side
from opensqt.recordings import BookReset, RecordedLevel
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.settings import SymbolSettings

ZERO = Decimal(0)


class RecordedBook:
    """The recorded orders of one symbol.

    What is canceled at a price is taken from the end of its queue, so an order of an account moves up only by trades,
    or when less is left at the price than was ahead of it: the cautious reading of a book of sums.
    """

    def __init__(self, engine: SimEngine, rules: SymbolSettings) -> None:
        self._engine = engine
        self._symbol = rules.symbol
        self._price_step = rules.price_step
        self._quantity_step = rules.quantity_step
        self._orders: dict[Side, SortedDict[Decimal, list[str]]] = {side: SortedDict() for side in Side}

    def change(self, changes: Iterable[RecordedLevel | BookReset]) -> None:
        """Apply the changes of one message: what goes away first, so that the book is never crossed in between."""
        levels: dict[tuple[Side, Decimal], Decimal] = {}
        for change in changes:
            if isinstance(change, BookReset):
                self._reset(change, levels)
                continue
            # Rounded away from the middle, so that steps coarser than the recording's never cross the book.
            down = ROUND_FLOOR if change.side is Side.BUY else ROUND_CEILING
            price = (change.price / self._price_step).to_integral_value(down) * self._price_step
            levels[change.side, price] = change.quantity // self._quantity_step * self._quantity_step
        for (side, price), quantity in levels.items():
            if quantity < self._quantity(side, price):
                self._reduce(side, price, quantity)
        for (side, price), quantity in levels.items():
            if price > 0 and (more := quantity - self._quantity(side, price)) > 0:
                self.withdraw_crossed(side.opposite, price)
                self._rest(side, price, more)

    def trade(self, price: Decimal, quantity: Decimal, side: Side) -> None:
        """Execute a recorded trade: *side* is the taker, and what the recorded queue lacks is added behind it."""
        self.withdraw_crossed(side, price)
        self.withdraw_crossed(side.opposite, price, beyond=True)
        missing = quantity - self._quantity(side.opposite, price)
        if missing > 0:
            self._rest(side.opposite, price, missing)
        self._engine.trade_outside(self._symbol, side, quantity, price)
        self._forget_filled(side.opposite, price)

    def withdraw_crossed(self, side: Side, price: Decimal, *, beyond: bool = False) -> None:
        """Withdraw the recorded orders of a side that an order of the other side at *price* would take.

        Args:
            side: Of the orders.
            price: Price of the order against them.
            beyond: Whether those at the price itself stay.
        """
        orders = self._orders[side]
        while orders:
            best = orders.peekitem(-1 if side is Side.BUY else 0)[0]
            if (best - price) * side.sign < 0 or (best == price and beyond):
                return
            self._reduce(side, best, ZERO)

    def _reset(self, reset: BookReset, levels: dict[tuple[Side, Decimal], Decimal]) -> None:
        """Make every price zero that is void and does not come again in the same message."""
        for side in Side if reset.side is None else (reset.side,):
            for price in self._orders[side]:
                if reset.until is None or (price - reset.until) * side.sign >= 0:
                    levels[side, price] = ZERO

    def _rest(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        order_id = self._engine.quote_outside(self._symbol, side, price, quantity)
        if order_id:
            self._orders[side].setdefault(price, []).append(order_id)

    def _reduce(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Take orders from the end of the queue until *quantity* is left."""
        orders = self._orders[side].pop(price, [])
        while orders:
            over = self._quantity_of(orders) - quantity
            if over <= 0:
                self._orders[side][price] = orders
                return
            held = self._engine.outside_quantity(self._symbol, orders[-1])
            self._engine.withdraw_outside(self._symbol, orders[-1], over)
            if held <= over:
                orders.pop()

    def _forget_filled(self, side: Side, price: Decimal) -> None:
        orders = self._orders[side].pop(price, [])
        if live := [each for each in orders if self._engine.outside_quantity(self._symbol, each)]:
            self._orders[side][price] = live

    def _quantity(self, side: Side, price: Decimal) -> Decimal:
        return self._quantity_of(self._orders[side].get(price, ()))

    def _quantity_of(self, orders: Iterable[str]) -> Decimal:
        return sum((self._engine.outside_quantity(self._symbol, each) for each in orders), ZERO)
