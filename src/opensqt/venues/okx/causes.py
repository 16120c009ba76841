"""Why OKX made a fill, and why an order ended."""

from __future__ import annotations

from opensqt.model.order import CloseReason, FillKind, OrderStatus
from opensqt.venues.order_end import OrderEnd, order_end

_KIND_BY_CATEGORY = {
    "full_liquidation": FillKind.LIQUIDATION,
    "partial_liquidation": FillKind.LIQUIDATION,
    "adl": FillKind.ADL,
    "delivery": FillKind.DELIVERY,
}
"""`category` of an order: https://www.okx.com/docs-v5/en/#order-book-trading-trade-get-order-details.

The others, such as `twap`, `ddh` and `auto_conversion`, are trades."""
_KIND_BY_SUB_TYPE = (
    (range(100, 112), FillKind.LIQUIDATION),
    (range(112, 114), FillKind.DELIVERY),
    (range(125, 129), FillKind.ADL),
    (range(204, 210), FillKind.BLOCK_TRADE),
    (range(270, 276), FillKind.SPREAD),
)
"""`subType` of a trade: https://www.okx.com/docs-v5/en/#order-book-trading-trade-get-transaction-details-last-3-days."""

_CANCEL_SOURCES: dict[str, tuple[CloseReason, str]] = {
    "0": (CloseReason.RISK_CONTROL, "the venue canceled it"),
    "1": (CloseReason.REQUESTED, ""),
    "2": (CloseReason.INSUFFICIENT_MARGIN, "reduce-only: the position has too little margin"),
    "3": (CloseReason.LIQUIDATION, "the account is near liquidation"),
    "4": (CloseReason.RISK_CONTROL, "the platform's limit of borrowed coins was reached"),
    "6": (CloseReason.ADL, "the position was deleveraged"),
    "7": (CloseReason.SYMBOL_CLOSED, "the contract was delivered"),
    "9": (CloseReason.INSUFFICIENT_MARGIN, "funding left too little balance"),
    "10": (CloseReason.SYMBOL_CLOSED, "the option expired"),
    "13": (CloseReason.TIME_IN_FORCE, "fill or kill: it could not be filled whole"),
    "14": (CloseReason.TIME_IN_FORCE, "immediate or cancel: the rest found nothing"),
    "15": (CloseReason.PRICE_LIMIT, "its price is beyond the venue's limit"),
    "17": (CloseReason.REDUCE_ONLY, "the position that it was to close is closed"),
    "20": (CloseReason.TIMER, "the cancel-all timer ran out"),
    "21": (CloseReason.LINKED_ORDER, "take profit or stop loss: the position is closed"),
    "22": (CloseReason.REDUCE_ONLY, "reduce-only: a better order closes the position"),
    "23": (CloseReason.REDUCE_ONLY, "reduce-only: a better order closes the position"),
    "27": (CloseReason.PRICE_LIMIT, "the price differs too much from the counterparty's"),
    "31": (CloseReason.POST_ONLY, "post-only: it would have taken"),
    "32": (CloseReason.SELF_TRADE, "it would have traded with an order of the same account"),
    "33": (CloseReason.OTHER, "it would have matched more orders than a taker may"),
    "34": (CloseReason.INSUFFICIENT_MARGIN, "too little margin to settle it"),
    "35": (CloseReason.INSUFFICIENT_MARGIN, "too little margin because of another order"),
    "36": (CloseReason.LINKED_ORDER, "take profit: its stop loss was triggered"),
    "37": (CloseReason.LINKED_ORDER, "take profit: its stop loss was canceled"),
    "38": (CloseReason.REQUESTED, "canceled with the orders under market maker protection"),
    "39": (CloseReason.MARKET_MAKER_PROTECTION, "market maker protection"),
    "42": (CloseReason.PRICE_LIMIT, "chase order: the price moved further than its limit"),
    "43": (CloseReason.PRICE_LIMIT, "its price is beyond the index price"),
    "44": (CloseReason.INSUFFICIENT_MARGIN, "automatic conversion took the balance that it needed"),
}
"""By cancelSource: https://www.okx.com/docs-v5/en/#order-book-trading-trade-ws-order-channel."""


def fill_kind(category: str = "", sub_type: str = "") -> FillKind:
    """Return why a fill was made: by the category of its order, or by the type of a trade in a response."""
    if sub_type.isdecimal():
        for types, kind in _KIND_BY_SUB_TYPE:
            if int(sub_type) in types:
                return kind
    return _KIND_BY_CATEGORY.get(category, FillKind.TRADE)


def close_reason(status: OrderStatus, cancel_source: str) -> OrderEnd:
    """Return how an order ended; the venue calls each order canceled that was not filled whole."""
    if not cancel_source:
        return order_end(status, None)
    why, _ = _CANCEL_SOURCES.get(cancel_source, (CloseReason.OTHER, ""))
    return order_end(status, why)


def close_text(cancel_source: str, venue_text: str) -> str:
    """Return why it ended in words: ours, or the venue's for a source that is not known; empty where there is none."""
    if cancel_source in _CANCEL_SOURCES:
        return _CANCEL_SOURCES[cancel_source][1]
    return (venue_text or f"cancelSource {cancel_source}") if cancel_source else ""
