"""One order book: who waits at which price, and in which order."""

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
    """What waits in the book of one order."""

    order_id: str
    owner: str
    """API key; empty for an outside participant."""
    side: Side
    price: Decimal
    quantity: Decimal
    """Base coins left."""


class _Level:
    __slots__ = ("queue", "total")

    def __init__(self) -> None:
        self.queue: dict[str, Resting] = {}  # a dict keeps the order of arrival and removes anywhere in O(1)
        self.total = ZERO


class _Half:
    """One side: levels by price, and the prices sorted with the best one last."""

    __slots__ = ("changed", "levels", "sign", "sorted")

    def __init__(self, side: Side) -> None:
        self.sign = side.sign
        self.levels: dict[Decimal, _Level] = {}
        self.sorted: list[Decimal] = []  # bids as they are, asks negated
        self.changed: dict[Decimal, None] = {}

    def best(self) -> Decimal | None:
        return self.sorted[-1] * self.sign if self.sorted else None

    def prices(self) -> Iterator[Decimal]:
        return (price * self.sign for price in reversed(self.sorted))

    def open(self, price: Decimal) -> _Level:
        level = self.levels.get(price)
        if level is None:
            level = self.levels[price] = _Level()
            insort(self.sorted, price * self.sign)
        return level

    def drop(self, price: Decimal) -> None:
        del self.levels[price]
        del self.sorted[bisect_left(self.sorted, price * self.sign)]


class Book:
    """Resting orders of one symbol, price first, then time. It never trades by itself: `matching` does."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.update_id = 0
        """Counts changed levels; see `changes`."""
        self._halves = {Side.BUY: _Half(Side.BUY), Side.SELL: _Half(Side.SELL)}
        self._orders: dict[str, Resting] = {}

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._orders

    def get(self, order_id: str) -> Resting | None:
        """The resting order, or None if nothing of it is in the book."""
        return self._orders.get(order_id)

    def add(self, resting: Resting) -> None:
        """Put it at the end of the queue at its price. The caller has matched it first."""
        half = self._halves[resting.side]
        level = half.open(resting.price)
        level.queue[resting.order_id] = resting
        level.total += resting.quantity
        half.changed[resting.price] = None
        self._orders[resting.order_id] = resting

    def reduce(self, resting: Resting, quantity: Decimal) -> None:
        """Take *quantity* off it; nothing left removes it. It keeps its place."""
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
        """Take it out, if it is there."""
        resting = self._orders.get(order_id)
        if resting is not None:
            self.reduce(resting, resting.quantity)

    def front(self, side: Side) -> Resting | None:
        """The order that trades next on that side."""
        half = self._halves[side]
        best = half.best()
        return next(iter(half.levels[best].queue.values())) if best is not None else None

    def best(self, side: Side) -> BookLevel | None:
        """Price and quantity of the best level."""
        half = self._halves[side]
        best = half.best()
        return (best, half.levels[best].total) if best is not None else None

    def levels(self, side: Side, depth: int) -> tuple[BookLevel, ...]:
        """The best *depth* levels, best first."""
        half = self._halves[side]
        return tuple((price, half.levels[price].total) for price, _ in zip(half.prices(), range(depth), strict=False))

    def takeable(self, side: Side, limit: Decimal | None, owner: str, enough: Decimal) -> Decimal:
        """What a taker of *side* could get at *limit* or better, its own orders left out; stops at *enough*."""
        half = self._halves[side.opposite]
        found = ZERO
        for price in half.prices():
            if found >= enough or not crosses(side, limit, price):
                break
            found += sum((item.quantity for item in half.levels[price].queue.values() if item.owner != owner), ZERO)
        return found

    def take_changes(self) -> tuple[tuple[BookLevel, ...], tuple[BookLevel, ...]]:
        """The bid and ask levels that changed since the last call; each one moves `update_id` on by one."""
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
    """Whether a taker of *side* with *limit* (None takes any price) trades against an order at *price*."""
    if limit is None:
        return True
    return limit >= price if side is Side.BUY else limit <= price
