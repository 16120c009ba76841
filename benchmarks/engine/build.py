"""What the worker needs of a build, under one set of names: its events and commands, and an engine with a grid.

The worker runs with the sources of the build that it measures (PYTHONPATH). Builds until 27 November have the market
maker's modules in one package and other names for the same events; the events, prices and orders are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from opensqt.model.order import PositionSide
from opensqt.model.venue import SymbolRules

SYMBOL = "BTCUSDT"
INTERVAL = Decimal(10)
ANCHOR = Decimal(100_000)
HELD = Decimal("0.001")
"""Base coins on each level that holds any."""
ROOM = 500
"""Levels between the buys and the levels that hold coins, for the price to move in."""
RULES = SymbolRules(
    symbol=SYMBOL,
    base_asset="BTC",
    quote_asset="USDT",
    price_step=Decimal("0.1"),
    quantity_step=Decimal("0.0001"),
    min_quantity=Decimal("0.0001"),
    min_notional=Decimal(5),
)


@dataclass(frozen=True)
class Build:
    """One build's names."""

    price: Callable[[Any], Any]
    """Makes the event of a best bid and ask."""
    updates: Callable[..., Any]
    """Makes the event of a batch of order updates."""
    placed: Callable[[str, Any], Any]
    """Makes the event of an accepted order."""
    canceled: Callable[[str, Any], Any]
    """Makes the event of a cancelled order."""
    reconciled: Callable[..., Any]
    """Makes the event of an answered comparison: positions, open orders, fills."""
    place: type
    cancel: type
    reconcile: type
    engine: Callable[[int], Any]
    """Makes a long grid with a buy on each of so many levels below the price, and as many above it that hold coins."""


def imported() -> Build:
    """Return the build whose sources are imported."""
    return _in_rooms() if find_spec("opensqt.market_maker.orders") else _in_one_package()


def _in_rooms() -> Build:
    engine = import_module("opensqt.market_maker.engine")
    events = import_module("opensqt.market_maker.orders.events")
    slots = import_module("opensqt.market_maker.orders.slots")
    state = import_module("opensqt.market_maker.orders.state")
    grid = import_module("opensqt.market_maker.strategy.grid.settings")

    def make(levels: int) -> Any:
        amounts = known(grid.GridSettings, **_amounts(levels), max_open_orders=_most_orders(levels))
        stored = _stored(state, slots, levels, accounting=_begun())
        return engine.GridEngine(_settings(engine, grid=amounts), RULES, stored, now=0.0)

    return Build(
        price=events.PriceUpdate,
        updates=events.OrderBatch,
        placed=events.PlaceResult,
        canceled=events.CancelResult,
        reconciled=events.Reconciled,
        place=events.Place,
        cancel=events.Cancel,
        reconcile=events.Reconcile,
        engine=make,
    )


def _in_one_package() -> Build:
    engine = import_module("opensqt.market_maker.engine")
    events = import_module("opensqt.market_maker.events")
    slots = import_module("opensqt.market_maker.slot")
    state = import_module("opensqt.market_maker.state")
    planner = import_module("opensqt.market_maker.planner")

    def make(levels: int) -> Any:
        limits = known(planner.Limits, **_amounts(levels), max_live=_most_orders(levels))
        return engine.Engine(_settings(engine, limits=limits), RULES, _stored(state, slots, levels), now=0.0)

    return Build(
        price=events.PriceSeen,
        updates=events.OrdersSeen,
        placed=events.Placed,
        canceled=events.CancelAnswered,
        reconciled=events.Reconciled,
        place=events.Place,
        cancel=events.Cancel,
        reconcile=events.Reconcile,
        engine=make,
    )


def known(of: type, **values: Any) -> Any:
    """Make settings of those values that this build knows."""
    names = {field.name for field in fields(of)}
    return of(**{name: value for name, value in values.items() if name in names})


def _amounts(levels: int) -> dict[str, Any]:
    return {
        "order_quantity": Decimal(100),
        "min_order_value": Decimal(6),
        "buy_window": levels,
        "sell_window": levels + ROOM,
        "cleanup_batch": 10,
    }


def _most_orders(levels: int) -> int:
    return 2 * levels + ROOM


def _settings(engine: Any, **own: Any) -> Any:
    return known(
        engine.EngineSettings,
        symbol=SYMBOL,
        strategy_id="SQ1",
        interval=INTERVAL,
        position_side=PositionSide.BOTH,
        adopt_position="halt",
        reconcile_interval_s=1e9,
        margin_lock_s=10,
        price_max_age_s=3600,
        first_sequence=1,
        **own,
    )


def _stored(state: Any, slots: Any, levels: int, **own: Any) -> Any:
    header = known(state.Header, anchor=ANCHOR, interval=INTERVAL, sequence=1, watermark_ms=1)
    held: Iterable[Any] = (
        slots.Slot(level=level, quantity=HELD, cost=HELD * (ANCHOR + level * INTERVAL))
        for level in range(ROOM, ROOM + levels)
    )
    return known(state.Stored, header=header, slots=tuple(held), **own)


def _begun() -> Any:
    """Return the account of a grid that has begun; None for a build that has none."""
    if not find_spec("opensqt.market_maker.orders.accounting"):
        return None
    accounts = import_module("opensqt.market_maker.orders.accounting")
    ledgers = import_module("opensqt.market_maker.profit.ledger")
    return accounts.StoredAccounting(ledger=ledgers.ProfitLedger(since_ms=0))
