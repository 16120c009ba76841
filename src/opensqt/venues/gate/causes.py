"""Why Gate made a fill, and why an order ended: https://www.gate.com/docs/developers/futures/ws/en/."""

from __future__ import annotations

from opensqt.model.order import CloseReason, FillKind, OrderStatus
from opensqt.venues.order_end import OrderEnd, order_end

_KIND_BY_TEXT = {
    "auto_deleveraging": FillKind.ADL,
    "liquidation": FillKind.LIQUIDATION,
    "liq-": FillKind.LIQUIDATION,
    "hedge-liq-": FillKind.LIQUIDATION,
    "pm_liquidate": FillKind.LIQUIDATION,
    "comb_margin_liquidate": FillKind.LIQUIDATION,
    "scm_liquidate": FillKind.LIQUIDATION,
    "insurance": FillKind.INSURANCE,
    "clear": FillKind.SETTLEMENT,
}
"""By the beginning of `text`. That of a client begins with `t-`, so it can't be one of these."""
_FINISH_REASONS = {
    "cancelled": CloseReason.REQUESTED,
    "ioc": CloseReason.TIME_IN_FORCE,
    "fok": CloseReason.TIME_IN_FORCE,
    "poc": CloseReason.POST_ONLY,
    "depth_not_enough": CloseReason.TIME_IN_FORCE,
    "trader_not_enough": CloseReason.TIME_IN_FORCE,
    "liquidated": CloseReason.LIQUIDATION,
    "liquidate_cancelled": CloseReason.LIQUIDATION,
    "auto_deleveraged": CloseReason.ADL,
    "auto_deleveraging": CloseReason.ADL,
    "reduce_only": CloseReason.REDUCE_ONLY,
    "position_closed": CloseReason.REDUCE_ONLY,
    "position_close": CloseReason.REDUCE_ONLY,
    "reduce_out": CloseReason.REDUCE_ONLY,
    "stp": CloseReason.SELF_TRADE,
    "mmp_cancelled": CloseReason.MARKET_MAKER_PROTECTION,
    "small": CloseReason.OTHER,
}
_NO_REASON = ("", "_new", "_update", "filled", "cancelled", "ioc")
"""The first two are those of an order that is open: it was taken, or filled in part."""


def fill_kind(text: str) -> FillKind:
    """Return why a fill was made, by the `text` of its order."""
    for beginning, kind in _KIND_BY_TEXT.items():
        if text.startswith(beginning):
            return kind
    return FillKind.TRADE


def close_reason(status: OrderStatus, finish_as: str, *, post_only: bool) -> OrderEnd:
    """Return how an order ended.

    Args:
        status: CANCELED for one that is not filled whole.
        finish_as: The venue's term.
        post_only: Whether it was to rest: the venue ends it like an order that finds nothing at once.
    """
    why = _FINISH_REASONS.get(finish_as, CloseReason.OTHER if finish_as else None)
    if why is CloseReason.TIME_IN_FORCE and post_only:
        why = CloseReason.POST_ONLY
    return order_end(status, why)


def close_text(finish_as: str) -> str:
    """Return why it ended in words; empty where the status shows it."""
    return "" if finish_as in _NO_REASON else f"finished as {finish_as}"
