"""Request parameters as Binance reads them, with its errors for what is missing or malformed."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

import orjson

from opensqt.simulator.dialects.base import ErrorReply, Params
from opensqt.simulator.dialects.binance import errors

E = TypeVar("E", bound=StrEnum)
_DECIMAL = re.compile(r"-?\d{1,20}(\.\d{1,20})?")
_INTEGER = re.compile(r"-?\d{1,19}")
_DECIMAL_RANGE = "^([0-9]{1,20})(\\.[0-9]{1,20})?$"


def text(params: Params, name: str) -> str:
    """Read a mandatory text."""
    value = params.get(name, "")
    if not value:
        raise errors.missing(name)
    return value


def decimal(params: Params, name: str) -> Decimal:
    """Read a mandatory number."""
    value = text(params, name)
    if not _DECIMAL.fullmatch(value):
        raise errors.illegal_characters(name, _DECIMAL_RANGE)
    return Decimal(value)


def integer(params: Params, name: str) -> int | None:
    """Read a whole number, or None when it was not sent."""
    value = params.get(name, "")
    if not value:
        return None
    if not _INTEGER.fullmatch(value):
        raise errors.illegal_characters(name, "^[0-9]{1,20}$")
    return int(value)


def limit(params: Params, *, default: int, most: int) -> int:
    """Read `limit`."""
    value = integer(params, "limit")
    if value is None:
        return default
    if not 1 <= value <= most:
        raise errors.bad_value("limit")
    return value


def choice(params: Params, name: str, among: type[E], error: ErrorReply, default: E | None = None) -> E:
    """Read a member of an enum, in capital letters."""
    value = params.get(name, "")
    if not value:
        if default is None:
            raise errors.missing(name)
        return default
    try:
        return among(value.upper())
    except ValueError:
        raise error from None


def boolean(params: Params, name: str) -> bool:
    """Read `true` or `false`; false when it was not sent."""
    value = params.get(name, "false").lower()
    if value not in ("true", "false"):
        raise errors.bad_value(name)
    return value == "true"


def json_list(params: Params, name: str, most: int) -> list[object]:
    """Read a list in JSON of 1 to *most* items."""
    try:
        items = orjson.loads(text(params, name))
    except orjson.JSONDecodeError:
        raise errors.missing(name) from None
    if not isinstance(items, list) or not items:
        raise errors.missing(name)
    if len(items) > most:
        raise ErrorReply(400, "-4082", f"Invalid number of batch place orders. Allowed: {most}.")
    return items


def window(params: Params, *, longest_ms: int, now_ms: int) -> tuple[int, int]:
    """Read startTime and endTime; a missing one follows from the other and the longest window allowed."""
    start, end = integer(params, "startTime"), integer(params, "endTime")
    if start is None and end is None:
        return now_ms - longest_ms, now_ms
    if start is None:
        return (end or 0) - longest_ms, end or 0
    if end is None:
        return start, start + longest_ms
    if start > end:
        raise ErrorReply(400, "-1023", "Start time is greater than end time.")
    if end - start > longest_ms:
        raise ErrorReply(400, "-4165", "Maximum time interval is 7 days.")
    return start, end
