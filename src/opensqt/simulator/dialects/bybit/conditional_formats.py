"""Bybit's JSON format of a conditional order, which is that of an order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.bybit import formats, other_fields
from opensqt.simulator.engine.conditional import ConditionalStatus, Crossing, SimConditional, TriggerBy
from opensqt.simulator.engine.events import PositionView
from opensqt.simulator.engine.order import RefusalReason
from opensqt.simulator.settings import SymbolSettings

SLOTS = ("takeProfit", "stopLoss", "trailingStop")
_STATUS = {
    ConditionalStatus.WAITING: "Untriggered",
    ConditionalStatus.TRIGGERED: "Triggered",
    ConditionalStatus.CANCELED: "Deactivated",
    ConditionalStatus.EXPIRED: "Deactivated",
    ConditionalStatus.REJECTED: "Rejected",
}
_REJECTIONS = {
    RefusalReason.REDUCE_ONLY.value: "EC_OnlyReducePositionAllowed",
    RefusalReason.INSUFFICIENT_MARGIN.value: "EC_InsufficientBalance",
}
_BY = {TriggerBy.LAST: "LastPrice", TriggerBy.MARK: "MarkPrice", TriggerBy.INDEX: "IndexPrice"}


def conditional(found: SimConditional, rules: SymbolSettings) -> dict[str, Any]:
    """Write a conditional order in the format of orders."""
    wanted = found.wanted
    waits = found.status is ConditionalStatus.WAITING
    trigger, stop = wanted.triggers[0], found.stop_price()
    quantity = decimals.ZERO if wanted.close_position else wanted.quantity
    by_venue = found.status is ConditionalStatus.EXPIRED
    canceled = found.status is ConditionalStatus.CANCELED
    reason = "EC_PerCancelRequest" if canceled else _REJECTIONS.get(found.reason, "EC_NoError")
    partial = wanted.kind.startswith("Partial")
    return {
        **other_fields.ORDER,
        **dict.fromkeys(("tpLimitPrice", "slLimitPrice"), ""),
        "closedPnl": "0",
        "cumFeeDetail": {},
        "orderId": found.conditional_id,
        "orderLinkId": wanted.client_id,
        "blockTradeId": "",
        "symbol": found.symbol,
        "price": decimals.price(trigger.order_price, rules) if trigger.order_price is not None else "0",
        "qty": decimals.quantity(quantity, rules),
        "side": formats.SIDE[wanted.side],
        "isLeverage": "",
        "positionIdx": formats.POSITION_INDEX[wanted.position_side],
        "orderStatus": _STATUS[found.status],
        "createType": wanted.details.get("createType", "CreateByUser"),
        "cancelType": "CancelByTpSlTsClear" if by_venue else "CancelByUser" if canceled else "UNKNOWN",
        "rejectReason": reason,
        "avgPrice": "",
        "leavesQty": decimals.quantity(quantity if waits else decimals.ZERO, rules),
        "leavesValue": "0",
        "cumExecQty": "0",
        "cumExecValue": "0",
        "cumExecFee": "0",
        "timeInForce": "IOC"
        if wanted.details["orderType"] == "Market"
        else formats.TIME_IN_FORCE[wanted.time_in_force],
        "orderType": wanted.details["orderType"],
        "stopOrderType": wanted.details["stopOrderType"],
        "orderIv": "",
        "takeProfit": "",
        "stopLoss": "",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "placeType": "",
        "triggerPrice": decimals.price(stop, rules) if stop is not None else "",
        "triggerBy": _BY[trigger.by],
        "triggerDirection": 1 if trigger.crossing is Crossing.UP else 2,
        "tpslMode": "Partial" if partial else "Full" if wanted.slot else "UNKNOWN",
        "reduceOnly": wanted.closes_only,
        "closeOnTrigger": wanted.closes_only,
        "lastPriceOnCreated": "",
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "createdTime": str(found.created_ms),
        "updatedTime": str(found.updated_ms),
    }


def stops(waiting: Iterable[SimConditional], position: PositionView, rules: SymbolSettings) -> dict[str, str]:
    """Return take-profit, stop-loss and trailing stop of a position, as far as they are set."""
    found = {}
    for one in waiting:
        wanted, trigger = one.wanted, one.wanted.triggers[0]
        if wanted.slot not in SLOTS or wanted.position_side is not position.position_side:
            continue
        value = trigger.trail.distance if trigger.trail is not None else trigger.price
        found[wanted.slot] = decimals.price(value, rules)
        if trigger.trail is not None and trigger.trail.activation_price is not None:
            found["activePrice"] = decimals.price(trigger.trail.activation_price, rules)
    return found
