"""The content of /status: the grid as JSON, amounts of money and coins as strings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.market_maker.engine import GridEngine
from opensqt.market_maker.orders.slots import LiveOrder, Slot
from opensqt.market_maker.profit_status import profit_sections
from opensqt.market_maker.risk import report
from opensqt.market_maker.strategy.reference_status import reference_status


def status(engine: GridEngine, *, exchange: str, problems: list[str], now: float, now_ms: int) -> dict[str, Any]:
    """Return the grid as JSON.

    Args:
        engine: The grid.
        exchange: Name of the venue.
        problems: The reasons why it is not healthy.
        now: Monotonic seconds.
        now_ms: UTC epoch milliseconds.
    """
    state, price, grid = engine.state, engine.market, engine.state.grid
    totals, position = state.totals, state.position
    slots = sorted(state.slots.values(), key=lambda slot: slot.level, reverse=True)
    reconciled = engine.reconciled_at
    return {
        "symbol": engine.settings.symbol,
        "exchange": exchange,
        "strategy_id": engine.settings.strategy_id,
        "mode": engine.settings.grid.mode.value,
        "phase": engine.phase.value,
        "price": _text(price.reference) if price else None,
        "bid": _text(price.bid) if price else None,
        "ask": _text(price.ask) if price else None,
        "price_age_s": round(now - engine.price_at, 3) if price else None,
        "reference": reference_status(engine.prices, now=now, now_ms=now_ms),
        "anchor": _text(grid.anchor) if grid else None,
        "centre": _text(grid.price_of(grid.centre(price.reference))) if grid and price else None,
        "interval": _text(grid.interval if grid else engine.settings.interval),
        "step": "geometric" if engine.settings.geometric else "arithmetic",
        "course": {
            "stopped": engine.course.stopped,
            "waits_for_start_price": engine.course.waiting,
            "average_range": _text(range_) if (range_ := engine.course.volatility.average_range) else None,
        },
        "slots": [_slot(slot, _text(grid.price_of(slot.level))) for slot in slots] if grid else [],
        "open_orders": [
            _order(order)
            for order in sorted(state.live_orders(), key=lambda order: order.price, reverse=True)
            if order.status.is_open
        ],
        "position": _text(position),
        "average_price": _text(state.cost / position) if position else None,
        "orders_placed": totals.orders_placed,
        "fills": totals.fills,
        "volume": _text(totals.volume),
        "fees": _text(fees_value(engine)),
        "fees_by_asset": {asset: _text(amount) for asset, amount in totals.fees.items()},
        "realized_pnl": _text(realized(engine)),
        "grid_profit": _text(totals.profit - fees_value(engine)),
        "unrealized_pnl": _text(unrealized(engine)),
        "grid_unrealized_pnl": _text(grid_unrealized(engine)),
        **profit_sections(state.accounting, totals.profit, _text),
        "last_reconcile_ms": now_ms - int((now - reconciled) * 1000) if reconciled is not None else None,
        "halted": engine.halt_reason,
        "risk": report.status(engine.risk),
        "problems": problems,
    }


def fees_value(engine: GridEngine) -> Decimal:
    """Return what the fees in all assets were worth when they were paid, quote; those without a price left out."""
    ledger = engine.state.accounting.ledger
    return ledger.fees_value if ledger is not None else Decimal(0)


def realized(engine: GridEngine) -> Decimal:
    """Return what the account realized with the symbol, whoever closed it, quote, before fees and funding."""
    ledger = engine.state.accounting.ledger
    return ledger.realized_total if ledger is not None else Decimal(0)


def unrealized(engine: GridEngine) -> Decimal:
    """Return the account's open profit at the mark price, quote, before fees."""
    accounting = engine.state.accounting
    ledger, mark = accounting.ledger, accounting.valuation_price
    return ledger.open_profit(mark) if ledger is not None and mark is not None else Decimal(0)


def grid_unrealized(engine: GridEngine) -> Decimal:
    """Return the open profit of the levels, each against its own cost, quote, before fees."""
    return engine.market.reference * engine.state.position - engine.state.cost if engine.market else Decimal(0)


def _slot(slot: Slot, price: str) -> dict[str, Any]:
    return {
        "level": slot.level,
        "price": price,
        "state": slot.state.value,
        "position": "FILLED" if slot.quantity else "EMPTY",
        "quantity": _text(slot.quantity),
        "average_price": _text(slot.average_price) if slot.average_price is not None else None,
        "order": _order(slot.order) if slot.order else None,
    }


def _order(order: LiveOrder) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "order_id": order.order_id,
        "level": order.level,
        "side": order.side.value,
        "price": _text(order.price),
        "quantity": _text(order.quantity),
        "filled_quantity": _text(max(order.filled, order.counted)),
        "status": order.status.value,
    }


def _text(number: Decimal) -> str:
    """Plain digits, without the noise of a division."""
    rounded = number.quantize(Decimal("1e-12")) if abs(number.as_tuple().exponent) > 12 else number  # type: ignore[arg-type]
    text = format(rounded, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
