"""The events that a frame of a venue carries, in terms of the model."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from opensqt.model.account import AccountNotice, Position
from opensqt.model.market import BookLevel, Candle, MarkPrice, Price, PublicTrade
from opensqt.model.order import Fill, OrderUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceChange:
    """The wallet balance after a change. Streams do not report how much of it is available."""

    wallet_balance: Decimal
    event_time_ms: int
    received_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverageChange:
    """The leverage of a symbol after a change, by the adapter or by another program."""

    symbol: str
    leverage: Decimal


@dataclass(frozen=True, slots=True)
class AccountModeChange:
    """The mode of the account was switched, by another program or on the venue's site."""

    mode: str
    """The new mode, as the venue calls it."""


@dataclass(frozen=True, slots=True)
class StreamExpired:
    """The key of the account stream expired: connect again with a new one."""


@dataclass(frozen=True, slots=True)
class StreamReady:
    """The account stream is logged in and subscribed: no event is missed from now on."""


@dataclass(frozen=True, slots=True)
class FillsPending:
    """Trades were made in a symbol that the stream reports only in part: query the rest."""

    symbol: str


@dataclass(frozen=True, slots=True)
class BalancePending:
    """The balance changed, and the stream reports no value of it that can be used: query it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookUpdate:
    """A snapshot of an order book, or the levels that changed in it, with the venue's numbers."""

    symbol: str
    bids: tuple[BookLevel, ...]
    """Absolute quantities in base coins; in a change, zero removes the level."""
    asks: tuple[BookLevel, ...]
    last: int
    """Number of the last change in it."""
    previous: int | None = None
    """Number of the last change before it; None where the venue does not report it."""
    snapshot: bool = False
    limit: int | None = None
    """Levels of each side that the snapshot had at most; None where it has all that the stream keeps up."""
    checksum: int | None = None
    """Of the best levels after it; None where the venue sends none."""
    event_time_ms: int
    received_ns: int


MarketEvent = Price | Candle | BookUpdate | PublicTrade | MarkPrice
"""Any event of the market."""


@dataclass(frozen=True, slots=True)
class FundingAnnounced:
    """The stream shows that funding was paid. Streams have it only in part, so the payments are queried."""


Event = (
    MarketEvent
    | OrderUpdate
    | Fill
    | FillsPending
    | FundingAnnounced
    | Position
    | BalanceChange
    | BalancePending
    | AccountNotice
    | LeverageChange
    | AccountModeChange
    | StreamExpired
    | StreamReady
)
"""Any event of a frame."""
