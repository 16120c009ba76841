"""Request parameters as OKX reads them, with its errors for what is missing or malformed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import orjson

from opensqt.simulator.dialects.base import Call, ErrorReply
from opensqt.simulator.dialects.okx import errors

_DECIMAL = re.compile(r"\d{1,20}(\.\d{1,20})?")
_INTEGER = re.compile(r"\d{1,19}")
_MOST_IN_BATCH = 20
Row = Mapping[str, Any]
T = TypeVar("T")


def body(call: Call) -> Row:
    """Read the body of a request for one order or setting."""
    read = _json(call.body)
    if not isinstance(read, dict):
        raise errors.not_json()
    return read


def rows(call: Call) -> list[Row]:
    """Read the body of a batch: 1 to 20 objects."""
    read = _json(call.body)
    if not isinstance(read, list) or not all(isinstance(item, dict) for item in read):
        raise errors.not_json()
    if not read:
        raise errors.missing("args")
    if len(read) > _MOST_IN_BATCH:
        raise ErrorReply(400, "51111", f"Maximum {_MOST_IN_BATCH} orders can be placed in bulk.")
    return read


def count(call: Call) -> int:
    """Return the number of items of a request: those of a batch, else one."""
    try:
        read = orjson.loads(call.body) if call.body else None
    except orjson.JSONDecodeError:
        return 1
    return len(read) if isinstance(read, list) and read else 1


def text(row: Row, name: str) -> str:
    """Read an optional text; numbers and booleans are accepted as text."""
    value = row.get(name)
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def required(row: Row, name: str) -> str:
    """Read a mandatory text."""
    value = text(row, name)
    if not value:
        raise errors.missing(name)
    return value


def choice(row: Row, name: str, allowed: Mapping[str, T]) -> T:
    """Read one of a few texts."""
    value = required(row, name)
    if value not in allowed:
        raise errors.bad(name)
    return allowed[value]


def decimal(row: Row, name: str) -> Decimal:
    """Read a mandatory number that is not below zero."""
    value = required(row, name)
    if not _DECIMAL.fullmatch(value):
        raise errors.bad(name)
    return Decimal(value)


def boolean(row: Row, name: str) -> bool:
    """Read `true` or `false`; false when it was not sent."""
    value = text(row, name).lower()
    if value not in ("", "true", "false"):
        raise errors.bad(name)
    return value == "true"


def integer(row: Row, name: str) -> int | None:
    """Read an optional whole number."""
    value = text(row, name)
    if not value:
        return None
    if not _INTEGER.fullmatch(value):
        raise errors.bad(name)
    return int(value)


def limit(row: Row, most: int, default: int = 100) -> int:
    """Read the number of rows to return; a value above the maximum counts as the maximum."""
    wanted = integer(row, "limit")
    return min(default if wanted is None else max(wanted, 1), most)


def page(found: Sequence[T], keys: Sequence[int], row: Row, most: int = 100) -> list[T]:
    """Return a page of rows that are newest first: older than `after`, newer than `before`, `limit` of them."""
    after, before = integer(row, "after"), integer(row, "before")
    cut = [
        item
        for item, key in zip(found, keys, strict=True)
        if (after is None or key < after) and (before is None or key > before)
    ]
    return cut[: limit(row, most)]


def _json(content: str) -> Any:
    if not content:
        raise ErrorReply(400, "50000", "Body for POST request cannot be empty.")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise errors.not_json() from None
