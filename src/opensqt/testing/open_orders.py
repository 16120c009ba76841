"""The open orders of an InMemoryExchange: by age, by the price that reaches them, and the margin that they bind.

To place, to cancel and to move the price to where nothing fills takes the same time however many orders are open, so
a strategy's test may hold thousands; only a fill looks through those of its symbol.
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
    """What may still fill. Each order is put again whenever anything changed of it.

    Args:
        symbols: Those that trade.
        ledger: Tells what an order would open.
    """

    def __init__(self, symbols: Collection[str], ledger: Ledger) -> None:
        self._ledger = ledger
        self._orders: dict[str, dict[str, Order]] = {symbol: {} for symbol in symbols}
        self._limits: dict[tuple[str, Side], list[Decimal]] = {
            (symbol, side): [] for symbol in symbols for side in Side
        }
        """Every limit of a side, sorted, so that a price that reaches none is told at once."""
        self._opening: dict[str, Decimal] = {}
        self.opening_value = _ZERO
        """What the orders would open if they filled, in quote."""

    def put(self, order: Order) -> None:
        """Take in what an order has become; a closed one is forgotten."""
        known = self._orders[order.symbol]
        self.opening_value -= self._opening.pop(order.client_order_id, _ZERO)
        if order.status.is_closed:
            if known.pop(order.client_order_id, None) is not None and order.price is not None:
                limits = self._limits[order.symbol, order.side]
                del limits[bisect_left(limits, order.price)]
            return
        if order.client_order_id not in known and order.price is not None:
            insort(self._limits[order.symbol, order.side], order.price)
        known[order.client_order_id] = order
        self._count(order)

    def all(self, symbol: str = "") -> list[Order]:
        """Answer the orders of a symbol, or of all, oldest first."""
        if symbol:
            return list(self._orders[symbol].values())
        everywhere = (order for known in self._orders.values() for order in known.values())
        return sorted(everywhere, key=lambda order: int(order.order_id))

    def reached(self, price: Price) -> list[Order]:
        """Answer the orders whose limit the other side's price is at or beyond, oldest first."""
        buys, sells = self._limits[price.symbol, Side.BUY], self._limits[price.symbol, Side.SELL]
        left = len(buys) - bisect_left(buys, price.ask) + bisect_right(sells, price.bid)
        if not left:
            return []
        return [order for order in self._orders[price.symbol].values() if reaches(order.side, order.price, price)]

    def position_changed(self, symbol: str, position_side: PositionSide) -> None:
        """Value the orders of a position anew: what would have opened may now close, and the other way round."""
        for order in self._orders[symbol].values():
            if order.position_side is position_side:
                self.opening_value -= self._opening.pop(order.client_order_id, _ZERO)
                self._count(order)

    def _count(self, order: Order) -> None:
        value = self._ledger.opening_value(order, order.price or _ZERO)
        if value:
            self._opening[order.client_order_id] = value
            self.opening_value += value


def reaches(side: Side, limit: Decimal | None, price: Price) -> bool:
    """Say whether an order's limit is at or beyond the other side's price; one without a limit never rests."""
    if limit is None:
        return False
    return limit >= price.ask if side is Side.BUY else limit <= price.bid
