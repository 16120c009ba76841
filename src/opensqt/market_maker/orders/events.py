"""What the engine is told, and what it answers: plain values, so that it can be replayed without a network."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from opensqt.model.account import Position
from opensqt.model.errors import ExchangeError
from opensqt.model.market import Price
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderUpdate


@dataclass(frozen=True, slots=True)
class PriceSeen:
    """The newest best bid and ask."""

    price: Price


@dataclass(frozen=True, slots=True)
class OrdersSeen:
    """A batch of the orders stream."""

    updates: tuple[OrderUpdate, ...]
    gap: bool
    """Continuity is not proven (a snapshot, or a gap that was told): compare with the venue."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer to one order of a `Place`."""

    client_order_id: str
    outcome: Order | ExchangeError


@dataclass(frozen=True, slots=True)
class CancelAnswered:
    """The answer to one order of a `Cancel`."""

    client_order_id: str
    outcome: Order | ExchangeError


@dataclass(frozen=True, slots=True)
class OrderTold:
    """The answer to an `Ask`."""

    ref: OrderRef
    outcome: Order | ExchangeError


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The venue's state: asked in this order, each answer at least as new as the one before it."""

    positions: tuple[Position, ...]
    open_orders: tuple[Order, ...]
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class ReconcileFailed:
    """The venue could not be asked; that proves nothing."""

    error: ExchangeError


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The process is to end."""

    cancel_orders: bool


Event = PriceSeen | OrdersSeen | Placed | CancelAnswered | OrderTold | Reconciled | ReconcileFailed | StopAsked


@dataclass(frozen=True, slots=True)
class Place:
    """Send these orders; their intents are committed before that."""

    requests: tuple[OrderRequest, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel these orders."""

    refs: tuple[OrderRef, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the venue for one order."""

    ref: OrderRef


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Ask the venue for position, open orders and fills."""

    since_ms: int


Command = Place | Cancel | Ask | Reconcile


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedFill:
    """A fill, the level it belongs to, and what it earned there."""

    fill: Fill
    level: int
    profit: Decimal
    """Quote, against the average cost of the level, before fees."""
