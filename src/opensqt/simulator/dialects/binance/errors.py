"""Binance's error codes: one for each refusal of the engine, and the errors of the protocol itself."""

from __future__ import annotations

from opensqt.model.order import Side
from opensqt.simulator.dialects.base import ErrorReply
from opensqt.simulator.engine.order import RefusalReason

BY_REASON: dict[RefusalReason, tuple[str, str]] = {
    RefusalReason.UNKNOWN_SYMBOL: ("-1121", "Invalid symbol."),
    RefusalReason.INVALID: ("-1102", "A mandatory parameter was not sent, was empty/null, or malformed."),
    RefusalReason.PRICE_STEP: ("-4014", "Price not increased by tick size."),
    RefusalReason.QUANTITY_STEP: ("-1111", "Precision is over the maximum defined for this asset."),
    RefusalReason.MIN_QUANTITY: ("-4004", "Quantity less than min quantity."),
    RefusalReason.MAX_QUANTITY: ("-4005", "Quantity greater than max quantity."),
    RefusalReason.MIN_NOTIONAL: (
        "-4164",
        "Order's notional must be no smaller than {0} (unless you choose reduce only).",
    ),
    RefusalReason.PRICE_BAND: ("-4131", "The counterparty's best price does not meet the PERCENT_PRICE filter limit."),
    RefusalReason.INSUFFICIENT_MARGIN: ("-2019", "Margin is insufficient."),
    RefusalReason.POST_ONLY_WOULD_CROSS: (
        "-5022",
        "Due to the order could not be executed as maker, the Post Only order will be rejected."
        " The order will not be recorded in the order history.",
    ),
    RefusalReason.REDUCE_ONLY: ("-2022", "ReduceOnly Order is rejected."),
    RefusalReason.POSITION_SIDE_MISMATCH: ("-4061", "Order's position side does not match user's setting."),
    RefusalReason.DUPLICATE_CLIENT_ORDER_ID: ("-4116", "ClientOrderId is duplicated."),
    RefusalReason.UNKNOWN_ORDER: ("-2013", "Order does not exist."),
    RefusalReason.ORDER_CLOSED: ("-2011", "Unknown order sent."),
    RefusalReason.BELOW_FILLED: ("-4003", "Quantity less than or equal to zero."),
    RefusalReason.UNCHANGED: ("-5027", "No need to modify the order."),
    RefusalReason.TOO_MANY_ORDERS: ("-2025", "Reach max open order limit."),
    RefusalReason.TOO_MANY_CONDITIONAL: ("-4045", "Reach max stop order limit."),
    RefusalReason.WOULD_TRIGGER: ("-2021", "Order would immediately trigger."),
    RefusalReason.POSITION_OPEN: ("-4068", "Position side cannot be changed if there exists position."),
    RefusalReason.ORDERS_OPEN: ("-4067", "Position side cannot be changed if there exists open orders."),
    RefusalReason.NO_CHANGE: ("-4059", "No need to change position side."),
    RefusalReason.SYMBOL_STATE: ("-4140", "Invalid symbol status for opening position."),
    RefusalReason.LEVERAGE: ("-4028", "Leverage is not valid."),
    RefusalReason.UNSUPPORTED: ("-1020", "This operation is not supported."),
}


def of_reason(reason: RefusalReason, *details: str) -> ErrorReply:
    """Return Binance's error for a refusal of the engine."""
    code, message = BY_REASON[reason]
    return ErrorReply(400, code, message.format(*details) if details else message)


def not_simulated(name: str, value: str = "") -> ErrorReply:
    """The venue has it, the simulator has not; the message names it."""
    given = f" {value}" if value else ""
    return ErrorReply(400, "-1020", f"This operation is not supported: the simulator has no {name}{given}.")


def missing(name: str) -> ErrorReply:
    """A mandatory parameter was not sent or is malformed."""
    return ErrorReply(400, "-1102", f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def bad_value(name: str) -> ErrorReply:
    """A parameter's value is outside of what is allowed."""
    return ErrorReply(400, "-1130", f"Data sent for parameter '{name}' is not valid.")


def illegal_characters(name: str, legal: str) -> ErrorReply:
    """A parameter has characters that are not allowed."""
    return ErrorReply(400, "-1100", f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def not_required(name: str) -> ErrorReply:
    """A parameter was sent that is not allowed here."""
    return ErrorReply(400, "-1106", f"Parameter '{name}' sent when not required.")


def sent_twice(name: str) -> ErrorReply:
    """A parameter was sent twice."""
    return ErrorReply(400, "-1101", f"Duplicate values for parameter '{name}' detected.")


def not_all_read(read: int, sent: int) -> ErrorReply:
    """A parameter was sent that the endpoint does not know."""
    message = f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
    return ErrorReply(400, "-1104", message)


def outside_price_band(side: Side, edge: str) -> ErrorReply:
    """A limit price is too far on the wrong side of the mark."""
    if side is Side.BUY:
        return ErrorReply(400, "-4016", f"Limit price can't be higher than {edge}.")
    return ErrorReply(400, "-4024", f"Limit price can't be lower than {edge}.")


def unknown_order_sent() -> ErrorReply:
    """A cancel refers to no open order."""
    return ErrorReply(400, "-2011", "Unknown order sent.")


def unknown_listen_key() -> ErrorReply:
    """The listen key is unknown or has expired."""
    return ErrorReply(400, "-1125", "This listenKey does not exist.")


def too_many_requests(limit: int, retry_after_s: int) -> ErrorReply:
    """The address has used up its request weight."""
    return ErrorReply(
        429,
        "-1003",
        f"Too many requests; current limit is {limit} requests per minute."
        " Please use the websocket for live updates to avoid polling the API.",
        retry_after_s=retry_after_s,
    )


def banned(until_ms: int, retry_after_s: int) -> ErrorReply:
    """The address continued after it was refused."""
    return ErrorReply(
        418,
        "-1003",
        f"Way too many requests; IP banned until {until_ms}. Please use the websocket for live updates to avoid bans.",
        retry_after_s=retry_after_s,
    )


def too_many_orders(limit: int, interval: str, retry_after_s: int) -> ErrorReply:
    """The account placed too many orders."""
    return ErrorReply(
        429,
        "-1015",
        f"Too many new orders; current limit is {limit} orders per {interval}.",
        retry_after_s=retry_after_s,
    )


def outcome_unknown() -> ErrorReply:
    """The venue reports that the outcome is unknown."""
    return ErrorReply(
        408,
        "-1007",
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    )


def unavailable(status: int) -> ErrorReply:
    """The venue is down or overloaded."""
    return ErrorReply(status, "-1008", "Server is currently overloaded with other requests. Please try again.")
