"""The quotes of a long grid: a buy on each empty level below the price, a sell above each level that holds coins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from opensqt.market_maker.strategy.grid.geometry import Grid, buy_quantity
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import Level, Permission, TargetOrder
from opensqt.model.market import Price
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules


def bucket(grid: Grid, price: Price, settings: GridSettings) -> tuple[int, ...]:
    """Return a value that changes whenever the price alone could change the plan."""
    buys = grid.buy_levels(price.mid, settings.buy_window)
    return (
        buys.start,
        buys.stop,
        grid.buy_floor(price.mid, settings.buy_window),
        grid.sell_ceiling(price.mid, settings.sell_window),
        grid.level_below(price.bid),
        grid.level_below(price.ask),
    )


def quotes(
    grid: Grid,
    levels: Mapping[int, Level],
    price: Price,
    *,
    settings: GridSettings,
    rules: SymbolRules,
    permission: Permission,
) -> list[TargetOrder]:
    """Return the target orders that have no live order yet, nearest to the price first.

    Args:
        grid: The levels.
        levels: The levels that hold coins or have an order.
        price: A fresh quote.
        settings: Amounts and windows.
        rules: The venue's steps and minimums.
        permission: The orders that may be placed now.
    """
    return sorted(
        [
            *_sells(grid, levels, price, settings, rules, permission),
            *_buys(grid, levels, price, settings, rules, permission),
        ],
        key=lambda target: (abs(target.price - price.mid), target.side is Side.BUY),
    )


def _buys(
    grid: Grid,
    levels: Mapping[int, Level],
    price: Price,
    settings: GridSettings,
    rules: SymbolRules,
    permission: Permission,
) -> Iterator[TargetOrder]:
    if permission.buys <= 0:
        return
    for level in grid.buy_levels(price.mid, settings.buy_window):
        held, level_price = levels.get(level), grid.price_of(level)
        if level_price <= 0:
            return
        if level in permission.backed_off or (held is not None and not _can_buy(held, rules)):
            continue
        highest = price.bid if level in permission.requoted else price.ask - rules.price_step
        at = min(level_price, highest)
        quantity = buy_quantity(level_price, settings.order_quantity, settings.min_order_value, rules)
        if quantity > 0:
            yield TargetOrder(level=level, side=Side.BUY, price=at, quantity=quantity)


def _sells(
    grid: Grid,
    levels: Mapping[int, Level],
    price: Price,
    settings: GridSettings,
    rules: SymbolRules,
    permission: Permission,
) -> Iterator[TargetOrder]:
    if not permission.sells:
        return
    ceiling = grid.sell_ceiling(price.mid, settings.sell_window)
    for level, held in levels.items():
        if not held.is_free or level > ceiling or level in permission.backed_off:
            continue
        if held.quantity < rules.min_quantity or held.quantity <= 0:
            continue
        lowest = price.ask if level in permission.requoted else price.bid + rules.price_step
        quantity = held.quantity if rules.max_quantity is None else min(held.quantity, rules.max_quantity)
        yield TargetOrder(
            level=level,
            side=Side.SELL,
            price=max(grid.price_of(level + 1), lowest),
            quantity=rules.round_quantity(quantity),
        )


def _can_buy(level: Level, rules: SymbolRules) -> bool:
    """Return whether a level may buy. A rest that is too small to be sold does not prevent it."""
    return level.is_free and 0 <= level.quantity < max(rules.min_quantity, rules.quantity_step)
