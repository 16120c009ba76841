"""OKX's funding payments: https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-bills-details-last-3-months."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from opensqt.model.funding import FundingPayment
from opensqt.model.venue import SymbolRules
from opensqt.venues.okx.parse import ASSET
from opensqt.venues.okx.requests import OkxRequests
from opensqt.venues.parsing import Row
from opensqt.venues.rows import RowKind, VenueRow, decode

FUNDING = RowKind("funding", "instId", "billId")
_FUNDING_TYPE = "8"
_RECENT_MS = 6 * 86_400_000
"""Age of the bills that the fast endpoint has; the other one goes three months back."""


class FundingRow(VenueRow, frozen=True, rename="camel"):
    """A bill of the type 8. Under isolated margin the payment changes the balance of the position."""

    bill_id: str
    ccy: str
    ts: int
    bal_chg: Decimal = Decimal(0)
    pos_bal_chg: Decimal = Decimal(0)
    sz: Decimal | None = None


def parse_funding_payment(raw: Any, rules: SymbolRules) -> FundingPayment:
    """Read a funding payment."""
    row = decode(raw, FundingRow)
    return FundingPayment(
        symbol=rules.symbol,
        payment_id=row.bill_id,
        amount=row.bal_chg or row.pos_bal_chg,
        asset=row.ccy,
        position_size=abs(row.sz) * rules.contract_size if row.sz else None,
        event_time_ms=row.ts,
        received_ns=time.time_ns(),
    )


async def funding_pages(
    requests: OkxRequests, inst_id: str, symbol: str, since_ms: int, now_ms: int
) -> AsyncIterator[list[Any]]:
    """Query the pages of the payments, newest first; without a time the newest page."""
    recent = not since_ms or since_ms > now_ms - _RECENT_MS
    endpoint = "privateGetAccountBills" if recent else "privateGetAccountBillsArchive"
    query: Row = {"instType": "SWAP", "ccy": ASSET, "type": _FUNDING_TYPE}
    query |= {"instId": inst_id} if inst_id else {}
    query |= {"begin": str(since_ms)} if since_ms else {}
    async for page in requests.pages(endpoint, "billId", query, symbol, newest_only=not since_ms):
        yield page
