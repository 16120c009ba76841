"""One order book: resting orders by price, then by time."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from opensqt.model.order import Side
from opensqt.simulator.engine.events import BookLevel

ZERO = Decimal(0)


@dataclass(slots=True)
class Resting:
    """The resting part of one order."""

    order_id: str
    owner: str
    """API key; empty for an outside participant."""
    side: Side
    price: Decimal
    quantity: Decimal
    """Base coins left."""


class _PriceLevel:
    __slots__ = ("queue", "total")

    def __init__(self) -> None:
        self.queue: dict[str, Resting] = {}  # a dict keeps the order of arrival and removes in O(1) anywhere
        self.total = ZERO


class _Half:
    """One side of the book: levels by price, and the prices sorted with the best one last."""

    __slots__ = ("changed", "levels", "sign", "sorted")

    def __init__(self, side: Side) -> None:
        self.sign = side.sign
        self.levels: dict[Decimal, _PriceLevel] = {}
        self.sorted: list[Decimal] = []  # bids as they are, asks negated
        self.changed: dict[Decimal, None] = {}

    def best(self) -> Decimal | None:
        return self.sorted[-1] * self.sign if self.sorted else None

    def prices(self) -> Iterator[Decimal]:
        return (price * self.sign for price in reversed(self.sorted))

    def open(self, price: Decimal) -> _PriceLevel:
        level = self.levels.get(price)
        if level is None:
            level = self.levels[price] = _PriceLevel()
            insort(self.sorted, price * self.sign)
        return level

    def drop(self, price: Decimal) -> None:
        del self.levels[price]
        del self.sorted[bisect_left(self.sorted, price * self.sign)]


class Book:
    """Resting orders of one symbol, by price, then by time. The book itself never trades: `matching` does."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.update_id = 0
        """Counts changed levels; see `take_changes`."""
        self._halves = {Side.BUY: _Half(Side.BUY), Side.SELL: _Half(Side.SELL)}
        self._orders: dict[str, Resting] = {}

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._orders

    def get(self, order_id: str) -> Resting | None:
        """Return the resting order, or None if no part of it is in the book."""
        return self._orders.get(order_id)

    def add(self, resting: Resting) -> None:
        """Add it at the end of the queue at its price. The caller has matched it before."""
        half = self._halves[resting.side]
        level = half.open(resting.price)
        level.queue[resting.order_id] = resting
        level.total += resting.quantity
        half.changed[resting.price] = None
        self._orders[resting.order_id] = resting

    def reduce(self, resting: Resting, quantity: Decimal) -> None:
        """Reduce it by *quantity*; it is removed when nothing is left. It keeps its place in the queue."""
        half = self._halves[resting.side]
        level = half.levels[resting.price]
        resting.quantity -= quantity
        level.total -= quantity
        half.changed[resting.price] = None
        if not resting.quantity:
            del self._orders[resting.order_id]
            del level.queue[resting.order_id]
            if not level.queue:
                half.drop(resting.price)

    def remove(self, order_id: str) -> None:
        """Remove it if it is in the book."""
        resting = self._orders.get(order_id)
        if resting is not None:
            self.reduce(resting, resting.quantity)

    def front(self, side: Side) -> Resting | None:
        """Return the order of that side that trades next."""
        half = self._halves[side]
        best = half.best()
        return next(iter(half.levels[best].queue.values())) if best is not None else None

    def best(self, side: Side) -> BookLevel | None:
        """Return price and quantity of the best level."""
        half = self._halves[side]
        best = half.best()
        return (best, half.levels[best].total) if best is not None else None

    def levels(self, side: Side, depth: int) -> tuple[BookLevel, ...]:
        """Return the best *depth* levels, best first."""
        half = self._halves[side]
        return tuple((price, half.levels[price].total) for price, _ in zip(half.prices(), range(depth), strict=False))

    def takeable(self, side: Side, limit: Decimal | None, owner: str, enough: Decimal) -> Decimal:
        """Return what a taker of *side* could get at *limit* or better, its own orders excluded; stops at *enough*."""
        half = self._halves[side.opposite]
        found = ZERO
        for price in half.prices():
            if found >= enough or not crosses(side, limit, price):
                break
            found += sum((item.quantity for item in half.levels[price].queue.values() if item.owner != owner), ZERO)
        return found

    def take_changes(self) -> tuple[tuple[BookLevel, ...], tuple[BookLevel, ...]]:
        """Return the bid and ask levels that changed since the last call; each one increases `update_id` by one."""
        bids, asks = (self._drain(half) for half in self._halves.values())
        self.update_id += len(bids) + len(asks)
        return bids, asks

    def _drain(self, half: _Half) -> tuple[BookLevel, ...]:
        if not half.changed:
            return ()
        levels = half.levels
        drained = tuple((price, levels[price].total if price in levels else ZERO) for price in half.changed)
        half.changed.clear()
        return drained


def crosses(side: Side, limit: Decimal | None, price: Decimal) -> bool:
    """Return whether a taker of *side* with *limit* (None takes any price) trades with an order at *price*."""
    if limit is None:
        return True
    return limit >= price if side is Side.BUY else limit <= price
