"""The tape of one symbol: its latest trades, and the candles formed by them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from opensqt.model.market import INTERVALS_MS
from opensqt.simulator.engine.events import SimCandle, SimTrade
from opensqt.simulator.engine.intervals import DERIVED, DerivedInterval

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
        """Add a bar that follows."""
        self.high, self.low, self.close = max(self.high, bar.high), min(self.low, bar.low), bar.close
        self.volume += bar.volume
        self.quote_volume += bar.quote_volume
        self.taker_buy += bar.taker_buy
        self.taker_buy_quote += bar.taker_buy_quote
        self.trades += bar.trades
        self.first_id = self.first_id or bar.first_id
        self.last_id = bar.last_id or self.last_id


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
        self._now_ms = now_ms
        self._wanted: dict[str, int] = {}
        """Derived intervals that somebody follows, with the open time of the bar that forms."""

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
        self._now_ms = now_ms
        done = []
        if now_ms >= self._minute.current.open_ms + self._minute.length_ms:
            done = [
                self._candle(interval, bar, closed=True)
                for interval, series in self._series.items()
                for bar in series.roll(now_ms)
            ]
        for interval, open_ms in self._wanted.items():
            derived = DERIVED[interval]
            while now_ms >= (next_ms := derived.closes(open_ms)):
                done.append(self._candle(interval, self._derived_bar(derived, open_ms), closed=True))
                open_ms = self._wanted[interval] = next_ms
        return done

    def follow(self, interval: str) -> None:
        """Let the candles of a derived interval be among those that `roll` and `take_changed` return."""
        self._wanted.setdefault(interval, DERIVED[interval].opens(self._now_ms))

    def take_changed(self) -> list[SimCandle]:
        """Return the forming candle of every interval, if anything traded since the last call."""
        if not self._touched:
            return []
        self._touched = False
        changed = [self._candle(interval, series.current, closed=False) for interval, series in self._series.items()]
        for interval, open_ms in self._wanted.items():
            changed.append(self._candle(interval, self._derived_bar(DERIVED[interval], open_ms), closed=False))
        return changed

    def candles(self, interval: str, *, start_ms: int | None, end_ms: int | None, limit: int) -> list[SimCandle]:
        """See `SimEngine.candles`."""
        bars = self._derived_bars(DERIVED[interval]) if interval in DERIVED else self._kept(interval)
        wanted = [
            bar
            for bar in bars
            if (start_ms is None or bar.open_ms >= start_ms) and (end_ms is None or bar.open_ms <= end_ms)
        ]
        if limit < len(wanted):
            wanted = wanted[:limit] if start_ms is not None else wanted[len(wanted) - limit :]
        return [self._candle(interval, bar, closed=bar is not bars[-1]) for bar in wanted]

    def _kept(self, interval: str) -> list[_FormingBar]:
        series = self._series[interval]
        return [*series.bars, series.current]

    def _derived_bars(self, derived: DerivedInterval) -> list[_FormingBar]:
        """Make all bars of a derived interval, oldest first, the forming one last."""
        if not derived.base:
            oldest = self.trades[0].time_ms if self.trades else self._now_ms
            last = derived.opens(self._now_ms)
            first = max(derived.opens(oldest), last - (BARS_KEPT - 1) * derived.length_ms)
            return self._of_trades(range(first, last + 1, derived.length_ms))
        made: list[_FormingBar] = []
        for bar in self._kept(derived.base):
            open_ms = derived.opens(bar.open_ms)
            if not made or made[-1].open_ms != open_ms:
                made.append(_FormingBar(open_ms, bar.open))
            made[-1].merge(bar)
        return made

    def _derived_bar(self, derived: DerivedInterval, open_ms: int) -> _FormingBar:
        """Make one bar of a derived interval."""
        if not derived.base:
            return self._of_trades(range(open_ms, open_ms + 1, derived.length_ms))[0]
        series, end_ms = self._series[derived.base], derived.closes(open_ms)
        parts = [bar for bar in (*series.bars, series.current) if open_ms <= bar.open_ms < end_ms]
        made = _FormingBar(open_ms, parts[0].open if parts else self.last_price)
        for part in parts:
            made.merge(part)
        return made

    def _of_trades(self, opens: range) -> list[_FormingBar]:
        """Make bars of the trades that are kept; one without trades is flat at the last price before it."""
        before = [trade for trade in self.trades if trade.time_ms < opens[0]]
        price = before[-1].price if before else (self.trades[0].price if self.trades else self.last_price)
        within = [trade for trade in self.trades if opens[0] <= trade.time_ms < opens[-1] + opens.step]
        made, place = [], 0
        for open_ms in opens:
            bar = _FormingBar(open_ms, price)
            while place < len(within) and within[place].time_ms < open_ms + opens.step:
                bar.add(within[place], within[place].price * within[place].quantity)
                place += 1
            price = bar.close
            made.append(bar)
        return made

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
            close_time_ms=_end_ms(interval, bar.open_ms) - 1,
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


def _end_ms(interval: str, open_ms: int) -> int:
    if interval in DERIVED:
        return DERIVED[interval].closes(open_ms)
    return open_ms + INTERVALS_MS[interval]
