"""The gate between what the grid may do and what the limits allow: entries only, exits are never limited here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from opensqt.market_maker.strategy.quoter import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLimits:
    """What all limits together allow of entries."""

    reasons: tuple[str, ...] = ()
    """Why there are no entries at all, live ones included; empty when there may be some."""
    new: int | None = None
    """Entries that may be added to the live ones; None is not limited."""
    beyond: Collection[str] = ()
    """Client ids of the live entries that are too many."""

    @property
    def stopped(self) -> bool:
        """Whether no entry may be live."""
        return bool(self.reasons)


def apply(permission: Permission, limits: EntryLimits) -> Permission:
    """Return *permission* with the limits on entries added; what it does not allow stays as it is."""
    if limits.stopped:
        return replace(permission, buys=0, sells=0, pull_buys=True, pull_sells=True)
    buys, sells = permission.buys, permission.sells
    if limits.new is not None:
        buys, sells = min(buys, limits.new), min(sells, limits.new)
    return replace(permission, buys=buys, sells=sells, pulled={*permission.pulled, *limits.beyond})
