"""Accounting of one position: quantity, cost, realized profit."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
_CENT = Decimal("0.00000001")


class SimPosition:
    """Average-cost accounting that never loses a fraction.

    The cost of the open quantity is a sum, not an average price: when a part is closed, its share of the cost, rounded
    to eight places, is subtracted and the rest stays. So realized profit and remaining cost always add up to the money
    that was exchanged.
    """

    __slots__ = ("cost", "funding", "quantity", "realized_pnl", "updated_ms")

    def __init__(self) -> None:
        self.quantity = ZERO
        """Base coins, signed."""
        self.cost = ZERO
        """Quote, signed like the quantity: the money that the open quantity was traded for."""
        self.realized_pnl = ZERO
        """Quote, before fees."""
        self.funding = ZERO
        """Quote received since the position was opened; below zero was paid."""
        self.updated_ms = 0

    @property
    def entry_price(self) -> Decimal:
        """Average price to eight places; zero when flat."""
        return (self.cost / self.quantity).quantize(_CENT, ROUND_HALF_EVEN) if self.quantity else ZERO

    def unrealized_pnl(self, mark: Decimal) -> Decimal:
        """Return the profit of closing at *mark*."""
        return self.quantity * mark - self.cost

    def closable(self, sign: int) -> Decimal:
        """Return the base coins that an order of that sign (+1 buys) would close."""
        return abs(self.quantity) if self.quantity * sign < 0 else ZERO

    def trade(self, signed_quantity: Decimal, price: Decimal, time_ms: int) -> Decimal:
        """Apply one fill and return the realized profit."""
        sign = 1 if signed_quantity > 0 else -1
        closing = min(abs(signed_quantity), self.closable(sign))
        realized = ZERO
        if closing:
            held = abs(self.quantity)
            released = self.cost if closing == held else (self.cost * closing / held).quantize(_CENT, ROUND_HALF_EVEN)
            realized = -sign * closing * price - released
            self.quantity += sign * closing
            self.cost -= released
        if not self.quantity:
            # What was paid before belongs to a position that was closed.
            self.funding = ZERO
        opening = abs(signed_quantity) - closing
        self.quantity += sign * opening
        self.cost += sign * opening * price
        self.realized_pnl += realized
        self.updated_ms = time_ms
        return realized
