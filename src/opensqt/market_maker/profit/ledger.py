"""The sums of a grid's profit, each part counted once: they add up to the change of the account's equity.

    realized + venue-made + by hand + unexplained + open - fees + funding = change of equity

`realized` goes by the average entry price of the whole position. The same trades by round trip, each sale against its
own level, or as spread captured and profit of holding, are other divisions of the same sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from decimal import Decimal

from opensqt.market_maker.profit.entry import AverageEntry
from opensqt.model.funding import FundingPayment
from opensqt.model.immutable import immutable
from opensqt.model.order import Fill, FillKind, PositionSide

OWN_KINDS = frozenset({FillKind.TRADE, FillKind.BLOCK_TRADE, FillKind.SPREAD})
"""Kinds of fill that come from a decision of the account's owner; the venue makes the others."""
Amounts = Mapping[str, Decimal]


@immutable
class ProfitLedger:
    """The sums since the grid began, in quote unless a field names another unit."""

    since_ms: int
    """Venue time from which fills and funding payments are counted."""
    entry: AverageEntry = field(default_factory=AverageEntry)
    """The account's position in the symbol, from all counted fills; in hedge mode its long side."""
    short_entry: AverageEntry = field(default_factory=AverageEntry)
    """In hedge mode the short side, whose quantity is below zero; else nothing."""
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
    ordered_from_ms: int = 0
    """Fills that arrive late are put in order down to this venue time, not before it."""

    @property
    def position(self) -> Decimal:
        """Base coins, signed: both sides together."""
        return self.entry.quantity + self.short_entry.quantity

    def open_profit(self, mark: Decimal) -> Decimal:
        """Return the profit of closing at *mark*, quote, before fees."""
        return self.entry.open_profit(mark) + self.short_entry.open_profit(mark)

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
        return self.realized_total + self.open_profit(mark)

    def total(self, mark: Decimal) -> Decimal:
        """Return the change of the account's equity at *mark* that this grid explains."""
        return self.trading(mark) - self.fees_value + self.funding

    def traded(self, fill: Fill, *, foreign: bool) -> tuple[ProfitLedger, Decimal]:
        """Return the ledger after a trade, and what it realized; its spread and its fees are added apart.

        Args:
            fill: One that was not counted before.
            foreign: Whether no order of the grid made it.
        """
        entry, realized = self._entry(fill.position_side).traded(fill.side.sign * fill.quantity, fill.price)
        if foreign or fill.position_side is PositionSide.SHORT:
            return self._with_entry(fill.position_side, entry)._with_realized(fill, foreign, realized), realized
        return replace(self, entry=entry, realized=self.realized + realized), realized

    def untraded(self, fill: Fill, *, foreign: bool, realized: Decimal) -> ProfitLedger:
        """Return the ledger before the last trade: what `traded` made of it, undone."""
        change = fill.side.sign * fill.quantity
        after = self._entry(fill.position_side)
        entry = AverageEntry(quantity=after.quantity - change, cost=after.cost - change * fill.price - realized)
        return self._with_entry(fill.position_side, entry)._with_realized(fill, foreign, -realized)

    def with_spread(self, fill: Fill, mid: Decimal) -> ProfitLedger:
        """Return the ledger with what a fill captured away from *mid*, the middle of bid and ask at its time."""
        captured = fill.side.sign * (mid - fill.price) * fill.quantity
        return replace(self, spread=self.spread + captured, spread_fills=self.spread_fills + 1)

    def with_foreign_fill(self) -> ProfitLedger:
        """Return the ledger with one more fill that no order of the grid made."""
        return replace(self, foreign_fills=self.foreign_fills + 1)

    def with_position(
        self, quantity: Decimal, price: Decimal, newest_ms: int, *, side: PositionSide = PositionSide.BOTH
    ) -> ProfitLedger:
        """Return the ledger with the position that the venue reports, where fills explain another one.

        Args:
            quantity: Base coins, signed: of both sides together.
            price: Quote: what was added is taken in at this price, and what is gone counts as closed at it.
            newest_ms: Venue time of the newest counted fill: none before it is put in order any more.
            side: In hedge mode that which differs.
        """
        entry, realized = self._entry(side).traded(quantity - self.position, price)
        after = self._with_entry(side, entry)
        return replace(after, unexplained=self.unexplained + realized, ordered_from_ms=newest_ms + 1)

    def with_fee(self, asset: str, amount: Decimal, value: Decimal | None) -> ProfitLedger:
        """Return the ledger with a fee; *value* is in quote, None while there is no price."""
        fees = added(self.fees, asset, amount)
        if value is None:
            return replace(self, fees=fees, unpriced_fees=added(self.unpriced_fees, asset, amount))
        return replace(self, fees=fees, fees_value=self.fees_value + value)

    def with_fee_priced(self, asset: str, amount: Decimal, value: Decimal) -> ProfitLedger:
        """Return the ledger with a fee valued that had no price before."""
        left = added(self.unpriced_fees, asset, -amount)
        return replace(
            self,
            unpriced_fees={name: value for name, value in left.items() if value},
            fees_value=self.fees_value + value,
        )

    def at_par(self, asset: str) -> ProfitLedger:
        """Return the ledger with what has no price in *asset* valued as quote."""
        fees, funding = dict(self.unpriced_fees), dict(self.other_funding)
        return replace(
            self,
            fees_value=self.fees_value + fees.pop(asset, Decimal(0)),
            unpriced_fees=fees,
            funding=self.funding + funding.pop(asset, Decimal(0)),
            other_funding=funding,
        )

    def with_funding(self, payment: FundingPayment, *, at_par: bool) -> ProfitLedger:
        """Return the ledger after a funding payment that was not counted before.

        Args:
            payment: The payment.
            at_par: Whether its asset is quote, or as good as quote.
        """
        after = replace(
            self,
            funding_payments=self.funding_payments + 1,
            newest_funding_ms=max(self.newest_funding_ms, payment.event_time_ms),
        )
        if not at_par:
            return replace(after, other_funding=added(self.other_funding, payment.asset, payment.amount))
        return replace(after, funding=self.funding + payment.amount)

    def _entry(self, side: PositionSide) -> AverageEntry:
        return self.short_entry if side is PositionSide.SHORT else self.entry

    def _with_entry(self, side: PositionSide, entry: AverageEntry) -> ProfitLedger:
        return replace(self, short_entry=entry) if side is PositionSide.SHORT else replace(self, entry=entry)

    def _with_realized(self, fill: Fill, foreign: bool, realized: Decimal) -> ProfitLedger:
        """Return the ledger with what a trade realized in the part that it belongs to."""
        if not foreign:
            return replace(self, realized=self.realized + realized)
        if fill.kind in OWN_KINDS:
            return replace(self, by_hand=self.by_hand + realized)
        return replace(self, venue_made=added(self.venue_made, fill.kind.value, realized))


def added(amounts: Amounts, name: str, amount: Decimal) -> dict[str, Decimal]:
    """Return *amounts* with *amount* added to one of them."""
    return {**amounts, name: amounts.get(name, Decimal(0)) + amount}
