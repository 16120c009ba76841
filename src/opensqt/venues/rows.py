"""Decodes the rows of a venue into typed messages: a row that can't be read raises `RowError` and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

import msgspec

_SHOWN_TEXT = 80
T = TypeVar("T")
Row = TypeVar("Row", bound="VenueRow")
Message = TypeVar("Message", bound=msgspec.Struct)


class RowError(ValueError):
    """A row of the venue lacks a field, or has one of another type or with an unknown value."""


class VenueRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row as the venue documents it: the fields that are used, by the venue's names. Others are ignored."""


class VenueMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the market, or a part of one. Unlike in a `VenueRow`, a null and an empty text are values."""


@dataclass(frozen=True, slots=True)
class FrameFields:
    """Where a frame has its channel and its symbol: the names of the fields that lead to each."""

    channel: tuple[str, ...]
    symbol: tuple[str, ...]

    def identity(self, frame: Any) -> tuple[str, str]:
        """Return the raw symbol and the channel of a frame; empty where the frame has none that can be used."""
        return _text_at(frame, self.symbol), _text_at(frame, self.channel)


@dataclass(frozen=True, slots=True)
class RowKind:
    """What a row is, and the fields that identify it, by the venue's names."""

    name: str
    """`order`, `fill`, `position` or `balance`."""
    symbol: str = ""
    """Field of the symbol; empty for a row of no symbol."""
    row_id: str = ""
    """Field of the order's id, the trade's id or the position's side."""
    other_id: str = ""
    """Field of the id in rows that lack the former."""

    def identity(self, raw: Any) -> tuple[str, str]:
        """Return the raw symbol and the raw id of a row; empty where the row has none that can be used."""
        return _text(raw, self.symbol), _text(raw, self.row_id) or _text(raw, self.other_id)


def decode(raw: Any, kind: type[Row]) -> Row:
    """Return a row as a typed message.

    A field that is null or an empty text counts as absent, because venues leave fields empty that have no value.

    Args:
        raw: The row, of decoded JSON.
        kind: Names, types and defaults of its fields.

    Raises:
        RowError: A field without a default is absent, or a field is of another type.
    """
    if not isinstance(raw, dict):
        raise RowError(f"expected an object, not {_shown(raw)}")
    given = {name: value for name, value in raw.items() if value is not None and value != ""}
    try:
        row = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise RowError(str(error)) from None
    for name in _decimals(kind):
        value = getattr(row, name)
        if not value.is_finite():
            # By our name of the field, which is not always the venue's.
            raise RowError(f"{name} {value}: expected a finite number")
    return row


def decode_message(raw: Any, kind: type[Message]) -> Message:
    """Return a message of the market as a typed one.

    Args:
        raw: The message, of decoded JSON.
        kind: Names, types and defaults of its fields.

    Raises:
        RowError: A field without a default is absent, or a field is of another type.
    """
    try:
        return msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        raise RowError(str(error)) from None


def lookup(table: Mapping[Any, T], text: Any, field: str) -> T:
    """Return what a value of the venue means.

    Raises:
        RowError: The table lacks the value.
    """
    try:
        return table[text]
    except KeyError:
        known = ", ".join(str(each) for each in table)
        raise RowError(f"{field} {_shown(text)}: expected one of {known}") from None


def decimal(text: Any, field: str) -> Decimal:
    """Return a number of a list or of a part of a row.

    Raises:
        RowError: It is no finite number.
    """
    try:
        found = Decimal(str(text))
    except ArithmeticError:
        raise RowError(f"{field} {_shown(text)}: expected a number") from None
    if isinstance(text, bool) or not found.is_finite():
        raise RowError(f"{field} {_shown(text)}: expected a finite number")
    return found


def above_zero(text: Any, field: str) -> Decimal:
    """Return a number of a list or of a part of a row.

    Raises:
        RowError: It is no finite number above zero.
    """
    found = decimal(text, field)
    if found <= 0:
        raise RowError(f"{field} {_shown(text)}: expected a number above zero")
    return found


def objects(raw: Any, field: str) -> list[Any]:
    """Return the rows of a frame or of a response.

    Raises:
        RowError: There is no list of them.
    """
    if not isinstance(raw, list):
        raise RowError(f"{field} {_shown(raw)}: expected a list")
    return raw


def first(raw: Any, field: str) -> Any:
    """Return the only row of a response.

    Raises:
        RowError: There is none.
    """
    rows = objects(raw, field)
    if not rows:
        raise RowError(f"{field}: expected a row, found none")
    return rows[0]


async def all_rows(pages: AsyncIterable[Iterable[T]]) -> list[T]:
    """Return the rows of every page."""
    return [row async for page in pages for row in page]


def member(raw: Any, field: str) -> Any:
    """Return a field of an object; None where it is absent.

    Raises:
        RowError: *raw* is no object.
    """
    if not isinstance(raw, dict):
        raise RowError(f"expected an object with {field}, not {_shown(raw)}")
    return raw.get(field)


def text_of(raw: Any, field: str) -> str:
    """Return a text of an object; empty where it is absent.

    Raises:
        RowError: *raw* is no object, or the field is no text.
    """
    value = member(raw, field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowError(f"{field} {_shown(value)}: expected a text")
    return value


def last_id(rows: list[Any], field: str) -> str:
    """Return the id of the last row that has one, by which the next page of a list begins.

    Raises:
        RowError: No row has one.
    """
    for row in reversed(rows):
        if found := _text(row, field):
            return found
    raise RowError(f"{field}: expected one in a row of a full page")


def opening_ms(candle: Any) -> int:
    """Return the opening of a candle that is a list; 0 where it can't be read."""
    return sort_number(candle[0]) if isinstance(candle, list) and candle else 0


def sort_number(value: Any) -> int:
    """Return the number of an id or of a time to sort by; 0 where it is none."""
    text = str(value)
    return int(text) if text.isdecimal() else 0


@cache
def _decimals(kind: type[VenueRow]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(kind) if field.type is Decimal)


def _text(raw: Any, field: str) -> str:
    value = raw.get(field) if field and isinstance(raw, dict) else None
    return str(value)[:_SHOWN_TEXT] if isinstance(value, str | int) else ""


def _text_at(frame: Any, path: tuple[str, ...]) -> str:
    *objects_, field = path
    for name in objects_:
        frame = frame.get(name) if isinstance(frame, dict) else None
    return _text(frame, field)


def _shown(value: Any) -> str:
    return repr(value)[:_SHOWN_TEXT]
