"""What one client knows of the account, from what it was told only. No I/O.

It does what docs/client.md asks of a client: a fill counts once by its trade id, an order's outcome stays open until
the order or a refusal is told, and after a snapshot or a gap the orders that are missing in it are asked for one by
one and the fills since the last complete list.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.model.account import Account, Position
from opensqt.model.errors import ExchangeError, LeaseExpired, OrderDenied, RequestError, TradingHalted
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderStatus, OrderUpdate, PositionSide
from opensqt.model.stream import Batch, Cursor

_EARLIER_MS = 5_000
"""How much of what was listed before is listed again."""

_HIDDEN_S = 15
"""How long at most a venue may not find an order that it accepted."""


@dataclass(slots=True, eq=False)
class Entry:
    """One order."""

    request: OrderRequest | None = None
    """What was asked for, where this client did."""
    order: Order | None = None
    """The last word on it; None while there was none, or when it is proven that there is no such order."""
    doubt: bool = False
    """A call was sent and its outcome is not known: only the order or a refusal ends this."""
    refused: str = ""
    """Why there is no such order."""
    wanted: bool = False
    """Left open on purpose."""
    cancel_asked: bool = False
    history: list[str] = field(default_factory=list)

    @property
    def ref(self) -> OrderRef:
        known = self.order or self.request
        assert known is not None
        order_id = self.order.order_id if self.order else ""
        return OrderRef(symbol=known.symbol, client_order_id=known.client_order_id, order_id=order_id)

    @property
    def is_open(self) -> bool:
        return self.order is not None and self.order.status.is_open

    def note(self, source: str, what: str) -> None:
        self.history.append(f"{time.time():.3f} {source}: {what}")


class Book:
    """Orders, fills, positions and balance of one client.

    Args:
        owner: The client's name.
        symbols: Those it trades or watches.
        since_ms: When it began: fills before that are not its own to know.
    """

    def __init__(self, owner: str, symbols: tuple[str, ...], since_ms: int) -> None:
        self.owner = owner
        self.symbols = symbols
        self.orders: dict[str, Entry] = {}
        """By client order id, or by the venue's where there is none."""
        self.fills: dict[tuple[str, str], Fill] = {}
        self.positions: dict[tuple[str, PositionSide], Position] = {}
        self.account: Account | None = None
        self.mistakes: list[str] = []
        """What was told and can't be true."""
        self.cursor: Cursor | None = None
        self.leased = False
        """Whether the connector cancels its orders when it stays away."""
        self.gaps = 0
        self.missing: set[str] = set()
        """Orders that were open and that a snapshot does not hold: to be asked for."""
        self.held: dict[str, Decimal] = defaultdict(Decimal)
        """Base coins that its own orders brought, signed."""
        self._filled: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._watermarks = dict.fromkeys(symbols, since_ms)
        self._streamed: set[tuple[str, str]] = set()
        self._by_order_id: dict[str, str] = {}
        self._not_found: dict[str, float] = {}

    def mistake(self, text: str) -> None:
        self.mistakes.append(text)

    def intend(self, request: OrderRequest) -> Entry:
        """Note, before it is sent, what is to be sent."""
        entry = self.orders.setdefault(request.client_order_id, Entry())
        entry.request = request
        entry.doubt = True
        entry.note("place", "asked")
        return entry

    def answered(self, client_order_id: str, answer: Order | ExchangeError) -> None:
        """Take in the outcome of placing an order."""
        entry = self.orders[client_order_id]
        if isinstance(answer, Order):
            self._learn(entry, answer, "place")
            entry.doubt = answer.status.is_in_flight
            return
        entry.note("place", f"{type(answer).__name__} {answer}")
        # A denial, an ended lease or a halt is about this call; an earlier one of the same id may have got through.
        if isinstance(answer, RequestError) and not isinstance(answer, OrderDenied | LeaseExpired | TradingHalted):
            entry.doubt, entry.refused = False, type(answer).__name__

    def not_sent(self, client_order_id: str, error: ExchangeError) -> None:
        """Take in that the first and only call for an order was refused before anything was sent."""
        entry = self.orders[client_order_id]
        entry.doubt, entry.refused = False, type(error).__name__
        entry.note("place", f"given up: {type(error).__name__} {error}")

    def learn(self, order: Order, source: str) -> None:
        """Take in an order that a call answered."""
        self._learn(self._entry(order), order, source)

    def not_found(self, ref: OrderRef) -> None:
        """Take in that the venue does not show an order that was told of; it may do so for a moment."""
        name = ref.client_order_id or ref.order_id
        since_s = self._not_found.setdefault(name, time.monotonic())
        if time.monotonic() - since_s > _HIDDEN_S:
            self._not_found[name] = float("inf")
            self.mistake(f"order {name}: was told of, and is not found for {_HIDDEN_S} s")

    def take(self, batch: Batch[OrderUpdate]) -> bool:
        """Take in a batch of the orders stream; answer whether there is something to be asked for after it."""
        self._check_place(batch)
        self.cursor = batch.cursor
        shown = set()
        for update in batch.updates:
            entry = self._entry(update.order)
            shown.add(self._name(update.order))
            self._check_streamed(entry, update.order)
            self._learn(entry, update.order, "snapshot" if batch.snapshot else "stream")
            if update.fill is not None:
                self._streamed_fill(update.fill)
        if not (batch.snapshot or batch.gap):
            return False
        self.gaps += 1
        if batch.snapshot:
            self.missing |= {name for name, entry in self.orders.items() if entry.is_open and name not in shown}
        return True

    def listed(self, symbol: str, fills: list[Fill]) -> None:
        """Take in all fills since `since_ms`."""
        for fill in fills:
            self._count(fill)
            self._watermarks[symbol] = max(self._watermarks[symbol], fill.event_time_ms)

    def since_ms(self, symbol: str) -> int:
        """Since when fills are to be listed after a gap."""
        return self._watermarks[symbol] - _EARLIER_MS

    def unheard(self) -> list[OrderRef]:
        """The orders to be asked for: missing in a snapshot, or known by a fill only or filled further than told."""
        self.missing = {name for name in self.missing if self.orders[name].is_open}
        asked = {name: self.orders[name].ref for name in self.missing}
        for (symbol, order_id), quantity in self._filled.items():
            name = self._by_order_id.get(order_id, order_id)
            entry = self.orders.get(name)
            if entry is None or entry.order is None:
                asked[name] = OrderRef(symbol=symbol, order_id=order_id)
            elif entry.order.filled_quantity < quantity:
                asked[name] = entry.ref
        return list(asked.values())

    def asked(self, ref: OrderRef, told: Order) -> None:
        """Take in that an order was asked for; one that is UNKNOWN is to be asked for again."""
        if not told.status.is_in_flight:
            self.missing -= {ref.client_order_id, ref.order_id}

    def in_doubt(self) -> list[OrderRequest]:
        """The orders whose placing has no known outcome."""
        return [entry.request for entry in self.orders.values() if entry.doubt and entry.request is not None]

    def own_open(self, *, wanted: bool = False) -> list[OrderRef]:
        """The orders of this client that are open as far as it knows."""
        return [
            entry.ref
            for entry in self.orders.values()
            if entry.request is not None and entry.is_open and entry.wanted is wanted
        ]

    def take_positions(self, batch: Batch[Position]) -> None:
        if batch.snapshot:
            self.positions.clear()
        for position in batch.updates:
            self.positions[position.symbol, position.position_side] = position

    def take_account(self, batch: Batch[Account]) -> None:
        for account in batch.updates:
            self.account = account

    def _name(self, order: Order) -> str:
        return order.client_order_id or self._by_order_id.get(order.order_id, order.order_id)

    def _entry(self, order: Order) -> Entry:
        return self.orders.setdefault(self._name(order), Entry())

    def _check_place(self, batch: Batch[OrderUpdate]) -> None:
        """Every update since the last batch is told, or the gap is."""
        before = self.cursor
        if before is None or batch.gap:
            return
        if batch.snapshot or batch.epoch != before.epoch:
            self.mistake(f"after {before} came {batch.cursor} without a gap")
        elif batch.sequence != before.sequence + len(batch.updates):
            self.mistake(f"{len(batch.updates)} updates took {before} to {batch.cursor}: others vanished")

    def _check_streamed(self, entry: Entry, told: Order) -> None:
        """The stream itself promises that filled quantities only grow and that what is closed stays so."""
        known = entry.order
        if known is None:
            return
        if told.filled_quantity < known.filled_quantity and told.status.is_closed:
            self.mistake(f"order {told.client_order_id}: closed with {told.filled_quantity} of {known.filled_quantity}")
        if known.status.is_closed and told.status.is_closed and told.status is not known.status:
            self.mistake(f"order {told.client_order_id}: {known.status}, then {told.status} by stream")

    def _learn(self, entry: Entry, told: Order, source: str) -> None:
        entry.note(source, f"{told.status} {told.filled_quantity} {told.order_id}")
        if told.order_id:
            self._by_order_id[told.order_id] = self._name(told)
        known = entry.order
        if told.status is not OrderStatus.UNKNOWN:
            entry.refused = ""
            if told.status.is_open or told.status.is_closed:
                entry.doubt = False
        if known is None or known.status.is_in_flight:
            entry.order = told
        elif known.status.is_closed:
            if told.status.is_closed and (told.status, told.filled_quantity) != (known.status, known.filled_quantity):
                self.mistake(
                    f"order {told.client_order_id}: {known.status} {known.filled_quantity}, then {told.status}"
                    f" {told.filled_quantity} by {source}"
                )
        elif told.status.is_closed or (told.status.is_open and told.filled_quantity >= known.filled_quantity):
            entry.order = told

    def _streamed_fill(self, fill: Fill) -> None:
        key = fill.symbol, fill.trade_id
        if key in self._streamed:
            self.mistake(f"fill {fill.symbol} {fill.trade_id} of order {fill.client_order_id} streamed twice")
        self._streamed.add(key)
        self._count(fill)

    def _count(self, fill: Fill) -> None:
        key = fill.symbol, fill.trade_id
        if key in self.fills:
            return
        self.fills[key] = fill
        self._filled[fill.symbol, fill.order_id] += fill.quantity
        entry = self.orders.get(fill.client_order_id or self._by_order_id.get(fill.order_id, ""))
        if entry is not None and entry.request is not None:
            self.held[fill.symbol] += fill.quantity * fill.side.sign
