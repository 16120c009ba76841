"""Bybit's error codes: one for each refusal of the engine, and the errors of the protocol itself.

Business errors come with HTTP 200 and the code in `retCode`: https://bybit-exchange.github.io/docs/v5/error.
"""

from __future__ import annotations

from opensqt.simulator.dialects.base import ErrorReply
from opensqt.simulator.engine.order import RefusalReason

_PARAMETER = "10001"
BY_REASON: dict[RefusalReason, tuple[str, str]] = {
    RefusalReason.UNKNOWN_SYMBOL: (_PARAMETER, "params error: symbol invalid"),
    RefusalReason.INVALID: (_PARAMETER, "Request parameter error."),
    RefusalReason.PRICE_STEP: (_PARAMETER, "Price invalid"),
    RefusalReason.QUANTITY_STEP: (_PARAMETER, "Qty invalid"),
    RefusalReason.MIN_QUANTITY: (_PARAMETER, "The number of contracts exceeds minimum limit allowed"),
    RefusalReason.MAX_QUANTITY: (_PARAMETER, "The number of contracts exceeds maximum limit allowed: too large"),
    RefusalReason.MIN_NOTIONAL: ("110094", "Order does not meet minimum order value"),
    RefusalReason.PRICE_BAND: ("110003", "Order price exceeds the allowable range."),
    RefusalReason.INSUFFICIENT_MARGIN: ("110007", "ab not enough for new order"),
    RefusalReason.POST_ONLY_WOULD_CROSS: ("110032", "Illegal order"),
    RefusalReason.REDUCE_ONLY: ("110017", "current position is zero, cannot fix reduce-only order qty"),
    RefusalReason.POSITION_SIDE_MISMATCH: (_PARAMETER, "position idx not match position mode"),
    RefusalReason.DUPLICATE_CLIENT_ORDER_ID: ("110072", "OrderLinkedID is duplicate"),
    RefusalReason.UNKNOWN_ORDER: ("110001", "order not exists or too late to cancel"),
    RefusalReason.ORDER_CLOSED: ("110001", "order not exists or too late to cancel"),
    RefusalReason.BELOW_FILLED: (
        _PARAMETER,
        "The modified order quantity must be equal to or greater than the filled quantity.",
    ),
    RefusalReason.UNCHANGED: (
        _PARAMETER,
        "The order remains unchanged as the parameters entered match the existing ones.",
    ),
    RefusalReason.TOO_MANY_ORDERS: ("110020", "You can't have more than 500 active orders"),
    RefusalReason.TOO_MANY_CONDITIONAL: ("110009", "The number of stop orders exceeds maximum limit allowed"),
    RefusalReason.WOULD_TRIGGER: ("110092", "expect Rising, but trigger_price <= current"),
    RefusalReason.POSITION_OPEN: ("110024", "You have an existing position, so the position mode cannot be switched"),
    RefusalReason.ORDERS_OPEN: ("110028", "You have existing open orders, so the position mode cannot be switched"),
    RefusalReason.NO_CHANGE: ("110025", "Position mode is not modified"),
    RefusalReason.SYMBOL_STATE: ("110023", "Currently you can only reduce your positions on this contract."),
    RefusalReason.LEVERAGE: ("110013", "cannot set leverage gt maxLeverage by risk limit"),
    RefusalReason.UNSUPPORTED: (_PARAMETER, "not supported"),
}


def of_reason(reason: RefusalReason) -> ErrorReply:
    """Return Bybit's error for a refusal of the engine."""
    code, message = BY_REASON[reason]
    return ErrorReply(200, code, message)


def not_simulated(name: str) -> ErrorReply:
    """The venue has it, the simulator has not; the message names it."""
    return ErrorReply(200, _PARAMETER, f"not supported: the simulator has no {name}")


def parameter(message: str) -> ErrorReply:
    """A parameter is missing, malformed or out of range."""
    return ErrorReply(200, _PARAMETER, message)


def too_many_visits() -> ErrorReply:
    """The account exceeded an endpoint's limit within a second."""
    return ErrorReply(200, "10006", "Too many visits. Exceeded the API Rate Limit.")


def too_frequent() -> ErrorReply:
    """The address exceeded its limit: the venue's ban, which has no JSON body."""
    return ErrorReply(403, "403", "access too frequent")


def server_timeout() -> ErrorReply:
    """The venue reports that the outcome is unknown."""
    return ErrorReply(200, "10000", "Server Timeout")


def unavailable() -> ErrorReply:
    """The venue is down or overloaded."""
    return ErrorReply(503, "10016", "Server error.")
