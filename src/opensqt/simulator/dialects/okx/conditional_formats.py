"""OKX's JSON format of an algo order, and of what an order has attached."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.simulator.dialects.okx import formats
from opensqt.simulator.dialects.okx.instruments import OkxInstrument, divided, plain
from opensqt.simulator.engine.conditional import ConditionalStatus, SimConditional, Trigger
from opensqt.simulator.engine.order import SimOrder

KINDS = ("conditional", "oco", "trigger", "move_order_stop")
ABSENT_KINDS = ("chase", "iceberg", "twap", "smart_iceberg")
MARKET_PRICE = "-1"
_STATE = {
    ConditionalStatus.WAITING: "live",
    ConditionalStatus.TRIGGERED: "effective",
    ConditionalStatus.CANCELED: "canceled",
    ConditionalStatus.EXPIRED: "canceled",
    ConditionalStatus.REJECTED: "order_failed",
}
_FAILURES = {"INSUFFICIENT_MARGIN": "51008", "REDUCE_ONLY": "51169"}


def algo(
    found: SimConditional, swap: OkxInstrument, leverage: int, order: SimOrder | None, last: Decimal
) -> dict[str, Any]:
    """Write an algo order.

    Args:
        found: The algo order.
        swap: Its instrument.
        leverage: The current leverage.
        order: The order that it placed, if any.
        last: The last price.
    """
    wanted = found.wanted
    plain_trigger = next((one for one in wanted.triggers if not one.name and one.trail is None), None)
    trailing = next((one for one in wanted.triggers if one.trail is not None), None)
    size = swap.contracts(wanted.quantity) if wanted.quantity and not wanted.close_position else ""
    orders = [found.order_id] if found.order_id and found.status is ConditionalStatus.TRIGGERED else []
    stop = found.stop_price()
    return {
        "instType": "SWAP",
        "instId": swap.inst_id,
        "ccy": "",
        "algoId": found.conditional_id,
        "algoClOrdId": wanted.client_id,
        "clOrdId": "",
        "ordId": orders[0] if orders else "",
        "ordIdList": orders,
        "ordType": wanted.kind,
        "side": wanted.side.value.lower(),
        "posSide": formats.SIDES[wanted.position_side],
        "sz": size,
        "tdMode": "cross",
        "tgtCcy": "",
        "state": _STATE[found.status],
        "lever": str(leverage),
        "notionalUsd": divided(wanted.quantity * last),
        **_stop("tp", wanted.triggers, swap),
        **_stop("sl", wanted.triggers, swap),
        "triggerPx": swap.price(plain_trigger.price) if plain_trigger is not None else "",
        "triggerPxType": plain_trigger.by.value.lower() if plain_trigger is not None else "",
        "ordPx": _order_price(plain_trigger, swap) if plain_trigger is not None else "",
        "advanceOrdType": wanted.details.get("advanceOrdType", ""),
        "closeFraction": wanted.details.get("closeFraction", ""),
        "reduceOnly": "true" if wanted.reduce_only else "false",
        "isTradeBorrowMode": "",
        "quickMgnType": "",
        "activePx": swap.price(trailing.trail.activation_price) if trailing is not None and trailing.trail else "",
        "callbackRatio": _plain(trailing.trail.rate) if trailing is not None and trailing.trail else "",
        "callbackSpread": _plain(trailing.trail.distance) if trailing is not None and trailing.trail else "",
        "moveTriggerPx": divided(stop) if trailing is not None and stop is not None else "",
        "actualSide": found.fired.name if found.fired is not None else "",
        "actualPx": divided(order.average_price) if order is not None and order.filled_quantity else "",
        "actualSz": swap.contracts(order.filled_quantity) if order is not None else "0",
        "amendPxOnTriggerType": "0",
        "attachAlgoClOrdId": "",
        "attachAlgoOrds": [],
        "linkedOrd": {"ordId": found.parent_id},
        "failCode": _FAILURES.get(found.reason, "51000" if found.reason else "0"),
        "last": swap.price(last),
        "pxVar": "",
        "pxSpread": "",
        "pxLimit": "",
        "szLimit": "",
        "timeInterval": "",
        "tag": wanted.tag,
        "triggerTime": str(found.triggered_ms) if found.triggered_ms else "",
        "cTime": str(found.created_ms),
        "uTime": str(found.updated_ms),
    }


def _stop(name: str, triggers: tuple[Trigger, ...], swap: OkxInstrument) -> dict[str, str]:
    found = next((trigger for trigger in triggers if trigger.name == name), None)
    if found is None:
        return {f"{name}TriggerPx": "", f"{name}TriggerPxType": "", f"{name}OrdPx": ""}
    return {
        f"{name}TriggerPx": swap.price(found.price),
        f"{name}TriggerPxType": found.by.value.lower(),
        f"{name}OrdPx": _order_price(found, swap),
    }


def _order_price(trigger: Trigger, swap: OkxInstrument) -> str:
    return MARKET_PRICE if trigger.order_price is None else swap.price(trigger.order_price)


def _plain(value: Decimal | None) -> str:
    return "" if value is None else plain(value)
