"""Error labels of Gate: https://www.gate.com/docs/developers/apiv4/en/#label-list."""

from __future__ import annotations

from opensqt.model import errors
from opensqt.model.errors import ExchangeError
from opensqt.venues.parsing import Row
from opensqt.venues.transport.errors import translate_item

KILLED = "ORDER_FOK"
"""A fill-or-kill order was killed: returned as an error, although the order was accepted."""
UNCHANGED = frozenset({"NO_CHANGE"})
"""The position mode is the requested one already."""
NO_POSITION = "POSITION_NOT_FOUND"
"""The account has never traded this contract."""

_CODES: dict[type[ExchangeError], tuple[str, ...]] = {
    # The engine may or may not have executed the request.
    errors.OutcomeUnknown: ("INTERNAL", "SERVER_ERROR", "INTERNAL_SERVER_ERROR", "SERVER_TIMEOUT"),
    errors.RateLimited: ("TOO_MANY_REQUESTS", "TOO_FAST"),
    errors.Maintenance: ("TOO_BUSY", "SYSTEM_MAINTENANCE"),
    errors.CredentialsRefused: (
        *("INVALID_CREDENTIALS", "INVALID_KEY", "IP_FORBIDDEN", "INVALID_SIGNATURE", "MISSING_REQUIRED_HEADER"),
        "AUTHENTICATION_FAILED",
    ),
    errors.ClockSkew: ("REQUEST_EXPIRED",),
    errors.PermissionDenied: (
        *("READ_ONLY", "FORBIDDEN", "ACCOUNT_LOCKED", "SUB_ACCOUNT_LOCKED", "USER_NOT_FOUND", "TRADE_RESTRICTED"),
    ),
    errors.InvalidRequest: (
        *("INVALID_PROTOCOL", "INVALID_PARAM_VALUE", "INVALID_ARGUMENT", "INVALID_REQUEST_BODY", "BAD_REQUEST"),
        *("MISSING_REQUIRED_PARAM", "INVALID_CONTENT_TYPE", "NOT_ACCEPTABLE", "METHOD_NOT_ALLOWED", "NOT_FOUND"),
        *("LEVERAGE_TOO_HIGH", "LEVERAGE_TOO_LOW"),
    ),
    errors.UnknownSymbol: ("CONTRACT_NOT_FOUND", "INVALID_CURRENCY_PAIR", "INVALID_CURRENCY"),
    errors.OrderNotFound: (
        *("ORDER_NOT_FOUND", "CLIENT_ID_NOT_FOUND", "ORDER_NOT_OWNED"),
        # The cancel came too late; the order itself is queried then.
        *("ORDER_FINISHED", "ORDER_CLOSED", "ORDER_CANCELLED"),
    ),
    errors.DuplicateOrder: ("REPEATED_CREATION",),
    errors.InsufficientMargin: (
        *("INSUFFICIENT_AVAILABLE", "BALANCE_NOT_ENOUGH", "MARGIN_BALANCE_NOT_ENOUGH", "FUTURES_BALANCE_NOT_ENOUGH"),
        *("LIQUIDATE_IMMEDIATELY", "RISK_LIMIT_EXCEEDED", "INITIAL_MARGIN_TOO_LOW"),
    ),
    errors.ReduceOnlyRefused: ("REDUCE_EXCEEDED", "POSITION_EMPTY", "INCREASE_POSITION"),
    errors.PostOnlyWouldCross: ("ORDER_POC_IMMEDIATE", "POC_FILL_IMMEDIATELY"),
    errors.PositionModeMismatch: ("POSITION_DUAL_MODE", "POSITION_HOLDING", "ORDER_PENDING"),
    errors.OrderRejected: (
        *("PRICE_TOO_DEVIATED", "SIZE_TOO_LARGE", "SIZE_TOO_SMALL", "PRICE_OVER_LIQUIDATION", "PRICE_OVER_BANKRUPT"),
        *("TOO_MANY_ORDERS", "CONTRACT_IN_DELISTING", "CONTRACT_NO_COUNTER", "POSITION_IN_LIQUIDATION"),
        *("POSITION_IN_CLOSE", "POSITION_CROSS_MARGIN", "AMOUNT_TOO_LITTLE", "AMOUNT_TOO_MUCH", "INVALID_PRECISION"),
        *(KILLED, "PRICE_THRESHOLD_EXCEEDED"),
    ),
}
CODES = {label: kind for kind, labels in _CODES.items() for label in labels}

STALE_RULES = frozenset(
    {"INVALID_PARAM_VALUE", "SIZE_TOO_LARGE", "SIZE_TOO_SMALL", "INVALID_PRECISION", "CONTRACT_IN_DELISTING"}
)
"""Refusals by a filter, or by the symbol's state, that the loaded rules had let through."""


def refusal(row: Row, symbol: str) -> ExchangeError | None:
    """Return the error of one item of a batch; None where the row is an order."""
    if row.get("succeeded", True):
        return None
    text = str(row.get("detail") or row.get("message") or "")
    return order_error(translate_item(str(row.get("label", "")), text, CODES, symbol=symbol))


def order_error(error: ExchangeError) -> ExchangeError:
    """Return the error of a refused order: one label stands for a malformed order and for one that misses a rule."""
    if not isinstance(error, errors.InvalidRequest) or error.venue_code not in STALE_RULES:
        return error
    return errors.OrderRejected(error.message, venue_code=error.venue_code, symbol=error.symbol)
