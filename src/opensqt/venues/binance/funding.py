"""Binance's funding payments: https://developers.binance.com/docs/derivatives/usds-margined-futures/account/rest-api."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from opensqt.model.funding import FundingPayment
from opensqt.venues.binance.parse import IS_FUNDING
from opensqt.venues.binance.requests import BinanceRequests
from opensqt.venues.parsing import Row
from opensqt.venues.rows import RowKind, VenueRow, decode, objects, sort_number

FUNDING = RowKind("funding", "symbol", "tranId")
_PAGE = 1_000
_DAYS_KEPT_MS = 89 * 86_400_000


class FundingRow(VenueRow, frozen=True, rename="camel"):
    """An income of the type FUNDING_FEE. It has neither the position's side nor the rate."""

    symbol: str
    income: Decimal
    asset: str
    time: int
    tran_id: int | str


def parse_funding_payment(raw: Any) -> FundingPayment:
    """Read a funding payment."""
    row = decode(raw, FundingRow)
    return FundingPayment(
        symbol=row.symbol,
        payment_id=str(row.tran_id),
        amount=row.income,
        asset=row.asset,
        event_time_ms=row.time,
        received_ns=time.time_ns(),
    )


async def funding_pages(
    requests: BinanceRequests, market_id: str, symbol: str, since_ms: int, now_ms: int
) -> AsyncIterator[list[Any]]:
    """Query the pages of the payments, oldest first; without a time the venue returns those of the last week.

    A page begins with the last millisecond of the page before, so that some rows repeat, and none is missed.
    """
    query: Row = {"incomeType": IS_FUNDING, "limit": str(_PAGE)} | ({"symbol": market_id} if market_id else {})
    start_ms = max(since_ms, now_ms - _DAYS_KEPT_MS) if since_ms else 0
    while True:
        page = objects(
            await requests.query("GetIncome", query | ({"startTime": str(start_ms)} if start_ms else {}), symbol),
            "income",
        )
        yield page
        newest_ms = max((sort_number(row.get("time")) for row in page if isinstance(row, dict)), default=0)
        if len(page) < _PAGE or newest_ms <= start_ms:
            return
        start_ms = newest_ms
