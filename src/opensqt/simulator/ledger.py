"""The ledger that tests and the demo read: one plain dict, every number a decimal string."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from opensqt.simulator.engine.conditional import SimConditional
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.events import FundingPaid, PositionView
from opensqt.simulator.engine.order import SimFill, SimOrder


def ledger(engine: SimEngine, *, finished: bool = False, statistics: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the ledger of every account.

    Args:
        engine: The venue.
        finished: Whether a recording was played to its end.
        statistics: The server's own counters, included unchanged.
    """
    return {
        "exchange": engine.settings.exchange,
        "market_time_ms": engine.now_ms(),
        "finished": finished,
        "accounts": {key: _account(engine, key) for key in engine.account_keys()},
        "statistics": dict(statistics or {}),
    }


def _account(engine: SimEngine, key: str) -> dict[str, Any]:
    balance = engine.balance(key)
    return {
        "wallet_balance": plain(balance.wallet_balance),
        "available_balance": plain(balance.available_balance),
        "realized_pnl": plain(balance.realized_pnl),
        "fees": plain(balance.fees),
        "funding": plain(balance.funding),
        "unrealized_pnl": plain(balance.unrealized_pnl),
        "positions": [_position(position) for position in engine.positions(key)],
        "orders": [_order(order) for order in engine.orders(key)],
        "conditional_orders": [_conditional(one) for one in engine.conditional.listed(key)],
        "fills": [_fill(fill) for fill in engine.fills(key)],
        "funding_payments": [_payment(paid) for paid in engine.funding_payments(key)],
        "duplicate_client_order_ids": engine.duplicate_client_order_ids(key),
    }


def _position(position: PositionView) -> dict[str, Any]:
    return {
        "symbol": position.symbol,
        "position_side": position.position_side.value,
        "quantity": plain(position.quantity),
        "entry_price": plain(position.entry_price),
        "mark_price": plain(position.mark_price),
        "unrealized_pnl": plain(position.unrealized_pnl),
        "leverage": plain(Decimal(position.leverage)),
        "margin_mode": position.margin_mode.value,
    }


def _order(order: SimOrder) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "position_side": order.position_side.value,
        "order_type": order.order_type.value,
        "time_in_force": order.time_in_force.value,
        "reduce_only": order.reduce_only,
        "price": plain(order.price) if order.price is not None else None,
        "quantity": plain(order.quantity),
        "filled_quantity": plain(order.filled_quantity),
        "average_price": plain(order.average_price),
        "status": order.status.value,
        "closing_reason": order.closing_reason.value,
        "created_ms": order.created_ms,
        "updated_ms": order.updated_ms,
        "amendments": order.amendments,
        "conditional_id": order.conditional_id,
    }


def _conditional(one: SimConditional) -> dict[str, Any]:
    wanted, trigger, stop = one.wanted, one.trigger, one.stop_price()
    return {
        "conditional_id": one.conditional_id,
        "client_id": wanted.client_id,
        "kind": wanted.kind,
        "symbol": wanted.symbol,
        "side": wanted.side.value,
        "position_side": wanted.position_side.value,
        "order_type": one.order_type.value,
        "trigger_price": plain(stop) if stop is not None else None,
        "trigger_by": trigger.by.value,
        "crossing": trigger.crossing.value,
        "price": plain(trigger.order_price) if trigger.order_price is not None else None,
        "quantity": "position" if wanted.close_position else plain(wanted.quantity),
        "reduce_only": wanted.closes_only,
        "status": one.status.value,
        "triggered_by_price": plain(one.fired_price) if one.fired_price is not None else None,
        "order_id": one.order_id,
        "parent_id": one.parent_id,
        "rejection": one.rejection,
        "created_ms": one.created_ms,
        "updated_ms": one.updated_ms,
        "triggered_ms": one.triggered_ms,
        "amendments": one.amendments,
    }


def _fill(fill: SimFill) -> dict[str, Any]:
    return {
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "client_order_id": fill.client_order_id,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "position_side": fill.position_side.value,
        "price": plain(fill.price),
        "quantity": plain(fill.quantity),
        "fee": plain(fill.fee),
        "fee_asset": fill.fee_asset,
        "is_maker": fill.is_maker,
        "realized_pnl": plain(fill.realized_pnl),
        "time_ms": fill.time_ms,
    }


def _payment(paid: FundingPaid) -> dict[str, Any]:
    return {
        "payment_id": str(paid.payment_id),
        "symbol": paid.symbol,
        "position_side": paid.position_side.value,
        "amount": plain(paid.amount),
        "rate": plain(paid.rate),
        "quantity": plain(paid.quantity),
        "time_ms": paid.time_ms,
    }


def plain(number: Decimal) -> str:
    """Write a number without exponent and without trailing zeros, so that equal numbers read equal."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
