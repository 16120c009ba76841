"""Bitget's JSON formats of plan orders."""

from __future__ import annotations

from typing import Any

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.order import PositionSide, Side
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.bitget import formats
from opensqt.simulator.engine.account import closes
from opensqt.simulator.engine.conditional import ConditionalStatus, SimConditional, TriggerBy
from opensqt.simulator.settings import SymbolSettings

OF_POSITION = ("pos_profit", "pos_loss")
PROFIT_LOSS = ("profit_plan", "loss_plan", "moving_plan", *OF_POSITION)
PLANS = ("normal_plan", "track_plan", *PROFIT_LOSS)
_STOPS = ("stopSurplus", "stopLoss")
ATTACHED = tuple(f"{name}{field}" for name in _STOPS for field in ("TriggerPrice", "ExecutePrice"))
NEW_ATTACHED = tuple(f"new{name[0].upper()}{name[1:]}" for name in ATTACHED)
STATUS = {
    ConditionalStatus.WAITING: "live",
    ConditionalStatus.TRIGGERED: "executed",
    ConditionalStatus.CANCELED: "cancelled",
    ConditionalStatus.EXPIRED: "cancelled",
    ConditionalStatus.REJECTED: "fail_trigger",
}
_BY = {TriggerBy.LAST: "fill_price", TriggerBy.MARK: "mark_price", TriggerBy.INDEX: "index_price"}
_SIDES = {PositionSide.BOTH: "net", PositionSide.LONG: "long", PositionSide.SHORT: "short"}


def client_id(found: SimConditional) -> str:
    """Return the client's id, or the one that the venue made."""
    return found.client_id or f"auto{found.conditional_id}"


def _common(found: SimConditional, rules: SymbolSettings) -> dict[str, Any]:
    wanted, trigger = found.wanted, found.wanted.triggers[0]
    hedge = wanted.position_side is not PositionSide.BOTH
    reduces = closes(wanted.side, wanted.position_side, wanted.closes_only)
    side = wanted.side.value.lower()
    if hedge:
        side = "buy" if wanted.position_side is PositionSide.LONG else "sell"
    price = trigger.trail.activation_price if trigger.trail is not None else trigger.price
    execute = decimals.price(trigger.order_price, rules) if trigger.order_price is not None else ""
    rate = trigger.trail.rate if trigger.trail is not None else None
    return {
        "planType": wanted.kind,
        "orderId": found.conditional_id,
        "clientOid": client_id(found),
        "size": "" if wanted.close_position else decimals.quantity(wanted.quantity, rules),
        "price": execute,
        "executePrice": execute or "0",
        "callbackRatio": "" if rate is None else decimals.exact((rate * 100).normalize()),
        "triggerPrice": decimals.price(price, rules),
        "triggerType": _BY[trigger.by],
        "side": side,
        "posSide": _SIDES[wanted.position_side],
        "marginCoin": rules.quote_asset,
        "enterPointSource": "API",
        "tradeSide": ("close" if reduces else "open") if hedge else f"{wanted.side.value.lower()}_single",
        "posMode": formats.POSITION_MODE[PositionMode.HEDGE if hedge else PositionMode.ONE_WAY],
        "orderType": "market" if trigger.order_price is None else "limit",
        **{f"{name}{field}": "" for name in _STOPS for field in ("TriggerPrice", "ExecutePrice", "TriggerType")},
        "cTime": str(found.created_ms),
        "uTime": str(found.updated_ms),
    }


def plan(found: SimConditional, rules: SymbolSettings, mode: MarginMode) -> dict[str, Any]:
    """Write a plan order as the endpoints do."""
    return {
        "symbol": found.symbol,
        **_common(found, rules),
        "planStatus": STATUS[found.status],
        "marginMode": formats.MARGIN_MODE[mode],
        "reduceOnly": "YES" if found.wanted.closes_only else "NO",
        "priceAvg": "",
        "baseVolume": "",
        "executeOrderId": found.order_id if found.status is ConditionalStatus.TRIGGERED else "",
        "holdSide": "long" if found.wanted.side is Side.SELL else "short",
    }


def streamed(found: SimConditional, rules: SymbolSettings) -> dict[str, Any]:
    """Write a plan order as the channel does."""
    executed = found.status is ConditionalStatus.TRIGGERED
    return {
        "instId": found.symbol,
        **_common(found, rules),
        "status": STATUS[found.status],
        "triggerTime": str(found.triggered_ms) if found.triggered_ms else "",
        "actualSize": decimals.quantity(found.wanted.quantity, rules) if executed else "",
        "stpMode": "none",
    }
