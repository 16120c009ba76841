"""Fills: one trade of one of our orders."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opensqt.model.order import PositionSide, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One trade. `(symbol, trade_id)` is unique on a venue: it is what makes a repeated fill count once."""

    symbol: str
    trade_id: str
    order_id: str
    client_order_id: str
    """Empty where the venue's trade list does not carry it."""
    side: Side
    position_side: PositionSide
    price: Decimal
    quantity: Decimal
    """Base coins."""
    fee: Decimal
    """Paid, in fee_asset; negative is a rebate."""
    fee_asset: str
    is_maker: bool
    realized_pnl: Decimal = Decimal(0)
    """Quote, before fees, as the venue tells it; zero where it does not."""
    event_time_ms: int = 0
    received_ns: int = 0

    @property
    def notional(self) -> Decimal:
        """Quote: price times quantity."""
        return self.price * self.quantity
