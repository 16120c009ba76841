"""Recordings as a market: the rows of files become trades and changes of the book, to be played one after the other."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain, islice, pairwise
from pathlib import Path

from opensqt.model.errors import ConfigError
from opensqt.model.order import Side
from opensqt.recordings import (
    Bar,
    BookReset,
    Content,
    FundingRate,
    RecordedFile,
    RecordedLevel,
    Row,
    Trade,
    VolumeAsset,
    bar_length_ns,
    open_file,
)
from opensqt.simulator.engine.tape import PastBar
from opensqt.simulator.settings import SymbolSettings

_BETWEEN = 2
"""Trades between two corners of a bar."""
_PRINTS = 3 * (_BETWEEN + 1) + 1
_CORNERS_FIRST = sorted(range(_PRINTS), key=lambda index: (index % (_BETWEEN + 1), index % (_PRINTS - 1) == 0, index))
"""The trades of a bar in the order in which they get their quantity: the extremes, open and close, those between."""
_HISTORY_SHARE = 10
"""At most one bar in this many becomes history, so that a short recording is still played."""
_LOOK_AHEAD = 20_000
"""Rows in which the first price of a recording of the book is looked for."""
_FEWEST_STEPS = 20
"""A price of fewer steps belongs to another symbol than the steps."""
_MS = 1_000_000
_MERGED = (Content.BARS, Content.TRADES, Content.DEPTH, Content.FUNDING)
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
class BookChange:
    """Changes of the book that came together."""

    time_ms: int
    changes: tuple[RecordedLevel | BookReset, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChange:
    """Another rate of the next funding."""

    time_ms: int
    rate: Decimal


Action = Print | BookChange | RateChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The content of the files of one symbol, up to the end of the replay."""

    history: tuple[PastBar, ...]
    """Bars from before the start."""
    start_ms: int
    start_price: Decimal
    actions: Iterator[Action]
    """Oldest first; raises `ConfigError` at a malformed row."""
    rest_ms: int = 0
    """Market time from the last trade to the end: the rest of the last bar."""
    has_book: bool = False
    """Whether the book is recorded, and not only trades."""


def open_files(symbol: str, paths: Sequence[Path], volume: VolumeAsset | None) -> tuple[RecordedFile, ...]:
    """Recognise the files of one symbol.

    Args:
        symbol: Canonical.
        paths: Files, or folders in which `opensqt record` wrote those of the symbol.
        volume: What the column `volume` of bars counts, where neither format nor header says it.

    Raises:
        ConfigError: One can't be read or its layout is unknown, or bars are to be played together with something else.
    """
    files = tuple(open_file(path, volume=volume) for given in paths for path in _files(symbol, given))
    bars = [file for file in files if file.content is Content.BARS]
    if bars and len(bars) < len(files):
        other = next(file for file in files if file.content is not Content.BARS)
        raise ConfigError(f"{bars[0].path}: expected no other files than bars, found {other.content} in {other.path}")
    return files


def _files(symbol: str, path: Path) -> Sequence[Path]:
    if not path.is_dir():
        return (path,)
    found = sorted(path.glob(f"{symbol}-*.parquet"))
    if not found:
        raise ConfigError(f"{path}: expected files {symbol}-*.parquet in this folder")
    return found


def open_recording(files: Sequence[RecordedFile], rules: SymbolSettings, history: int) -> Recording:
    """Prepare files of one symbol to be played together, by their times.

    Args:
        files: Files of bars, or of trades and of the book; several of a kind follow each other.
        rules: Prices and quantities are rounded to this symbol's steps.
        history: Number of bars that become history, at most a tenth of the recording.

    Raises:
        ConfigError: There is no row, one of the first rows is malformed, or the steps are too coarse for the prices.
    """
    first = files[0]
    recording = (
        _recorded_bars(files, rules, history) if first.content is Content.BARS else _recorded_trades(files, rules)
    )
    if recording.start_price < _FEWEST_STEPS * rules.price_step:
        raise ConfigError(
            f"{first.path}: price {recording.start_price}: expected at least {_FEWEST_STEPS} price steps of"
            f" {rules.symbol}, which are {rules.price_step}; name the recording's symbol with --replay-symbol"
        )
    return recording


def _recorded_bars(files: Sequence[RecordedFile], rules: SymbolSettings, history: int) -> Recording:
    bars = (row for row in rows_in_order(files) if isinstance(row, Bar))
    ahead = list(islice(bars, max(2, history * _HISTORY_SHARE)))
    length_ms = bar_length_ns([bar.time_ns for bar in ahead]) // _MS
    past = min(history, len(ahead) // _HISTORY_SHARE)
    return Recording(
        history=tuple(
            PastBar(
                open_time_ms=bar.time_ns // _MS,
                open=_to_step(bar.open, rules.price_step),
                high=_to_step(bar.high, rules.price_step),
                low=_to_step(bar.low, rules.price_step),
                close=_to_step(bar.close, rules.price_step),
                volume=bar.volume // rules.quantity_step * rules.quantity_step,
            )
            for bar in ahead[:past]
        ),
        start_ms=ahead[past].time_ns // _MS,
        start_price=_to_step(ahead[past].open, rules.price_step),
        actions=_prints_of_bars(chain(ahead[past:], bars), rules, length_ms),
        rest_ms=length_ms - length_ms * (_PRINTS - 1) // _PRINTS,
    )


def _prints_of_bars(bars: Iterator[Bar], rules: SymbolSettings, length_ms: int) -> Iterator[Print]:
    """Yield the trades of each bar, its volume spread evenly: a rising bar visits its low first, a falling its high."""
    step = rules.quantity_step
    carried = ZERO
    for bar in bars:
        extremes = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
        corners = (bar.open, *extremes, bar.close)
        path = [corners[0]]
        for start, end in pairwise(corners):
            path += [start + (end - start) * n / (_BETWEEN + 1) for n in range(1, _BETWEEN + 2)]
        carried += bar.volume
        steps = int(carried / step)
        carried -= steps * step
        each, more = divmod(steps, _PRINTS)
        larger = set(_CORNERS_FIRST[:more])
        for index, price in enumerate(path):
            yield Print(
                time_ms=bar.time_ns // _MS + length_ms * index // _PRINTS,
                price=_to_step(price, rules.price_step),
                quantity=(each + (index in larger)) * step,
                side=None,
            )


def _recorded_trades(files: Sequence[RecordedFile], rules: SymbolSettings) -> Recording:
    merged = _from_the_start(files[0], rows_in_order(files))
    ahead: list[Row] = []
    price = _first_price(merged, ahead)
    if price is None:
        raise ConfigError(f"{files[0].path}: expected a trade, or a bid and an ask, in the first {len(ahead)} rows")
    actions = _actions(chain(ahead, merged), rules)
    return Recording(
        history=(),
        start_ms=ahead[0].time_ns // _MS,
        start_price=_to_step(price, rules.price_step),
        actions=actions,
        has_book=any(file.content is Content.DEPTH for file in files),
    )


def rows_in_order(files: Sequence[RecordedFile]) -> Iterator[Row]:
    """Return the rows of files of one symbol by their time, each kind's files one after the other.

    Trades come before changes of the book at the same time: a change has what a trade took already.

    Raises:
        ConfigError: A row is malformed, or two files of a kind overlap.
    """
    if len(files) == 1:
        return files[0].rows()
    kinds = [[file for file in files if file.content is content] for content in _MERGED]
    chains = [_one_after_the_other(each) for each in kinds if each]
    return chains[0] if len(chains) == 1 else heapq.merge(*chains, key=lambda row: row.time_ns)


def _one_after_the_other(files: Sequence[RecordedFile]) -> Iterator[Row]:
    last_ns, last_path = -1, None
    for file in sorted(files, key=lambda file: next(file.rows()).time_ns):
        rows = file.rows()
        row = next(rows)
        if row.time_ns < last_ns + (file.content is Content.BARS):
            raise ConfigError(f"{file.path}: its first row: expected a time after the last one of {last_path}")
        yield row
        for row in rows:
            yield row
        last_ns, last_path = row.time_ns, file.path


def _from_the_start(first: RecordedFile, rows: Iterator[Row]) -> Iterator[Row]:
    """Give the rows of a snapshot without a time that of the first row with one."""
    snapshot = []
    for row in rows:
        if row.time_ns:
            break
        snapshot.append(row)
    else:
        raise ConfigError(f"{first.path}: expected rows with a time; name the events beside their snapshot")
    return chain((replace(each, time_ns=row.time_ns) for each in snapshot), (row,), rows)


def _first_price(rows: Iterator[Row], ahead: list[Row]) -> Decimal | None:
    """Read up to the first price into *ahead*, and return it: a trade's, or the middle of bid and ask."""
    best: dict[Side, Decimal] = {}
    for row in islice(rows, _LOOK_AHEAD):
        ahead.append(row)
        if isinstance(row, Trade):
            return row.price
        if isinstance(row, RecordedLevel) and row.quantity:
            now = best.get(row.side)
            best[row.side] = row.price if now is None else (max if row.side is Side.BUY else min)(now, row.price)
        elif best and len(best) == len(Side) and best[Side.BUY] < best[Side.SELL]:
            break
    if len(best) == len(Side):
        return (best[Side.BUY] + best[Side.SELL]) / 2
    return None


def _actions(rows: Iterator[Row], rules: SymbolSettings) -> Iterator[Action]:
    """Yield trades in whole steps, the remainder added to the next trade of that side, and the book's changes."""
    carried: dict[Side | None, Decimal] = {Side.BUY: ZERO, Side.SELL: ZERO, None: ZERO}
    changes: list[RecordedLevel | BookReset] = []
    for row in rows:
        if changes and (not isinstance(row, RecordedLevel | BookReset) or row.time_ns != changes[0].time_ns):
            yield BookChange(time_ms=changes[0].time_ns // _MS, changes=tuple(changes))
            changes = []
        match row:
            case RecordedLevel() | BookReset():
                changes.append(row)
            case Trade():
                carried[row.side] += row.quantity
                steps = int(carried[row.side] / rules.quantity_step)
                carried[row.side] -= steps * rules.quantity_step
                yield Print(
                    time_ms=row.time_ns // _MS,
                    price=_to_step(row.price, rules.price_step),
                    quantity=steps * rules.quantity_step,
                    side=row.side,
                )
            case FundingRate():
                yield RateChange(time_ms=row.time_ns // _MS, rate=row.rate)
    if changes:
        yield BookChange(time_ms=changes[0].time_ns // _MS, changes=tuple(changes))


def _to_step(price: Decimal, step: Decimal) -> Decimal:
    return max(Decimal(1), (price / step).to_integral_value()) * step
