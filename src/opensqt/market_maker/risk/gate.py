"""The gate between what the grid may do and what the limits allow: entries only, exits are never limited here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace

from opensqt.market_maker.strategy.quoter import Permission
from opensqt.model.immutable import immutable
from opensqt.model.order import Side


@immutable
class EntryLimits:
    """What all limits together allow of entries."""

    reasons: tuple[str, ...] = ()
    """Why there are no entries at all, live ones included; empty when there may be some."""
    new: Mapping[Side, int] = field(default_factory=dict)
    """Entries that may be added to the live ones; a side that is left out is not limited."""
    beyond: Collection[str] = ()
    """Client ids of live orders that have to go: entries that are too many, exits of reduced levels off the touch."""
    reduced: Collection[int] = ()
    """Levels whose holding is offered at the touch."""

    @property
    def stopped(self) -> bool:
        """Whether no entry may be live."""
        return bool(self.reasons)


NO_LIMITS = EntryLimits()


def apply(permission: Permission, limits: EntryLimits) -> Permission:
    """Return *permission* with the limits on entries added; what it does not allow stays as it is."""
    if limits is NO_LIMITS:
        return permission
    if limits.stopped:
        permission = replace(permission, buys=0, sells=0, pull_buys=True, pull_sells=True)
    return replace(
        permission,
        buys=min(permission.buys, limits.new.get(Side.BUY, permission.buys)),
        sells=min(permission.sells, limits.new.get(Side.SELL, permission.sells)),
        pulled={*permission.pulled, *limits.beyond},
        reduced=limits.reduced,
    )
