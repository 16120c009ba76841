"""Why Bitget made a fill, and why an order ended: https://www.bitget.com/api-doc/contract/trade/Get-Order-Details."""

from __future__ import annotations

from opensqt.model.order import CloseReason, FillKind, OrderStatus, PositionSide
from opensqt.venues.order_end import OrderEnd, order_end

_KIND_BY_TRADE_SIDE = {
    "reduce_": FillKind.LIQUIDATION,
    "burst_": FillKind.LIQUIDATION,
    "offset_": FillKind.LIQUIDATION,
    "delivery_": FillKind.DELIVERY,
    "dte_sys_adl_": FillKind.ADL,
}
"""By the beginning of `tradeSide`: a part of the position was liquidated, all of it, or its long and short together."""
_KIND_BY_SOURCE = {
    "liquidation": FillKind.LIQUIDATION,
    "market_risk": FillKind.LIQUIDATION,
    "reduce_offset": FillKind.LIQUIDATION,
    "delivery_close_long": FillKind.DELIVERY,
    "delivery_close_short": FillKind.DELIVERY,
}
_NAMED_SIDES = {"close_long": PositionSide.LONG, "close_short": PositionSide.SHORT}
_CANCEL_REASONS = {
    "normal_cancel": CloseReason.REQUESTED,
    "modify_limit_order": CloseReason.REQUESTED,
    **dict.fromkeys(("stp_cancel", "self_trade_cancel"), CloseReason.SELF_TRADE),
    **dict.fromkeys(("ioc_not_full_cancel", "fok_not_full_cancel"), CloseReason.TIME_IN_FORCE),
    "post_only_fill_cancel": CloseReason.POST_ONLY,
    **dict.fromkeys(("slippage_cancel", "limit_price_exceed_cancel"), CloseReason.PRICE_LIMIT),
    **dict.fromkeys(("burst_cancel", "penetrate_cancel"), CloseReason.LIQUIDATION),
    "adl_cancel": CloseReason.ADL,
    "delegated_risk_order_cancel": CloseReason.RISK_CONTROL,
    "delivery_order_cancel": CloseReason.SYMBOL_CLOSED,
    "tpsl_plan_cancel": CloseReason.LINKED_ORDER,
}
"""A classic account has `normal_cancel` and `stp_cancel` only: https://www.bitget.com/api-doc/uta/enum."""
_AT_ONCE = ("ioc", "fok")
_POST_ONLY = "post_only"
_CANCELED_AT_ONCE_MS = 1_000
"""A younger post-only order may have been canceled because it would have taken."""


def fill_kind(trade_side: str, order_source: str = "") -> FillKind:
    """Return why a fill was made: by the `tradeSide` of its row, or by the source of its order where that shows it."""
    for beginning, kind in _KIND_BY_TRADE_SIDE.items():
        if trade_side.startswith(beginning):
            return kind
    return _KIND_BY_SOURCE.get(order_source, FillKind.TRADE)


def named_position_side(trade_side: str) -> PositionSide | None:
    """Return the position that a `tradeSide` names, as `burst_close_long` does; None for `open`, `close` and others."""
    return next((side for ending, side in _NAMED_SIDES.items() if trade_side.endswith(ending)), None)


def close_reason(status: OrderStatus, cancel_reason: str, force: str, *, market: bool, age_ms: int) -> OrderEnd:
    """Return how an order ended.

    A classic account has two reasons only. A normal cancel is there also the end of an order that could not be filled
    at once, which its owner can't have canceled, as it never rests, and of a post-only order that would have taken.

    Args:
        status: CANCELED for one that is not filled whole.
        cancel_reason: The venue's term.
        force: The venue's term for the time in force.
        market: Whether it is a market order.
        age_ms: Time from its placing to its end.
    """
    if status is not OrderStatus.CANCELED:
        return order_end(status, None)
    why = _CANCEL_REASONS.get(cancel_reason, CloseReason.OTHER if cancel_reason else None)
    if why is CloseReason.REQUESTED and (market or force in _AT_ONCE):
        why = CloseReason.TIME_IN_FORCE
    elif why is CloseReason.REQUESTED and force == _POST_ONLY and age_ms < _CANCELED_AT_ONCE_MS:
        why = None
    return order_end(status, why)
