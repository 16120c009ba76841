"""The sums of the profit at one moment, as the history keeps them by minute and by day."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from opensqt.market_maker.profit.ledger import ProfitLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitSnapshot:
    """What a grid has earned since it began, in quote unless a field names another unit."""

    time_ms: int
    """UTC epoch milliseconds: start of the minute, or of the day."""
    mark: Decimal
    position: Decimal
    """Base coins, signed."""
    round_trips: Decimal
    """Realized by round trip, before fees."""
    realized: Decimal
    """Realized by average entry, before fees."""
    venue_made: Decimal
    by_hand: Decimal
    unexplained: Decimal
    open: Decimal
    """Open profit at mark."""
    fees: Decimal
    funding: Decimal
    total: Decimal
    volume: Decimal
    fills: int
    account_equity: Decimal | None = None
    """The account's wallet and open profit, of everything that is held in it; None where it could not be queried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitDay:
    """The last snapshot of a UTC day, and how far the total went in it."""

    end: ProfitSnapshot
    lowest: Decimal
    highest: Decimal

    def after(self, later: ProfitSnapshot) -> ProfitDay:
        """Return the day with a later snapshot of it."""
        return ProfitDay(end=later, lowest=min(self.lowest, later.total), highest=max(self.highest, later.total))


def snapshot(
    ledger: ProfitLedger,
    *,
    time_ms: int,
    mark: Decimal,
    round_trips: Decimal,
    volume: Decimal,
    fills: int,
    account_equity: Decimal | None,
) -> ProfitSnapshot:
    """Return the sums of a ledger at *mark*."""
    return ProfitSnapshot(
        time_ms=time_ms,
        mark=mark,
        position=ledger.position,
        round_trips=round_trips,
        realized=ledger.realized,
        venue_made=ledger.venue_made_total,
        by_hand=ledger.by_hand,
        unexplained=ledger.unexplained,
        open=ledger.open_profit(mark),
        fees=ledger.fees_value,
        funding=ledger.funding,
        total=ledger.total(mark),
        volume=volume,
        fills=fills,
        account_equity=account_equity,
    )
