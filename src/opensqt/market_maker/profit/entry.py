"""The position by its average entry price, as venues account for it."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from opensqt.model.immutable import immutable

_SHARE = Decimal("1e-12")
"""Shares of a cost are rounded to this, so that realized profit and remaining cost add up exactly."""


@immutable
class AverageEntry:
    """A position and what it was traded for.

    The cost is a sum, not a price: a trade that reduces the position takes its share of the cost, and the rest stays.
    So what was realized and what is left always add up to the money that was exchanged.
    """

    quantity: Decimal = Decimal(0)
    """Base coins, signed."""
    cost: Decimal = Decimal(0)
    """Quote, signed like the quantity, before fees."""

    @property
    def price(self) -> Decimal | None:
        """Average entry price, quote; None when nothing is held."""
        return self.cost / self.quantity if self.quantity else None

    def open_profit(self, mark: Decimal) -> Decimal:
        """Return the profit of closing at *mark*, quote, before fees."""
        return self.quantity * mark - self.cost

    def traded(self, change: Decimal, price: Decimal) -> tuple[AverageEntry, Decimal]:
        """Return the position after a trade of *change* base coins, signed, and the profit that it realized."""
        if self.quantity * change >= 0:
            return AverageEntry(quantity=self.quantity + change, cost=self.cost + change * price), Decimal(0)
        closed = min(abs(change), abs(self.quantity))
        share = self.cost
        if closed < abs(self.quantity):
            share = (self.cost * closed / abs(self.quantity)).quantize(_SHARE, ROUND_HALF_EVEN)
        sign = 1 if change > 0 else -1
        realized = -sign * closed * price - share
        opened = change - sign * closed
        after = AverageEntry(quantity=self.quantity + change, cost=self.cost - share + opened * price)
        return after, realized
