"""The profit as /status shows it: each part, and the divisions of the sum that a trader looks at."""

from __future__ import annotations

from decimal import Decimal

from opensqt.market_maker.profit.ledger import ProfitLedger


def profit_parts(ledger: ProfitLedger, *, mark: Decimal, round_trips: Decimal) -> dict[str, Decimal]:
    """Return the parts of the profit at *mark*, quote.

    Three divisions of the same sum, before fees and funding:

        realized + open       + venue_made + by_hand + unexplained   by the average entry
        round_trips + levels  + venue_made + by_hand + unexplained   each sale against its own level
        spread + holding                                             what quoting earned, and what the position did

    Args:
        ledger: The sums.
        mark: The price that the position is valued at.
        round_trips: Realized by round trip, before fees.
    """
    trading, apart = ledger.trading(mark), ledger.realized_total - ledger.realized
    return {
        "total": ledger.total(mark),
        "realized": ledger.realized,
        "open": ledger.open_profit(mark),
        "venue_made": ledger.venue_made_total,
        "by_hand": ledger.by_hand,
        "unexplained": ledger.unexplained,
        "fees": ledger.fees_value,
        "funding": ledger.funding,
        "round_trips": round_trips,
        "levels": trading - apart - round_trips,
        "spread": ledger.spread,
        "holding": trading - ledger.spread,
    }
