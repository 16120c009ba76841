"""Layouts: which columns mean what. One is recognised by its header, or by the shape of a first line without one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from opensqt.model.order import Side
from opensqt.recordings.cells import Cells
from opensqt.recordings.rows import Bar, BookReset, FundingRate, RecordedLevel, Row, Trade

_TIMES = (
    *("open_time", "timestamp", "date", "datetime", "time", "start_at", "start_time", "opentime", "starttime"),
    "__index_level_0__",  # how pandas writes an index without a name
)
_PRICES = ("open", "high", "low", "close")
_BASE = ("base_volume", "volume_base", "basevolume", "volume_from")
_QUOTE = ("quote_volume", "quote_asset_volume", "quotevolume", "volume_quote", "turnover", "volume_to")
_BOOK_TIMES = ("local_timestamp", "timestamp")
_TRADED = ("transact_time", "timestamp", "time")
_AMOUNTS = ("amount", "volume", "size")
_MAKERS = ("is_buyer_maker", "isbuyermaker")
_SLACK = Decimal("1.01")
"""A notional is between its lowest and highest price times the quantity, but for what was rounded."""
_CHECKED = 100
"""Trades of a file whose notional is checked: its quantities all count the same."""
_ROUNDED = Decimal("0.000001")
"""What the rounding of a small notional may take or add, in quote."""
_BINANCE_BARS = (
    *("open_time", *_PRICES, "volume", "close_time", "quote_volume", "count"),
    *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
_BINANCE_TRADES = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match")
_BINANCE_AGGREGATES = (
    *("agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id"),
    *("transact_time", "is_buyer_maker", "is_best_match"),
)
_SORTED = "; sort the file by its time, oldest first"
_METATRADER = ("time", *_PRICES, "volume")
_METATRADER_TIME = re.compile(r"\d{4}\.\d\d\.\d\d \d\d:\d\d")
FREQTRADE_TRADES = ("timestamp", "id", "type", "side", "price", "amount", "cost")


class Content(StrEnum):
    """What a recording contains."""

    BARS = "bars"
    TRADES = "trades"
    DEPTH = "depth"
    """Changes of the book, and trades where the file has them."""
    FUNDING = "funding rates"


class VolumeAsset(StrEnum):
    """What the column `volume` of bars counts."""

    BASE = "base"
    QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of a file are read."""

    name: str
    content: Content
    read: Callable[[Iterator[Cells]], Iterator[Row]]
    volume_assumed: bool = False
    """Whether nothing says what `volume` counts, so that it is taken as quote."""
    volume_exact: bool = True
    """Whether quantities are the file's own, and not quote divided by a price."""


def without_header(cells: Sequence[str]) -> tuple[str, ...] | None:
    """Return the columns of a file whose first line is a row already, if its layout is known."""
    values = [cell.strip().lower() for cell in cells]

    def flag(index: int) -> bool:
        return index < len(values) and values[index] in ("true", "false")

    number = values[0].isdigit()
    if number and len(values) == len(_BINANCE_BARS):
        return _BINANCE_BARS
    if number and len(values) in (6, 7) and flag(5):
        return _BINANCE_TRADES[: len(values)]
    if number and len(values) in (7, 8) and flag(6):
        return _BINANCE_AGGREGATES[: len(values)]
    if len(values) == len(_METATRADER) and _METATRADER_TIME.fullmatch(values[0]):
        return _METATRADER
    return None


def layout(columns: Sequence[str], *, volume: VolumeAsset | None, default: VolumeAsset | None = None) -> Layout | None:
    """Return the layout of a file with these columns, in small letters; None if it is not known.

    Args:
        columns: Names of the columns.
        volume: What `volume` counts, if somebody said it.
        default: What it counts by the file's format.
    """
    names = set(columns)
    if {"is_snapshot", "side", "price", "amount"} <= names and (time := _first(names, _BOOK_TIMES)):
        return Layout("changes of the book", Content.DEPTH, _depth(time))
    if "funding_rate" in names and (time := _first(names, _BOOK_TIMES)):
        return Layout("funding rates", Content.FUNDING, _funding(time))
    if {"local_timestamp", "id", "side", "price", "amount"} <= names:
        return Layout("Tardis trades", Content.TRADES, _trades("local_timestamp", "amount"))
    if {"timestamp", "side", "size", "price", "trdmatchid"} <= names:
        return Layout("Bybit trades", Content.TRADES, _bybit_trades("homenotional" in names))
    if {"time", "price", "qty"} <= names and _first(names, _MAKERS):
        # Of a coin-margined contract `qty` counts contracts, and base_qty the coins.
        quantity = "base_qty" if "base_qty" in names else "qty"
        return Layout("Binance trades", Content.TRADES, _maker_trades("time", quantity, names))
    if {"price", "quantity"} <= names and _first(names, _MAKERS) and _first(names, _TRADED):
        return Layout("Binance aggTrades", Content.TRADES, _maker_trades(_first(names, _TRADED), "quantity", names))
    if {"timestamp", "side", "price"} <= names and (quantity := _first(names, _AMOUNTS)):
        return Layout("trades", Content.TRADES, _trades("timestamp", quantity))
    time = _first(names, _TIMES)
    if time and set(_PRICES) <= names:
        return _bars_layout(names, time, volume, default)
    return None


def expected_columns() -> str:
    """Return the sentence about the columns of the layouts that are known."""
    return (
        "the columns timestamp,open,high,low,close,volume (bars)"
        " or id,price,qty,quote_qty,time,is_buyer_maker (trades), or another layout of docs/recordings.md"
    )


def _bars_layout(names: set[str], time: str, volume: VolumeAsset | None, default: VolumeAsset | None) -> Layout | None:
    base, quote = _first(names, _BASE), _first(names, _QUOTE)
    plain = "volume" if "volume" in names else ""
    assumed = False
    if plain and not base and quote:
        base = plain
    elif plain and not base and not quote:
        said = volume or default
        assumed = said is None
        base, quote = (plain, "") if said is VolumeAsset.BASE else ("", plain)
    if not base and not quote:
        return None
    return Layout("bars", Content.BARS, _bars(time, base, quote), assumed, volume_exact=bool(base))


def _first(names: set[str], wanted: Sequence[str]) -> str:
    return next((each for each in wanted if each in names), "")


def _bars(time: str, base: str, quote: str) -> Callable[[Iterator[Cells]], Iterator[Row]]:
    def read(rows: Iterator[Cells]) -> Iterator[Row]:
        last_ns = -1
        for row in rows:
            time_ns = row.time_ns(time)
            if time_ns <= last_ns:
                raise row.wrong(time, f"a time after that of the row before{_SORTED}")
            last_ns = time_ns
            opened, high, low, close = (row.number(column) for column in _PRICES)
            if high < max(opened, close):
                raise row.wrong("high", "at least open and close")
            if low > min(opened, close):
                raise row.wrong("low", "at most open and close")
            if base:
                quantity = row.number(base, zero=True)
                if quote:
                    _check_notional(row, quote, quantity, low, high)
            else:
                quantity = row.number(quote, zero=True) * 4 / (opened + high + low + close)
            yield Bar(time_ns, opened, high, low, close, quantity)

    return read


def _check_notional(row: Cells, column: str, quantity: Decimal, low: Decimal, high: Decimal) -> None:
    """Check that a file has base and quote where it says so: one of a coin-margined contract has others there."""
    notional = row.number(column, zero=True)
    if not low * quantity / _SLACK - _ROUNDED <= notional <= high * quantity * _SLACK + _ROUNDED:
        raise row.wrong(column, f"{low * quantity:f} to {high * quantity:f} quote, the quantity times its price")


def _trades(time: str, quantity: str) -> Callable[[Iterator[Cells]], Iterator[Row]]:
    def read(rows: Iterator[Cells]) -> Iterator[Row]:
        for row, time_ns in _in_order(rows, time):
            side = None if row.text("side").lower() in ("", "unknown") else row.side("side")
            yield Trade(time_ns, row.number("price"), row.number(quantity), side)

    return read


def _maker_trades(time: str, quantity: str, names: set[str]) -> Callable[[Iterator[Cells]], Iterator[Row]]:
    maker = _first(names, _MAKERS)
    notional = "quote_qty" if "quote_qty" in names else ""

    def read(rows: Iterator[Cells]) -> Iterator[Row]:
        checked = 0
        for row, time_ns in _in_order(rows, time):
            side = Side.SELL if row.flag(maker) else Side.BUY
            price, amount = row.number("price"), row.number(quantity)
            if notional and checked < _CHECKED:
                checked += 1
                _check_notional(row, notional, amount, price, price)
            yield Trade(time_ns, price, amount, side)

    return read


def _bybit_trades(has_base: bool) -> Callable[[Iterator[Cells]], Iterator[Row]]:
    def read(rows: Iterator[Cells]) -> Iterator[Row]:
        for row, time_ns in _in_order(rows, "timestamp"):
            quantity = row.number("size")
            if has_base and not quantity / _SLACK <= row.number("homenotional") <= quantity * _SLACK:
                raise row.wrong("homenotional", f"{quantity}, the size: contracts of the inverse kind are not read")
            yield Trade(time_ns, row.number("price"), quantity, row.side("side"))

    return read


def _depth(time: str) -> Callable[[Iterator[Cells]], Iterator[Row]]:
    """Read the book's changes; a snapshot voids what was before: it is the first, or there was a gap."""

    def read(rows: Iterator[Cells]) -> Iterator[Row]:
        snapshot_ns = -1
        for row, time_ns in _in_order(rows, time):
            if not row.flag("is_snapshot"):
                snapshot_ns = -1
            elif snapshot_ns != time_ns:
                snapshot_ns = time_ns
                yield BookReset(time_ns)
            yield RecordedLevel(time_ns, row.side("side"), row.number("price"), row.number("amount", zero=True))

    return read


def _funding(time: str) -> Callable[[Iterator[Cells]], Iterator[Row]]:
    """Read funding rates; a row without one has nothing new of it."""

    def read(rows: Iterator[Cells]) -> Iterator[Row]:
        for row, time_ns in _in_order(rows, time):
            if row.text("funding_rate"):
                yield FundingRate(time_ns, row.signed("funding_rate"))

    return read


def _in_order(rows: Iterator[Cells], time: str) -> Iterator[tuple[Cells, int]]:
    last_ns = -1
    for row in rows:
        time_ns = row.time_ns(time)
        if time_ns < last_ns:
            raise row.wrong(time, f"a time not before that of the row before{_SORTED}")
        last_ns = time_ns
        yield row, time_ns


def bar_length_ns(times: Sequence[int]) -> int:
    """Return the length of bars: the shortest distance of two that follow each other, a minute for a single one."""
    return min((later - earlier for earlier, later in pairwise(times)), default=60 * 10**9)
