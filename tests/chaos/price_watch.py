"""Watches a grid's prices from the venue's side: what it lays and what fills, against the market's own price."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Any

from opensqt.market_maker.orders.ids import OrderIds
from opensqt.model.order import Side
from opensqt.simulator import Simulator
from opensqt.simulator.engine.events import BookTicker, Execution, OrderChanged
from tests.service.grid_rig import SYMBOL


class PriceWatch:
    """Collects every order and fill further than a level beyond the mark, which no hole, sweep or flash move changes.

    An order counts by the marks from a while before it until it arrived, for it was decided by one of them.

    Args:
        sim: The venue.
        interval: Of the grid, quote.
        memory_ms: Length of that while.
    """

    def __init__(self, sim: Simulator, *, interval: Decimal, memory_ms: int = 10_000) -> None:
        self.breaches: list[str] = []
        self.fills = 0
        self.laid = 0
        self._sim, self._interval, self._memory_ms = sim, interval, memory_ms
        self._ids = OrderIds("SQ1", SYMBOL)
        self._marks: deque[tuple[int, Decimal]] = deque()
        sim.engine.subscribe(self._see)

    def _see(self, event: Any) -> None:
        if isinstance(event, BookTicker) and event.symbol == SYMBOL:
            self._note()
        elif isinstance(event, OrderChanged) and self._ids.read(event.order.client_order_id) is not None:
            self._note()
            if event.execution is Execution.NEW:
                self.laid += 1
                self._check("laid", event.order.side, event.order.price or Decimal(0))
            if event.fill is not None:
                self.fills += 1
                self._check("filled", event.order.side, event.fill.price)

    def _note(self) -> None:
        now_ms, mark = self._sim.engine.now_ms(), self._sim.engine.mark(SYMBOL).mark_price
        if not self._marks or self._marks[-1][1] != mark:
            self._marks.append((now_ms, mark))
        while len(self._marks) > 1 and self._marks[1][0] < now_ms - self._memory_ms:
            self._marks.popleft()

    def _check(self, what: str, side: Side, price: Decimal) -> None:
        marks = [mark for _, mark in self._marks]
        beyond = price - max(marks) if side is Side.BUY else min(marks) - price
        if beyond > self._interval:
            self.breaches.append(f"{side} {what} at {price}, {beyond} beyond the mark ({min(marks)} to {max(marks)})")
