"""Market data: prices, candles, order books, public trades and mark prices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from opensqt.model.order import Side

INTERVALS_MS: dict[str, int] = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
}
"""The candle intervals that all five venues have, with their length in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The best bid and ask of a symbol, and the last trade where the source reports one. Quote per base coin."""

    symbol: str
    bid: Decimal
    ask: Decimal
    bid_quantity: Decimal = Decimal(0)
    ask_quantity: Decimal = Decimal(0)
    last: Decimal | None = None
    event_time_ms: int = 0
    received_ns: int = 0

    @property
    def mid(self) -> Decimal:
        """Half way between bid and ask."""
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One bar. A stream repeats it while it forms; `closed` marks the final update."""

    symbol: str
    interval: str
    """A key of INTERVALS_MS."""
    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    """Base coins."""
    quote_volume: Decimal = Decimal(0)
    closed: bool = True
    event_time_ms: int = 0
    received_ns: int = 0


MAX_DEPTH = 50
"""Levels of each side that a subscription to an order book may ask for."""
DEFAULT_DEPTH = 20
"""Levels of each side that a subscription to an order book has unless it asks for others."""

BookLevel = tuple[Decimal, Decimal]
"""One level of an order book: price, and quantity in base coins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """The best levels of both sides of a symbol's order book, complete at one sequence of the venue.

    A book that can't be proven complete is invalid: it has a reason and no levels, and nothing may be decided by it.
    """

    symbol: str
    bids: tuple[BookLevel, ...] = ()
    """Best first, at most as many as were asked for; fewer where the market has fewer."""
    asks: tuple[BookLevel, ...] = ()
    """Best first."""
    sequence: int = 0
    """The venue's own number of the last change in it. It grows, unless the venue begins anew."""
    invalid_reason: str = ""
    """Why the book is not known now, e.g. a hole in its sequence; empty while it is valid."""
    event_time_ms: int = 0
    received_ns: int = 0

    @property
    def valid(self) -> bool:
        """Whether the book is complete up to its sequence."""
        return not self.invalid_reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTrade:
    """One trade of the market. Some venues report the trades of one order at one price as a single trade."""

    symbol: str
    trade_id: str
    """The venue's; unique per symbol."""
    price: Decimal
    quantity: Decimal
    """Base coins."""
    side: Side
    """Side of the taker: BUY took an ask."""
    event_time_ms: int = 0
    received_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkPrice:
    """The price that positions are valued and liquidated at, and the next funding."""

    symbol: str
    mark: Decimal
    """Quote per base coin."""
    index: Decimal | None = None
    """Price of the underlying index, where the venue reports it."""
    funding_rate: Decimal | None = None
    """Rate of the next funding as far as it is known, e.g. 0.0001: above zero, longs pay shorts."""
    next_funding_ms: int = 0
    """UTC epoch milliseconds of the next funding; 0 where the venue does not report it."""
    event_time_ms: int = 0
    received_ns: int = 0
