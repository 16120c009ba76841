"""GetHistoricalKlines page by page: a range of any length, where a venue returns a thousand candles at once."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from opensqt.connector.rpc import page_token
from opensqt.model.market import INTERVALS_MS, Candle

_NO_END = -1


class AskKlines(Protocol):
    """Asks the venue for candles, see `Exchange.get_historical_klines`."""

    def __call__(
        self, symbol: str, interval: str, *, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> Awaitable[list[Candle]]:
        """Return the candles."""
        ...


@dataclass(frozen=True, slots=True)
class Range:
    """The candles that are asked for; without an end, up to the newest."""

    symbol: str
    interval: str
    start_ms: int
    end_ms: int | None


async def kline_page(ask: AskKlines, asked: Range, *, size: int, token: str) -> tuple[list[Candle], str]:
    """Return one page of a range, oldest first, and the token of the next; empty on the last.

    The first page fixes where the range ends, so that candles which open meanwhile do not make it endless.

    Raises:
        InvalidRequest: The token is not of this range.
    """
    length_ms = INTERVALS_MS[asked.interval]
    end_ms = _NO_END if asked.end_ms is None else asked.end_ms
    described = ("klines", asked.symbol, asked.interval, asked.start_ms, end_ms)
    if token:
        (begin_ms, last_ms), _ = page_token.read(token, described, numbers=2)
    else:
        newest = await ask(asked.symbol, asked.interval, limit=1)
        if not newest:
            return [], ""
        begin_ms, last_ms = asked.start_ms, newest[-1].open_time_ms
        if asked.end_ms is not None:
            last_ms = min(last_ms, asked.end_ms)
    # A venue that answers windows counts them from here: begun between two candles, one would hold a candle less.
    begin_ms = -(-begin_ms // length_ms) * length_ms
    if begin_ms > last_ms:
        return [], ""
    candles = await ask(asked.symbol, asked.interval, limit=size, start_ms=begin_ms, end_ms=last_ms)
    next_ms = candles[-1].open_time_ms + length_ms if candles else begin_ms
    if len(candles) < size:
        # Some venues return the first *size* candles that exist, others those of the next *size* intervals.
        next_ms = max(next_ms, begin_ms + size * length_ms)
    return candles, page_token.write(described, (next_ms, last_ms)) if next_ms <= last_ms else ""
