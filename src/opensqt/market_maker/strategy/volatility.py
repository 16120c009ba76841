"""Average true range of candles, and the interval that a grid should have by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.model.market import Candle

MIN_CHANGE = Decimal("1.2")
"""An interval is moved when the wanted one is larger or smaller by this factor: each move cancels every order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolatilitySettings:
    """The candles that the interval follows."""

    candles: str
    """Their length, e.g. 5m."""
    window: int
    """Closed candles that are averaged."""
    scale: Decimal
    """The interval is so many times their average true range."""


class Volatility:
    """The average true range of the last closed candles.

    Args:
        settings: Which candles; None follows none.
    """

    def __init__(self, settings: VolatilitySettings | None) -> None:
        self._settings = settings
        self._closed: dict[int, Candle] = {}
        self.average_range: Decimal | None = None
        """The average true range, quote; None before there are enough candles."""

    def on_candles(self, candles: Iterable[Candle]) -> None:
        """Take in candles in any order; only closed ones count, each once."""
        if self._settings is None:
            return
        for candle in candles:
            if candle.closed and candle.interval == self._settings.candles:
                self._closed[candle.open_time_ms] = candle
        for old in sorted(self._closed)[: -(self._settings.window + 1)]:
            del self._closed[old]

        self.average_range = self._average()

    def _average(self) -> Decimal | None:
        if self._settings is None or len(self._closed) <= self._settings.window:
            return None
        candles = [self._closed[time] for time in sorted(self._closed)]
        ranges = [
            max(candle.high, before.close) - min(candle.low, before.close) for before, candle in pairwise(candles)
        ]
        return sum(ranges, Decimal(0)) / len(ranges)

    def moved_interval(self, grid: Grid, least: Decimal, price: Decimal) -> Decimal | None:
        """Return the interval that the grid has to be moved to; None to leave it.

        Args:
            grid: As it is.
            least: The interval of the settings.
            price: The reference price, quote.
        """
        average = self.average_range
        if self._settings is None or average is None:
            return None
        wanted = average * self._settings.scale
        if grid.geometric:
            wanted = round(wanted / price, 6)
        elif grid.price_step:
            wanted = (wanted / grid.price_step).to_integral_value() * grid.price_step
        wanted = max(wanted, least)
        near = grid.interval / MIN_CHANGE < wanted < grid.interval * MIN_CHANGE
        return None if near else wanted
