"""Gate's JSON format of a price-triggered order."""

from __future__ import annotations

from typing import Any

from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.gate import formats
from opensqt.simulator.engine.conditional import ConditionalStatus, Crossing, SimConditional, TriggerBy
from opensqt.simulator.engine.order import RefusalReason
from opensqt.simulator.settings import SymbolSettings

_FINISH_AS = {
    ConditionalStatus.WAITING: "",
    ConditionalStatus.TRIGGERED: "succeeded",
    ConditionalStatus.CANCELED: "cancelled",
    ConditionalStatus.EXPIRED: "expired",
    ConditionalStatus.REJECTED: "failed",
}
_PRICE_TYPES = {TriggerBy.LAST: 0, TriggerBy.MARK: 1, TriggerBy.INDEX: 2}
_REASONS = {
    RefusalReason.REDUCE_ONLY.value: "REDUCE_EXCEEDED",
    RefusalReason.INSUFFICIENT_MARGIN.value: "INSUFFICIENT_AVAILABLE",
}


def price_order(found: SimConditional, rules: SymbolSettings, user: int, sizes: formats.Sizes) -> dict[str, Any]:
    """Write a price-triggered order as the REST endpoints do."""
    wanted, trigger = found.wanted, found.wanted.triggers[0]
    size = decimals.ZERO if wanted.close_position else wanted.side.sign * wanted.quantity
    ended = not found.status.is_open
    executed = found.status is ConditionalStatus.TRIGGERED
    return {
        "id": int(found.conditional_id),
        "id_string": found.conditional_id,
        "user": user,
        "create_time": formats.seconds(found.created_ms),
        "update_time": formats.seconds(found.updated_ms),
        "finish_time": formats.seconds(found.updated_ms) if ended else 0,
        "trade_id": int(found.order_id) if executed else 0,
        "status": "finished" if ended else "open",
        "finish_as": _FINISH_AS[found.status],
        "reason": _REASONS.get(found.reason, found.reason),
        "order_type": wanted.kind,
        "me_order_id": 0,
        "initial": {
            "contract": formats.contract(rules),
            "size": sizes.of(size, rules),
            "price": "0" if trigger.order_price is None else decimals.price(trigger.order_price, rules),
            "tif": "ioc" if trigger.order_price is None else wanted.time_in_force.value.lower(),
            "text": wanted.details["text"] or "api",
            "iceberg": sizes.of(decimals.ZERO, rules),
            "is_close": wanted.close_position,
            "is_reduce_only": wanted.details["reduce_only"] == "true",
            "auto_size": wanted.details["auto_size"],
        },
        "trigger": {
            "strategy_type": 0,
            "price_type": _PRICE_TYPES[trigger.by],
            "price": decimals.price(trigger.price, rules),
            "rule": 1 if trigger.crossing is Crossing.UP else 2,
            "expiration": int(wanted.details["expiration"]),
        },
    }


def streamed(found: SimConditional, rules: SymbolSettings, user: int, sizes: formats.Sizes) -> dict[str, Any]:
    """Write a price-triggered order as the channel does."""
    return price_order(found, rules, user, sizes) | {
        "name": "price_autoorders",
        "is_stop_order": False,
        "stop_trigger": {"rule": 0, "trigger_price": "", "order_price": ""},
        "create_time": found.created_ms // 1000,
        "update_time": found.updated_ms // 1000,
        "finish_time": found.updated_ms // 1000 if not found.status.is_open else 0,
    }
