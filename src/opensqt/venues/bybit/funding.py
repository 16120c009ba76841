"""Bybit's funding payments: https://bybit-exchange.github.io/docs/v5/account/transaction-log."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from opensqt.model.funding import FundingPayment
from opensqt.model.order import PositionSide
from opensqt.venues.bybit.parse import ASSET
from opensqt.venues.bybit.requests import BybitRequests
from opensqt.venues.rows import RowKind, VenueRow, decode

FUNDING = RowKind("funding", "symbol", "id")
_PAGE = 50
_WEEK_MS = 7 * 86_400_000
_WEEKS_KEPT = 26


class FundingRow(VenueRow, frozen=True, rename="camel"):
    """An entry of the transaction log of the type SETTLEMENT. `size` is the position with its sign."""

    id: str
    symbol: str
    transaction_time: int
    funding: Decimal
    currency: str = ASSET
    fee_rate: Decimal | None = None
    size: Decimal | None = None


def parse_funding_payment(raw: Any, *, hedge: bool) -> FundingPayment:
    """Read a funding payment; in hedge mode the sign of the size is the position's side."""
    row = decode(raw, FundingRow)
    side = PositionSide.BOTH
    if hedge and row.size:
        side = PositionSide.LONG if row.size > 0 else PositionSide.SHORT
    return FundingPayment(
        symbol=row.symbol,
        payment_id=row.id,
        amount=row.funding,
        asset=row.currency,
        position_side=side,
        rate=row.fee_rate,
        position_size=abs(row.size) if row.size else None,
        event_time_ms=row.transaction_time,
        received_ns=time.time_ns(),
    )


async def funding_pages(requests: BybitRequests, since_ms: int, now_ms: int) -> AsyncIterator[list[Any]]:
    """Query the pages of the payments, each oldest first, in windows of a week; without a time those of the last day.

    The log can't be asked for one symbol.
    """
    query = {"type": "SETTLEMENT", "currency": ASSET, "accountType": "UNIFIED"}
    if not since_ms:
        async for page in requests.pages("AccountTransactionLog", query, _PAGE):
            yield page[::-1]
        return
    first_ms = max(since_ms, now_ms - _WEEKS_KEPT * _WEEK_MS)
    for start_ms in range(first_ms, max(now_ms, first_ms) + 1, _WEEK_MS):
        window = {"startTime": str(start_ms), "endTime": str(start_ms + _WEEK_MS - 1)}
        async for page in requests.pages("AccountTransactionLog", query | window, _PAGE):
            yield page[::-1]
