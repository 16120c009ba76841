"""Request parameters as Bybit reads them, from the query or a JSON body, with its errors."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, TypeVar

import orjson

from opensqt.simulator.dialects.base import Call, Params
from opensqt.simulator.dialects.bybit import errors

T = TypeVar("T")
_DECIMAL = re.compile(r"\d{1,20}(\.\d{1,20})?")
_INTEGER = re.compile(r"\d{1,19}")
CATEGORIES = ("spot", "linear", "inverse", "option")


def of_body(call: Call) -> dict[str, Any]:
    """Read the JSON object that a POST carries."""
    try:
        found = orjson.loads(call.body or b"{}")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise errors.parameter("Request parameter error. The body must be a JSON object.")
    return found


def read_body(call: Call) -> int:
    """Read the parameters of a POST into the call; return how many of its endpoint's units it uses."""
    fields = of_body(call)
    call.params = call.params | flat(fields)
    batch = fields.get("request")
    return max(1, len(batch)) if isinstance(batch, list) else 1


def flat(fields: dict[str, Any]) -> Params:
    """Return every plain value as text; lists and objects are left out."""
    return {
        str(key): str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in fields.items()
        if value is not None and not isinstance(value, list | dict)
    }


def text(params: Params, name: str) -> str:
    """Read a mandatory text."""
    value = params.get(name, "")
    if not value:
        raise errors.parameter(f"params error: {name} is required")
    return value


def is_linear(params: Params) -> bool:
    """Read the category; return whether it is the one that trades here or another of the venue's."""
    category = text(params, "category")
    if category not in CATEGORIES:
        raise errors.parameter("params error: category invalid")
    return category == "linear"


def need_linear(params: Params) -> None:
    """Refuse every category except linear."""
    if not is_linear(params):
        raise errors.parameter("params error: only the category linear is simulated")


def decimal(params: Params, name: str) -> Decimal:
    """Read a mandatory number."""
    value = text(params, name)
    if not _DECIMAL.fullmatch(value):
        raise errors.parameter(f"params error: {name} invalid")
    return Decimal(value)


def integer(params: Params, name: str) -> int | None:
    """Read a whole number, or None when it was not sent."""
    value = params.get(name, "")
    if not value:
        return None
    if not _INTEGER.fullmatch(value):
        raise errors.parameter(f"params error: {name} invalid")
    return int(value)


def limit(params: Params, *, default: int, most: int) -> int:
    """Read `limit`; the venue lowers one that is too large."""
    value = integer(params, "limit")
    return default if value is None else max(1, min(value, most))


def choice(params: Params, name: str, among: dict[str, T], default: T | None = None) -> T:
    """Read one of the venue's fixed texts."""
    value = params.get(name, "")
    if not value and default is not None:
        return default
    if value not in among:
        raise errors.parameter(f"params error: {name} invalid")
    return among[value]


def boolean(params: Params, name: str) -> bool:
    """Read `true` or `false`; false when it was not sent."""
    value = params.get(name, "false").lower()
    if value not in ("true", "false"):
        raise errors.parameter(f"params error: {name} invalid")
    return value == "true"


def window(params: Params, *, longest_ms: int, now_ms: int) -> tuple[int, int]:
    """Read startTime and endTime; a missing one follows from the other and the longest window allowed."""
    start, end = integer(params, "startTime"), integer(params, "endTime")
    if start is None:
        end = now_ms if end is None else end
        return end - longest_ms, end
    if end is None:
        return start, start + longest_ms
    if start > end:
        raise errors.parameter("params error: startTime is greater than endTime")
    if end - start > longest_ms:
        raise errors.parameter("The time range between startTime and endTime cannot exceed 7 days")
    return start, end
