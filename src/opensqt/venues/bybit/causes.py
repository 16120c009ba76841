"""Why Bybit made an execution, and why an order ended: https://bybit-exchange.github.io/docs/v5/enum."""

from __future__ import annotations

from opensqt.model.order import ClosedBy, CloseReason, FillKind, OrderStatus
from opensqt.venues.order_end import OrderEnd, order_end
from opensqt.venues.rows import lookup

_KINDS = {
    "Trade": FillKind.TRADE,
    "AdlTrade": FillKind.ADL,
    "BustTrade": FillKind.LIQUIDATION,
    "Settle": FillKind.SETTLEMENT,
    "ForwardSplitSettle": FillKind.SETTLEMENT,
    "ReverseSplitSettle": FillKind.SETTLEMENT,
    "Delivery": FillKind.DELIVERY,
    "BlockTrade": FillKind.BLOCK_TRADE,
    "MovePosition": FillKind.POSITION_TRANSFER,
    "FutureSpread": FillKind.SPREAD,
}
"""By execType: those that change a position."""
_MONEY_ONLY = frozenset({"Funding", "SessionSettlePnL", "Dividend"})
"""They change the balance, and no position. The wallet channel reports the balance."""

_REJECT_REASONS = {
    "EC_CancelReplaceOrder": CloseReason.REQUESTED,
    "EC_NoEnoughQtyToFill": CloseReason.TIME_IN_FORCE,
    "EC_NoImmediateQtyToFill": CloseReason.TIME_IN_FORCE,
    "EC_CancelForNoFullFill": CloseReason.TIME_IN_FORCE,
    "EC_PostOnlyWillTakeLiquidity": CloseReason.POST_ONLY,
    "EC_MarketOrderCannotBePostOnly": CloseReason.POST_ONLY,
    "EC_BySelfMatch": CloseReason.SELF_TRADE,
    "EC_StopBySelfMatch": CloseReason.SELF_TRADE,
    "EC_InvalidSymbolStatus": CloseReason.SYMBOL_CLOSED,
    "EC_SecurityStatusFail": CloseReason.SYMBOL_CLOSED,
    "EC_InCallAuctionStatus": CloseReason.SYMBOL_CLOSED,
    "EC_CancelByMMP": CloseReason.MARKET_MAKER_PROTECTION,
    "EC_ReachRiskPriceLimit": CloseReason.PRICE_LIMIT,
    "EC_ReachMarketPriceLimit": CloseReason.PRICE_LIMIT,
    "EC_LimitOrderInvalidPrice": CloseReason.PRICE_LIMIT,
}
_CANCEL_TYPES = {
    "CancelByUser": CloseReason.REQUESTED,
    "CancelByDCP": CloseReason.TIMER,
    "CancelOnDisconnect": CloseReason.TIMER,
    "CancelByReduceOnly": CloseReason.REDUCE_ONLY,
    "CancelByPrepareLiq": CloseReason.LIQUIDATION,
    "CancelAllBeforeLiq": CloseReason.LIQUIDATION,
    "CancelByPrepareAdl": CloseReason.ADL,
    "CancelAllBeforeAdl": CloseReason.ADL,
    "CancelByAdmin": CloseReason.RISK_CONTROL,
    "CancelByRiskLimit": CloseReason.RISK_CONTROL,
    "CancelByAccountBlocking": CloseReason.RISK_CONTROL,
    "CancelBySettle": CloseReason.SYMBOL_CLOSED,
    "CancelByDelivery": CloseReason.SYMBOL_CLOSED,
    "CancelByTpSlTsClear": CloseReason.LINKED_ORDER,
    "CancelByOCOTpCanceledBySlTriggered": CloseReason.LINKED_ORDER,
    "CancelByOCOSlCanceledByTpTriggered": CloseReason.LINKED_ORDER,
    "CancelBySmp": CloseReason.SELF_TRADE,
    "CancelByCrossSelfMuch": CloseReason.SELF_TRADE,
    "CancelByRebalance": CloseReason.PRICE_LIMIT,
    "CancelByMmpTriggered": CloseReason.MARKET_MAKER_PROTECTION,
    "CancelByCannotAffordOrderCost": CloseReason.INSUFFICIENT_MARGIN,
    "CancelByPrepareLackOfMargin": CloseReason.INSUFFICIENT_MARGIN,
    "CancelByMarginCheckFailed": CloseReason.INSUFFICIENT_MARGIN,
    "CancelByPmTrialMmOverEquity": CloseReason.INSUFFICIENT_MARGIN,
}
_NO_REASON = ("", "EC_NoError", "UNKNOWN")
_CANCELED = "EC_PerCancelRequest"


def changes_position(execution: object) -> bool:
    """Return whether an execution changes a position; the venue lists funding and dividends among them.

    One of a type that is not known counts as one, so that `fill_kind` refuses it.
    """
    kind = execution.get("execType") if isinstance(execution, dict) else None
    return not isinstance(kind, str) or kind not in _MONEY_ONLY


def fill_kind(execution_type: str) -> FillKind:
    """Return why an execution was made.

    Raises:
        RowError: Its type is not known.
    """
    return lookup(_KINDS, execution_type, "execType")


def close_reason(status: OrderStatus, reject_reason: str, cancel_type: str) -> OrderEnd:
    """Return how an order ended: the reason is the more exact one, unless it says only that there was a cancel."""
    if status not in (OrderStatus.CANCELED, OrderStatus.REJECTED):
        return order_end(status, None)
    if reject_reason not in (*_NO_REASON, _CANCELED):
        return order_end(status, _REJECT_REASONS.get(reject_reason, CloseReason.OTHER))
    if cancel_type not in _NO_REASON:
        return order_end(status, _CANCEL_TYPES.get(cancel_type, CloseReason.OTHER))
    return order_end(status, CloseReason.REQUESTED if reject_reason == _CANCELED else None)


def close_text(end: OrderEnd, reject_reason: str, cancel_type: str) -> str:
    """Return the venue's term for why it ended an order; empty for an order that its owner ended."""
    if end.closed_by is not ClosedBy.VENUE:
        return ""
    return next((text for text in (reject_reason, cancel_type) if text not in (*_NO_REASON, _CANCELED)), "")
