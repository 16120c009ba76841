"""The risk monitor: an alarm when volume is far over its average while the price is under its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.market_maker.risk.settings import MonitorSettings
from opensqt.model.market import INTERVALS_MS, Candle

STALE_INTERVALS = 3
"""A symbol without a candle for so many intervals is not counted."""


@dataclass(slots=True)
class Watched:
    """The candles of one symbol, and what they show."""

    candles: dict[int, Candle] = field(default_factory=dict)
    """By open time, oldest first; at most the window."""
    seen_ms: int = 0
    """UTC time of the last candle's arrival."""
    alarm: bool = False
    recovered: bool = False
    """Whether it has closed above its average with normal volume since the alarm began."""


class VolumeMonitor:
    """Stops entries while the watched symbols are in alarm.

    Args:
        settings: What is watched, and when it is an alarm.
    """

    def __init__(self, settings: MonitorSettings) -> None:
        self._settings = settings
        self.watched = {symbol: Watched() for symbol in settings.symbols}
        self.missing: dict[str, str] = {}
        """Symbols that are left out, each with its reason."""
        self.reason = ""
        """Why entries are stopped; empty while they are not."""

    def change(self, settings: MonitorSettings) -> None:
        """Take over other settings. Other symbols or candles begin without any; an alarm ends as the new ones say."""
        before, self._settings = self._settings, settings
        if settings.candles != before.candles:
            self.watched = {symbol: Watched() for symbol in settings.symbols}
            self.missing.clear()
        if not self.watched:
            self.reason = ""

    def on_missing(self, symbol: str, reason: str) -> None:
        """Leave a symbol out."""
        self.watched.pop(symbol, None)
        self.missing[symbol] = reason

    def on_candles(self, candles: Iterable[Candle], now_ms: int) -> None:
        """Take in candles of watched symbols, oldest first; the last of each may still be forming."""
        for candle in candles:
            symbol = self.watched.get(candle.symbol)
            if symbol is None or candle.interval != self._settings.interval:
                continue
            newest = next(reversed(symbol.candles), 0)
            if candle.open_time_ms < newest and candle.open_time_ms not in symbol.candles:
                continue
            known = symbol.candles.get(candle.open_time_ms)
            if known is not None and known.closed and not candle.closed:
                continue  # an update from before it closed
            symbol.candles[candle.open_time_ms] = candle
            while len(symbol.candles) > self._settings.average_window:
                del symbol.candles[next(iter(symbol.candles))]
            symbol.seen_ms = now_ms
            if candle.open_time_ms >= newest:
                self._judge(symbol, candle)
        self._decide(now_ms)

    def on_time(self, now_ms: int) -> None:
        """Leave symbols out of the count whose candles are old."""
        self._decide(now_ms)

    def reset(self) -> None:
        """End the alarm; the next one needs candles that show it anew."""
        self.reason = ""
        for symbol in self.watched.values():
            symbol.alarm = symbol.recovered = False

    def _judge(self, symbol: Watched, candle: Candle) -> None:
        if len(symbol.candles) < self._settings.average_window:
            return
        count = len(symbol.candles)
        volume = sum((each.volume for each in symbol.candles.values()), Decimal(0)) / count
        price = sum((each.close for each in symbol.candles.values()), Decimal(0)) / count
        loud = candle.volume > self._settings.volume_multiplier * volume
        symbol.alarm = loud and candle.close < price
        if self.reason and candle.closed and not loud and candle.close > price:
            symbol.recovered = True

    def _decide(self, now_ms: int) -> None:
        if not self.watched:
            return
        limit_ms = STALE_INTERVALS * INTERVALS_MS[self._settings.interval]
        fresh = {name: each for name, each in self.watched.items() if now_ms - each.seen_ms <= limit_ms}
        if not fresh:
            return  # nothing is known: an alarm neither begins nor ends
        alarmed = [name for name, each in fresh.items() if each.alarm]
        alarm = bool(alarmed) if self._settings.any_symbol else len(alarmed) == len(fresh)
        if alarm and not self.reason:
            names = ", ".join(alarmed)
            self.reason = (
                f"volume over {self._settings.volume_multiplier} x average and price under its average: {names}"
            )
            for each in self.watched.values():
                each.recovered = False
        elif self.reason and not alarm:
            recovered = sum(1 for each in fresh.values() if each.recovered)
            if recovered >= min(self._settings.recovery_threshold, len(fresh)):
                self.reason = ""
