"""Request parameters as Bitget reads them: the query of a GET, the JSON object of a POST, with its errors."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, TypeVar

import orjson

from opensqt.simulator.dialects.base import Call, ErrorReply, Params
from opensqt.simulator.dialects.bitget import errors

T = TypeVar("T")
PRODUCT_TYPE = "USDT-FUTURES"
MARGIN_COIN = "USDT"
PRODUCT_TYPES = frozenset(
    {PRODUCT_TYPE, "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES"}
)
_DECIMAL = re.compile(r"\d{1,20}(\.\d{1,20})?")
_INTEGER = re.compile(r"\d{1,19}")


def body(call: Call) -> dict[str, Any]:
    """Read the JSON object that a POST carries.

    Raises:
        ErrorReply: The body is not one.
    """
    try:
        found = orjson.loads(call.body or b"{}")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ErrorReply(400, "40017", "Parameter verification failed: body must be a JSON object")
    return found


def flat(fields: dict[str, Any]) -> Params:
    """Return the plain values of a JSON object as text, like those of a query."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in fields.items()
        if value is not None and not isinstance(value, dict | list)
    }


def listed(fields: dict[str, Any], name: str, most: int) -> list[Params]:
    """Read a list of 1 to *most* JSON objects."""
    items = fields.get(name)
    if not isinstance(items, list) or not items:
        raise errors.missing(name)
    if len(items) > most:
        raise ErrorReply(400, "40306", f"Batch processing orders can only process up to {most}")
    return [flat(item) if isinstance(item, dict) else {} for item in items]


def items(call: Call, most: int) -> list[Params]:
    """Read a body that is a list of 1 to *most* JSON objects, as batches of the unified account's API have it.

    Raises:
        ErrorReply: The body is none.
    """
    try:
        found = orjson.loads(call.body or b"[]")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ErrorReply(400, "40017", "Parameter verification failed: body must be a list of JSON objects")
    return listed({"orderList": found}, "orderList", most)


def text(params: Params, name: str) -> str:
    """Read a mandatory text."""
    value = params.get(name, "")
    if not value:
        raise errors.missing(name)
    return value


def decimal(params: Params, name: str) -> Decimal:
    """Read a mandatory number that is not below zero."""
    value = text(params, name)
    if not _DECIMAL.fullmatch(value):
        raise errors.bad_value(name)
    return Decimal(value)


def integer(params: Params, name: str) -> int | None:
    """Read a whole number, or None when it was not sent."""
    value = params.get(name, "")
    if not value:
        return None
    if not _INTEGER.fullmatch(value):
        raise errors.bad_value(name)
    return int(value)


def limit(params: Params, *, default: int = 100, most: int = 100, name: str = "limit") -> int:
    """Read the number of rows to return."""
    value = integer(params, name)
    if value is None:
        return default
    if not 1 <= value <= most:
        raise errors.bad_value(name)
    return value


def choice(params: Params, name: str, among: dict[str, T], default: T | None = None) -> T:
    """Read one of several texts, in any case."""
    value = params.get(name, "").lower()
    if not value and default is not None:
        return default
    if not value:
        raise errors.missing(name)
    if value not in among:
        raise errors.bad_value(name)
    return among[value]


def category(params: Params) -> None:
    """Check that the category of a unified account's request is the one that trades here."""
    if text(params, "category").upper() != PRODUCT_TYPE:
        raise errors.bad_value("category")


def product_type(params: Params) -> str:
    """Read the product type; the venue accepts lower case too."""
    value = text(params, "productType").upper()
    if value not in PRODUCT_TYPES:
        raise errors.bad_value("productType")
    return value


def futures(params: Params) -> None:
    """Check that the product type, and the margin coin where one is named, are those that trade here."""
    if product_type(params) != PRODUCT_TYPE:
        raise errors.bad_value("productType")
    if not is_margin_coin(params):
        raise errors.bad_value("marginCoin")


def is_margin_coin(params: Params) -> bool:
    """Return whether the margin coin that is named is the one of these futures, or none is."""
    return params.get("marginCoin", "").upper() in ("", MARGIN_COIN)
