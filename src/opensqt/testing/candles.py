"""Candles of an InMemoryExchange: past ones that a test adds, and those formed by its prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from opensqt.model.errors import ExchangeError
from opensqt.model.market import INTERVALS_MS, Candle
from opensqt.streams.feed import Feed

_SNAPSHOT = 100


class CandleBook:
    """Candles by symbol and interval, and their feeds."""

    def __init__(self) -> None:
        self._candles: dict[tuple[str, str], dict[int, Candle]] = {}
        self._feeds: dict[tuple[str, str], Feed[Candle]] = {}

    def trade(self, symbol: str, price: Decimal, quantity: Decimal, now_ns: int) -> None:
        """Add a price, or a trade, to the forming candle of every interval; close the candle before it."""
        now_ms = now_ns // 1_000_000
        for interval, length in INTERVALS_MS.items():
            self._draw(symbol, interval, now_ms - now_ms % length, price, quantity, now_ns)

    def add(self, candles: Iterable[Candle]) -> None:
        """Add past candles."""
        for candle in candles:
            known = self._candles.setdefault((candle.symbol, candle.interval), {})
            known[candle.open_time_ms] = candle
            self._candles[candle.symbol, candle.interval] = dict(sorted(known.items()))

    def history(
        self, symbol: str, interval: str, *, limit: int, start_ms: int | None, end_ms: int | None
    ) -> list[Candle]:
        """Return candles oldest first: from *start_ms* on if it is given, else the last ones."""
        found = [
            candle
            for open_ms, candle in self._candles.get((symbol, interval), {}).items()
            if (start_ms is None or open_ms >= start_ms) and (end_ms is None or open_ms <= end_ms)
        ]
        return found[-limit:] if start_ms is None else found[:limit]

    def feed_for(self, symbol: str, interval: str) -> Feed[Candle]:
        """Return the feed of one symbol and interval, created on first use; its snapshot is the newest candle."""
        key = (symbol, interval)
        if key not in self._feeds:
            feed = Feed[Candle](key=lambda candle: candle.open_time_ms, conflate=True, snapshot_limit=_SNAPSHOT)
            feed.replace(list(self._candles.get(key, {}).values())[-1:], gap=False)
            self._feeds[key] = feed
        return self._feeds[key]

    def inject_gap(self) -> None:
        """Send every reader a snapshot that is marked as a gap."""
        for feed in self._feeds.values():
            feed.replace(feed.snapshot, gap=True)

    def close(self, error: ExchangeError) -> None:
        """End every reader."""
        for feed in self._feeds.values():
            feed.close(error)

    def _draw(self, symbol: str, interval: str, open_ms: int, price: Decimal, quantity: Decimal, now_ns: int) -> None:
        candles = self._candles.setdefault((symbol, interval), {})
        last = next(reversed(candles.values()), None)
        changed = []
        if last is not None and last.open_time_ms < open_ms and not last.closed:
            candles[last.open_time_ms] = replace(last, closed=True, received_ns=now_ns)
            changed.append(candles[last.open_time_ms])
        known = candles.get(open_ms)
        if known is None:
            known = Candle(
                symbol=symbol,
                interval=interval,
                open_time_ms=open_ms,
                open=price,
                high=price,
                low=price,
                close=price,
                volume=Decimal(0),
                closed=False,
            )
        candles[open_ms] = replace(
            known,
            high=max(known.high, price),
            low=min(known.low, price),
            close=price,
            volume=known.volume + quantity,
            quote_volume=known.quote_volume + quantity * price,
            event_time_ms=now_ns // 1_000_000,
            received_ns=now_ns,
        )
        changed.append(candles[open_ms])
        if (symbol, interval) in self._feeds:
            self._feeds[symbol, interval].publish(changed)
