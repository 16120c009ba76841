"""One position's books: what it holds, what that cost, what it has earned."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
_CENT = Decimal("0.00000001")


class SimPosition:
    """Average-cost accounting that never loses a fraction.

    The cost of what is open is kept as a sum, not as an average price: when a part is closed its share of the cost,
    rounded to eight places, is taken off and the rest stays. So profit taken and cost left always add up to the money
    that changed hands.
    """

    __slots__ = ("cost", "quantity", "realized_pnl", "updated_ms")

    def __init__(self) -> None:
        self.quantity = ZERO
        """Base coins, signed."""
        self.cost = ZERO
        """Quote, signed like the quantity: what the open quantity was traded for."""
        self.realized_pnl = ZERO
        """Quote, before fees."""
        self.updated_ms = 0

    @property
    def entry_price(self) -> Decimal:
        """Average price to eight places; zero when flat."""
        return (self.cost / self.quantity).quantize(_CENT, ROUND_HALF_EVEN) if self.quantity else ZERO

    def unrealized_pnl(self, mark: Decimal) -> Decimal:
        """What closing at *mark* would earn."""
        return self.quantity * mark - self.cost

    def closable(self, sign: int) -> Decimal:
        """Base coins that an order of that sign (+1 buys) would close."""
        return abs(self.quantity) if self.quantity * sign < 0 else ZERO

    def trade(self, signed_quantity: Decimal, price: Decimal, time_ms: int) -> Decimal:
        """Book one fill and answer the profit it took."""
        sign = 1 if signed_quantity > 0 else -1
        closing = min(abs(signed_quantity), self.closable(sign))
        realized = ZERO
        if closing:
            held = abs(self.quantity)
            released = self.cost if closing == held else (self.cost * closing / held).quantize(_CENT, ROUND_HALF_EVEN)
            realized = -sign * closing * price - released
            self.quantity += sign * closing
            self.cost -= released
        opening = abs(signed_quantity) - closing
        self.quantity += sign * opening
        self.cost += sign * opening * price
        self.realized_pnl += realized
        self.updated_ms = time_ms
        return realized
