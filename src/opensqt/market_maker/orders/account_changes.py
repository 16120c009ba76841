"""What the account of a grid begins with and what of it changed: plain values, for the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from opensqt.market_maker.profit.fees import AwaitedFee
from opensqt.market_maker.profit.ledger import ProfitLedger
from opensqt.market_maker.profit.markout import Markout
from opensqt.market_maker.profit.sequence import CountedTrade
from opensqt.market_maker.profit.snapshot import ProfitDay, ProfitSnapshot
from opensqt.model.funding import FundingPayment
from opensqt.model.immutable import immutable
from opensqt.model.order import Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignFill:
    """A counted fill that no order of the grid made."""

    fill: Fill
    average_profit: Decimal
    """Quote: what it realized against the average entry, before fees."""
    fees_value: Decimal | None
    """Quote; None while a part of the fees has no price."""


@dataclass(frozen=True, slots=True)
class FeesValued:
    """The fees of a stored fill, whose last part has a price now."""

    trade_id: str
    foreign: bool
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAccounting:
    """What a restart of the account begins with."""

    ledger: ProfitLedger | None = None
    awaited: tuple[AwaitedFee, ...] = ()
    trades: tuple[CountedTrade, ...] = ()
    """The last counted trades."""
    payment_ids: tuple[str, ...] = ()
    """Of the last counted funding payments, oldest first."""
    markouts: tuple[Markout, ...] = ()
    day: ProfitDay | None = None
    """The newest."""
    rebuilt: bool = False
    """Whether the ledger was made from the stored fills and is not stored itself yet."""


@immutable
class AccountingChanges:
    """What has to be stored together with the other changes of the grid."""

    ledger: ProfitLedger | None = None
    awaited: tuple[AwaitedFee, ...] = ()
    """All of them; stored with the ledger."""
    foreign_fills: tuple[ForeignFill, ...] = ()
    fees_valued: tuple[FeesValued, ...] = ()
    revised: tuple[CountedTrade, ...] = ()
    """Stored fills that realized another amount, for one before them arrived late."""
    payments: tuple[FundingPayment, ...] = ()
    markouts: tuple[Markout, ...] = ()
    minutes: tuple[ProfitSnapshot, ...] = ()
    day: ProfitDay | None = None

    def __bool__(self) -> bool:
        return bool(self.ledger or self.markouts or self.minutes or self.payments or self.foreign_fills)


def merged_accounting(changes: Sequence[AccountingChanges]) -> AccountingChanges:
    """Return several changes as one: of each row the newest, of what is added all."""
    with_ledger = [one for one in changes if one.ledger is not None]
    newest = with_ledger[-1] if with_ledger else AccountingChanges()
    return AccountingChanges(
        ledger=newest.ledger,
        awaited=newest.awaited,
        foreign_fills=tuple(fill for one in changes for fill in one.foreign_fills),
        fees_valued=tuple(fee for one in changes for fee in one.fees_valued),
        revised=tuple(trade for one in changes for trade in one.revised),
        payments=tuple(payment for one in changes for payment in one.payments),
        markouts=tuple({markout.trade_id: markout for one in changes for markout in one.markouts}.values()),
        minutes=tuple({minute.time_ms: minute for one in changes for minute in one.minutes}.values()),
        day=next((one.day for one in reversed(changes) if one.day is not None), None),
    )
