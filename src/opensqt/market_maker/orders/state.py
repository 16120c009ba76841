"""The state of a grid: slots, counted fills and totals, and the changes since it was last stored."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

from opensqt.market_maker.orders.events import GridFill
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.market_maker.orders.slots import LiveOrder, Slot, SlotEvent, SlotState
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.model.order import Fill, OrderStatus, Side

V = TypeVar("V")

REMEMBERED = 20_000
"""Closed orders and counted trades kept in memory: far more than any query or stream returns again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over the life of the grid."""

    orders_placed: int = 0
    """Orders that the venue accepted."""
    fills: int = 0
    volume: Decimal = Decimal(0)
    """Quote."""
    fees: Mapping[str, Decimal] = field(default_factory=dict)
    """By fee asset; below zero is a rebate."""
    realized_pnl: Decimal = Decimal(0)
    """Quote, before fees, as the venue reports it with each fill."""
    profit: Decimal = Decimal(0)
    """Quote, before fees: each sale against the average cost of its own level."""
    adopted: Decimal = Decimal(0)
    """Base coins assigned to levels without a fill of this grid."""

    def after(self, counted: GridFill) -> Totals:
        """Return the totals with one fill added."""
        fill = counted.fill
        fees = dict(self.fees)
        for asset, paid in fill.fees.items():
            fees[asset] = fees.get(asset, Decimal(0)) + paid
        return replace(
            self,
            fills=self.fills + 1,
            volume=self.volume + fill.notional,
            fees=fees,
            realized_pnl=self.realized_pnl + fill.realized_pnl,
            profit=self.profit + counted.profit,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The part of the state that is one row of the database."""

    anchor: Decimal
    interval: Decimal
    sequence: int
    """Of the last client_order_id; only grows."""
    watermark_ms: int
    """Every fill before this venue time is counted."""
    totals: Totals = Totals()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The state that a restart begins with."""

    header: Header | None = None
    slots: tuple[Slot, ...] = ()
    """With their quantity and cost only."""
    live_orders: tuple[LiveOrder, ...] = ()
    closed_orders: tuple[tuple[str, str], ...] = ()
    """Client id and venue id of the last closed orders, oldest first."""
    trade_ids: tuple[str, ...] = ()
    """Of the last counted fills, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Changes that have to be committed before anything is acted on."""

    header: Header | None
    slots: tuple[Slot, ...]
    orders: tuple[LiveOrder, ...]
    fills: tuple[GridFill, ...]

    def __bool__(self) -> bool:
        return bool(self.header or self.slots or self.orders or self.fills)


class GridState:
    """The slots and totals of one grid. Every change is made here and kept for the store.

    Args:
        ids: Reads the slot that an order belongs to.
        stored: The state in the database; restored orders are as they were last known.
        now: Monotonic seconds, from which a restored order's age is counted.
    """

    def __init__(self, ids: OrderIds, stored: Stored, *, now: float) -> None:
        self.ids = ids
        self.header = stored.header
        self._slots: dict[int, Slot] = {slot.level: slot for slot in stored.slots if slot.quantity}
        self.extra_orders: dict[str, LiveOrder] = {}
        self._closed: OrderedDict[str, str] = OrderedDict(stored.closed_orders)
        self._client_ids: OrderedDict[str, str] = OrderedDict(
            (venue, ours) for ours, venue in stored.closed_orders if venue
        )
        self._counted: OrderedDict[str, None] = OrderedDict.fromkeys(stored.trade_ids)
        for live in stored.live_orders:
            self._restore(replace(live, since=now, cancel_requested=False))
        self._dirty_header = False
        self._dirty_slots: set[int] = set()
        self._dirty_orders: dict[str, LiveOrder] = {}
        self._new_fills: list[GridFill] = []

    @property
    def grid(self) -> Grid | None:
        """The levels; None before the first price."""
        return Grid(anchor=self.header.anchor, interval=self.header.interval) if self.header else None

    @property
    def totals(self) -> Totals:
        """The sums."""
        return self.header.totals if self.header else Totals()

    @property
    def slots(self) -> Mapping[int, Slot]:
        """The slots that hold coins or have an order."""
        return self._slots

    @property
    def position(self) -> Decimal:
        """Base coins over all slots, from counted fills."""
        return sum((slot.quantity for slot in self._slots.values()), Decimal(0))

    @property
    def cost(self) -> Decimal:
        """Cost of the position, quote, before fees."""
        return sum((slot.cost for slot in self._slots.values()), Decimal(0))

    def live_orders(self) -> Iterator[LiveOrder]:
        """Return all orders that are not settled."""
        for slot in self._slots.values():
            if slot.order is not None:
                yield slot.order
        yield from self.extra_orders.values()

    def slot(self, level: int) -> Slot:
        """Return the slot at *level*; an empty one when nothing is known of it."""
        return self._slots.get(level) or Slot(level=level)

    def find(self, client_order_id: str) -> LiveOrder | None:
        """Return the order of that id while it is not settled."""
        name = self.ids.read(client_order_id)
        if name is None:
            return None
        order = self.slot(name.level).order
        if order is not None and order.client_order_id == client_order_id:
            return order
        return self.extra_orders.get(client_order_id)

    def is_closed(self, client_order_id: str) -> bool:
        """Return whether the order is known to be closed."""
        return client_order_id in self._closed

    def set_header(self, header: Header) -> None:
        """Replace the one-row part."""
        self.header = header
        self._dirty_header = True

    def next_id(self, level: int, side: Side) -> str:
        """Return the next client_order_id; the sequence grows with it."""
        header = self._header()
        self.set_header(replace(header, sequence=header.sequence + 1))
        return self.ids.make(level, side, header.sequence + 1)

    def put(self, event: SlotEvent, order: LiveOrder) -> None:
        """Change an order, and with it the state of its slot."""
        self._dirty_orders[order.client_order_id] = order
        if order.order_id:
            self._remember(self._client_ids, order.order_id, order.client_order_id)
        if order.client_order_id in self.extra_orders:
            if event in (SlotEvent.SETTLE, SlotEvent.REFUSE):
                del self.extra_orders[order.client_order_id]
                self._remember(self._closed, order.client_order_id, order.order_id)
            else:
                self.extra_orders[order.client_order_id] = order
            return
        slot = self.slot(order.level)
        over = event in (SlotEvent.SETTLE, SlotEvent.REFUSE)
        self._set(slot.after(event, None if over else order))
        if over:
            self._remember(self._closed, order.client_order_id, order.order_id)
            if event is SlotEvent.SETTLE and order.status is not OrderStatus.REJECTED:
                self._count_placed(slot.state)
        elif event is SlotEvent.ACKNOWLEDGE:
            self._count_placed(slot.state)

    def put_extra(self, order: LiveOrder) -> None:
        """Keep an order of this grid whose slot has another order."""
        self.extra_orders[order.client_order_id] = order
        self._dirty_orders[order.client_order_id] = order
        if order.order_id:
            self._remember(self._client_ids, order.order_id, order.client_order_id)

    def mark_closed(self, client_order_id: str, order_id: str) -> None:
        """Record that an order which was never followed is closed."""
        self._remember(self._closed, client_order_id, order_id)
        if order_id:
            self._remember(self._client_ids, order_id, client_order_id)

    def client_order_id_of(self, fill: Fill) -> str | None:
        """Return the client id of the order that traded, or None while it is not known."""
        return fill.client_order_id or self._client_ids.get(fill.order_id)

    def map_order_id(self, order_id: str, client_order_id: str) -> None:
        """Record the client id of a venue's order id; also of foreign orders, so that they are not queried again."""
        self._remember(self._client_ids, order_id, client_order_id or "foreign")

    def is_counted(self, fill: Fill) -> bool:
        """Return whether the trade was counted before."""
        return fill.trade_id in self._counted

    def apply_fill(self, fill: Fill, client_order_id: str) -> LiveOrder | None:
        """Count a fill of an order of this grid, once.

        Returns:
            The order with the fill counted, if it is not settled.
        """
        name = self.ids.read(client_order_id)
        if name is None or fill.trade_id in self._counted:
            return None
        self._remember(self._counted, fill.trade_id, None)
        slot, profit = self.slot(name.level).traded(fill.side, fill.price, fill.quantity)
        counted = GridFill(fill=replace(fill, client_order_id=client_order_id), level=name.level, profit=profit)
        self._new_fills.append(counted)
        header = self._header()
        self.set_header(replace(header, totals=header.totals.after(counted)))
        self._set(slot)
        live = self.find(client_order_id)
        return replace(live, counted=live.counted + fill.quantity) if live is not None else None

    def adopt(self, slots: Iterable[Slot]) -> None:
        """Apply slots that hold more than the fills of this grid explain."""
        for slot in slots:
            header = self._header()
            more = slot.quantity - self.slot(slot.level).quantity
            totals = replace(header.totals, adopted=header.totals.adopted + more)
            self.set_header(replace(header, totals=totals))
            self._set(slot)

    def take_changes(self) -> Changes:
        """Return the changes since the last call."""
        changes = Changes(
            header=self.header if self._dirty_header else None,
            slots=tuple(self.slot(level) for level in sorted(self._dirty_slots)),
            orders=tuple(self._dirty_orders.values()),
            fills=tuple(self._new_fills),
        )
        self._dirty_header = False
        self._dirty_slots, self._dirty_orders, self._new_fills = set(), {}, []
        return changes

    def _header(self) -> Header:
        if self.header is None:
            raise RuntimeError("the grid has no anchor yet")
        return self.header

    def _set(self, slot: Slot) -> None:
        before = self._slots.get(slot.level)
        if (before.quantity, before.cost) != (slot.quantity, slot.cost) if before else slot.quantity:
            self._dirty_slots.add(slot.level)
        if slot.order is None and not slot.quantity:
            self._slots.pop(slot.level, None)
        else:
            self._slots[slot.level] = slot

    def _restore(self, live: LiveOrder) -> None:
        slot = self.slot(live.level)
        if slot.order is not None:
            self.extra_orders[live.client_order_id] = live
            return
        acknowledged = live.status.is_open or live.status.is_closed
        state = SlotState.LOCKED if acknowledged else SlotState.PENDING
        self._slots[live.level] = replace(slot, state=state, order=live)
        if live.order_id:
            self._client_ids[live.order_id] = live.client_order_id

    def _count_placed(self, before: SlotState) -> None:
        if before is not SlotState.LOCKED:
            header = self._header()
            totals = replace(header.totals, orders_placed=header.totals.orders_placed + 1)
            self.set_header(replace(header, totals=totals))

    @staticmethod
    def _remember(memory: OrderedDict[str, V], key: str, value: V) -> None:
        memory[key] = value
        if len(memory) > REMEMBERED:
            memory.popitem(last=False)
