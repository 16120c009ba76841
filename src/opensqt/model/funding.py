"""Funding payments of the account."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from opensqt.model.order import PositionSide


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPayment:
    """One funding payment of one position. `payment_id` is unique on a venue, so that a repeated one counts once."""

    symbol: str
    payment_id: str
    """The venue's id."""
    amount: Decimal
    """In `asset`: above zero was received, below zero was paid."""
    asset: str = "USDT"
    position_side: PositionSide = PositionSide.BOTH
    """BOTH in one-way mode, and where the venue does not report which of the two positions it was."""
    rate: Decimal | None = None
    """The funding rate; None where the venue does not report it."""
    position_size: Decimal | None = None
    """Base coins of the position, without a sign; None where the venue does not report them."""
    event_time_ms: int = 0
    """The venue's time of the payment, UTC epoch milliseconds."""
    received_ns: int = 0
