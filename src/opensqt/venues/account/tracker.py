"""Merges what streams and queries tell of our orders and fills, in whatever order and however often they tell it.

Pure: no I/O, no clock. A later word never undoes an earlier one, filled quantities only grow, and a fill
counts once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from decimal import Decimal

from opensqt.model.content import without_times
from opensqt.model.order import Fill, Order, OrderRef, OrderStatus, OrderUpdate

_ZERO = Decimal(0)
_told = without_times(Order)


@dataclass(slots=True)
class _Entry:
    order: Order
    baseline: Decimal = _ZERO
    """Base coins filled before our time."""
    baseline_ms: int = 0
    """The venue's time of that state: what was filled until then is in the baseline."""
    counted: Decimal = _ZERO
    """Base coins of the baseline and of the fills seen, as against what the venue says was filled."""
    paid: Decimal = _ZERO
    """Quote value of the fills seen."""


class OrderTracker:
    """What is known of the account's orders.

    Args:
        closed_limit: Closed orders remembered, so that a late word of one can't bring it back.
        fill_limit: Trade ids remembered; must cover the overlap of two trade queries.
    """

    def __init__(self, *, closed_limit: int = 10_000, fill_limit: int = 100_000) -> None:
        self._closed_limit = closed_limit
        self._fill_limit = fill_limit
        self._open: dict[tuple[str, str], _Entry] = {}
        self._closed: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._by_client: dict[tuple[str, str], tuple[str, str]] = {}
        self._fills: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._incomplete: set[tuple[str, str]] = set()

    def find(self, ref: OrderRef) -> Order | None:
        """Answer what is known of an order, or None."""
        key = (ref.symbol, ref.order_id)
        if ref.client_order_id:
            key = self._by_client.get((ref.symbol, ref.client_order_id), ("", ""))
        entry = self._open.get(key) or self._closed.get(key)
        return entry.order if entry else None

    def open_orders(self, symbol: str = "") -> list[Order]:
        """The orders that the venue is known to work, oldest first."""
        return [entry.order for entry in self._open.values() if symbol in ("", entry.order.symbol)]

    def incomplete(self) -> list[Order]:
        """The orders that were filled further than the fills seen explain: fills were missed."""
        return [(self._open.get(key) or self._closed[key]).order for key in self._incomplete]

    def unexplained(self, told: Order) -> bool:
        """Whether *told* says that more was filled than the fills seen explain."""
        key = (told.symbol, told.order_id)
        entry = self._open.get(key) or self._closed.get(key)
        return told.filled_quantity > (entry.counted if entry else _ZERO)

    def has_fill(self, symbol: str, trade_id: str) -> bool:
        """Whether the fill was counted."""
        return (symbol, trade_id) in self._fills

    def adopt(self, order: Order) -> None:
        """Take in an order from before our time: what it was filled until now does not count."""
        self.apply(order)
        entry = self._open.get((order.symbol, order.order_id))
        if entry is not None:
            entry.baseline = entry.counted = entry.order.filled_quantity
            entry.baseline_ms = entry.order.event_time_ms
            entry.paid = entry.counted * (entry.order.average_price or _ZERO)
            self._incomplete.discard((order.symbol, order.order_id))

    def apply(self, order: Order, fill: Fill | None = None) -> OrderUpdate | None:
        """Take in a state of an order, and the fill that came with it.

        Returns:
            What is new, or None when nothing is.
        """
        key = (order.symbol, order.order_id)
        entry = self._open.get(key) or self._closed.get(key)
        known = entry.order if entry else None
        if entry is None:
            entry = _Entry(order)
            self._open[key] = entry
            if order.client_order_id:
                self._by_client[order.symbol, order.client_order_id] = key
        if fill is not None and order.filled_quantity <= entry.baseline:
            self._remember(fill)
        entry.order = _normal(order if known is None else merge(known, order))
        counted = self._count(entry, fill)
        self._file(key, entry)
        if known is not None and not _differs(known, entry.order) and counted is None:
            return None
        return OrderUpdate(order=entry.order, fill=counted)

    def apply_fill(self, fill: Fill) -> OrderUpdate | None:
        """Take in a fill that a query told.

        Returns:
            What is new, or None when the fill was counted before.

        Raises:
            KeyError: Its order is not known; ask the venue for the order and `apply` both.
        """
        if self.has_fill(fill.symbol, fill.trade_id):
            return None
        key = (fill.symbol, fill.order_id)
        entry = self._open.get(key) or self._closed[key]
        if entry.baseline and fill.event_time_ms <= entry.baseline_ms:
            self._remember(fill)
            return None
        counted = self._count(entry, fill)
        self._file(key, entry)
        return OrderUpdate(order=entry.order, fill=counted)

    def skip_fills(self, fills: list[Fill]) -> None:
        """Remember fills from before our time, so that they never count."""
        for fill in fills:
            self._remember(fill)

    def _count(self, entry: _Entry, fill: Fill | None) -> Fill | None:
        if fill is None or self.has_fill(fill.symbol, fill.trade_id):
            return None
        self._remember(fill)
        entry.counted += fill.quantity
        entry.paid += fill.notional
        order = entry.order
        if entry.counted > order.filled_quantity:
            order = replace(
                order,
                filled_quantity=entry.counted,
                average_price=entry.paid / entry.counted,
                event_time_ms=max(order.event_time_ms, fill.event_time_ms),
                received_ns=max(order.received_ns, fill.received_ns),
            )
            entry.order = _normal(order)
        return fill if fill.client_order_id else replace(fill, client_order_id=order.client_order_id)

    def _remember(self, fill: Fill) -> None:
        self._fills[fill.symbol, fill.trade_id] = None
        if len(self._fills) > self._fill_limit:
            self._fills.popitem(last=False)

    def _file(self, key: tuple[str, str], entry: _Entry) -> None:
        """Keep the entry where its status says, and forget the oldest closed one above the limit."""
        if entry.counted < entry.order.filled_quantity:
            self._incomplete.add(key)
        else:
            self._incomplete.discard(key)
        if not entry.order.status.is_closed:
            return
        self._open.pop(key, None)
        self._closed[key] = entry
        if len(self._closed) > self._closed_limit:
            forgotten, oldest = self._closed.popitem(last=False)
            self._incomplete.discard(forgotten)
            name = (oldest.order.symbol, oldest.order.client_order_id)
            if self._by_client.get(name) == (oldest.order.symbol, oldest.order.order_id):
                del self._by_client[name]


def merge(known: Order, told: Order) -> Order:
    """Answer the order after a new word of it, which may be late, repeated or out of order."""
    newer = told.event_time_ms >= known.event_time_ms
    status = told.status if known.status.may_become(told.status) else known.status
    if status.is_open and known.status.is_open and not newer:
        status = known.status
    ahead = told.filled_quantity > known.filled_quantity or known.average_price is None
    current = told if newer and not known.status.is_closed else known
    return replace(
        current,
        # An open order is told again with every comparison: what is equal is kept once, and the repetition let go.
        symbol=known.symbol,
        quantity=known.quantity if known.quantity == current.quantity else current.quantity,
        price=known.price if known.price == current.price else current.price,
        client_order_id=known.client_order_id or told.client_order_id,
        order_id=known.order_id or told.order_id,
        status=status,
        filled_quantity=max(known.filled_quantity, told.filled_quantity),
        average_price=told.average_price if ahead else known.average_price,
        reason=told.reason or known.reason,
        event_time_ms=max(known.event_time_ms, told.event_time_ms),
        received_ns=max(known.received_ns, told.received_ns),
    )


def _normal(order: Order) -> Order:
    """Make an open order's status agree with how far it is filled."""
    if order.status.is_closed or not order.filled_quantity:
        return order
    filled = order.filled_quantity >= order.quantity
    status = OrderStatus.FILLED if filled else OrderStatus.PARTIALLY_FILLED
    return order if order.status is status else replace(order, status=status)


def _differs(known: Order, now: Order) -> bool:
    """Whether anything but the time of the word changed."""
    return bool(_told(now) != _told(known))
