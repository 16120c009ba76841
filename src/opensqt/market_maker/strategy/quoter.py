"""The seam between strategy and execution: market and inventory in, target orders out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from opensqt.model.order import Side


class Level(Protocol):
    """The state of a price level that a quoter may use."""

    @property
    def quantity(self) -> Decimal:
        """Base coins held there."""
        ...

    @property
    def is_free(self) -> bool:
        """Whether a new order may be placed there: none is live or in flight."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """The orders that may be placed now."""

    buys: int
    """Number of new buys."""
    sells: bool = True
    pull_buys: bool = False
    """Whether live buys have to be cancelled."""
    pulled: Collection[str] = ()
    """Client ids of live entries that have to be cancelled, whatever the rest allows."""
    backed_off: Collection[int] = ()
    """Levels whose last order was refused, until their back-off is over."""
    requoted: Collection[int] = ()
    """Levels whose last order would have taken liquidity: priced at the touch instead of one step from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOrder:
    """An order that the strategy wants in the market."""

    level: int
    side: Side
    price: Decimal
    quantity: Decimal
    """Base coins."""
