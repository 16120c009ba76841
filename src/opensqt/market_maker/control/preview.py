"""What changed settings would cancel and place, without doing it, and the change itself."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from opensqt.market_maker.orders.events import GridSettingsChanged
from opensqt.market_maker.orders.slots import LiveOrder, Slot
from opensqt.market_maker.orders.state import GridState
from opensqt.market_maker.orders.stored import Stored
from opensqt.market_maker.risk.settings import RiskLimits
from opensqt.market_maker.strategy.quoter import Permission, TargetOrder
from opensqt.model.order import Side

if TYPE_CHECKING:
    from opensqt.market_maker.engine import GridEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The orders that would be cancelled and placed at the price of the moment."""

    cancels: tuple[LiveOrder, ...] = ()
    places: tuple[TargetOrder, ...] = ()
    replaced: tuple[LiveOrder, ...] = ()
    """Those of the cancels that stand at a level that has another price or quantity then."""
    notes: tuple[str, ...] = ()
    """What else happens at once, in sentences for a person."""


def put_in_force(engine: GridEngine, change: GridSettingsChanged, now: float) -> None:
    """Have an engine use changed settings from now on."""
    before = engine.settings
    engine.settings = replace(
        before,
        grid=change.grid,
        reconcile_interval_s=change.reconcile_interval_s,
        margin_lock_s=change.margin_lock_s,
        price_max_age_s=change.price_max_age_s,
        price_range=change.price_range or before.price_range,
        reference=change.reference or before.reference,
        triggers=change.triggers or before.triggers,
    )
    engine.planner = None
    engine.prices.change(engine.settings.reference)
    engine.course.change(engine.settings.triggers)
    if isinstance(change.limits, RiskLimits) and change.limits != engine.risk.settings:
        engine.risk.change(change.limits, now)


def preview(engine: GridEngine, change: GridSettingsChanged, now: float) -> Preview:
    """Return what changed settings would do. The engine stays as it is.

    Args:
        engine: The grid.
        change: The settings that would be in force.
        now: Monotonic seconds.
    """
    state = engine.state
    if state.header is None or engine.market is None:
        return Preview()
    trial = _trial(engine, change, now)
    market = trial.quoting_market()
    planner = trial.make_planner(change.grid, trial.state)
    if planner is None or market is None:
        return Preview()
    permissions = engine.permission(engine.market, now), trial.permission(market, now)
    plan = planner.plan(planner.quoter.frame(market, state), permissions[1])
    going = {order.client_order_id for order in plan.cancels}
    before = _targets(engine, permissions[0], going, now)
    targets = _targets(trial, permissions[1], going, now)
    live = [slot.order for slot in state.slots.values() if slot.order is not None]
    replaced = tuple(
        order
        for order in live
        if before.get(order.level) != targets.get(order.level) and _differs(order, targets.get(order.level))
    )
    cancels = {order.client_order_id: order for order in (*plan.cancels, *replaced)}
    kept = {order.level for order in live if order.client_order_id not in cancels}
    return Preview(
        cancels=tuple(cancels.values()),
        places=tuple(target for level, target in targets.items() if level not in kept),
        replaced=replaced,
        notes=_notes(engine, trial),
    )


def _trial(engine: GridEngine, change: GridSettingsChanged, now: float) -> GridEngine:
    """Return a copy of the engine with changed settings. What it decides is thrown away."""
    trial = copy(engine)
    state = trial.state = copy(engine.state)
    state.touched, state.touched_entries = set(), None
    trial.risk = engine.risk.trial()
    trial.course = engine.course.trial(state)
    trial.prices = copy(engine.prices)
    trial.operator = replace(engine.operator, replaced=set())
    put_in_force(trial, change, now)
    price = trial.prices.market.reference if trial.prices.market is not None else None
    header = state.header
    if price is not None and header is not None and (reason := trial.course.stop_reason(price)):
        state.set_header(replace(header, stopped=reason))
    return trial


def _notes(engine: GridEngine, trial: GridEngine) -> tuple[str, ...]:
    before, after = engine.risk.triggered(), trial.risk.triggered()
    notes = [f"entries stop at once: {reason}" for rule, reason in after.items() if rule not in before]
    notes += [f"entries are no longer stopped by {rule}" for rule in before if rule not in after]
    if trial.course.stopped and not engine.course.stopped:
        notes.append(f"the grid stops at once: {trial.course.stopped}")
    if engine.course.stopped and not trial.course.stopped:
        notes.append(f"the grid is no longer stopped by {engine.course.stopped}")
    start = trial.settings.triggers.start_price
    if start is not None and start != engine.settings.triggers.start_price and engine.state.totals.orders_placed:
        notes.append(f"start_price {start:f} has no effect: this grid has traded already")
    return tuple(notes)


def _targets(engine: GridEngine, permission: Permission, going: set[str], now: float) -> dict[int, TargetOrder]:
    """Return all orders that are wanted, by level: what would be placed if none were live."""
    state, market, settings = engine.state, engine.quoting_market(), engine.settings.grid
    holdings = tuple(
        Slot(level=slot.level, quantity=slot.quantity, cost=slot.cost) for slot in state.slots.values() if slot.quantity
    )
    empty = GridState(state.ids, Stored(header=state.header, slots=holdings), state.accounting, now=now)
    planner = engine.make_planner(settings, empty)
    if planner is None or market is None:
        return {}
    kept = [order for order in state.live_orders() if not order.closes and order.client_order_id not in going]
    entries = {
        side: 0
        if permission.pulls(side)
        else min(settings.max_open_orders, permission.entries(side) + sum(order.side is side for order in kept))
        for side in Side
    }
    unlimited = replace(permission, buys=entries[Side.BUY], sells=entries[Side.SELL], pulled=(), backed_off=())
    plan = planner.plan(planner.quoter.frame(market, state), unlimited)
    return {target.level: target for target in plan.places}


def _differs(order: LiveOrder, target: TargetOrder | None) -> bool:
    """Return whether a live entry is wanted with another price or quantity; one that is filled in part stays."""
    if target is None or target.closes or target.side is not order.side or order.filled or order.counted:
        return False
    return (order.price, order.quantity) != (target.price, target.quantity)
