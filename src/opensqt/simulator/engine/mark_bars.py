"""Candles of a mark price: minutes and hours are kept, every other interval is made of them when it is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from opensqt.model.market import INTERVALS_MS
from opensqt.simulator.engine.events import SimCandle
from opensqt.simulator.engine.intervals import DERIVED, length_ms
from opensqt.simulator.engine.tape import BARS_KEPT, PastBar

ZERO = Decimal(0)
_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000


class _PriceBar:
    __slots__ = ("close", "high", "low", "open", "open_ms")

    def __init__(self, open_ms: int, price: Decimal) -> None:
        self.open_ms = open_ms
        self.open = self.high = self.low = self.close = price

    def add(self, price: Decimal) -> None:
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price


class MarkBars:
    """The path of one mark price."""

    def __init__(self, symbol: str, now_ms: int, price: Decimal) -> None:
        self._symbol = symbol
        self._kept = {
            length: deque([_PriceBar(now_ms - now_ms % length, price)], maxlen=BARS_KEPT)
            for length in (_MINUTE_MS, _HOUR_MS)
        }

    def remember(self, bars: Iterable[PastBar]) -> None:
        """Begin with bars from before the start, oldest first."""
        past = list(bars)
        if past:
            for length, kept in self._kept.items():
                kept.clear()
                kept.append(_PriceBar(past[0].open_time_ms - past[0].open_time_ms % length, past[0].open))
            for bar in past:
                for price in (bar.open, bar.high, bar.low, bar.close):
                    self.note(price, bar.open_time_ms)

    def note(self, price: Decimal, now_ms: int) -> None:
        """Record a mark price."""
        for length, kept in self._kept.items():
            last = kept[-1]
            if now_ms >= last.open_ms + length:
                last = _PriceBar(now_ms - now_ms % length, last.close)
                kept.append(last)
            last.add(price)

    def candles(
        self, interval: str, now_ms: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[SimCandle]:
        """Return bars as `SimEngine.candles` does; they have no volume."""
        made: list[_PriceBar] = []
        for bar in self._filled(_HOUR_MS if length_ms(interval) >= _HOUR_MS else _MINUTE_MS, now_ms):
            open_ms = _opens(interval, bar.open_ms)
            if not made or made[-1].open_ms != open_ms:
                made.append(_PriceBar(open_ms, bar.open))
            for price in (bar.high, bar.low, bar.close):
                made[-1].add(price)
        wanted = [
            bar
            for bar in made
            if (start_ms is None or bar.open_ms >= start_ms) and (end_ms is None or bar.open_ms <= end_ms)
        ]
        wanted = wanted[:limit] if start_ms is not None else wanted[-limit:]
        return [self._candle(interval, bar, closed=bar is not made[-1]) for bar in wanted]

    def _filled(self, length: int, now_ms: int) -> list[_PriceBar]:
        """Return the bars that are kept, with a flat one for each time without a change."""
        filled: list[_PriceBar] = []
        for bar in (*self._kept[length], _PriceBar(now_ms - now_ms % length, self._kept[length][-1].close)):
            while filled and filled[-1].open_ms + length < bar.open_ms:
                filled.append(_PriceBar(filled[-1].open_ms + length, filled[-1].close))
            if not filled or bar.open_ms > filled[-1].open_ms:
                filled.append(bar)
        return filled[-BARS_KEPT:]

    def _candle(self, interval: str, bar: _PriceBar, *, closed: bool) -> SimCandle:
        end_ms = DERIVED[interval].closes(bar.open_ms) if interval in DERIVED else bar.open_ms + INTERVALS_MS[interval]
        return SimCandle(
            symbol=self._symbol,
            interval=interval,
            open_time_ms=bar.open_ms,
            close_time_ms=end_ms - 1,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=ZERO,
            quote_volume=ZERO,
            taker_buy_volume=ZERO,
            taker_buy_quote_volume=ZERO,
            trades=0,
            first_trade_id="",
            last_trade_id="",
            closed=closed,
        )


def _opens(interval: str, time_ms: int) -> int:
    return DERIVED[interval].opens(time_ms) if interval in DERIVED else time_ms - time_ms % INTERVALS_MS[interval]
