"""The price that opening orders are laid around: moved away from inventory, and from the side that pays funding."""

from __future__ import annotations

from decimal import Decimal

from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import Inventory, MarketState
from opensqt.model.order import Side

MOST = Decimal("0.5")
"""Part of the price that opening orders are moved by at most."""


def shift(market: MarketState, inventory: Inventory, settings: GridSettings) -> Decimal:
    """Return the part of the price that quotes move by: above zero upwards.

    With the inventory of a full window it is `inventory_skew`, and so many times the next funding rate are added.
    """
    moved = Decimal(0)
    if settings.inventory_skew:
        price = market.reference
        window = settings.buy_window if inventory.position >= 0 else settings.sell_window
        target = settings.order_quantity * (1 if settings.in_base else 1 / price) * window
        moved -= settings.inventory_skew * inventory.position / target
    if settings.funding_skew and market.funding_rate is not None:
        moved -= settings.funding_skew * market.funding_rate
    return max(-MOST, min(MOST, moved))


def opening_price(side: Side, market: MarketState, inventory: Inventory, settings: GridSettings) -> Decimal:
    """Return the price that the opening orders of a side are laid around: never nearer than the market's."""
    moved = market.reference * (1 + shift(market, inventory, settings))
    return min(moved, market.reference) if side is Side.BUY else max(moved, market.reference)
