"""The open orders of an InMemoryExchange: by age, by the price that crosses them, and the value that they would open.

To place, to cancel, or to move the price to where nothing fills takes the same time however many orders are open, so
a strategy's test may hold thousands. Only a fill iterates over the orders of its symbol.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection
from decimal import Decimal

from opensqt.model.market import Price
from opensqt.model.order import Order, PositionSide, Side
from opensqt.testing.ledger import Ledger

_ZERO = Decimal(0)


class OpenOrders:
    """Orders that may still fill. `put` is called with an order each time that it changed.

    Args:
        symbols: Symbols that trade.
        ledger: Returns the value that an order would open.
    """

    def __init__(self, symbols: Collection[str], ledger: Ledger) -> None:
        self._ledger = ledger
        self._orders: dict[str, dict[str, Order]] = {symbol: {} for symbol in symbols}
        self._limits: dict[tuple[str, Side], list[Decimal]] = {
            (symbol, side): [] for symbol in symbols for side in Side
        }
        """All limits of a side, sorted, so that a price that crosses none is found at once."""
        self._opening: dict[str, Decimal] = {}
        self.opening_values = dict.fromkeys(symbols, _ZERO)
        """By symbol, the value that the orders would open if they filled, in quote."""

    def put(self, order: Order) -> None:
        """Store the current state of an order; a closed order is removed."""
        known = self._orders[order.symbol]
        self.opening_values[order.symbol] -= self._opening.pop(order.client_order_id, _ZERO)
        if order.status.is_closed:
            if known.pop(order.client_order_id, None) is not None and order.price is not None:
                limits = self._limits[order.symbol, order.side]
                del limits[bisect_left(limits, order.price)]
            return
        before = known.get(order.client_order_id)
        if order.price is not None and (before is None or before.price != order.price):
            limits = self._limits[order.symbol, order.side]
            if before is not None and before.price is not None:
                del limits[bisect_left(limits, before.price)]
            insort(limits, order.price)
        known[order.client_order_id] = order
        self._count(order)

    def all(self, symbol: str = "") -> list[Order]:
        """Return the orders of a symbol, or of all symbols, oldest first."""
        if symbol:
            return list(self._orders[symbol].values())
        everywhere = (order for known in self._orders.values() for order in known.values())
        return sorted(everywhere, key=lambda order: int(order.order_id))

    def crossed_by(self, price: Price) -> list[Order]:
        """Return the orders whose limit the other side's price is at or beyond, oldest first."""
        buys, sells = self._limits[price.symbol, Side.BUY], self._limits[price.symbol, Side.SELL]
        left = len(buys) - bisect_left(buys, price.ask) + bisect_right(sells, price.bid)
        if not left:
            return []
        return [order for order in self._orders[price.symbol].values() if is_marketable(order.side, order.price, price)]

    def position_changed(self, symbol: str, position_side: PositionSide) -> None:
        """Update the opening values of a position's orders: an order that would have opened may now close."""
        for order in self._orders[symbol].values():
            if order.position_side is position_side:
                self.opening_values[symbol] -= self._opening.pop(order.client_order_id, _ZERO)
                self._count(order)

    def _count(self, order: Order) -> None:
        value = self._ledger.opening_value(order, order.price or _ZERO)
        if value:
            self._opening[order.client_order_id] = value
            self.opening_values[order.symbol] += value


def is_marketable(side: Side, limit: Decimal | None, price: Price) -> bool:
    """Return whether an order's limit is at or beyond the other side's price; False without a limit."""
    if limit is None:
        return False
    return limit >= price.ask if side is Side.BUY else limit <= price.bid
