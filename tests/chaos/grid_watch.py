"""Watches a grid from the venue's side, at each change of an order: what a level holds and has in the market."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from opensqt.market_maker.orders.ids import OrderIds
from opensqt.model.order import Side
from opensqt.simulator import Simulator
from opensqt.simulator.engine.events import BookTicker, OrderChanged
from opensqt.simulator.engine.order import ClosingReason, SimOrder
from tests.service.grid_rig import SYMBOL


class GridWatch:
    """Collects every breach of a level's limit, as the venue's own events show them.

    Args:
        sim: The venue.
        interval: Of the grid, quote.
        order_quantity: Of a level, quote.
        window: Levels that may hold a buy.
    """

    def __init__(self, sim: Simulator, *, interval: Decimal, order_quantity: Decimal, window: int = 10) -> None:
        self.breaches: list[str] = []
        self.post_only_refused = 0
        """Post-only orders that came too late: they would have taken."""
        self._ids = OrderIds("SQ1", SYMBOL)
        self._interval, self._order_quantity, self._window = interval, order_quantity, window
        self._open: dict[str, SimOrder] = {}
        self._held: dict[int, Decimal] = defaultdict(Decimal)
        self._low: Decimal | None = None
        self._high = Decimal(0)
        sim.engine.subscribe(self._see)

    def _see(self, event: Any) -> None:
        if isinstance(event, BookTicker) and event.symbol == SYMBOL and event.bid and event.ask:
            self._low = min(self._low or event.bid, event.bid)
            self._high = max(self._high, event.ask)
        elif isinstance(event, OrderChanged):
            self._see_order(event)

    def _see_order(self, event: OrderChanged) -> None:
        name = self._ids.read(event.order.client_order_id)
        if name is None:
            return
        if event.fill is not None:
            self._held[name.level] += name.side.sign * event.fill.quantity
            if not event.fill.is_maker:
                self.breaches.append(f"taker fill {event.fill}")
        self.post_only_refused += event.order.closing_reason is ClosingReason.POST_ONLY
        if event.order.status.is_open:
            self._open[event.order.order_id] = event.order
        else:
            self._open.pop(event.order.order_id, None)
        self._check(name.level)

    def _check(self, level: int) -> None:
        held = self._held[level]
        buying = self._remaining(Side.BUY, level)
        if self._remaining(Side.SELL, level) > held:
            self.breaches.append(f"level {level} sells more than its {held}: {self._open}")
        if (held + buying) * (self._low or 0) > self._order_quantity:
            self.breaches.append(f"level {level} holds {held} and buys {buying}")
        # A level that the window passed over may hold its quantity: the window's own and those between the prices.
        levels = self._window + (self._high - (self._low or self._high)) / self._interval + 1
        whole = sum(self._held.values()) + self._remaining(Side.BUY)
        if whole * (self._low or 0) > levels * self._order_quantity:
            self.breaches.append(f"{whole} held and wanted in all, for {levels} levels")

    def _remaining(self, side: Side, level: int | None = None) -> Decimal:
        found = Decimal(0)
        for order in self._open.values():
            name = self._ids.read(order.client_order_id)
            if name is not None and order.side is side and level in (None, name.level):
                found += order.remaining
        return found
