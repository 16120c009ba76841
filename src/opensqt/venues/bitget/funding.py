"""Bitget's funding payments: https://www.bitget.com/api-doc/contract/account/Get-Account-Bill."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from opensqt.model.funding import FundingPayment
from opensqt.venues.bitget.requests import BitgetRequests
from opensqt.venues.parsing import Row
from opensqt.venues.rows import RowKind, VenueRow, decode

FUNDING = RowKind("funding", "symbol", "billId")
IS_FUNDING = "contract_settle_fee"
"""Type of a bill."""
_WINDOW_MS = 29 * 86_400_000
"""A request may ask for 30 days."""
_KEPT_MS = 89 * 86_400_000


class FundingRow(VenueRow, frozen=True, rename="camel"):
    """A bill of the type contract_settle_fee. It has neither the position's side nor the rate."""

    bill_id: str
    amount: Decimal
    coin: str
    c_time: int


def parse_funding_payment(raw: Any, symbol: str) -> FundingPayment:
    """Read a funding payment."""
    row = decode(raw, FundingRow)
    return FundingPayment(
        symbol=symbol,
        payment_id=row.bill_id,
        amount=row.amount,
        asset=row.coin,
        event_time_ms=row.c_time,
        received_ns=time.time_ns(),
    )


async def funding_pages(requests: BitgetRequests, params: Row, since_ms: int, now_ms: int) -> AsyncIterator[list[Any]]:
    """Query the pages of the payments, newest first in each window; without a time the newest page.

    The list can't be asked for one symbol.

    Args:
        requests: Sends the queries.
        params: The product.
        since_ms: The earliest time.
        now_ms: The market's time, at which the last window ends.
    """
    query = params | {"businessType": IS_FUNDING}
    if not since_ms:
        async for page in requests.pages("AccountBill", query, "bills", "billId", "", newest_only=True):
            yield page
        return
    first_ms = max(since_ms, now_ms - _KEPT_MS)
    for start_ms in range(first_ms, max(now_ms, first_ms) + 1, _WINDOW_MS):
        window = {"startTime": str(start_ms), "endTime": str(start_ms + _WINDOW_MS - 1)}
        async for page in requests.pages("AccountBill", query | window, "bills", "billId", ""):
            yield page
