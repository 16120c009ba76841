"""Errors, by what the caller should do next.

ExchangeError
├── RequestError            fix the request; a retry is useless
│   ├── InvalidRequest      a parameter is missing, malformed or out of range
│   ├── UnknownSymbol       the symbol is not traded here
│   ├── OrderDenied         a local rule refused the order; nothing was sent
│   ├── OrderRejected       the venue refused the order
│   │   ├── InsufficientMargin
│   │   ├── PostOnlyWouldCross
│   │   ├── ReduceOnlyRefused
│   │   └── PositionModeMismatch
│   ├── OrderNotFound
│   ├── DuplicateOrder      this client_order_id was used with other content
│   ├── LeaseExpired        the client's lease ended, and its orders with it; renew it first
│   ├── TradingClaimed      another program has the right to trade this; nothing was sent
│   ├── TradingHalted       trading is halted; nothing was sent, and new orders are accepted after it is resumed
│   ├── SettingRefused      a setting of the account keeps its value: something is open, or the venue refuses it
│   └── Unsupported         the venue, or this mode, can't do it
├── BackOff                 wait `retry_after_s`, then retry
│   ├── RateLimited
│   ├── Banned              the venue shut this address out
│   └── Maintenance
├── AccessError             re-authenticate; a person has to act
│   ├── CredentialsRefused
│   ├── TokenRefused        the connector does not know the client's token or certificate
│   ├── ClockSkew           the signed timestamp was refused
│   └── PermissionDenied    the key or the client's role does not allow it
├── UnsupportedAccount      the account is in a mode that is not traded; switch it at the venue (exit code 2)
├── Unreachable             there was no response and nothing can have happened; reads may be retried
├── OutcomeUnknown          an order or a change of a setting may have happened: resolve it, never resend blindly
├── StreamOverflow          this reader was too slow for a loss-free stream; subscribe again
├── StaleData               what a stream has is older than this reader allows; nothing is lost, read on
├── ConnectorUnavailable    the last retry failed; stop (exit code 4)
└── VenueError              the venue's response is in no table; check the order before a retry

ConfigError                 a setting that can't be used (exit code 2); no Exchange raises it
"""

from __future__ import annotations


class ExchangeError(Exception):
    """The root of what any Exchange raises.

    Attributes:
        reason: Stable name for programs, upper snake case; part of the gRPC contract (ErrorInfo.reason).
        venue_code: The venue's own code as text, empty if there is none.
        symbol: The symbol concerned, empty if none.
        retry_after_s: Seconds to wait before a retry; None where waiting does not help.
    """

    reason = "EXCHANGE_ERROR"

    def __init__(
        self,
        message: str,
        *,
        venue_code: str = "",
        symbol: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.venue_code = venue_code
        self.symbol = symbol
        self.retry_after_s = retry_after_s


class RequestError(ExchangeError):
    """The request must be fixed; a retry is useless."""

    reason = "REQUEST_ERROR"


class InvalidRequest(RequestError):
    """A parameter is missing, malformed or out of range."""

    reason = "INVALID_REQUEST"


class UnknownSymbol(RequestError):
    """The symbol is not traded here."""

    reason = "UNKNOWN_SYMBOL"


class OrderDenied(RequestError):
    """A local rule refused the order; nothing was sent."""

    reason = "ORDER_DENIED"


class OrderRejected(RequestError):
    """The venue refused the order."""

    reason = "ORDER_REJECTED"


class InsufficientMargin(OrderRejected):
    """The account can't carry the order."""

    reason = "INSUFFICIENT_MARGIN"


class PostOnlyWouldCross(OrderRejected):
    """A post-only order would have taken."""

    reason = "POST_ONLY_WOULD_CROSS"


class ReduceOnlyRefused(OrderRejected):
    """A reduce-only order found nothing to reduce."""

    reason = "REDUCE_ONLY_REFUSED"


class PositionModeMismatch(OrderRejected):
    """The position side does not fit the account's position mode."""

    reason = "POSITION_MODE_MISMATCH"


class OrderNotFound(RequestError):
    """The venue reports that it has no such order."""

    reason = "ORDER_NOT_FOUND"


class DuplicateOrder(RequestError):
    """The client_order_id was used before with other content."""

    reason = "DUPLICATE_ORDER"


class LeaseExpired(RequestError):
    """The client's lease ended and its orders were canceled; it can place no order until it holds a lease again."""

    reason = "LEASE_EXPIRED"


class TradingClaimed(RequestError):
    """Another program holds the right to trade the symbol by this strategy, or has held it since; nothing was sent."""

    reason = "TRADING_CLAIMED"


class TradingHalted(RequestError):
    """Trading of the account or of the symbol is halted; nothing was sent. Cancels and queries work."""

    reason = "TRADING_HALTED"


class SettingRefused(RequestError):
    """A setting of the account keeps its value: positions or orders are open, or the venue refuses the change."""

    reason = "SETTING_REFUSED"


class Unsupported(RequestError):
    """The venue, or the mode it runs in, can't do this; see `Capabilities`."""

    reason = "UNSUPPORTED"


class BackOff(ExchangeError):
    """Wait, then retry."""

    reason = "BACK_OFF"


class RateLimited(BackOff):
    """Too many requests."""

    reason = "RATE_LIMITED"


class Banned(BackOff):
    """The venue shut this address out for a while."""

    reason = "BANNED"


class Maintenance(BackOff):
    """The venue is down for maintenance or overloaded."""

    reason = "MAINTENANCE"


class AccessError(ExchangeError):
    """A person has to act before this can work."""

    reason = "ACCESS_ERROR"


class CredentialsRefused(AccessError):
    """The venue refuses key, secret or passphrase."""

    reason = "CREDENTIALS_REFUSED"


class TokenRefused(AccessError):
    """The connector does not know the client's token or certificate."""

    reason = "TOKEN_REFUSED"


class ClockSkew(AccessError):
    """The signed timestamp was outside the venue's window."""

    reason = "CLOCK_SKEW"


class PermissionDenied(AccessError):
    """The key's permissions or the client's role do not allow it."""

    reason = "PERMISSION_DENIED"


class UnsupportedAccount(ExchangeError):
    """The account is in a mode, or of a region, in which it is not traded here. It ends the start of an adapter."""

    reason = "UNSUPPORTED_ACCOUNT"


class Unreachable(ExchangeError):
    """There was no response; nothing can have happened."""

    reason = "UNREACHABLE"


class OutcomeUnknown(ExchangeError):
    """An order, or a change of a setting, may or may not have happened."""

    reason = "ORDER_OUTCOME_UNKNOWN"


class StreamOverflow(ExchangeError):
    """This reader was too slow for a stream that must not lose an update."""

    reason = "STREAM_OVERFLOW"


class StaleData(ExchangeError):
    """What a stream has to hand over is older than its subscription's `max_age_s` allows; the stream goes on."""

    reason = "STALE_DATA"


class ConnectorUnavailable(ExchangeError):
    """The connector was not reached in the last retry either."""

    reason = "CONNECTOR_UNAVAILABLE"


class VenueError(ExchangeError):
    """The venue's response is in no error table."""

    reason = "VENUE_ERROR"


def _tree(root: type[ExchangeError]) -> dict[str, type[ExchangeError]]:
    found = {root.reason: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


BY_REASON: dict[str, type[ExchangeError]] = _tree(ExchangeError)
"""Every error class by its stable reason."""


class ConfigError(Exception):
    """A setting that can't be used. The text names the file or variable, the key, and what was expected."""
