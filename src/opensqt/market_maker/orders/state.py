"""The state of a grid: slots, counted fills and totals, and the changes since it was last stored."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Context, Decimal
from typing import TypeVar

from opensqt.market_maker.orders.accounting import Accounting
from opensqt.market_maker.orders.events import AccountEvent, GridFill, MinuteBegan
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.market_maker.orders.rescale import rescaled
from opensqt.market_maker.orders.slots import LiveOrder, Slot, SlotEvent, SlotState, next_state
from opensqt.market_maker.orders.stored import Changes, Header, Stored, Totals
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.own_orders import OwnOrders
from opensqt.model.order import Fill, OrderStatus, Side

V = TypeVar("V")

REMEMBERED = 20_000
"""Closed orders and counted trades kept in memory: far more than any query or stream returns again."""
_EXACT = Context(prec=80)
_OVER = (SlotEvent.SETTLE, SlotEvent.REFUSE)
_NOTHING = Totals()
_EMPTY = Slot(level=0)
"""Stands for a level that holds nothing and has no order."""


class GridState:
    """The slots and totals of one grid. Every change is made here and kept for the store.

    Args:
        ids: Reads the slot that an order belongs to.
        stored: The state in the database; restored orders are as they were last known.
        accounting: Counts the profit.
        now: Monotonic seconds, from which a restored order's age is counted.
        price_step: The venue's, which levels of a geometric grid are rounded to.
    """

    def __init__(
        self,
        ids: OrderIds,
        stored: Stored,
        accounting: Accounting,
        *,
        now: float,
        price_step: Decimal = Decimal(0),
    ) -> None:
        self.ids = ids
        self.accounting = accounting
        self._header_at = stored.header
        self._header_stale = False
        """Whether the counts have changed since the row was made."""
        self._sequence = stored.header.sequence if stored.header else 0
        self._totals = stored.header.totals if stored.header else _NOTHING
        self._price_step = price_step
        self._grid = self._grid_of(stored.header)
        self._slots: dict[int, Slot] = {}
        self._live: dict[str, LiveOrder] = {}
        self._position = self._cost = self._gross = Decimal(0)
        self.extra_orders: dict[str, LiveOrder] = {}
        self.in_flight: dict[str, LiveOrder] = {}
        """The orders whose outcome is not known, by client id."""
        self.cancellable: dict[str, LiveOrder] = {}
        """The open orders that no cancel was sent for, by client id."""
        self.canceling: set[str] = set()
        """Client ids of the live orders that a cancel was sent for."""
        self.touched: set[int] = set()
        """Levels whose slot changed since the planner last looked."""
        self.touched_entries: set[int] | None = None
        """Levels whose holding or orders changed since the limits last looked; None while they need no order."""
        self.own_orders = OwnOrders()
        """What the book shows of ours."""
        self._closed: OrderedDict[str, str] = OrderedDict(stored.closed_orders)
        self._client_ids: OrderedDict[str, str] = OrderedDict(
            (venue, ours) for ours, venue in stored.closed_orders if venue
        )
        self._counted: OrderedDict[str, None] = OrderedDict.fromkeys(stored.trade_ids)
        self._dirty_header = False
        self._dirty_slots: set[int] = set()
        self._dirty_orders: dict[str, LiveOrder] = {}
        self._new_fills: list[GridFill] = []
        self.risk: str | None = None
        """What the risk controls want stored with the other changes."""
        for slot in stored.slots:
            self._set(slot)
        for live in stored.live_orders:
            self._restore(replace(live, since=now))
        self._dirty_slots.clear()

    @property
    def header(self) -> Header | None:
        """The one-row part; None before the first price."""
        header = self._header_at
        if header is not None and self._header_stale:
            # Each order takes a number, and each fill adds to the sums: the row is made when it is read.
            header = self._header_at = header.with_counts(self._sequence, self._totals)
            self._header_stale = False
        return header

    @property
    def stopped(self) -> str:
        """Which trigger has stopped the grid, and why; empty while it trades."""
        return self._header_at.stopped if self._header_at is not None else ""

    @property
    def grid(self) -> Grid | None:
        """The levels; None before the first price."""
        return self._grid

    @property
    def totals(self) -> Totals:
        """The sums."""
        return self._totals

    @property
    def slots(self) -> Mapping[int, Slot]:
        """The slots that hold coins or have an order."""
        return self._slots

    @property
    def position(self) -> Decimal:
        """Base coins over all slots, from counted fills."""
        return self._position

    @property
    def cost(self) -> Decimal:
        """Cost of the position, quote, before fees."""
        return +self._cost

    @property
    def is_one_sided(self) -> bool:
        """Return whether no level is short while another is long."""
        return abs(self._position) == self._gross

    def live_orders(self) -> Collection[LiveOrder]:
        """Return all orders that are not settled."""
        return self._live.values()

    def slot(self, level: int) -> Slot:
        """Return the slot at *level*; an empty one when nothing is known of it."""
        return self._slots.get(level) or Slot(level=level)

    def find(self, client_order_id: str) -> LiveOrder | None:
        """Return the order of that id while it is not settled."""
        return self._live.get(client_order_id)

    def level_of(self, client_order_id: str) -> int | None:
        """Return the level of an order of this grid, settled ones included; None when it is not one."""
        live = self._live.get(client_order_id)
        if live is not None:
            return live.level
        name = self.ids.read(client_order_id)
        return name.level if name is not None else None

    def is_closed(self, client_order_id: str) -> bool:
        """Return whether the order is known to be closed."""
        return client_order_id in self._closed

    def set_header(self, header: Header) -> None:
        """Replace the one-row part."""
        self._header_at, self._sequence, self._totals = header, header.sequence, header.totals
        self._header_stale, self._dirty_header = False, True
        grid = self._grid
        if grid is None or (grid.anchor, grid.interval) != (header.anchor, header.interval):
            self._grid = self._grid_of(header)

    def next_id(self, level: int, side: Side) -> str:
        """Return the next client_order_id; the sequence grows with it."""
        if self._header_at is None:
            raise RuntimeError("the grid has no anchor yet")
        self._sequence += 1
        self._header_stale = self._dirty_header = True
        return self.ids.make(level, side, self._sequence)

    def place(self, order: LiveOrder) -> None:
        """Take the intent of a new order. Its slot is free."""
        name, level = order.client_order_id, order.level
        before = self._slots.get(level, _EMPTY)
        state = next_state(before.state, SlotEvent.PLACE)
        self._slots[level] = Slot(level=level, quantity=before.quantity, cost=before.cost, state=state, order=order)
        self._live[name] = self.in_flight[name] = self._dirty_orders[name] = order
        self.own_orders.add(order)
        self._touch(level)

    def put(self, event: SlotEvent, order: LiveOrder) -> None:
        """Change an order, and with it the state of its slot."""
        client_order_id, over = order.client_order_id, event in _OVER
        self.own_orders.note(order, gone=over)
        self._dirty_orders[client_order_id] = order
        if order.order_id:
            self._remember(self._client_ids, order.order_id, client_order_id)
        if client_order_id in self.extra_orders:
            self._touch(order.level)
            if over:
                del self.extra_orders[client_order_id]
                self._untrack(order)
                self._remember(self._closed, client_order_id, order.order_id)
            else:
                self.extra_orders[client_order_id] = order
                self._track(order)
            return
        slot = self.slot(order.level)
        self._replace(slot, slot.after(event, None if over else order))
        if over:
            self._remember(self._closed, client_order_id, order.order_id)
            if event is SlotEvent.SETTLE and order.status is not OrderStatus.REJECTED:
                self._count_placed(slot.state)
        elif event is SlotEvent.ACKNOWLEDGE:
            self._count_placed(slot.state)

    def put_extra(self, order: LiveOrder) -> None:
        """Keep an order of this grid whose slot has another order."""
        self.own_orders.note(order)
        self._touch(order.level)
        self.extra_orders[order.client_order_id] = order
        self._track(order)
        self._dirty_orders[order.client_order_id] = order
        if order.order_id:
            self._remember(self._client_ids, order.order_id, order.client_order_id)

    def cancel_sent(self, order: LiveOrder) -> None:
        """Record that a cancel of a live order was sent."""
        self.canceling.add(order.client_order_id)
        self.cancellable.pop(order.client_order_id, None)
        self._touch(order.level)

    def cancel_missed(self, order: LiveOrder) -> None:
        """Record that the venue still works an order although a cancel was sent."""
        self.canceling.discard(order.client_order_id)
        self._track(order)
        self._touch(order.level)

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
        level = self.level_of(client_order_id)
        if level is None or fill.trade_id in self._counted:
            return None
        self._remember(self._counted, fill.trade_id, None)
        slot, profit = self.slot(level).traded(fill.side, fill.price, fill.quantity)
        if fill.client_order_id != client_order_id:
            fill = replace(fill, client_order_id=client_order_id)
        counted = self.accounting.count(fill, level, profit)
        self._new_fills.append(counted)
        self._count(self._totals.after(counted))
        self._set(slot)
        live = self.find(client_order_id)
        return live.after_fill(fill.quantity) if live is not None else None

    def apply_foreign_fill(self, fill: Fill) -> bool:
        """Count a fill that no order of this grid made, once, and return whether it was new. The levels stay."""
        if fill.trade_id in self._counted or not self.accounting.count_foreign(fill):
            return False
        self._remember(self._counted, fill.trade_id, None)
        return True

    def account_for(self, event: AccountEvent, now: float) -> None:
        """Handle an event that concerns the profit only."""
        if not isinstance(event, MinuteBegan):
            self.accounting.handle(event, now)
            return
        totals = self.totals
        self.accounting.record_minute(
            event.minute_ms,
            event.account_equity,
            round_trips=totals.profit,
            volume=totals.volume,
            fills=totals.fills,
        )

    def adopt(self, slots: Iterable[Slot]) -> None:
        """Apply slots that hold more than the fills of this grid explain."""
        for slot in slots:
            header = self._header()
            more = slot.quantity - self.slot(slot.level).quantity
            totals = replace(header.totals, adopted=header.totals.adopted + more)
            self.set_header(replace(header, totals=totals))
            self._set(slot)

    @property
    def changed(self) -> bool:
        """Whether there are changes that `take_changes` has not returned yet."""
        return bool(
            self._dirty_header
            or self._dirty_slots
            or self._dirty_orders
            or self._new_fills
            or self.accounting.changed
            or self.risk is not None
        )

    @property
    def new_fills(self) -> Sequence[GridFill]:
        """The fills that were counted since the last `take_changes`."""
        return self._new_fills

    def rescale(self, interval: Decimal) -> None:
        """Take another interval. No order may be live."""
        grid = self.grid
        if grid is None or self._live:
            raise RuntimeError("the interval moves only without orders")
        held = [slot for slot in self._slots.values() if slot.quantity]
        for slot in held:
            self._set(Slot(level=slot.level))
        self.set_header(replace(self._header(), interval=interval))
        for slot in rescaled(grid, held, interval):
            self._set(slot)

    def take_changes(self) -> Changes:
        """Return the changes since the last call."""
        changes = Changes(
            header=self.header if self._dirty_header else None,
            slots=tuple(self.slot(level) for level in sorted(self._dirty_slots)) if self._dirty_slots else (),
            orders=tuple(self._dirty_orders.values()),
            fills=tuple(self._new_fills),
            accounting=self.accounting.take_changes(),
            risk=self.risk,
        )
        self.risk = None
        self._dirty_header = False
        self._dirty_slots, self._dirty_orders, self._new_fills = set(), {}, []
        return changes

    def _header(self) -> Header:
        if self.header is None:
            raise RuntimeError("the grid has no anchor yet")
        return self.header

    def _set(self, slot: Slot) -> None:
        """Take a slot that may hold something else."""
        level, before = slot.level, self.slot(slot.level)
        if before.quantity != slot.quantity or before.cost != slot.cost:
            self._dirty_slots.add(level)
            self._position += slot.quantity - before.quantity
            self._gross += abs(slot.quantity) - abs(before.quantity)
            # Averages have 28 digits: their sum has to be the same in whatever order they come and go.
            self._cost = _EXACT.add(self._cost, _EXACT.subtract(slot.cost, before.cost))
        self._replace(before, slot)

    def _replace(self, before: Slot, slot: Slot) -> None:
        """Take a slot that holds what it held before."""
        level = slot.level
        self._touch(level)
        if before.order is not slot.order:
            old, new = before.order, slot.order
            if old is not None and (new is None or new.client_order_id != old.client_order_id):
                self._untrack(old)
            if new is not None:
                self._track(new)
        if slot.order is None and not slot.quantity:
            self._slots.pop(level, None)
        else:
            self._slots[level] = slot

    def _touch(self, level: int) -> None:
        """Have the planner and the limits look at a level again."""
        self.touched.add(level)
        if self.touched_entries is not None:
            self.touched_entries.add(level)

    def _track(self, order: LiveOrder) -> None:
        name, status = order.client_order_id, order.status
        self._live[name] = order
        if status.is_in_flight:
            self.in_flight[name] = order
        else:
            self.in_flight.pop(name, None)
        if status.is_open and name not in self.canceling:
            self.cancellable[name] = order
        else:
            self.cancellable.pop(name, None)

    def _untrack(self, order: LiveOrder) -> None:
        name = order.client_order_id
        for orders in (self._live, self.in_flight, self.cancellable):
            orders.pop(name, None)
        self.canceling.discard(name)

    def _restore(self, live: LiveOrder) -> None:
        self.own_orders.note(live)
        slot = self.slot(live.level)
        if slot.order is not None:
            self.extra_orders[live.client_order_id] = live
            self._track(live)
            return
        acknowledged = live.status.is_open or live.status.is_closed
        state = SlotState.LOCKED if acknowledged else SlotState.PENDING
        closes = slot.is_reduced_by(live.side)
        self._set(replace(slot, state=state, order=replace(live, closes=closes)))
        if live.order_id:
            self._client_ids[live.order_id] = live.client_order_id

    def _count_placed(self, before: SlotState) -> None:
        if before is not SlotState.LOCKED:
            self._count(self._totals.after_placed())

    def _count(self, totals: Totals) -> None:
        if self._header_at is None:
            raise RuntimeError("the grid has no anchor yet")
        self._totals = totals
        self._header_stale = self._dirty_header = True

    def _grid_of(self, header: Header | None) -> Grid | None:
        if header is None:
            return None
        return Grid(
            anchor=header.anchor, interval=header.interval, geometric=header.geometric, price_step=self._price_step
        )

    @staticmethod
    def _remember(memory: OrderedDict[str, V], key: str, value: V) -> None:
        memory[key] = value
        if len(memory) > REMEMBERED:
            memory.popitem(last=False)
