"""Fields that Binance's orders and conditional orders share: time in force, expiry, price match, client id."""

from __future__ import annotations

import re
from decimal import Decimal

from opensqt.model.order import Side, TimeInForce
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import ErrorReply, Params
from opensqt.simulator.dialects.binance import errors, parameters
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.settings import SymbolSettings

_CLIENT_ID = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")
_CLIENT_ID_RANGE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
_TIME_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTX": TimeInForce.POST_ONLY,
    "GTD": TimeInForce.GTC,
}
_PRICE_MATCH = {
    f"{kind}{suffix}": (kind == "QUEUE", depth)
    for kind in ("OPPONENT", "QUEUE")
    for suffix, depth in (("", 1), ("_5", 5), ("_10", 10), ("_20", 20))
}
"""By name: whether it joins the own side of the book, and the level whose price it takes."""
_LEAST_LIFE_MS = 600_000
_LAST_DATE_MS = 253_402_300_799_000


def time_in_force(name: str) -> TimeInForce:
    """Read a time in force."""
    if name == "RPI":
        # Retail price improvement orders are hidden from the book that this simulator shows.
        raise errors.not_simulated("timeInForce", "RPI")
    try:
        return _TIME_IN_FORCE[name]
    except KeyError:
        raise ErrorReply(400, "-1115", "Invalid timeInForce.") from None


def expiry(params: Params, force: str, engine: SimEngine) -> int | None:
    """Read goodTillDate of an order that is good till a date; return it in market time."""
    if force != "GTD":
        return None
    date = parameters.integer(params, "goodTillDate")
    if date is None:
        raise errors.missing("goodTillDate")
    now_ms = engine.clock.server_ms()
    if not now_ms + _LEAST_LIFE_MS < date < _LAST_DATE_MS:
        message = (
            "The goodTillDate timestamp must be greater than the current time plus 600 seconds"
            f" and smaller than {_LAST_DATE_MS}"
        )
        raise ErrorReply(400, "-5040", message)
    return engine.now_ms() + date // 1000 * 1000 - now_ms


def limit_price(params: Params, side: Side, rules: SymbolSettings, engine: SimEngine) -> Decimal:
    """Read the price of a limit order, or find the one that priceMatch names in the book."""
    match = params.get("priceMatch", "NONE").upper() or "NONE"
    if match == "NONE":
        price = parameters.decimal(params, "price")
        if price <= 0:
            raise ErrorReply(400, "-4001", "Price less than or equal to zero.")
        return price
    if match not in _PRICE_MATCH:
        raise ErrorReply(400, "-5037", "Invalid price match")
    if params.get("price"):
        raise errors.not_required("price")
    own, depth = _PRICE_MATCH[match]
    book = engine.book(rules.symbol, depth)
    levels = book.bids if (side is Side.BUY) is own else book.asks
    if len(levels) < depth:
        raise ErrorReply(400, "-5041", "No depth matches this BBO order")
    return levels[depth - 1][0]


def price_match_needs_limit() -> ErrorReply:
    """Return the error of a price match of an order that has no price."""
    return ErrorReply(400, "-5038", "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT")


def client_id(params: Params, name: str) -> str:
    """Read the client's id of an order."""
    given = params.get(name, "")
    if len(given) > 36:
        raise ErrorReply(400, "-4015", "Client order id length should be less than 36 chars.")
    if given and not _CLIENT_ID.fullmatch(given):
        raise errors.illegal_characters(name, _CLIENT_ID_RANGE)
    return given


def too_fine(value: Decimal, step: Decimal) -> bool:
    """Return whether a number has more decimals than its step."""
    return decimals.decimals(value.normalize()) > decimals.decimals(step)
