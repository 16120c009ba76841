"""Request parameters and JSON bodies as Gate reads them, with its errors for what is missing or malformed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from opensqt.simulator.dialects.base import Params
from opensqt.simulator.dialects.gate import errors

Fields = Mapping[str, Any]
"""What a query or a JSON object carries: text, or JSON values."""
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


def text(fields: Fields, name: str) -> str:
    """Read a mandatory text."""
    value = fields.get(name)
    if value is None or value == "":
        raise errors.missing(name)
    return str(value)


def decimal(fields: Fields, name: str) -> Decimal:
    """Read a mandatory number, sent as text or as a number."""
    value = text(fields, name)
    if not _DECIMAL.fullmatch(value):
        raise errors.bad_value(name)
    return Decimal(value)


def integer(fields: Fields, name: str, default: int) -> int:
    """Read a whole number."""
    value = str(fields.get(name, ""))
    if not value:
        return default
    if not _INTEGER.fullmatch(value):
        raise errors.bad_value(name)
    return int(value)


def limit(fields: Fields, *, default: int = 100, most: int = 1000) -> int:
    """Read `limit`."""
    value = integer(fields, "limit", default)
    if not 1 <= value <= most:
        raise errors.bad_value("limit")
    return value


def offset(fields: Fields) -> int:
    """Read `offset`."""
    value = integer(fields, "offset", 0)
    if value < 0:
        raise errors.bad_value("offset")
    return value


def seconds(fields: Fields, name: str) -> int | None:
    """Read a time in seconds and return milliseconds, or None when it was not sent."""
    value = str(fields.get(name, ""))
    if not value:
        return None
    if not _SECONDS.fullmatch(value):
        raise errors.bad_value(name)
    return int(Decimal(value) * 1000)


def boolean(fields: Fields, name: str) -> bool:
    """Read true or false; false when it was not sent."""
    value = fields.get(name)
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    if str(value).lower() not in ("true", "false"):
        raise errors.bad_value(name)
    return str(value).lower() == "true"


def json_object(body: str) -> dict[str, Any]:
    """Read a body that must be a JSON object."""
    value = _json(body)
    if not isinstance(value, dict):
        raise errors.bad_value("body")
    return value


def json_list(body: str, most: int) -> list[Any]:
    """Read a body that must be a JSON list of 1 to *most* items."""
    value = _json(body)
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise errors.bad_value("body")
    return value


def page(rows: list[Any], params: Params, *, default: int = 100) -> list[Any]:
    """Return the part of a list that `limit` and `offset` select."""
    start = offset(params)
    return rows[start : start + limit(params, default=default)]


def _json(body: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise errors.bad_value("body") from None
