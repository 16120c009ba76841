"""Exits while the price is held: what a level holds is offered at the level's own price, which needs no other price.

A hold keeps entries away, never exits. An exit that no input speaks against is laid soon; the others are laid when the
hold has lasted for `exits_after_s`, because an input that stays wrong would keep them away for good.
"""

from __future__ import annotations

from decimal import Decimal

from opensqt.market_maker.orders.state import GridState
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.held_price import HeldPrice, held_price
from opensqt.market_maker.strategy.quoter import Permission, TargetOrder
from opensqt.market_maker.strategy.reference import PriceGuard
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules

HOLD_CHECK_S = 1.0
"""Seconds between two looks at what a hold allows."""


def held_exits(
    state: GridState,
    rules: SymbolRules,
    prices: PriceGuard,
    permission: Permission,
    settings: GridSettings,
    now: float,
) -> tuple[TargetOrder, ...]:
    """Return the exits to lay while the price is held, nearest first: no more on a side than its window has levels.

    Args:
        state: The slots.
        rules: The venue's steps and minimums.
        prices: What is known of the market.
        permission: The levels that have to wait, and whether exits may be placed.
        settings: The windows, and the live orders at most.
        now: Monotonic seconds.
    """
    grid = state.grid
    if grid is None or not permission.exits:
        return ()
    known = held_price(prices, state.own_orders, grid, now)
    if known is None:
        return ()
    near = known.near or grid.price_of(0)
    least = max(rules.min_quantity, rules.quantity_step)
    left = {Side.BUY: settings.buy_window, Side.SELL: settings.sell_window}
    for order in state.live_orders():
        left[order.side] -= order.closes
    room = settings.max_open_orders - len(state.live_orders())
    wanted = [
        target
        for slot in state.slots.values()
        if slot.is_free and abs(slot.quantity) >= least and slot.level not in permission.backed_off
        if (target := _exit(grid, rules, known, slot.level, slot.quantity, permission)) is not None
    ]
    chosen: list[TargetOrder] = []
    for target in sorted(wanted, key=lambda one: (abs(one.price - near), one.level)):
        if len(chosen) < room and left[target.side] > 0:
            left[target.side] -= 1
            chosen.append(target)
    return tuple(chosen)


def _exit(
    grid: Grid, rules: SymbolRules, known: HeldPrice, level: int, held: Decimal, permission: Permission
) -> TargetOrder | None:
    side = Side.SELL if held > 0 else Side.BUY
    home = grid.price_of(level - side.sign)
    if home <= 0 or not known.allows(side, home):
        return None
    price = known.maker_price(side, home, rules.price_step, at_touch=level in permission.requoted)
    size = abs(held) if rules.max_quantity is None else min(abs(held), rules.max_quantity)
    return TargetOrder(level=level, side=side, price=price, quantity=rules.round_quantity(size), closes=True)
