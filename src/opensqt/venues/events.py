"""The events that a frame of a venue carries, in terms of the model."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from opensqt.model.account import Position
from opensqt.model.market import Candle, Price
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


Event = (
    Price
    | Candle
    | OrderUpdate
    | Fill
    | FillsPending
    | Position
    | BalanceChange
    | LeverageChange
    | AccountModeChange
    | StreamExpired
    | StreamReady
)
"""Any event of a frame."""
