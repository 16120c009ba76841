"""The names of Binance's market streams, and their meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass

from opensqt.simulator.dialects.binance.public import INTERVALS

_NAME = re.compile(
    r"(?P<symbol>[a-z0-9]+)(?:_(?P<contract>[a-z]+))?@(?P<kind>[A-Za-z]+?)"
    r"(?P<levels>5|10|20)?(?:_(?P<interval>\d+[mhdwM]))?(?:@(?P<speed>\d+)(?P<unit>ms|s))?"
)
_ALL = re.compile(r"!(?P<kind>[A-Za-z]+)(?:@arr)?(?:@(?P<speed>1)s)?")
_ABSENT = re.compile(
    r"[a-z0-9]+@rpiDepth(@500ms)?|[a-z0-9]+@compositeIndex|!assetIndex@arr|[a-z0-9]+@assetIndex|!contractInfo"
    r"|tradingSession"
)
"""Streams that the venue documents and the simulator has not."""
_SPEEDS = {"depth": ("0ms", "100ms", "250ms", "500ms"), "markPrice": ("1s", "3s")}
"""0ms, which the venue's documents do not name any more, sends every change at once."""
_CHANNEL = {
    "bookTicker": "price",
    "aggTrade": "trades",
    "trade": "trades",
    "kline": "kline",
    "continuousKline": "kline",
    "markPrice": "mark_price",
    "miniTicker": "ticker",
    "ticker": "ticker",
    "depth": "depth",
    "forceOrder": "trades",
}
_EVERY_MS = {"kline": 250, "continuousKline": 250, "markPrice": 3000, "miniTicker": 500, "ticker": 500, "depth": 250}
_OF_ALL = ("bookTicker", "miniTicker", "ticker", "markPrice", "forceOrder")
_PUBLIC = {"bookTicker", "depth", "trade"}
"""Served under /public; the other kinds under /market. Both are served at the root."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One market stream.

    Attributes:
        text: The name as clients write it.
        kind: `bookTicker`, `depth`, ...
        symbol: Canonical; empty for the stream of all symbols.
        interval: Interval of a candle.
        levels: Levels of a partial book; 0 for the stream of differences.
        every_ms: Minimum interval between two frames; 0 sends at once.
    """

    text: str
    kind: str
    symbol: str = ""
    interval: str = ""
    levels: int = 0
    every_ms: int = 0

    @property
    def channel(self) -> str:
        """Name in a fault script."""
        return _CHANNEL[self.kind]

    @property
    def category(self) -> str:
        """Base path under which it is served."""
        return "public" if self.kind in _PUBLIC else "market"


def parse(text: str) -> Subscription | None:
    """Parse the name of a stream; None if it is not valid."""
    if text.startswith("!"):
        return _parse_all(text)
    match = _NAME.fullmatch(text)
    if match is None or match["kind"] not in _CHANNEL:
        return None
    kind, interval = match["kind"], match["interval"] or ""
    wants_interval = kind in ("kline", "continuousKline")
    if wants_interval != bool(interval) or (interval and interval not in INTERVALS):
        return None
    if (kind == "continuousKline") != bool(match["contract"]) or (match["levels"] and kind != "depth"):
        return None
    every_ms = _EVERY_MS.get(kind, 0)
    if match["speed"]:
        if f"{match['speed']}{match['unit']}" not in _SPEEDS.get(kind, ()):
            return None
        every_ms = int(match["speed"]) * (1 if match["unit"] == "ms" else 1000)
    return Subscription(text, kind, match["symbol"].upper(), interval, int(match["levels"] or 0), every_ms)


def is_absent(text: str) -> bool:
    """Return whether a name is that of a stream that the venue has and the simulator has not."""
    return _ABSENT.fullmatch(text) is not None


def _parse_all(text: str) -> Subscription | None:
    match = _ALL.fullmatch(text)
    if match is None or match["kind"] not in _OF_ALL:
        return None
    every_ms = {"bookTicker": 0, "forceOrder": 0, "markPrice": 3000}.get(match["kind"], 1000)
    return Subscription(text, match["kind"], every_ms=1000 if match["speed"] else every_ms)
