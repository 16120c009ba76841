"""The rows of the tables, to and from the values that the market maker works with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from opensqt.market_maker.orders.events import GridFill
from opensqt.market_maker.orders.slots import LiveOrder, Slot
from opensqt.market_maker.orders.stored import Header, Totals
from opensqt.model.errors import ConfigError
from opensqt.model.order import Fee, Fill, FillKind, OrderStatus, PositionSide, Side


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Say what can't be read, where a row is not as this program writes it.

    Args:
        what: What is read in the block, for a person.

    Raises:
        ConfigError: It can't be.
    """
    try:
        yield
    except (ArithmeticError, ValueError, TypeError, LookupError) as error:
        text = f"app.database_url: {what} can't be read ({type(error).__name__}: {error})"
        raise ConfigError(f"{text}; restore a copy of the database, or move it away to begin with a new one") from error


def header_row(symbol: str, header: Header) -> dict[str, Any]:
    """Return the row of a header."""
    totals = header.totals
    return {
        "symbol": symbol,
        "anchor": header.anchor,
        "interval": header.interval,
        "sequence": header.sequence,
        "watermark_ms": header.watermark_ms,
        "orders_placed": totals.orders_placed,
        "fills": totals.fills,
        "volume": totals.volume,
        "fees": amounts_text(totals.fees),
        "realized_pnl": totals.realized_pnl,
        "profit": totals.profit,
        "adopted": totals.adopted,
        "geometric": header.geometric,
        "stopped": header.stopped,
    }


def header(row: Row[Any]) -> Header:
    """Return the header of a row."""
    return Header(
        anchor=row.anchor,
        interval=row.interval,
        sequence=row.sequence,
        watermark_ms=row.watermark_ms,
        geometric=row.geometric,
        stopped=row.stopped or "",
        totals=Totals(
            orders_placed=row.orders_placed,
            fills=row.fills,
            volume=row.volume,
            fees=amounts(row.fees),
            realized_pnl=row.realized_pnl,
            profit=row.profit,
            adopted=row.adopted,
        ),
    )


def slot_row(symbol: str, slot: Slot) -> dict[str, Any]:
    """Return the row of a slot."""
    return {"symbol": symbol, "level": slot.level, "quantity": slot.quantity, "cost": slot.cost}


def order_row(symbol: str, order: LiveOrder, now_ms: int) -> dict[str, Any]:
    """Return the row of an order in its current state."""
    return {
        "client_order_id": order.client_order_id,
        "symbol": symbol,
        "level": order.level,
        "side": order.side.value,
        "price": order.price,
        "quantity": order.quantity,
        "order_id": order.order_id,
        "status": order.status.value,
        "filled": order.filled,
        "counted": order.counted,
        "reason": order.reason,
        "live": not order.settled,
        "created_ms": now_ms,
        "updated_ms": now_ms,
    }


def live_order(row: Row[Any]) -> LiveOrder:
    """Return the order of a row."""
    return LiveOrder(
        client_order_id=row.client_order_id,
        level=row.level,
        side=Side(row.side),
        price=row.price,
        quantity=row.quantity,
        status=OrderStatus(row.status),
        order_id=row.order_id,
        filled=row.filled,
        counted=row.counted,
        reason=row.reason,
    )


def fill_row(counted: GridFill) -> dict[str, Any]:
    """Return the row of a counted fill."""
    return {
        **trade_row(counted.fill),
        "level": counted.level,
        "profit": counted.profit,
        "average_profit": counted.average_profit,
        "mid": counted.mid,
        "fees_value": counted.fees_value,
    }


def trade_row(fill: Fill) -> dict[str, Any]:
    """Return the columns of a fill that all fills have."""
    return {
        "symbol": fill.symbol,
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "client_order_id": fill.client_order_id,
        "side": fill.side.value,
        "position_side": fill.position_side.value,
        "price": fill.price,
        "quantity": fill.quantity,
        "fee": fill.fee,
        "fee_asset": fill.fee_asset,
        "is_maker": fill.is_maker,
        "realized_pnl": fill.realized_pnl,
        "time_ms": fill.event_time_ms,
        "kind": fill.kind.value,
        "other_fees": amounts_text({fee.asset: fee.amount for fee in fill.other_fees}),
    }


def counted_fill(row: Row[Any]) -> GridFill:
    """Return the counted fill of a row."""
    return GridFill(
        fill=trade(row),
        level=row.level,
        profit=row.profit,
        average_profit=row.average_profit,
        mid=row.mid,
        fees_value=row.fees_value,
    )


def trade(row: Row[Any]) -> Fill:
    """Return the fill of a row."""
    return Fill(
        symbol=row.symbol,
        trade_id=row.trade_id,
        order_id=row.order_id,
        client_order_id=row.client_order_id,
        side=Side(row.side),
        position_side=PositionSide(row.position_side),
        price=row.price,
        quantity=row.quantity,
        fee=row.fee,
        fee_asset=row.fee_asset,
        is_maker=row.is_maker,
        realized_pnl=row.realized_pnl,
        event_time_ms=row.time_ms,
        kind=FillKind(row.kind),
        other_fees=tuple(Fee(asset, amount) for asset, amount in amounts(row.other_fees).items()),
    )


def amounts_text(fees: Mapping[str, Decimal]) -> str:
    """Return amounts by name as JSON, exact."""
    return json.dumps({asset: format(amount, "f") for asset, amount in fees.items()})


def amounts(text: str) -> dict[str, Decimal]:
    """Return the amounts of `amounts_text`."""
    return {asset: Decimal(amount) for asset, amount in json.loads(text).items()}
