"""Our own part of the order book: what our live orders show at each price."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Protocol

from opensqt.model.order import Side

SHOWN_S = 2.0
"""The book may still show an order for this long after we learned that it is gone."""

_NONE = Decimal(0)


class ShownOrder(Protocol):
    """The part of a live order that the book shows."""

    @property
    def client_order_id(self) -> str:
        """Our name for it."""
        ...

    @property
    def side(self) -> Side:
        """Buy or sell."""
        ...

    @property
    def price(self) -> Decimal:
        """Quote per base coin."""
        ...

    @property
    def remaining(self) -> Decimal:
        """Base coins that may still be filled; 0 when it is closed."""
        ...


class OwnOrders:
    """The quantities of our own orders by side and price.

    Orders in flight count, for the book may show them before we learn that they rest; what is gone counts a while
    longer, for the book comes by another way than the news of the order. A change costs the same for any number.
    """

    def __init__(self) -> None:
        self._orders: dict[str, tuple[Side, Decimal, Decimal]] = {}
        self._quantities: dict[Side, dict[Decimal, Decimal]] = {side: {} for side in Side}
        self._gone: deque[tuple[float, Side, Decimal, Decimal]] = deque()
        self._leaving: list[tuple[Side, Decimal, Decimal]] = []

    def add(self, order: ShownOrder) -> None:
        """Take in an order that was not known before, of which nothing is filled."""
        remaining = order.remaining
        self._orders[order.client_order_id] = (order.side, order.price, remaining)
        self._add(order.side, order.price, remaining)

    def note(self, order: ShownOrder, *, gone: bool = False) -> None:
        """Take in an order as it is now known, or that it is gone."""
        remaining = _NONE if gone else order.remaining
        before = self._orders.get(order.client_order_id)
        left = remaining
        if before is not None:
            side, price, quantity = before
            if quantity == remaining and price == order.price:
                return
            del self._orders[order.client_order_id]
            same = price == order.price
            if (less := quantity - remaining if same else quantity) > 0:
                self._leaving.append((side, price, less))
            left = max(_NONE, remaining - quantity) if same else remaining
        if remaining > 0:
            self._orders[order.client_order_id] = (order.side, order.price, remaining)
        if left > 0:
            self._add(order.side, order.price, left)

    def expire(self, now: float) -> None:
        """Forget what the book can't show any more."""
        for side, price, quantity in self._leaving:
            self._gone.append((now, side, price, quantity))
        self._leaving.clear()
        while self._gone and now - self._gone[0][0] > SHOWN_S:
            _, side, price, quantity = self._gone.popleft()
            self._add(side, price, -quantity)

    def at(self, side: Side, price: Decimal) -> Decimal:
        """Return the base coins that the book may show of ours at a price."""
        return self._quantities[side].get(price, _NONE)

    def _add(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        quantities = self._quantities[side]
        total = quantities.get(price, _NONE) + quantity
        if total > 0:
            quantities[price] = total
        else:
            quantities.pop(price, None)
