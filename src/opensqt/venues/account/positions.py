"""Makes one position of a symbol's side from what is held under cross and under isolated margin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from opensqt.model.account import MarginMode, Position
from opensqt.model.order import PositionSide


def combine(parts: Iterable[Position]) -> list[Position]:
    """Return one position for each symbol and side.

    Args:
        parts: Positions; a symbol's side may be held under both margin modes.
    """
    grouped: dict[tuple[str, PositionSide], list[Position]] = {}
    for part in parts:
        grouped.setdefault((part.symbol, part.position_side), []).append(part)
    return [_one(group) for group in grouped.values()]


def _one(parts: list[Position]) -> Position:
    """Return the only part that is held, or all of them together."""
    held = [part for part in parts if not part.is_flat]
    largest = max(held or parts, key=lambda part: (abs(part.quantity), part.event_time_ms))
    if len(parts) == 1:
        return largest
    event_time_ms = max(part.event_time_ms for part in parts)
    received_ns = max(part.received_ns for part in parts)
    if len(held) < 2:
        return replace(largest, event_time_ms=event_time_ms, received_ns=received_ns)
    quantity = sum((part.quantity for part in held), Decimal(0))
    isolated = sum((part.quantity for part in held if part.margin_mode is MarginMode.ISOLATED), Decimal(0))
    same_direction = len({part.quantity > 0 for part in held}) == 1
    value = sum((part.quantity * part.entry_price for part in held), Decimal(0))
    return replace(
        largest,
        quantity=quantity,
        isolated_quantity=isolated,
        entry_price=value / quantity if same_direction else largest.entry_price if quantity else Decimal(0),
        unrealized_pnl=sum((part.unrealized_pnl for part in held), Decimal(0)),
        liquidation_price=_first_liquidation(held, largest),
        event_time_ms=event_time_ms,
        received_ns=received_ns,
    )


def _first_liquidation(held: list[Position], largest: Position) -> Decimal | None:
    """Return the liquidation price that the market reaches first."""
    prices = [part.liquidation_price for part in held if part.liquidation_price is not None]
    near = largest.mark_price or largest.entry_price
    return min(prices, key=lambda price: abs(price - near), default=None)
