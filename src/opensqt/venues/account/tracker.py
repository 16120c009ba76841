"""Merges the order and fill reports of streams and queries, which arrive in any order and any number of times.

Pure: no I/O, no clock. A late report never undoes a newer one, filled quantities only grow, and a fill counts once.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from opensqt.model.content import without_times
from opensqt.model.order import Fill, Order, OrderRef, OrderStatus, OrderUpdate

_ZERO = Decimal(0)
_without_times = without_times(Order)
Key = tuple[str, str]
"""Symbol and order id."""


@dataclass(frozen=True, slots=True)
class _FillCount:
    """The counted fills of an order. Most open orders have none and share one count."""

    baseline: Decimal = _ZERO
    """Base coins that were filled before the adapter started to count."""
    baseline_ms: int = 0
    """The venue's time of the baseline: fills until then are included in it."""
    quantity: Decimal = _ZERO
    """Base coins of the baseline and of the counted fills; less than the filled quantity where fills are missing."""
    paid: Decimal = _ZERO
    """Quote value of the counted fills."""


_NO_FILLS = _FillCount()


@dataclass(slots=True)
class _TrackedOrder:
    key: Key
    order: Order
    """As it was published. A report that changes only its times is not stored here, so there is one object of it."""
    event_time_ms: int
    """The venue's time of the newest report."""
    received_ns: int
    """Time of receipt of the newest report."""
    fills: _FillCount = _NO_FILLS

    def report(self, order: Order) -> None:
        """Apply a reported state."""
        if _differs(self.order, order):
            merged = _normal(merge(self.newest(), order))
            if _differs(self.order, merged):
                self.order = merged
        self._report_times(order)

    def count(self, fill: Fill) -> None:
        """Count a fill, which may be ahead of the reported filled quantity."""
        known, now = self.newest(), self.fills
        quantity, paid = now.quantity + fill.quantity, now.paid + fill.notional
        self.fills = replace(now, quantity=quantity, paid=paid)
        if quantity > known.filled_quantity:
            self._report_times(fill)
            known = self.newest()
            # An order that only the venue knows is as large as its fills.
            whole = max(known.quantity, quantity)
            known = _normal(replace(known, quantity=whole, filled_quantity=quantity, average_price=paid / quantity))
        self.order = known

    def newest(self) -> Order:
        """Return the order with the times of the newest report."""
        order = self.order
        if (order.event_time_ms, order.received_ns) == (self.event_time_ms, self.received_ns):
            return order
        return replace(order, event_time_ms=self.event_time_ms, received_ns=self.received_ns)

    def _report_times(self, report: Order | Fill) -> None:
        self.event_time_ms = max(self.event_time_ms, report.event_time_ms)
        self.received_ns = max(self.received_ns, report.received_ns)


class OrderTracker:
    """The known orders of the account.

    Args:
        closed_limit: Number of closed orders to remember, so that a late report can't reopen one.
        fill_limit: Number of trade ids to remember; must include the overlap of two trade queries.
    """

    def __init__(self, *, closed_limit: int = 10_000, fill_limit: int = 100_000) -> None:
        self._closed_limit = closed_limit
        self._fill_limit = fill_limit
        self._open: dict[Key, _TrackedOrder] = {}
        self._closed: OrderedDict[Key, _TrackedOrder] = OrderedDict()
        self._by_client: dict[str, dict[str, _TrackedOrder]] = {}
        """By symbol and client order id."""
        self._fills: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._incomplete: set[Key] = set()

    def key(self, order: Order) -> Key:
        """Return the key of an order; that of an open order is the tracker's own, which holders can share."""
        key = (order.symbol, order.order_id)
        entry = self._open.get(key)
        return entry.key if entry else key

    def find(self, ref: OrderRef) -> Order | None:
        """Return the known state of an order, or None."""
        if ref.client_order_id:
            entry = self._by_client.get(ref.symbol, {}).get(ref.client_order_id)
        else:
            entry = self._find((ref.symbol, ref.order_id))
        return entry.newest() if entry else None

    def known_if_same(self, order: Order) -> Order:
        """Return the order as it was published if *order* changes nothing but its times, which apply; else *order*.

        So a list of orders takes no memory for those that are known.
        """
        entry = self._find((order.symbol, order.order_id))
        if entry is None or _differs(entry.order, order):
            return order
        entry.report(order)
        return entry.order

    def open_orders(self, symbol: str = "") -> list[Order]:
        """Return the open orders as they were published, oldest first; of one symbol or of all."""
        return [entry.order for entry in self._open.values() if symbol in ("", entry.order.symbol)]

    def incomplete(self) -> list[Order]:
        """Return the orders with a larger filled quantity than their counted fills: fills are missing."""
        return [(self._open.get(key) or self._closed[key]).order for key in self._incomplete]

    def misses_fills(self, reported: Order) -> bool:
        """Return whether *reported* has a larger filled quantity than the counted fills of its order."""
        entry = self._find((reported.symbol, reported.order_id))
        return reported.filled_quantity > (entry.fills.quantity if entry else _ZERO)

    def has_fill(self, symbol: str, trade_id: str) -> bool:
        """Return whether a fill was counted."""
        return (symbol, trade_id) in self._fills

    def adopt(self, order: Order) -> None:
        """Apply an order from before the start. What was filled until now does not count."""
        self.apply(order)
        entry = self._open.get((order.symbol, order.order_id))
        if entry is not None:
            known = entry.newest()
            filled = known.filled_quantity
            if filled:
                paid = filled * (known.average_price or _ZERO)
                entry.fills = _FillCount(filled, known.event_time_ms, filled, paid)
            self._incomplete.discard(entry.key)

    def apply(self, order: Order, fill: Fill | None = None) -> OrderUpdate | None:
        """Apply a reported state of an order, and the fill that came with it.

        Returns:
            The update to publish, or None when nothing changed.
        """
        entry = self._find((order.symbol, order.order_id))
        known = entry.order if entry else None
        if entry is None:
            entry = self._add(_with_shared_values(_normal(order)))
        else:
            entry.report(order)
        if fill is not None and order.filled_quantity <= entry.fills.baseline:
            self._remember(fill)
        counted = self._count(entry, fill)
        self._store(entry)
        if entry.order is known and counted is None:
            return None
        return OrderUpdate(order=entry.order, fill=counted)

    def apply_fill(self, fill: Fill) -> OrderUpdate | None:
        """Apply a fill that came without its order.

        Returns:
            The update to publish, or None when the fill was counted before.

        Raises:
            KeyError: Its order is not known. Query the venue for the order and `apply` both.
        """
        if self.has_fill(fill.symbol, fill.trade_id):
            return None
        key = (fill.symbol, fill.order_id)
        entry = self._open.get(key) or self._closed[key]
        if entry.fills.baseline and fill.event_time_ms <= entry.fills.baseline_ms:
            self._remember(fill)
            return None
        counted = self._count(entry, fill)
        self._store(entry)
        return OrderUpdate(order=entry.order, fill=counted)

    def skip_fills(self, fills: list[Fill]) -> None:
        """Remember fills from before the start, so that they never count."""
        for fill in fills:
            self._remember(fill)

    def _find(self, key: Key) -> _TrackedOrder | None:
        return self._open.get(key) or self._closed.get(key)

    def _add(self, order: Order) -> _TrackedOrder:
        key = (order.symbol, order.order_id)
        entry = self._open[key] = _TrackedOrder(key, order, order.event_time_ms, order.received_ns)
        if order.client_order_id:
            self._by_client.setdefault(order.symbol, {})[order.client_order_id] = entry
        return entry

    def _count(self, entry: _TrackedOrder, fill: Fill | None) -> Fill | None:
        if fill is None or self.has_fill(fill.symbol, fill.trade_id):
            return None
        self._remember(fill)
        entry.count(fill)
        return fill if fill.client_order_id else replace(fill, client_order_id=entry.order.client_order_id)

    def _remember(self, fill: Fill) -> None:
        self._fills[fill.symbol, fill.trade_id] = None
        if len(self._fills) > self._fill_limit:
            self._fills.popitem(last=False)

    def _store(self, entry: _TrackedOrder) -> None:
        """Store the entry with the open or the closed orders, and forget the oldest closed one above the limit."""
        if entry.fills.quantity < entry.order.filled_quantity:
            self._incomplete.add(entry.key)
        else:
            self._incomplete.discard(entry.key)
        if not entry.order.status.is_closed:
            return
        self._open.pop(entry.key, None)
        self._closed[entry.key] = entry
        if len(self._closed) > self._closed_limit:
            forgotten, oldest = self._closed.popitem(last=False)
            self._incomplete.discard(forgotten)
            named = self._by_client.get(oldest.order.symbol, {})
            if named.get(oldest.order.client_order_id) is oldest:
                del named[oldest.order.client_order_id]


def merge(known: Order, reported: Order) -> Order:
    """Return the order after a new report, which may be late, repeated or out of order."""
    newer = reported.event_time_ms >= known.event_time_ms
    status = reported.status if known.status.may_become(reported.status) else known.status
    if status.is_open and known.status.is_open and not newer:
        status = known.status
    ahead = reported.filled_quantity > known.filled_quantity or known.average_price is None
    current = reported if newer and not known.status.is_closed else known
    return replace(
        current,
        # Each reconciliation reports an open order again: keep the equal values, and free the repeated ones.
        symbol=known.symbol,
        quantity=known.quantity if known.quantity == current.quantity else current.quantity,
        price=known.price if known.price == current.price else current.price,
        client_order_id=known.client_order_id or reported.client_order_id,
        order_id=known.order_id or reported.order_id,
        status=status,
        filled_quantity=max(known.filled_quantity, reported.filled_quantity),
        average_price=reported.average_price if ahead else known.average_price,
        reason=reported.reason or known.reason,
        closed_by=known.closed_by or reported.closed_by,
        close_reason=known.close_reason or reported.close_reason,
        event_time_ms=max(known.event_time_ms, reported.event_time_ms),
        received_ns=max(known.received_ns, reported.received_ns),
    )


def _with_shared_values(order: Order) -> Order:
    """Return the order with the symbol, price and quantities that other orders have, as objects, too."""
    return replace(
        order,
        symbol=sys.intern(order.symbol),
        quantity=_shared(str(order.quantity)),
        price=None if order.price is None else _shared(str(order.price)),
        filled_quantity=_shared(str(order.filled_quantity)),
    )


@lru_cache(maxsize=256)
def _shared(text: str) -> Decimal:
    """Return one object for equal texts, so that digits after the point stay. Few: a price may be used only once."""
    return Decimal(text)


def _normal(order: Order) -> Order:
    """Return the order with a status that agrees with its filled quantity."""
    if order.status.is_closed or not order.filled_quantity:
        return order
    filled = order.filled_quantity >= order.quantity
    status = OrderStatus.FILLED if filled else OrderStatus.PARTIALLY_FILLED
    return order if order.status is status else replace(order, status=status)


def _differs(known: Order, now: Order) -> bool:
    """Return whether anything but the times changed."""
    return bool(_without_times(now) != _without_times(known))
