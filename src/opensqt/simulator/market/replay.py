"""Recordings: files of bars or of trades, read as a sequence of trades to replay."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import chain, islice, pairwise
from pathlib import Path

from opensqt.model.errors import ConfigError
from opensqt.model.order import Side
from opensqt.simulator.engine.tape import PastBar
from opensqt.simulator.settings import SymbolSettings

BAR_COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
TRADE_COLUMNS = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker")
_GZIP = b"\x1f\x8b"
_BETWEEN = 2
"""Trades between two corners of a bar."""
_PRINTS = 3 * (_BETWEEN + 1) + 1
_HISTORY_SHARE = 10
"""At most one bar in this many becomes history, so that a short recording is still played."""
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """One trade to replay."""

    time_ms: int
    price: Decimal
    quantity: Decimal
    """Base coins, whole steps; zero where only the price moved."""
    side: Side | None
    """The taker's side; None where the file does not contain it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The content of a file, up to the end of the replay."""

    history: tuple[PastBar, ...]
    """Bars from before the start."""
    start_ms: int
    start_price: Decimal
    prints: Iterator[Print]
    """Oldest first; raises `ConfigError` at a malformed row."""
    rest_ms: int = 0
    """Market time from the last trade to the end: the rest of the last bar."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the file, which can raise errors that name it."""

    path: Path
    line: int
    cells: dict[str, str]

    def wrong(self, column: str, expected: str) -> ConfigError:
        value = self.cells.get(column, "")
        return ConfigError(f"{self.path}: line {self.line}: {column} {value!r}: expected {expected}")

    def number(self, column: str, *, zero: bool = False) -> Decimal:
        expected = "a number of zero or above" if zero else "a number above zero"
        try:
            number = Decimal(self.cells[column])
        except InvalidOperation:
            raise self.wrong(column, expected) from None
        if not number.is_finite() or number < 0 or (not number and not zero):
            raise self.wrong(column, expected)
        return number


@dataclass(frozen=True, slots=True)
class _RecordedBar:
    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    quote_volume: Decimal

    @property
    def volume(self) -> Decimal:
        """Base coins, approximately: the file contains quote."""
        return self.quote_volume * 4 / (self.open + self.high + self.low + self.close)


def open_recording(path: Path, rules: SymbolSettings, history: int) -> Recording:
    """Open a recording of bars or of trades, plain or gzip; the header shows which.

    Args:
        path: CSV in one of the two layouts, see docs/simulator-engine.md.
        rules: Prices and quantities are rounded to this symbol's steps.
        history: Number of bars that become history, at most a tenth of the recording.

    Raises:
        ConfigError: It can't be read, the layout is unknown, or one of its first rows is malformed.
    """
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise ConfigError(f"{path}: expected at least one row")
    rows = chain((first,), rows)
    if "is_buyer_maker" in first.cells:
        return _recorded_trades(rows, rules)
    return _recorded_bars(rows, rules, history)


def _rows(path: Path) -> Iterator[_Row]:
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
        stream = gzip.open(path, "rb") if packed else path.open("rb")  # noqa: SIM115 - closed below, at the last row
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}; give another with --replay") from None
    with io.TextIOWrapper(stream, encoding="utf-8", newline="") as text:
        lines = enumerate(csv.reader(text), start=1)
        try:
            columns: tuple[str, ...] | None = None
            for line, cells in lines:
                if columns is None:
                    columns, is_header = _columns(path, cells)
                    if is_header:
                        continue
                if len(cells) < len(columns):
                    wanted = f"{len(columns)} columns ({', '.join(columns)})"
                    raise ConfigError(f"{path}: line {line}: expected {wanted}, found {len(cells)}")
                yield _Row(path, line, dict(zip(columns, map(str.strip, cells), strict=False)))
        except (OSError, EOFError, csv.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: can't be read as CSV text, plain or gzip: {error}") from None


def _columns(path: Path, cells: list[str]) -> tuple[tuple[str, ...], bool]:
    """Return the columns, and whether this line is a header. Older files of public trades have no header."""
    names = tuple(cell.strip().lower() for cell in cells)
    if set(BAR_COLUMNS) <= set(names) or set(TRADE_COLUMNS) <= set(names):
        return names, True
    if len(cells) >= len(TRADE_COLUMNS) and names[0].isdigit() and names[5] in ("true", "false"):
        return TRADE_COLUMNS, False
    raise ConfigError(
        f"{path}: line 1: {','.join(cells)[:80]!r}: expected the columns {','.join(BAR_COLUMNS)} (bars)"
        f" or {','.join(TRADE_COLUMNS)} (trades)"
    )


def _recorded_bars(rows: Iterator[_Row], rules: SymbolSettings, history: int) -> Recording:
    bars = _bars(rows)
    ahead = list(islice(bars, max(2, history * _HISTORY_SHARE)))
    length_ms = ahead[1].open_time_ms - ahead[0].open_time_ms if len(ahead) > 1 else 60_000
    past = min(history, len(ahead) // _HISTORY_SHARE)
    return Recording(
        history=tuple(
            PastBar(
                open_time_ms=bar.open_time_ms,
                open=_to_step(bar.open, rules.price_step),
                high=_to_step(bar.high, rules.price_step),
                low=_to_step(bar.low, rules.price_step),
                close=_to_step(bar.close, rules.price_step),
                volume=bar.volume // rules.quantity_step * rules.quantity_step,
            )
            for bar in ahead[:past]
        ),
        start_ms=ahead[past].open_time_ms,
        start_price=_to_step(ahead[past].open, rules.price_step),
        prints=_prints_of_bars(chain(ahead[past:], bars), rules, length_ms),
        rest_ms=length_ms - length_ms * (_PRINTS - 1) // _PRINTS,
    )


def _bars(rows: Iterator[_Row]) -> Iterator[_RecordedBar]:
    last_ms = -1
    for row in rows:
        time_ms = _time_ms(row)
        if time_ms <= last_ms:
            raise row.wrong("timestamp", "a time after that of the row before")
        last_ms = time_ms
        opened, high, low, close = (row.number(column) for column in BAR_COLUMNS[1:5])
        if high < max(opened, close):
            raise row.wrong("high", "at least open and close")
        if low > min(opened, close):
            raise row.wrong("low", "at most open and close")
        yield _RecordedBar(time_ms, opened, high, low, close, row.number("volume", zero=True))


def _time_ms(row: _Row) -> int:
    text = row.cells["timestamp"]
    if text.isdigit():
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise row.wrong("timestamp", "UTC like 2022-01-31 23:59:00, or epoch milliseconds") from None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return int(time.timestamp()) * 1000 + time.microsecond // 1000


def _prints_of_bars(bars: Iterator[_RecordedBar], rules: SymbolSettings, length_ms: int) -> Iterator[Print]:
    """Yield the trades of each bar, its volume spread evenly: a rising bar visits its low first, a falling its high."""
    step = rules.quantity_step
    carried = ZERO
    for bar in bars:
        extremes = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
        corners = (bar.open, *extremes, bar.close)
        path = [corners[0]]
        for start, end in pairwise(corners):
            path += [start + (end - start) * n / (_BETWEEN + 1) for n in range(1, _BETWEEN + 2)]
        for index, price in enumerate(path):
            carried += bar.volume / _PRINTS
            steps = int(carried / step)
            carried -= steps * step
            yield Print(
                time_ms=bar.open_time_ms + length_ms * index // _PRINTS,
                price=_to_step(price, rules.price_step),
                quantity=steps * step,
                side=None,
            )


def _recorded_trades(rows: Iterator[_Row], rules: SymbolSettings) -> Recording:
    prints = _prints_of_trades(rows, rules)
    first = next(prints)
    return Recording(history=(), start_ms=first.time_ms, start_price=first.price, prints=chain((first,), prints))


def _prints_of_trades(rows: Iterator[_Row], rules: SymbolSettings) -> Iterator[Print]:
    """Round each trade to whole steps; the remainder is added to the next trade of that side."""
    carried = {Side.BUY: ZERO, Side.SELL: ZERO}
    last_ms = -1
    for row in rows:
        if not row.cells["time"].isdigit():
            raise row.wrong("time", "epoch milliseconds")
        time_ms = int(row.cells["time"])
        if time_ms < last_ms:
            raise row.wrong("time", "a time not before that of the row before")
        last_ms = time_ms
        maker = row.cells["is_buyer_maker"].lower()
        if maker not in ("true", "false"):
            raise row.wrong("is_buyer_maker", "true or false")
        side = Side.SELL if maker == "true" else Side.BUY
        carried[side] += row.number("qty")
        steps = int(carried[side] / rules.quantity_step)
        carried[side] -= steps * rules.quantity_step
        yield Print(
            time_ms=time_ms,
            price=_to_step(row.number("price"), rules.price_step),
            quantity=steps * rules.quantity_step,
            side=side,
        )


def _to_step(price: Decimal, step: Decimal) -> Decimal:
    return max(Decimal(1), (price / step).to_integral_value()) * step
