"""What the store has of a grid, and what a step of it changed: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.market_maker.orders.account_changes import AccountingChanges, StoredAccounting
from opensqt.market_maker.orders.events import GridFill
from opensqt.market_maker.orders.slots import LiveOrder, Slot
from opensqt.model.immutable import immutable


@immutable
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
        return Totals(
            orders_placed=self.orders_placed,
            fills=self.fills + 1,
            volume=self.volume + fill.notional,
            fees=fees,
            realized_pnl=self.realized_pnl + fill.realized_pnl,
            profit=self.profit + counted.profit,
            adopted=self.adopted,
        )

    def after_placed(self) -> Totals:
        """Return the totals with one more order that the venue accepted."""
        return Totals(
            orders_placed=self.orders_placed + 1,
            fills=self.fills,
            volume=self.volume,
            fees=self.fees,
            realized_pnl=self.realized_pnl,
            profit=self.profit,
            adopted=self.adopted,
        )


@immutable
class Header:
    """The part of the state that is one row of the database."""

    anchor: Decimal
    interval: Decimal
    sequence: int
    """Of the last client_order_id; only grows."""
    watermark_ms: int
    """Every fill before this venue time is counted."""
    totals: Totals = Totals()
    geometric: bool = False
    """Whether the interval is a fraction of the price."""
    stopped: str = ""
    """Which trigger has stopped the grid, and why; empty while it trades."""

    def with_counts(self, sequence: int, totals: Totals) -> Header:
        """Return the header with what changes at each order and fill."""
        return Header(
            anchor=self.anchor,
            interval=self.interval,
            sequence=sequence,
            watermark_ms=self.watermark_ms,
            totals=totals,
            geometric=self.geometric,
            stopped=self.stopped,
        )


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
    accounting: StoredAccounting = field(default_factory=StoredAccounting)
    risk: str = ""
    """What the risk controls had stored."""


@immutable
class Changes:
    """Changes that have to be committed before anything is acted on."""

    header: Header | None
    slots: tuple[Slot, ...]
    orders: tuple[LiveOrder, ...]
    fills: tuple[GridFill, ...]
    accounting: AccountingChanges = field(default_factory=AccountingChanges)
    risk: str | None = None
    """What the risk controls need after a restart; None when it has not changed."""

    def __bool__(self) -> bool:
        rows = self.header or self.slots or self.orders or self.fills
        return bool(rows or self.accounting) or self.risk is not None
