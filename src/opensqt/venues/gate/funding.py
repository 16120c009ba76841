"""Gate's funding payments: https://www.gate.com/docs/developers/apiv4/en/#query-futures-account-change-history."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from opensqt.model.funding import FundingPayment
from opensqt.model.venue import SymbolRules
from opensqt.venues.gate.parse import ASSET, IS_FUNDING, milliseconds
from opensqt.venues.gate.requests import GateRequests
from opensqt.venues.parsing import Row
from opensqt.venues.rows import RowKind, VenueRow, decode

FUNDING = RowKind("funding", "contract", "id")
_PAGE = 1_000


class FundingRow(VenueRow, frozen=True):
    """An entry of the account book of the type `fund`. Its time is whole seconds."""

    time: Decimal
    change: Decimal
    id: str


def parse_funding_payment(raw: Any, rules: SymbolRules) -> FundingPayment:
    """Read a funding payment."""
    row = decode(raw, FundingRow)
    return FundingPayment(
        symbol=rules.symbol,
        payment_id=row.id,
        amount=row.change,
        asset=ASSET,
        event_time_ms=milliseconds(row.time),
        received_ns=time.time_ns(),
    )


async def funding_pages(requests: GateRequests, contract: str, symbol: str, since_ms: int) -> AsyncIterator[list[Any]]:
    """Query the pages of the payments, newest first; without a time the newest page."""
    query: Row = {"type": IS_FUNDING} | ({"contract": contract} if contract else {})
    query |= {"from": str(since_ms // 1000)} if since_ms else {}
    async for page in requests.pages("GetSettleAccountBook", query, symbol, _PAGE):
        yield page
        if not since_ms:
            return
