"""Market data: prices and candles."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

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
