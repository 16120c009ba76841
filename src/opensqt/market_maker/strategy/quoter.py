"""The seam between what is wanted and how it is carried out: market and inventory in, wanted quotes out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from opensqt.model.order import Side


class Level(Protocol):
    """What a quoter may know of one price level."""

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
    """What may be placed at this moment."""

    buys: int
    """How many new ones."""
    sells: bool = True
    pull_buys: bool = False
    """Whether live buys are to be cancelled."""
    held_back: Collection[int] = ()
    """Levels that wait after a refusal."""
    requoted: Collection[int] = ()
    """Levels whose last order would have taken: priced at the touch instead of one step beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A quote that the strategy wants in the market."""

    level: int
    side: Side
    price: Decimal
    quantity: Decimal
    """Base coins."""
