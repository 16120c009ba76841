"""The names of Bybit's streams, and their meaning."""

from __future__ import annotations

from dataclasses import dataclass

from opensqt.simulator.dialects.bybit.formats import INTERVALS

_DEPTH_EVERY_MS = {1: 0, 50: 20, 200: 100, 500: 100, 1000: 300}
_TICKER_EVERY_MS = 100
_CANDLE_EVERY_MS = 250
PRIVATE = {"order": "orders", "execution": "orders", "position": "positions", "wallet": "account"}
"""The private topics, with the names of their channels in a fault script."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One public stream.

    Attributes:
        text: The name as clients write it.
        kind: `orderbook`, `kline`, `publicTrade` or `tickers`.
        symbol: Canonical.
        channel: Its name in a fault script.
        every_ms: Minimum interval between two frames; 0 sends at once.
        levels: Levels of a book.
        interval: Interval of a candle, in OpenSQT's spelling.
    """

    text: str
    kind: str
    symbol: str
    channel: str
    every_ms: int = 0
    levels: int = 0
    interval: str = ""


def parse(text: str) -> Subscription | None:
    """Parse the name of a public stream; None if it is not valid."""
    parts = text.split(".")
    if len(parts) == 2 and parts[0] == "publicTrade":
        return Subscription(text, "publicTrade", parts[1], "trades")
    if len(parts) == 2 and parts[0] == "tickers":
        return Subscription(text, "tickers", parts[1], "ticker", _TICKER_EVERY_MS)
    if len(parts) != 3:
        return None
    kind, detail, symbol = parts
    if kind == "kline" and detail in INTERVALS:
        return Subscription(text, kind, symbol, "kline", _CANDLE_EVERY_MS, interval=INTERVALS[detail])
    if kind == "orderbook" and detail.isdecimal() and int(detail) in _DEPTH_EVERY_MS:
        levels = int(detail)
        return Subscription(text, kind, symbol, "price" if levels == 1 else "depth", _DEPTH_EVERY_MS[levels], levels)
    return None


def private_kind(text: str) -> str | None:
    """Return the private stream of a name: `order`, or `order.linear` for one category of it."""
    kind, _, category = text.partition(".")
    return kind if kind in PRIVATE and category in ("", "linear") and text not in ("wallet.linear",) else None
