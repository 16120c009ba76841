"""The sums of a grid's profit, each part counted once: they add up to the change of the account's equity.

    realized + venue-made + by hand + unexplained + open - fees + funding = change of equity

`realized` goes by the average entry price of the whole position. The same trades by round trip, each sale against its
own level, or as spread captured and profit of holding, are other divisions of the same sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from opensqt.market_maker.profit.entry import AverageEntry
from opensqt.model.funding import FundingPayment
from opensqt.model.order import Fill, FillKind

OWN_KINDS = frozenset({FillKind.TRADE, FillKind.BLOCK_TRADE, FillKind.SPREAD})
"""Kinds of fill that come from a decision of the account's owner; the venue makes the others."""
Amounts = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitLedger:
    """The sums since the grid began, in quote unless a field names another unit."""

    since_ms: int
    """Venue time from which fills and funding payments are counted."""
    entry: AverageEntry = field(default_factory=AverageEntry)
    """The account's position in the symbol, from all counted fills."""
    realized: Decimal = Decimal(0)
    """Of the grid's own fills, before fees."""
    venue_made: Amounts = field(default_factory=dict)
    """By kind of fill: what closes realized that the venue made, before fees."""
    by_hand: Decimal = Decimal(0)
    """Realized by orders that are not of this grid, before fees."""
    unexplained: Decimal = Decimal(0)
    """Realized by changes of the position for which the venue has no fill."""
    fees: Amounts = field(default_factory=dict)
    """By asset, in its units; below zero is a rebate."""
    fees_value: Decimal = Decimal(0)
    """Of all fees that have a price, each at the price of its time."""
    unpriced_fees: Amounts = field(default_factory=dict)
    """By asset, in its units: fees that are no part of `fees_value`."""
    funding: Decimal = Decimal(0)
    """Received in quote; below zero was paid."""
    other_funding: Amounts = field(default_factory=dict)
    """By asset, in its units: funding in assets other than quote, no part of `funding`."""
    funding_payments: int = 0
    newest_funding_ms: int = 0
    """Venue time of the newest counted payment."""
    spread: Decimal = Decimal(0)
    """Captured by fills away from the middle of the book at their time."""
    spread_fills: int = 0
    """Fills whose spread is counted; those found after a gap have no price of their time."""
    foreign_fills: int = 0
    """Fills that no order of this grid made."""

    @property
    def venue_made_total(self) -> Decimal:
        """Realized by all closes that the venue made, before fees."""
        return sum(self.venue_made.values(), Decimal(0))

    @property
    def realized_total(self) -> Decimal:
        """Everything realized, before fees and funding."""
        return self.realized + self.venue_made_total + self.by_hand + self.unexplained

    def trading(self, mark: Decimal) -> Decimal:
        """Return realized and open profit together, before fees and funding."""
        return self.realized_total + self.entry.open_profit(mark)

    def total(self, mark: Decimal) -> Decimal:
        """Return the change of the account's equity at *mark* that this grid explains."""
        return self.trading(mark) - self.fees_value + self.funding

    def with_fill(self, fill: Fill, *, mid: Decimal | None) -> ProfitLedger:
        """Return the ledger after a fill of the grid; its fees are added by `with_fee`.

        Args:
            fill: One that was not counted before.
            mid: The middle of bid and ask at its time; None when it is not known.
        """
        entry, realized = self.entry.traded(fill.side.sign * fill.quantity, fill.price)
        after = replace(self, entry=entry, realized=self.realized + realized)
        if mid is None:
            return after
        captured = fill.side.sign * (mid - fill.price) * fill.quantity
        return replace(after, spread=after.spread + captured, spread_fills=after.spread_fills + 1)

    def with_foreign_fill(self, fill: Fill) -> ProfitLedger:
        """Return the ledger after a fill that no order of the grid made; its fees are added by `with_fee`."""
        entry, realized = self.entry.traded(fill.side.sign * fill.quantity, fill.price)
        after = replace(self, entry=entry, foreign_fills=self.foreign_fills + 1)
        if fill.kind in OWN_KINDS:
            return replace(after, by_hand=self.by_hand + realized)
        return replace(after, venue_made=added(self.venue_made, fill.kind.value, realized))

    def with_position(self, quantity: Decimal, price: Decimal) -> ProfitLedger:
        """Return the ledger with the position that the venue reports, where fills explain another one.

        Args:
            quantity: Base coins, signed.
            price: Quote: what was added is taken in at this price, and what is gone counts as closed at it.
        """
        entry, realized = self.entry.traded(quantity - self.entry.quantity, price)
        return replace(self, entry=entry, unexplained=self.unexplained + realized)

    def with_fee(self, asset: str, amount: Decimal, value: Decimal | None) -> ProfitLedger:
        """Return the ledger with a fee; *value* is in quote, None while there is no price."""
        after = replace(self, fees=added(self.fees, asset, amount))
        if value is None:
            return replace(after, unpriced_fees=added(self.unpriced_fees, asset, amount))
        return replace(after, fees_value=self.fees_value + value)

    def with_fee_priced(self, asset: str, amount: Decimal, value: Decimal) -> ProfitLedger:
        """Return the ledger with a fee valued that had no price before."""
        left = added(self.unpriced_fees, asset, -amount)
        return replace(
            self,
            unpriced_fees={name: value for name, value in left.items() if value},
            fees_value=self.fees_value + value,
        )

    def with_funding(self, payment: FundingPayment, *, quote_asset: str) -> ProfitLedger:
        """Return the ledger after a funding payment that was not counted before."""
        after = replace(
            self,
            funding_payments=self.funding_payments + 1,
            newest_funding_ms=max(self.newest_funding_ms, payment.event_time_ms),
        )
        if payment.asset != quote_asset:
            return replace(after, other_funding=added(self.other_funding, payment.asset, payment.amount))
        return replace(after, funding=self.funding + payment.amount)


def added(amounts: Amounts, name: str, amount: Decimal) -> dict[str, Decimal]:
    """Return *amounts* with *amount* added to one of them."""
    return {**amounts, name: amounts.get(name, Decimal(0)) + amount}
