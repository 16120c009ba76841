"""Error codes of Bybit: https://bybit-exchange.github.io/docs/v5/error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from opensqt.model import errors
from opensqt.model.errors import ExchangeError
from opensqt.venues.parsing import Row
from opensqt.venues.transport.errors import VenueReply, translate_item

UNCHANGED = frozenset({"110025", "110026", "110043"})
"""Position mode, margin mode or leverage has the requested value already."""
_WRONG_INDEX = "10001 position idx"
"""Not a code of the venue: it returns 10001 for every bad parameter, and only the text shows another account mode."""
_ADDRESS_BANNED = "403"
_BAN_LASTS_S = 600.0
"""Duration of the ban of an address that sent too many requests; the response does not contain it."""

_CODES: dict[type[ExchangeError], tuple[int, ...]] = {
    # The engine may or may not have executed the request.
    errors.OutcomeUnknown: (10000, 10016, 170007),
    errors.RateLimited: (10006, 10018, 10429, 170222),
    errors.Banned: (403, 10009),
    errors.Maintenance: (429, 10019),
    errors.CredentialsRefused: (10003, 10004, 10007, 33004, -2015),
    errors.ClockSkew: (10002, -1),
    errors.PermissionDenied: (
        *(10005, 10008, 10010, 10020, 10024, 10027, 10028, 10029, 10032, 100028),
        *(110065, 110067, 110068, 110069),
    ),
    errors.Unsupported: (10017, 110029),
    errors.InvalidRequest: (110013, 110018, 110019, 110037, 110043, 110049),
    errors.OrderNotFound: (110001, 110008, 110010, 170213),
    errors.DuplicateOrder: (110030, 110072, 170141),
    errors.InsufficientMargin: (
        *(110004, 110006, 110007, 110012, 110014, 110044, 110045, 110051, 110052, 110053),
        *(170033, 170131),
    ),
    errors.ReduceOnlyRefused: (110017, 110034),
    errors.PostOnlyWouldCross: (170218,),
    errors.PositionModeMismatch: (110024, 110025, 110028),
    errors.OrderRejected: (
        # A bad parameter that passed the adapter's own checks of form is a step or a size of an order.
        10001,
        *(110003, 110005, 110009, 110011, 110016, 110020, 110021, 110022, 110023, 110032, 110035, 110039, 110040),
        *(110041, 110042, 110046, 110063, 110064, 110066, 110070, 110074, 110094, 110095),
        # A margin mode that is the same, or that the account can't change to now.
        *(110026, 3400045),
    ),
}
CODES = {str(code): kind for kind, codes in _CODES.items() for code in codes} | {
    _WRONG_INDEX: errors.PositionModeMismatch,
}

STALE_RULES = frozenset({"10001", "110023", "110042", "110074", "110094"})
"""Refusals by a filter, or by the symbol's state, that the loaded rules had let through.

The venue has one code for all bad parameters.
"""


def error_code(code: object, message: str) -> str:
    """Return the code by which CODES lists a refusal."""
    return _WRONG_INDEX if str(code) == "10001" and message.startswith("position idx") else str(code)


def refusal(row: Row, symbol: str) -> ExchangeError | None:
    """Return the error of one item of a batch, which the response lists next to the item's row; None for code 0."""
    code, message = error_code(row["code"], str(row["msg"])), str(row["msg"])
    return None if code == "0" else translate_item(code, message, CODES, symbol=symbol)


def with_retry_after(reply: VenueReply, headers: Mapping[str, str], now_ms: int) -> VenueReply:
    """Add the time to wait to a refusal: headers hold the end of a rate limit's window, and nothing about a ban."""
    if reply.http_status == 403:
        wait_s = reply.retry_after_s if reply.retry_after_s is not None else _BAN_LASTS_S
        return replace(reply, code=_ADDRESS_BANNED, message="the venue shut this address out", retry_after_s=wait_s)
    resets = {name.lower(): value for name, value in headers.items()}.get("x-bapi-limit-reset-timestamp", "")
    if CODES.get(reply.code) is errors.RateLimited and reply.retry_after_s is None and resets.isdecimal():
        return replace(reply, retry_after_s=max(0.05, (int(resets) - now_ms) / 1000))
    return reply
