"""OKX's error codes: one for each refusal of the engine, and the errors of the protocol itself."""

from __future__ import annotations

from typing import Any

from opensqt.model.order import OrderStatus
from opensqt.simulator.dialects.base import ErrorReply
from opensqt.simulator.engine.order import RefusalReason, SimOrder

BY_REASON: dict[RefusalReason, tuple[str, str]] = {
    RefusalReason.UNKNOWN_SYMBOL: ("51001", "Instrument ID, OkxInstrument ID code, or Spread ID doesn't exist."),
    RefusalReason.INVALID: ("51000", "Parameter error"),
    RefusalReason.PRICE_STEP: ("51006", "Order price is not a multiple of the tick size."),
    RefusalReason.QUANTITY_STEP: ("51121", "Order quantity must be a multiple of the lot size."),
    RefusalReason.MIN_QUANTITY: ("51020", "Your order should meet or exceed the minimum order amount."),
    RefusalReason.MAX_QUANTITY: (
        "51101",
        "Entered amount exceeds the max pending order amount (Cont) per transaction.",
    ),
    RefusalReason.MIN_NOTIONAL: ("51020", "Your order should meet or exceed the minimum order amount."),
    RefusalReason.PRICE_BAND: ("51006", "Order price is not within the price limit."),
    RefusalReason.INSUFFICIENT_MARGIN: ("51008", "Order failed. Insufficient USDT margin in account."),
    RefusalReason.REDUCE_ONLY: (
        "51169",
        "Order failed because you don't have any positions in this direction for this contract to reduce or close.",
    ),
    RefusalReason.POSITION_SIDE_MISMATCH: ("51000", "Parameter posSide error"),
    RefusalReason.DUPLICATE_CLIENT_ORDER_ID: ("51016", "Client order ID already exists."),
    RefusalReason.UNKNOWN_ORDER: ("51603", "Order does not exist"),
    RefusalReason.ORDER_CLOSED: (
        "51400",
        "Order cancellation failed as the order has been filled, canceled or does not exist.",
    ),
    RefusalReason.BELOW_FILLED: ("51000", "Parameter newSz error"),
    RefusalReason.UNCHANGED: ("51000", "Parameter error"),
    RefusalReason.POST_ONLY_WOULD_CROSS: (
        "51511",
        "Modification failed as the order price did not meet the requirement for Post Only.",
    ),
    RefusalReason.TOO_MANY_ORDERS: ("51102", "Entered amount exceeds the max pending count."),
    RefusalReason.TOO_MANY_CONDITIONAL: ("51102", "Entered amount exceeds the max pending count."),
    RefusalReason.WOULD_TRIGGER: ("51280", "SL trigger price can not be higher than the last price"),
    RefusalReason.POSITION_OPEN: (
        "59000",
        "Setting failed. Cancel any open orders, close positions, and stop trading bots first.",
    ),
    RefusalReason.ORDERS_OPEN: (
        "59000",
        "Setting failed. Cancel any open orders, close positions, and stop trading bots first.",
    ),
    RefusalReason.SYMBOL_STATE: ("51022", "Contract suspended."),
    RefusalReason.LEVERAGE: ("59102", "Leverage exceeds the maximum limit. Please lower the leverage."),
    RefusalReason.UNSUPPORTED: ("50062", "This feature is currently unavailable."),
}


class RowRefused(ErrorReply):
    """A refusal in a row of the reply, as for order requests; the reply itself has code 1.

    Attributes:
        row: The fields of the row in addition to code and message.
    """

    def __init__(self, code: str, message: str, row: dict[str, Any]) -> None:
        super().__init__(200, code, message)
        self.row = row


def of_reason(reason: RefusalReason) -> ErrorReply:
    """Return OKX's error for a refusal of the engine."""
    code, message = BY_REASON.get(reason, ("51000", "Parameter error"))
    return ErrorReply(200, code, message)


def not_simulated(name: str) -> ErrorReply:
    """The venue has it, the simulator has not; the message names it."""
    return ErrorReply(200, "50062", f"This feature is currently unavailable: the simulator has no {name}.")


def bad(name: str) -> ErrorReply:
    """A parameter's value is outside of what is allowed."""
    return ErrorReply(200, "51000", f"Parameter {name} error")


def missing(name: str) -> ErrorReply:
    """A mandatory parameter was not sent."""
    return ErrorReply(400, "50014", f"Parameter {name} cannot be empty.")


def either(one: str, other: str) -> ErrorReply:
    """One of two parameters is needed."""
    return ErrorReply(400, "50015", f"Either parameter {one} or {other} is required.")


def not_json() -> ErrorReply:
    """The body is not JSON."""
    return ErrorReply(400, "50002", "JSON syntax error")


def unknown_instrument() -> ErrorReply:
    """The instrument does not trade here."""
    return of_reason(RefusalReason.UNKNOWN_SYMBOL)


def too_late() -> ErrorReply:
    """An order came after the time at which its client gave up on it."""
    return ErrorReply(200, "51149", "Order timed out. Please try again later.")


def cannot_cancel() -> ErrorReply:
    """A cancel refers to no open order."""
    return of_reason(RefusalReason.ORDER_CLOSED)


def cannot_amend(order: SimOrder | None) -> ErrorReply:
    """An amendment refers to no open order."""
    if order is None:
        return ErrorReply(200, "51503", "Order modification failed as the order does not exist.")
    if order.status is OrderStatus.FILLED:
        return ErrorReply(200, "51510", "Modification failed as the order has been completed.")
    return ErrorReply(200, "51509", "Modification failed as the order has been canceled.")


def may_not_trade() -> ErrorReply:
    """The key lacks the right to trade."""
    return ErrorReply(401, "50120", "This API key doesn't have permission to use this function")


def too_many_requests() -> ErrorReply:
    """The endpoint's limit is exceeded; OKX gives no time to wait, its windows are two seconds."""
    return ErrorReply(429, "50011", "Too Many Requests")


def outcome_unknown() -> ErrorReply:
    """The venue reports that the outcome is unknown."""
    return ErrorReply(
        400,
        "50004",
        "API endpoint request timeout (does not mean that the request was successful or failed,"
        " please check the request result).",
    )


def banned(retry_after_s: int) -> ErrorReply:
    """The proxy in front of the venue bans the address."""
    return ErrorReply(403, "1006", "Access denied: your IP address has been banned", retry_after_s=retry_after_s)


def unavailable() -> ErrorReply:
    """The venue is down or overloaded."""
    return ErrorReply(503, "50001", "Service temporarily unavailable. Please try again later.")
