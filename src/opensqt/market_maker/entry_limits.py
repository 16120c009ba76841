"""What the engine hands to the risk controls: its events, and what the grid holds and may come to hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from opensqt.market_maker.orders.events import (
    AccountUpdate,
    CallTimed,
    CandlesUpdate,
    GridExposure,
    GridFill,
    MonitorSymbolMissing,
    OtherGridsChanged,
    PositionUpdate,
    RiskEvent,
)
from opensqt.market_maker.orders.slots import LiveOrder
from opensqt.market_maker.orders.state import GridState
from opensqt.market_maker.risk.controls import RiskControls
from opensqt.market_maker.risk.exposure import Held, OtherGrid, value_limit
from opensqt.market_maker.risk.gate import EntryLimits
from opensqt.market_maker.risk.live_entries import LiveEntries, LiveEntry
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import MarketState
from opensqt.model.errors import (
    DuplicateOrder,
    ExchangeError,
    InsufficientMargin,
    LeaseExpired,
    PostOnlyWouldCross,
    RequestError,
    TradingClaimed,
    TradingHalted,
)
from opensqt.model.order import Order, Side

_NOT_COUNTED = (
    PostOnlyWouldCross,
    InsufficientMargin,
    DuplicateOrder,
    LeaseExpired,
    TradingClaimed,
    TradingHalted,
)
"""Refusals that say nothing of the venue's health; each has a way of its own."""
_MARGIN_OF_BOUND = 2
"""Live orders may be worth more than the settings say, where these were others when they were placed."""


def handle(risk: RiskControls, event: RiskEvent, now: float) -> bool:
    """Hand one event to the risk controls, and return whether the venue has to be queried."""
    match event:
        case AccountUpdate(account, now_ms):
            risk.on_account(account, now, now_ms)
        case PositionUpdate(position):
            return risk.on_position(position)
        case CandlesUpdate(candles):
            risk.on_candles(candles, now)
        case MonitorSymbolMissing(symbol, reason):
            risk.on_missing(symbol, reason)
        case OtherGridsChanged(grids):
            risk.on_other_grids(
                {
                    symbol: OtherGrid(held=grid.held, entries=grid.entries, window=grid.window)
                    for symbol, grid in grids.items()
                }
            )
        case CallTimed(milliseconds):
            risk.on_latency(milliseconds, now)
    return False


def observe(risk: RiskControls, state: GridState, now: float) -> None:
    """Count the exits since the last step, look at the clock, and have stored what a restart needs."""
    for counted in _since_last_step(risk, state) if state.totals.fills != risk.fills_seen else ():
        fill, slot = counted.fill, state.slot(counted.level)
        if risk.reduce.enabled:
            risk.reduce.on_fill(counted.level, holds=bool(slot.quantity), time_ms=fill.event_time_ms)
        if counted.profit:
            risk.on_exit(fill.client_order_id, counted.profit, now)
    risk.on_time(now)
    stored = risk.take_stored(now)
    if stored is not None:
        state.risk = stored


def _since_last_step(risk: RiskControls, state: GridState) -> Sequence[GridFill]:
    """Return the fills that were counted since the last step; the list keeps those that the store has not taken yet."""
    counted = state.totals.fills
    new, risk.fills_seen = counted - risk.fills_seen, counted
    return state.new_fills[-new:] if new > 0 else ()


def count_outcome(risk: RiskControls, outcome: Order | ExchangeError, now: float) -> None:
    """Hand the result of one order to the risk controls; what proves nothing of the venue is left out."""
    if isinstance(outcome, Order):
        risk.on_outcome(refused=False, now=now)
    elif isinstance(outcome, RequestError) and not isinstance(outcome, _NOT_COUNTED):
        risk.on_outcome(refused=True, now=now)


def limits(
    risk: RiskControls, state: GridState, market: MarketState, settings: GridSettings, now: float, *, hold: bool
) -> EntryLimits:
    """Return what the limits allow of entries, and which levels are reduced.

    In a *hold* no exit of a reduced level is cancelled for being off the touch, for nobody knows where that is.
    """
    allowed = entry_limits(risk, state, market.reference, settings)
    if not risk.reduce.enabled:
        return allowed
    used, what = _used(risk, state, market.reference)
    held = {
        level: abs(slot.average_price - market.reference) for level, slot in state.slots.items() if slot.average_price
    }
    risk.on_reduction(risk.reduce.oldest_first(held, held), used, what, now)
    orders = (state.slot(level).order for level in risk.reduce.levels)
    away = [order.client_order_id for order in orders if order is not None and not hold and _away(order, state, market)]
    return replace(allowed, beyond=[*allowed.beyond, *away], reduced=risk.reduce.levels)


def _used(risk: RiskControls, state: GridState, price: Decimal) -> tuple[Decimal, str]:
    """Return the part of the narrowest limit on what is held that is used, and the limit."""
    most, name = value_limit(risk.settings.exposure, risk.account, held_only=True)
    found = [(Decimal(0), "")]
    if most is not None:
        value = abs(state.position) * price
        found.append((value / most if most else Decimal(1) if value else Decimal(0), name))
    if risk.settings.exposure.levels:
        levels = risk.settings.exposure.levels
        found.append((Decimal(sum(1 for slot in state.slots.values() if slot.quantity)) / levels, "max_levels_held"))
    return max(found)


def _away(order: LiveOrder, state: GridState, market: MarketState) -> bool:
    """Return whether an exit is further from the touch than a quarter of an interval, and can be cancelled."""
    if state.grid is None or order.client_order_id not in state.cancellable:
        return False
    distance = order.price - market.ask if order.side is Side.SELL else market.bid - order.price
    return distance * 4 > state.grid.interval_at(market.reference)


def entry_limits(risk: RiskControls, state: GridState, price: Decimal, settings: GridSettings) -> EntryLimits:
    """Return what the limits allow of entries.

    Where the most that all live orders could add is within the limits, the orders are not looked at. Near a limit only
    those are that may be beyond it, unless one is beyond the cap on levels.
    """
    exposure = risk.settings.exposure
    most, _ = value_limit(exposure, risk.account)
    if most is None and not exposure.levels:
        return risk.limits()
    values = {side: _most_value(state, price, settings, side) for side in settings.mode.opens}
    worst = settings.max_open_orders * max(values.values()) * _MARGIN_OF_BOUND
    near = most is not None and abs(state.position) * price + worst > most
    if not near and not (exposure.levels and len(state.slots) + settings.max_open_orders > exposure.levels):
        return risk.limits()
    entries = follow_entries(risk, state)
    sides = {}
    for side, value in values.items():
        position = max(state.position * side.sign, Decimal(0))
        kept, others = entries[side].split(price, most - position * price) if most is not None else (Decimal(0), [])
        sides[side] = Held(
            position=position, price=price, levels=frozenset(), entries=others, entry_value=value, kept_value=kept
        )
    if not exposure.levels:
        return risk.limits(sides)
    others_open = any(len(one) for side, one in entries.items() if side not in sides)
    beyond = any(held.entries for held in sides.values())
    if len(state.slots) <= exposure.levels and not others_open and not beyond:
        # Each slot holds something or has an order, and an order of a slot that holds nothing is an entry.
        return risk.limits(sides, occupied=len(state.slots))
    levels = frozenset(level for level, slot in state.slots.items() if slot.quantity)
    return risk.limits(
        {
            side: replace(held, levels=levels, entries=tuple(entries[side]), kept_value=Decimal(0))
            for side, held in sides.items()
        }
    )


def grid_exposure(risk: RiskControls, state: GridState, settings: GridSettings, price: Decimal) -> GridExposure:
    """Return what the grid holds and may come to hold, at *price* and the entries' own prices."""
    windows = {Side.BUY: settings.buy_window, Side.SELL: settings.sell_window}
    levels = max(windows[side] for side in settings.mode.opens)
    level_value = settings.order_quantity * (price if settings.in_base else 1)
    held = abs(state.position) * price
    sides = (
        max(state.position * side.sign, Decimal(0)) * price + entries.notional
        for side, entries in follow_entries(risk, state).items()
    )
    return GridExposure(held=held, entries=max(held, *sides) - held, window=levels * level_value)


def follow_entries(risk: RiskControls, state: GridState) -> dict[Side, LiveEntries]:
    """Return the live entries as they are now. All orders are looked at once, then those of changed levels."""
    if risk.entries is None or state.touched_entries is None:
        risk.entries = {side: LiveEntries() for side in Side}
        state.touched_entries = {order.level for order in state.live_orders()}
    touched, state.touched_entries = state.touched_entries, set()
    for level in touched:
        slot = state.slot(level)
        orders = [slot.order] if slot.order is not None else []
        orders += [order for order in state.extra_orders.values() if order.level == level]
        for side, entries in risk.entries.items():
            raises = slot.quantity * side.sign >= 0
            mine = (order for order in orders if raises and order.side is side)
            entries.set_level(level, tuple(_entry(order, state) for order in mine))
    return risk.entries


def _most_value(state: GridState, price: Decimal, settings: GridSettings, side: Side) -> Decimal:
    """Return the most that one more entry of a side may be worth when it is filled, at the price of now or its own.

    A fixed quote amount buys more coins further down; a fixed number of coins is worth more further up.
    """
    grid = state.grid
    if grid is None:
        return settings.order_quantity
    # Twice the window: a skew moves the entries away from the price.
    if settings.in_base:
        highest = price if side is Side.BUY else grid.price_of(grid.level_above(price) + 2 * settings.sell_window)
        return settings.order_quantity * highest
    if side is Side.SELL:
        return settings.order_quantity
    lowest = grid.price_of(grid.level_below(price) - 2 * settings.buy_window)
    return settings.order_quantity * price / max(lowest, price / 100)


def _entry(order: LiveOrder, state: GridState) -> LiveEntry:
    # A fill that the venue reports and that is not counted yet raises the position soon.
    end = order.filled if order.status.is_closed else order.quantity
    return LiveEntry(
        client_order_id=order.client_order_id,
        level=order.level,
        price=order.price,
        outstanding=max(end - order.counted, Decimal(0)),
        cancellable=order.client_order_id in state.cancellable,
    )
