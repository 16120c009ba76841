"""The settings of a grid that its decisions depend on."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSettings:
    """The amounts and windows of a grid."""

    order_quantity: Decimal
    """Quote per level."""
    min_order_value: Decimal
    """Quote."""
    buy_window: int
    sell_window: int
    max_open_orders: int
    """Live orders, both sides together."""
    cleanup_batch: int
