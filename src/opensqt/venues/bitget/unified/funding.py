"""Funding payments of a unified account: https://www.bitget.com/api-doc/uta/account/Get-Financial-Records."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from opensqt.model.errors import InvalidRequest, UnknownSymbol
from opensqt.model.funding import FundingPayment
from opensqt.telemetry.logging import get_logger
from opensqt.venues.bitget.unified.parse import CATEGORY
from opensqt.venues.bitget.unified.requests import UnifiedRequests
from opensqt.venues.parsing import Row
from opensqt.venues.rows import RowError, RowKind, VenueRow, decode

_log = get_logger("venue")
FUNDING = RowKind("funding", "symbol", "id")
_RECEIVED, _PAID = "_SETTLE_FEE_USER_IN", "_SETTLE_FEE_USER_OUT"
_CROSS = "CONTRACT_MAIN"
_OTHERS = ("FIXED", "MARGIN", "RWA_CONTRACT_MAIN", "RWA_FIXED")
"""Of isolated margin, and of stock futures. Copies of the list of types differ in which of these they have."""
_ISOLATED = "isolated"
_ENDPOINT = "AccountFinancialRecords"
_WINDOW_MS = 29 * 86_400_000
"""A request may ask for 30 days."""
_KEPT_MS = 89 * 86_400_000


class UnifiedFundingRow(VenueRow, frozen=True, rename="camel"):
    """A record of a settled funding fee. It has neither the position's side nor the rate."""

    id: int | str
    type: str
    amount: Decimal
    coin: str
    ts: int
    position_type: str = ""


def parse_funding_payment(raw: Any, symbol: str) -> FundingPayment:
    """Read a funding payment; its type shows who paid, and its amount may have a sign or none."""
    row = decode(raw, UnifiedFundingRow)
    received = row.type.endswith(_RECEIVED)
    if not received and not row.type.endswith(_PAID):
        raise RowError(f"type {row.type!r}: expected a settled funding fee")
    if received and row.amount < 0:
        raise RowError(f"amount {row.amount}: expected none below zero with the type {row.type}")
    if not row.amount and row.position_type == _ISOLATED:
        # It may have been booked on the margin of the position, in fields whose meaning is not documented.
        raise RowError("amount 0: expected one of a position under isolated margin")
    return FundingPayment(
        symbol=symbol,
        payment_id=str(row.id),
        amount=row.amount if received else -abs(row.amount),
        asset=row.coin,
        event_time_ms=row.ts,
        received_ns=time.time_ns(),
    )


async def funding_pages(
    requests: UnifiedRequests, since_ms: int, now_ms: int, unknown_types: set[str]
) -> AsyncIterator[list[Any]]:
    """Query the pages of the payments, newest first in each window of each type; without a time the newest page.

    Each fill is a record, too, so the records are asked for by type: a request takes one
    (https://www.bitget.com/api-doc/uta/enum). The list can't be asked for one symbol.

    Args:
        requests: Sends the queries.
        since_ms: The earliest time.
        now_ms: The market's time, at which the last window ends.
        unknown_types: Receives the types that the venue refuses; those are not asked for again.
    """
    for kind in (_CROSS, *_OTHERS):
        for type_ in (kind + _RECEIVED, kind + _PAID):
            if type_ in unknown_types:
                continue
            try:
                async for page in _pages_of(requests, {"category": CATEGORY, "type": type_}, since_ms, now_ms):
                    yield page
            except (InvalidRequest, UnknownSymbol) as error:
                if kind == _CROSS:
                    raise
                _log.info("type of records not known to the venue", type=type_, error=str(error))
                unknown_types.add(type_)


async def _pages_of(requests: UnifiedRequests, query: Row, since_ms: int, now_ms: int) -> AsyncIterator[list[Any]]:
    if not since_ms:
        async for page in requests.pages(_ENDPOINT, query, "", newest_only=True):
            yield page
        return
    first_ms = max(since_ms, now_ms - _KEPT_MS)
    for start_ms in range(first_ms, max(now_ms, first_ms) + 1, _WINDOW_MS):
        window = {"startTime": str(start_ms), "endTime": str(start_ms + _WINDOW_MS - 1)}
        async for page in requests.pages(_ENDPOINT, query | window, ""):
            yield page
