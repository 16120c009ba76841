"""The ledger of a grid that traded before there was one, from its fills."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from opensqt.market_maker.profit.entry import AverageEntry
from opensqt.market_maker.profit.ledger import ProfitLedger
from opensqt.model.order import Fill


def rebuilt(
    fills: Sequence[Fill],
    *,
    since_ms: int,
    position: Decimal,
    cost: Decimal,
    round_trips: Decimal,
    quote_asset: str,
) -> ProfitLedger:
    """Return the ledger after *fills*.

    What the levels hold beyond the fills was assigned to them at some time; what that cost follows from the profit
    by round trip: `round_trips = cash of the fills + cost of the levels - cost of what was assigned`.

    Args:
        fills: Of the grid, oldest first.
        since_ms: Venue time from which further payments and fills are counted.
        position: Of all levels, base coins.
        cost: Of that position by level, quote.
        round_trips: Realized by round trip, quote, before fees.
        quote_asset: Fees in other assets have no price any more, and stay unpriced.
    """
    bought = sum((fill.side.sign * fill.quantity for fill in fills), Decimal(0))
    spent = sum((fill.side.sign * fill.notional for fill in fills), Decimal(0))
    entry = AverageEntry()
    if position != bought:
        entry = AverageEntry(quantity=position - bought, cost=cost - spent - round_trips)
    newest_ms = fills[-1].event_time_ms if fills else 0
    ledger = ProfitLedger(since_ms=since_ms, entry=entry, ordered_from_ms=newest_ms + 1)
    for fill in fills:
        ledger, _ = ledger.traded(fill, foreign=False)
        for asset, amount in fill.fees.items():
            ledger = ledger.with_fee(asset, amount, amount if asset == quote_asset else None)
    return ledger
