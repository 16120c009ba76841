"""Why Binance made a fill, and why an order ended."""

from __future__ import annotations

from opensqt.model.order import CloseReason, FillKind, OrderStatus
from opensqt.venues.order_end import OrderEnd, order_end

_KIND_BY_ID = {
    "autoclose-": FillKind.LIQUIDATION,
    "adl_autoclose": FillKind.ADL,
    "settlement_autoclose-": FillKind.SETTLEMENT,
    "delivery_autoclose-": FillKind.DELIVERY,
}
"""By the beginning of the client order id, which is the venue's own then."""
_LIQUIDATION = "CALCULATED"
"""Execution type of a liquidation."""
_EXPIRY_REASONS = {
    "1": CloseReason.SELF_TRADE,
    "2": CloseReason.TIME_IN_FORCE,
    "3": CloseReason.SELF_TRADE,
    "4": CloseReason.REDUCE_ONLY,
    "5": CloseReason.LIQUIDATION,
    "6": CloseReason.LINKED_ORDER,
    "7": CloseReason.SYMBOL_CLOSED,
    "8": CloseReason.LINKED_ORDER,
    "9": CloseReason.TIME_IN_FORCE,
}
_TEXTS = {
    "1": "it would have traded with an order of the same account",
    "2": "immediate or cancel: the rest found nothing",
    "3": "immediate or cancel: the rest would have traded with an order of the same account",
    "4": "reduce-only: another order closes the position, or it would have turned it",
    "5": "the account was liquidated",
    "6": "the position or the order that it depended on is gone",
    "7": "the symbol is delisted",
    "8": "the stop order that it belonged to was triggered",
    "9": "market order: the rest found nothing",
}
"""By `er`: https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Event-Order-Update."""
_NO_REASON = ("", "0")
_AT_ONCE = ("IOC", "FOK")


def fill_kind(client_order_id: str, execution_type: str = "") -> FillKind:
    """Return why a fill of an order was made."""
    for beginning, kind in _KIND_BY_ID.items():
        if client_order_id.startswith(beginning):
            return kind
    return FillKind.LIQUIDATION if execution_type == _LIQUIDATION else FillKind.TRADE


def close_reason(status: OrderStatus, text: str, time_in_force: str, expiry_reason: str | None) -> OrderEnd:
    """Return how an order ended.

    Args:
        status: What the venue's status means.
        text: The venue's status.
        time_in_force: The venue's term.
        expiry_reason: `er` of the stream; None for an order of a response, which has none.
    """
    if text == "EXPIRED_IN_MATCH":
        return order_end(status, CloseReason.SELF_TRADE)
    if expiry_reason is not None and expiry_reason not in _NO_REASON:
        return order_end(status, _EXPIRY_REASONS.get(expiry_reason, CloseReason.OTHER))
    if status is OrderStatus.CANCELED:
        # The stream says who did it. A response does not: the venue cancels orders, too.
        return order_end(status, None if expiry_reason is None else CloseReason.REQUESTED)
    if time_in_force == "GTX":
        return order_end(status, CloseReason.POST_ONLY)
    return order_end(status, CloseReason.TIME_IN_FORCE if time_in_force in _AT_ONCE else CloseReason.OTHER)


def close_text(expiry_reason: str | None) -> str:
    """Return the sentence of an expiry reason; empty where there is none."""
    if expiry_reason is None or expiry_reason in _NO_REASON:
        return ""
    return _TEXTS.get(expiry_reason, f"expiry reason {expiry_reason}")
