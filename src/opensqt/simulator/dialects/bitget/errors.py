"""Bitget's error codes: one for each refusal of the engine, and the errors of the protocol itself."""

from __future__ import annotations

from opensqt.model.order import Side
from opensqt.simulator.dialects.base import ErrorReply
from opensqt.simulator.engine.order import RefusalReason

SUCCESS = "00000"
BY_REASON: dict[RefusalReason, tuple[str, str]] = {
    RefusalReason.UNKNOWN_SYMBOL: ("40034", "Parameter does not exist"),
    RefusalReason.INVALID: ("40017", "Parameter verification failed"),
    RefusalReason.PRICE_STEP: ("45115", "The price you enter should be a multiple of {0}"),
    RefusalReason.QUANTITY_STEP: ("40808", "Parameter verification exception size checkBDScale error"),
    RefusalReason.MIN_QUANTITY: ("45111", "less than the minimum order quantity"),
    RefusalReason.MAX_QUANTITY: ("45112", "more than the maximum order quantity"),
    RefusalReason.MIN_NOTIONAL: ("45110", "less than the minimum amount {0} USDT"),
    RefusalReason.PRICE_BAND: ("40815", "The order price is higher than the highest bid price"),
    RefusalReason.INSUFFICIENT_MARGIN: ("40762", "The order amount exceeds the balance"),
    RefusalReason.POST_ONLY_WOULD_CROSS: ("40847", "The operation cannot be performed"),
    RefusalReason.REDUCE_ONLY: ("22002", "No position to close"),
    RefusalReason.POSITION_SIDE_MISMATCH: (
        "40774",
        "The order type for unilateral position must also be the unilateral position type.",
    ),
    RefusalReason.DUPLICATE_CLIENT_ORDER_ID: ("40786", "Duplicate clientOid"),
    RefusalReason.UNKNOWN_ORDER: ("40109", "The data of the order cannot be found, please confirm the order number"),
    RefusalReason.ORDER_CLOSED: ("22001", "No order to cancel"),
    RefusalReason.BELOW_FILLED: ("40017", "Parameter verification failed"),
    RefusalReason.UNCHANGED: ("40017", "Parameter verification failed"),
    RefusalReason.TOO_MANY_ORDERS: ("40761", "The total number of unfilled orders is too high"),
    RefusalReason.TOO_MANY_CONDITIONAL: ("40761", "The total number of unfilled orders is too high"),
    RefusalReason.WOULD_TRIGGER: ("40917", "Stop price for long positions please < mark price"),
    RefusalReason.POSITION_OPEN: ("40920", "Position or order exists, the position mode cannot be switched"),
    RefusalReason.ORDERS_OPEN: ("40920", "Position or order exists, the position mode cannot be switched"),
    RefusalReason.NO_CHANGE: ("40847", "The operation cannot be performed"),
    RefusalReason.SYMBOL_STATE: (
        "41114",
        "The current trading pair is under maintenance, please refer to the official announcement for the opening time",
    ),
    RefusalReason.LEVERAGE: ("43050", "Leverage exceeds the effective range"),
    RefusalReason.UNSUPPORTED: ("40805", "Unsupported operation"),
}


UNIFIED: dict[RefusalReason, tuple[str, str]] = {
    RefusalReason.POSITION_OPEN: ("25107", "There is currently a position, please close the position"),
    RefusalReason.ORDERS_OPEN: (
        "25570",
        "There are pending orders for contract bidirectional closing or contract unidirectional opening/reducing"
        " positions.",
    ),
    RefusalReason.LEVERAGE: ("25223", "Exceeds Max. leverage"),
    RefusalReason.INSUFFICIENT_MARGIN: (
        "25228",
        "Unable to update leverage for this position, insufficient margin!",
    ),
}
"""Refusals of a setting of a unified account: https://www.bitget.com/api-doc/uta/error-code/restapi."""


def of_unified_setting(reason: RefusalReason) -> ErrorReply:
    """Return Bitget's error for a refused setting of a unified account."""
    code, message = UNIFIED.get(reason, BY_REASON[reason])
    return ErrorReply(400, code, message)


def of_reason(reason: RefusalReason, detail: str = "") -> ErrorReply:
    """Return Bitget's error for a refusal of the engine."""
    code, message = BY_REASON[reason]
    return ErrorReply(400, code, message.format(detail))


def not_simulated(name: str) -> ErrorReply:
    """The venue has it, the simulator has not; the message names it."""
    return ErrorReply(400, "40053", f"The simulator has no {name}")


def no_plan_order() -> ErrorReply:
    """There is no such plan order that waits."""
    return ErrorReply(400, "43025", "Plan order does not exist")


def missing(name: str) -> ErrorReply:
    """A mandatory parameter was not sent."""
    return ErrorReply(400, "40019", f"Parameter {name} cannot be empty")


def bad_value(name: str) -> ErrorReply:
    """A parameter's value is not valid."""
    return ErrorReply(400, "40020", f"Parameter {name} error")


def unknown_symbol(symbol: str) -> ErrorReply:
    """The symbol does not trade here."""
    return ErrorReply(400, "40034", f"Parameter {symbol} does not exist")


def unknown_order_to_cancel() -> ErrorReply:
    """A cancel refers to an order that never existed."""
    return ErrorReply(400, "40768", "Order does not exist")


def bad_client_order_id() -> ErrorReply:
    """The client id is too long or has characters that are not allowed."""
    message = "clientOid length is not greater than 50, and cannot be special characters"
    return ErrorReply(400, "40305", message)


def outside_price_band(side: Side) -> ErrorReply:
    """A limit price is too far on the wrong side of the mark."""
    if side is Side.BUY:
        return of_reason(RefusalReason.PRICE_BAND)
    return ErrorReply(400, "40816", "The order price is lower than the lowest selling price")


def margin_mode_kept() -> ErrorReply:
    """The margin mode of a symbol is another one, and can't be changed now."""
    return ErrorReply(400, "45117", "Currently holding positions or orders, the margin mode cannot be adjusted")


def too_many_requests(retry_after_s: int) -> ErrorReply:
    """The address or the account has used up its requests."""
    return ErrorReply(429, "429", "Too Many Requests", retry_after_s=retry_after_s)


def outcome_unknown() -> ErrorReply:
    """The venue reports that the outcome is unknown."""
    return ErrorReply(400, "40010", "Request timed out")


def unavailable(status: int) -> ErrorReply:
    """The venue is down or overloaded."""
    return ErrorReply(status, "40015", "System is abnormal, please try again later")


def classic_account() -> ErrorReply:
    """The unified account's API was called for a classic account."""
    message = "You are in Classic Account mode, and the Unified Account API is not supported at this time"
    return ErrorReply(400, "40084", message)


def bad_unified_quantity(scale: int) -> ErrorReply:
    """A quantity is no multiple of its step."""
    return ErrorReply(400, "40808", f"Parameter verification exception qty checkScale={scale}")


def unmodified() -> ErrorReply:
    """A change of an order changes nothing."""
    message = "The modification price and qty is the same as the original value. Please adjust and try again."
    return ErrorReply(400, "25571", message)


def unknown_unified_order() -> ErrorReply:
    """No order of a unified account has this id."""
    return ErrorReply(400, "25204", "Order does not exist")


def not_in_batch(name: str) -> ErrorReply:
    """An order of a batch has a field that a batch does not take."""
    return ErrorReply(400, "25240", f"{name} does not support this operation")


def unified_account() -> ErrorReply:
    """The classic account's API was called for a unified account."""
    message = "You are in Unified Account mode, and the Classic Account API is not supported at this time"
    return ErrorReply(400, "40085", message)
