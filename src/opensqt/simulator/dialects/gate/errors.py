"""Gate's error labels: one for each refusal of the engine, and the errors of the protocol itself."""

from __future__ import annotations

from opensqt.simulator.dialects.base import ErrorReply
from opensqt.simulator.engine.order import RefusalReason

BY_REASON: dict[RefusalReason, tuple[str, str]] = {
    RefusalReason.UNKNOWN_SYMBOL: ("CONTRACT_NOT_FOUND", "contract not found"),
    RefusalReason.INVALID: ("INVALID_PARAM_VALUE", "invalid argument"),
    RefusalReason.PRICE_STEP: ("INVALID_PARAM_VALUE", "invalid argument: price: not a multiple of order_price_round"),
    RefusalReason.QUANTITY_STEP: ("INVALID_PARAM_VALUE", "invalid argument: size: not a whole number of contracts"),
    RefusalReason.MIN_QUANTITY: ("SIZE_TOO_SMALL", "order size is below the minimum"),
    RefusalReason.MAX_QUANTITY: ("SIZE_TOO_LARGE", "order size is over the maximum"),
    RefusalReason.MIN_NOTIONAL: ("SIZE_TOO_SMALL", "order value is below the minimum"),
    RefusalReason.PRICE_BAND: ("PRICE_TOO_DEVIATED", "order price is too far from the mark price"),
    RefusalReason.INSUFFICIENT_MARGIN: ("INSUFFICIENT_AVAILABLE", "insufficient available balance"),
    RefusalReason.POST_ONLY_WOULD_CROSS: ("ORDER_POC_IMMEDIATE", "order would match and take at once"),
    RefusalReason.REDUCE_ONLY: ("REDUCE_EXCEEDED", "empty position"),
    RefusalReason.POSITION_SIDE_MISMATCH: ("POSITION_DUAL_MODE", "operation forbidden in dual mode"),
    RefusalReason.DUPLICATE_CLIENT_ORDER_ID: ("REPEATED_CREATION", "order was created before"),
    RefusalReason.UNKNOWN_ORDER: ("ORDER_NOT_FOUND", "order not found"),
    RefusalReason.ORDER_CLOSED: ("ORDER_FINISHED", "order is finished"),
    RefusalReason.BELOW_FILLED: ("INVALID_PARAM_VALUE", "invalid argument: size"),
    RefusalReason.UNCHANGED: ("INVALID_PARAM_VALUE", "invalid argument: nothing changes"),
    RefusalReason.TOO_MANY_ORDERS: ("TOO_MANY_ORDERS", "too many open orders in this contract"),
    RefusalReason.TOO_MANY_CONDITIONAL: ("TOO_MANY_ORDERS", "too many open orders in this contract"),
    RefusalReason.WOULD_TRIGGER: ("AUTO_TRIGGER_PRICE_LESS_LAST", "invalid argument: Trigger.Price must < last_price"),
    RefusalReason.POSITION_OPEN: ("POSITION_HOLDING", "operation forbidden with a position held"),
    RefusalReason.ORDERS_OPEN: ("ORDER_PENDING", "operation forbidden with pending orders"),
    RefusalReason.NO_CHANGE: ("NO_CHANGE", "no change is made"),
    RefusalReason.SYMBOL_STATE: ("CONTRACT_IN_DELISTING", "contract is in delisting, only reduce-only orders allowed"),
    RefusalReason.LEVERAGE: ("LEVERAGE_TOO_HIGH", "leverage is too high"),
    RefusalReason.UNSUPPORTED: ("INVALID_PARAM_VALUE", "not supported"),
}


def of_reason(reason: RefusalReason) -> ErrorReply:
    """Return Gate's error for a refusal of the engine."""
    label, message = BY_REASON[reason]
    return ErrorReply(404 if reason is RefusalReason.UNKNOWN_ORDER else 400, label, message)


def bad_value(name: str) -> ErrorReply:
    """A parameter's value is not valid."""
    return ErrorReply(400, "INVALID_PARAM_VALUE", f"invalid argument: {name}")


def not_simulated(name: str) -> ErrorReply:
    """The venue has it, the simulator has not; the message names it."""
    return ErrorReply(400, "INVALID_PARAM_VALUE", f"invalid argument: the simulator has no {name}")


def missing(name: str) -> ErrorReply:
    """A parameter was not sent."""
    return ErrorReply(400, "MISSING_REQUIRED_PARAM", f"missing required parameter: {name}")


def killed() -> ErrorReply:
    """A fill-or-kill order could not be filled completely."""
    return ErrorReply(400, "ORDER_FOK", "killed for FOK")


def missing_header(name: str) -> ErrorReply:
    """A header of the signature was not sent."""
    return ErrorReply(401, "MISSING_REQUIRED_HEADER", f"missing required header: {name}")


def invalid_key() -> ErrorReply:
    """No account has this key."""
    return ErrorReply(401, "INVALID_KEY", "Invalid key provided")


def invalid_signature() -> ErrorReply:
    """The signature does not match the request."""
    return ErrorReply(401, "INVALID_SIGNATURE", "Signature mismatch")


def read_only() -> ErrorReply:
    """The key lacks the right to trade."""
    return ErrorReply(403, "READ_ONLY", "this key may read only")


def expired(message: str) -> ErrorReply:
    """The timestamp of the call is too old or too new."""
    return ErrorReply(403, "REQUEST_EXPIRED", message)


def too_many_requests(retry_after_s: int) -> ErrorReply:
    """The caller has used up the endpoint's limit."""
    return ErrorReply(429, "TOO_MANY_REQUESTS", "Request rate limit exceeded", retry_after_s=retry_after_s)


def unavailable() -> ErrorReply:
    """The venue is overloaded or down."""
    return ErrorReply(503, "TOO_BUSY", "The service is busy, please try again later")


def outcome_unknown() -> ErrorReply:
    """The venue reports that the outcome is unknown."""
    return ErrorReply(500, "SERVER_ERROR", "Internal server error")
