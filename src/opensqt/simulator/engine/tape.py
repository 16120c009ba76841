"""The tape of one symbol: its latest trades, and the candles formed by them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from opensqt.model.market import INTERVALS_MS
from opensqt.simulator.engine.events import SimCandle, SimTrade

ZERO = Decimal(0)
TRADES_KEPT = 5_000
BARS_KEPT = 1_500
"""Bars kept per interval."""
_QUARTERS_OF_A_DAY = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStatistics:
    """The last 24 hours of a symbol, to the quarter of an hour."""

    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    last_quantity: Decimal
    volume: Decimal
    """Base coins."""
    quote_volume: Decimal
    trades: int
    first_trade_id: str
    last_trade_id: str
    open_time_ms: int
    close_time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PastBar:
    """A bar from before the start, without known trades."""

    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    """Base coins."""


class _FormingBar:
    """A bar that is forming."""

    __slots__ = (
        "close",
        "first_id",
        "high",
        "last_id",
        "low",
        "open",
        "open_ms",
        "quote_volume",
        "taker_buy",
        "taker_buy_quote",
        "trades",
        "volume",
    )

    def __init__(self, open_ms: int, price: Decimal) -> None:
        self.open_ms = open_ms
        self.open = self.high = self.low = self.close = price
        self.volume = self.quote_volume = self.taker_buy = self.taker_buy_quote = ZERO
        self.trades = 0
        self.first_id = self.last_id = ""

    def add(self, trade: SimTrade, notional: Decimal) -> None:
        price = trade.price
        if not self.trades and not self.volume:
            self.open = self.high = self.low = price
        elif price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.volume += trade.quantity
        self.quote_volume += notional
        if not trade.buyer_is_maker:
            self.taker_buy += trade.quantity
            self.taker_buy_quote += notional
        self.trades += 1
        self.first_id = self.first_id or trade.trade_id
        self.last_id = trade.trade_id

    @classmethod
    def of(cls, past: PastBar) -> _FormingBar:
        """Return the bar of a minute without known trades; half of its volume was bought by takers."""
        bar = cls(past.open_time_ms, past.open)
        bar.high, bar.low, bar.close = past.high, past.low, past.close
        bar.volume = past.volume
        bar.quote_volume = past.volume * (past.open + past.high + past.low + past.close) / 4
        bar.taker_buy, bar.taker_buy_quote = bar.volume / 2, bar.quote_volume / 2
        return bar

    def merge(self, bar: _FormingBar) -> None:
        """Add a bar without known trades that follows."""
        self.high, self.low, self.close = max(self.high, bar.high), min(self.low, bar.low), bar.close
        self.volume += bar.volume
        self.quote_volume += bar.quote_volume
        self.taker_buy += bar.taker_buy
        self.taker_buy_quote += bar.taker_buy_quote


class _Series:
    """The bars of one interval."""

    __slots__ = ("bars", "current", "length_ms")

    def __init__(self, length_ms: int, now_ms: int, price: Decimal) -> None:
        self.length_ms = length_ms
        self.bars: deque[_FormingBar] = deque(maxlen=BARS_KEPT)
        self.current = _FormingBar(now_ms - now_ms % length_ms, price)

    def remember(self, parts: list[_FormingBar]) -> list[_FormingBar]:
        """Make bars of shorter ones from before the start, the last of which may be the current bar; return them."""
        made: list[_FormingBar] = []
        for part in parts:
            open_ms = part.open_ms - part.open_ms % self.length_ms
            if open_ms > self.current.open_ms:
                raise ValueError(f"open_time_ms {part.open_ms}: expected before the start")
            if not made or made[-1].open_ms != open_ms:
                made.append(_FormingBar(open_ms, part.open))
            made[-1].merge(part)
        self.bars.extend(made)
        if made and made[-1].open_ms == self.current.open_ms:
            self.current = self.bars.pop()
        return made

    def roll(self, now_ms: int) -> Iterator[_FormingBar]:
        """Close the bars that have ended and yield them; a bar without trades is flat at the last close."""
        while now_ms >= self.current.open_ms + self.length_ms:
            done = self.current
            self.bars.append(done)
            self.current = _FormingBar(done.open_ms + self.length_ms, done.close)
            yield done


class Tape:
    """The trades of one symbol.

    Args:
        symbol: Canonical.
        now_ms: Market time at the start.
        price: The price at the start; used as the last price until the first trade.
    """

    def __init__(self, symbol: str, now_ms: int, price: Decimal) -> None:
        self.symbol = symbol
        self.last_price = price
        self.last_quantity = ZERO
        self.trades: deque[SimTrade] = deque(maxlen=TRADES_KEPT)
        self._trade_id = 0
        self._aggregate_id = 0
        self._touched = False
        self._series = {interval: _Series(length_ms, now_ms, price) for interval, length_ms in INTERVALS_MS.items()}
        self._minute = self._series["1m"]

    def remember(self, bars: Iterable[PastBar]) -> None:
        """Add bars from before the start, oldest first; must be called before the first trade."""
        past = list(bars)
        minutes = [_FormingBar.of(bar) for bar in past]
        merged: dict[int, list[_FormingBar]] = {}
        for series in self._series.values():
            # The longest bars that fit in are merged: a day from two halves of it, not from 1,440 minutes.
            parts = next((merged[ms] for ms in reversed(merged) if series.length_ms % ms == 0), minutes)
            merged[series.length_ms] = series.remember(parts)
        if past:
            self.last_price = past[-1].close

    def next_aggregate(self) -> int:
        """Return a new id for the trades of one taker at one price."""
        self._aggregate_id += 1
        return self._aggregate_id

    def print(
        self, price: Decimal, quantity: Decimal, aggregate_id: int, *, buyer_is_maker: bool, time_ms: int
    ) -> SimTrade:
        """Record one trade; the candles must have been rolled to *time_ms* before."""
        self._trade_id += 1
        trade = SimTrade(
            symbol=self.symbol,
            trade_id=str(self._trade_id),
            aggregate_id=aggregate_id,
            price=price,
            quantity=quantity,
            buyer_is_maker=buyer_is_maker,
            time_ms=time_ms,
        )
        self.trades.append(trade)
        self.last_price, self.last_quantity = price, quantity
        notional = price * quantity
        for series in self._series.values():
            series.current.add(trade, notional)
        self._touched = True
        return trade

    def roll(self, now_ms: int) -> list[SimCandle]:
        """Close the candles that ended by *now_ms* and return their final state."""
        if now_ms < self._minute.current.open_ms + self._minute.length_ms:
            return []
        return [
            self._candle(interval, bar, closed=True)
            for interval, series in self._series.items()
            for bar in series.roll(now_ms)
        ]

    def take_changed(self) -> list[SimCandle]:
        """Return the forming candle of every interval, if anything traded since the last call."""
        if not self._touched:
            return []
        self._touched = False
        return [self._candle(interval, series.current, closed=False) for interval, series in self._series.items()]

    def candles(self, interval: str, *, start_ms: int | None, end_ms: int | None, limit: int) -> list[SimCandle]:
        """See `SimEngine.candles`."""
        series = self._series[interval]
        wanted = [
            bar
            for bar in (*series.bars, series.current)
            if (start_ms is None or bar.open_ms >= start_ms) and (end_ms is None or bar.open_ms <= end_ms)
        ]
        if limit < len(wanted):
            wanted = wanted[:limit] if start_ms is not None else wanted[len(wanted) - limit :]
        return [self._candle(interval, bar, closed=bar is not series.current) for bar in wanted]

    def latest(self, limit: int) -> list[SimTrade]:
        """Return the latest trades, oldest first."""
        return list(islice(self.trades, max(0, len(self.trades) - limit), None))

    def day(self, now_ms: int) -> DayStatistics:
        """Return the statistics of the last 24 hours."""
        series = self._series["15m"]
        bars = [*islice(series.bars, max(0, len(series.bars) - _QUARTERS_OF_A_DAY + 1), None), series.current]
        bars = [bar for bar in bars if bar.open_ms > now_ms - 86_400_000]
        return DayStatistics(
            symbol=self.symbol,
            open=bars[0].open,
            high=max(bar.high for bar in bars),
            low=min(bar.low for bar in bars),
            last=self.last_price,
            last_quantity=self.last_quantity,
            volume=sum((bar.volume for bar in bars), ZERO),
            quote_volume=sum((bar.quote_volume for bar in bars), ZERO),
            trades=sum(bar.trades for bar in bars),
            first_trade_id=next((bar.first_id for bar in bars if bar.first_id), ""),
            last_trade_id=next((bar.last_id for bar in reversed(bars) if bar.last_id), ""),
            open_time_ms=bars[0].open_ms,
            close_time_ms=now_ms,
        )

    def _candle(self, interval: str, bar: _FormingBar, *, closed: bool) -> SimCandle:
        return SimCandle(
            symbol=self.symbol,
            interval=interval,
            open_time_ms=bar.open_ms,
            close_time_ms=bar.open_ms + INTERVALS_MS[interval] - 1,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=bar.volume,
            quote_volume=bar.quote_volume,
            taker_buy_volume=bar.taker_buy,
            taker_buy_quote_volume=bar.taker_buy_quote,
            trades=bar.trades,
            first_trade_id=bar.first_id,
            last_trade_id=bar.last_id,
            closed=closed,
        )
