"""Translation of ccxt's errors and the venues' codes into OpenSQT errors: the only such table."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass

import ccxt

from opensqt.model import errors
from opensqt.model.errors import ExchangeError
from opensqt.model.order import Order
from opensqt.telemetry.logging import redact

PARSE_ERRORS = (KeyError, ValueError, TypeError, IndexError, ArithmeticError, AttributeError)
"""Errors that parsing an unexpected response or frame can raise."""

Codes = Mapping[str, type[ExchangeError]]
"""A venue's error codes. OutcomeUnknown marks a code that leaves the outcome open."""

CCXT_ERRORS: dict[type[ccxt.BaseError], type[ExchangeError]] = {
    ccxt.BaseError: errors.VenueError,
    ccxt.ExchangeError: errors.VenueError,
    ccxt.AuthenticationError: errors.CredentialsRefused,
    ccxt.PermissionDenied: errors.PermissionDenied,
    ccxt.AccountNotEnabled: errors.PermissionDenied,
    ccxt.AccountSuspended: errors.PermissionDenied,
    ccxt.ArgumentsRequired: errors.InvalidRequest,
    ccxt.BadRequest: errors.InvalidRequest,
    ccxt.BadSymbol: errors.UnknownSymbol,
    ccxt.OperationRejected: errors.OrderRejected,
    ccxt.NoChange: errors.VenueError,
    ccxt.MarginModeAlreadySet: errors.VenueError,
    ccxt.MarketClosed: errors.OrderRejected,
    ccxt.ManualInteractionNeeded: errors.PermissionDenied,
    ccxt.RestrictedLocation: errors.PermissionDenied,
    ccxt.InsufficientFunds: errors.InsufficientMargin,
    ccxt.InvalidAddress: errors.InvalidRequest,
    ccxt.AddressPending: errors.InvalidRequest,
    ccxt.InvalidOrder: errors.OrderRejected,
    ccxt.OrderNotFound: errors.OrderNotFound,
    ccxt.OrderNotCached: errors.OrderNotFound,
    ccxt.OrderImmediatelyFillable: errors.PostOnlyWouldCross,
    ccxt.OrderNotFillable: errors.OrderRejected,
    ccxt.DuplicateOrderId: errors.DuplicateOrder,
    ccxt.ContractUnavailable: errors.OrderRejected,
    ccxt.NotSupported: errors.Unsupported,
    ccxt.InvalidProxySettings: errors.InvalidRequest,
    ccxt.ExchangeClosedByUser: errors.Unreachable,
    ccxt.OperationFailed: errors.Unreachable,
    ccxt.NetworkError: errors.Unreachable,
    ccxt.DDoSProtection: errors.RateLimited,
    ccxt.RateLimitExceeded: errors.RateLimited,
    ccxt.ExchangeNotAvailable: errors.Unreachable,
    ccxt.OnMaintenance: errors.Maintenance,
    ccxt.InvalidNonce: errors.ClockSkew,
    ccxt.ChecksumError: errors.VenueError,
    ccxt.RequestTimeout: errors.Unreachable,
    ccxt.BadResponse: errors.Unreachable,
    ccxt.NullResponse: errors.Unreachable,
    ccxt.CancelPending: errors.OutcomeUnknown,
    ccxt.UnsubscribeError: errors.Unreachable,
}
"""Every error class of ccxt, each named, so that a test notices a new one."""

_RETRY_AFTER_S = {errors.RateLimited: 10.0, errors.Banned: 120.0, errors.Maintenance: 5.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueReply:
    """The error that a request ended with: the venue's response, or no response."""

    error: type[ccxt.BaseError]
    http_status: int | None = None
    """None when there was no response."""
    code: str = ""
    message: str = ""
    retry_after_s: float | None = None
    sent: bool = True
    """False when the request was provably not sent: no connection was made."""


def translate(reply: VenueReply, codes: Codes, *, changes: bool, symbol: str = "") -> ExchangeError:
    """Return the OpenSQT error that says what the caller should do next.

    Args:
        reply: The error that the request ended with.
        codes: The venue's error codes.
        changes: Whether the request could change something at the venue. Without a response its outcome is then
            unknown.
        symbol: The symbol concerned, for the error's `symbol`.
    """
    kind = _kind(reply, codes, changes=changes)
    if kind is errors.OutcomeUnknown and not changes:
        kind = errors.Unreachable
    retry_after_s = reply.retry_after_s
    if issubclass(kind, errors.BackOff) and retry_after_s is None:
        retry_after_s = _RETRY_AFTER_S.get(kind)
    return kind(_message(reply), venue_code=reply.code, symbol=symbol, retry_after_s=retry_after_s)


def translate_item(code: str, message: str, codes: Codes, *, symbol: str = "") -> ExchangeError:
    """Return the error of one refused item of a batch: its row carries a code of its own in an HTTP 200 response."""
    reply = VenueReply(error=ccxt.ExchangeError, http_status=200, code=code, message=message)
    return translate(reply, codes, changes=True, symbol=symbol)


def _kind(reply: VenueReply, codes: Codes, *, changes: bool) -> type[ExchangeError]:
    if not reply.sent:
        return errors.Unreachable
    if reply.http_status == 418:
        return errors.Banned
    if reply.http_status == 429:
        return errors.RateLimited
    known = codes.get(reply.code)
    failed = reply.http_status is not None and reply.http_status >= 500
    if failed and (changes or known is None):
        # A gateway's 5xx does not show what the engine behind it did, whatever code it carries.
        return errors.OutcomeUnknown
    if known is not None:
        return known
    kind = CCXT_ERRORS.get(reply.error, errors.VenueError)
    responded = reply.http_status is not None
    if changes and (kind is errors.Unreachable or (kind is errors.VenueError and not responded)):
        return errors.OutcomeUnknown
    return kind


async def outcome_of(change: Awaitable[Order], symbol: str) -> Order | ExchangeError:
    """Await one item of a batch that is sent one by one, and return its order or its error.

    Args:
        change: Places or cancels one order.
        symbol: Of the order.
    """
    try:
        return await change
    except ExchangeError as error:
        return error
    except PARSE_ERRORS as error:
        return errors.OutcomeUnknown(f"the venue's response could not be read: {error!r}", symbol=symbol)


def _message(reply: VenueReply) -> str:
    if not reply.sent:
        return "the venue can't be reached: no connection"
    if reply.http_status is None:
        return f"the venue did not respond ({reply.error.__name__})"
    text = redact(reply.message) or "no reason given"
    return f"{text} (HTTP {reply.http_status}{f', code {reply.code}' if reply.code else ''})"
