"""The settings of a grid that its decisions depend on."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from opensqt.model.order import Side


class GridMode(StrEnum):
    """What the grid opens."""

    LONG = "long"
    """Buys below the price, each closed one level higher."""
    SHORT = "short"
    """Sells above the price, each closed one level lower."""
    NEUTRAL = "neutral"
    """Both."""

    @property
    def opens(self) -> tuple[Side, ...]:
        """The sides of the orders that open."""
        return _OPENS[self]


_OPENS = {
    GridMode.LONG: (Side.BUY,),
    GridMode.SHORT: (Side.SELL,),
    GridMode.NEUTRAL: (Side.BUY, Side.SELL),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSettings:
    """The amounts and windows of a grid."""

    order_quantity: Decimal
    """Per level: quote, or base coins with `in_base`."""
    min_order_value: Decimal
    """Quote."""
    buy_window: int
    """Levels below the price: those with a buy in a long grid, those whose short holding is offered in a short one."""
    sell_window: int
    """The same above the price."""
    max_open_orders: int
    """Live orders, both sides together."""
    cleanup_batch: int
    mode: GridMode = GridMode.LONG
    in_base: bool = False
    """Whether `order_quantity` is base coins."""
    lowest_price: Decimal | None = None
    """No level is opened below it, quote; None follows the price down."""
    highest_price: Decimal | None = None
    """No level is opened above it, quote; None follows the price up."""
    inventory_skew: Decimal = Decimal(0)
    """Part of the price that a full window of inventory moves the opening orders by, away from more of it."""
    funding_skew: Decimal = Decimal(0)
    """The opening orders move by so many times the next funding rate, away from the side that pays."""
