"""One row of a file as it was read: its cells become numbers, times and sides, or an error that names the place."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from opensqt.model.errors import ConfigError
from opensqt.model.order import Side

_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DIGITS = {10: 10**9, 13: 10**6, 16: 10**3, 19: 1}
"""Nanoseconds in the unit of an epoch time, by its number of digits: those are the years 2001 to 2286."""
_LAST = 10**19
_LONGEST = 30
"""Digits of a number before and after the point, at most."""
EPOCH = "epoch seconds, milliseconds, microseconds or nanoseconds (10, 13, 16 or 19 digits, the years 2001 to 2286)"
_SIDES = {"buy": Side.BUY, "bid": Side.BUY, "b": Side.BUY, "sell": Side.SELL, "ask": Side.SELL, "a": Side.SELL}
_SIDES |= {"s": Side.SELL}
_PRICE_NAME = re.compile(r"(open|high|low|close)_?price")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Cells:
    """The cells of one row.

    Args:
        path: The file.
        place: "line 3" of text, "row 2" of other formats.
        names: Index of each column by its name.
        values: Text, numbers or times, as the file has them.
    """

    __slots__ = ("_names", "_path", "_place", "_values")

    def __init__(self, path: Path, place: str, names: Mapping[str, int], values: Sequence[Any]) -> None:
        self._path = path
        self._place = place
        self._names = names
        self._values = values

    def wrong(self, column: str, expected: str) -> ConfigError:
        """Return an error that names file, row, column, value and what was expected."""
        value = self._values[self._names[column]] if column in self._names else ""
        shown = str(value)
        return ConfigError(f"{self._path}: {self._place}: {column} {shown!r}: expected {expected}")

    def text(self, column: str) -> str:
        """Return the text of a cell, without blanks around it; empty where there is none."""
        value = self._values[self._names[column]]
        return "" if value is None else str(value).strip()

    def number(self, column: str, *, zero: bool = False) -> Decimal:
        """Return a number above zero, or of zero or above."""
        number = self._number(column)
        if number is None or number < 0 or (not number and not zero):
            raise self.wrong(column, "a number of zero or above" if zero else "a number above zero")
        return number

    def signed(self, column: str) -> Decimal:
        """Return a number."""
        number = self._number(column)
        if number is None:
            raise self.wrong(column, "a number")
        return number

    def time_ns(self, column: str) -> int:
        """Return a time: UTC text, a time of the file's own type, or an epoch time whose unit its size shows."""
        value = self._values[self._names[column]]
        if isinstance(value, datetime):
            return _of_datetime(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return self._epoch_ns(column, value)
        text = str(value).strip()
        if text.isdecimal() and len(text) <= _LONGEST:
            return self._epoch_ns(column, int(text))
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = None
        if number is not None and number.is_finite():
            return self._epoch_ns(column, number)
        try:
            # 2021.05.01 00:00 is how MetaTrader writes it.
            return _of_datetime(datetime.fromisoformat(text.replace(".", "-", 2) if text[4:5] == "." else text))
        except ValueError:
            raise self.wrong(column, f"UTC like 2022-01-31 23:59:00, or {EPOCH}") from None

    def side(self, column: str) -> Side:
        """Return BUY for buy or bid, SELL for sell or ask."""
        side = _SIDES.get(self.text(column).lower())
        if side is None:
            raise self.wrong(column, "buy or sell, bid or ask")
        return side

    def flag(self, column: str) -> bool:
        """Return true or false."""
        flag = _FLAGS.get(self.text(column).lower())
        if flag is None:
            raise self.wrong(column, "true or false")
        return flag

    def _number(self, column: str) -> Decimal | None:
        try:
            number = exact(self._values[self._names[column]])
        except (InvalidOperation, ValueError, TypeError):
            return None
        return number if is_usual(number) else None

    def _epoch_ns(self, column: str, number: Decimal | int) -> int:
        time_ns = epoch_ns(number)
        if time_ns is None:
            raise self.wrong(column, EPOCH)
        return time_ns


def column_name(text: str) -> str:
    """Return the name of a column as layouts have it: "Open time" and "openPrice" are open_time and open."""
    name = text.strip().lower().replace(" ", "_")
    price = _PRICE_NAME.fullmatch(name)
    return price[1] if price else name


def exact(value: Any) -> Decimal:
    """Return the exact number of a text; of a float the shortest decimal number that is the same float."""
    if isinstance(value, float):
        return Decimal(repr(value))
    return Decimal(value.strip() if isinstance(value, str) else value)


def is_usual(number: Decimal) -> bool:
    """Return whether a market may have the number; arithmetic with an exponent of a million takes forever."""
    return number.is_finite() and abs(number.adjusted()) <= _LONGEST


def shortest_single(value: float) -> float:
    """Return the float with the shortest text among those that are *value* in single precision."""
    for digits in range(6, 10):
        short = float(f"{value:.{digits}g}")
        if struct.unpack("f", struct.pack("f", short))[0] == value:
            return short
    return value


def epoch_ns(number: Decimal | int) -> int | None:
    """Return the nanoseconds of an epoch time in s, ms, us or ns; None if its size is that of none of them."""
    if not 0 < number < _LAST:
        return None
    unit = _DIGITS.get(len(str(int(number))))
    return None if unit is None else int(number * unit)


def unit_ns(unit: str) -> int:
    """Return the nanoseconds of s, ms, us or ns."""
    return _NS[unit]


def _of_datetime(time: datetime) -> int:
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return (int((time - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**6 + time.microsecond) * 1000
