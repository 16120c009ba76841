"""One build's engine, timed: reads requests from stdin and writes the times as JSON, in microseconds.

It runs with the sources of the build that it measures (PYTHONPATH), so that two builds are measured by the same file
in turns. It only uses what both builds have.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import fields
from decimal import Decimal
from importlib import import_module
from typing import Any

import structlog

from opensqt.market_maker.engine import EngineSettings, GridEngine
from opensqt.market_maker.orders.events import (
    Cancel,
    CancelResult,
    Command,
    Event,
    OrderBatch,
    Place,
    PlaceResult,
    PriceUpdate,
    Reconcile,
    Reconciled,
)
from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.orders.state import Header, Stored
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.model.account import Position
from opensqt.model.market import Price
from opensqt.model.order import Fill, Order, OrderRequest, OrderStatus, OrderUpdate, PositionSide
from opensqt.model.venue import SymbolRules

SYMBOL = "BTCUSDT"
INTERVAL = Decimal(10)
RULES = SymbolRules(
    symbol=SYMBOL,
    base_asset="BTC",
    quote_asset="USDT",
    price_step=Decimal("0.1"),
    quantity_step=Decimal("0.0001"),
    min_quantity=Decimal("0.0001"),
    min_notional=Decimal(5),
)


def known(of: type, **values: Any) -> Any:
    """Make settings of those values that this build knows."""
    names = {field.name for field in fields(of)}
    return of(**{name: value for name, value in values.items() if name in names})


ROOM = 400
"""Levels between the buys and the levels that hold coins, for the price to move in."""


def engine(levels: int) -> GridEngine:
    """Make a long grid with a buy on each of *levels* levels below the price, and as many above it that hold coins."""
    grid = known(
        GridSettings,
        order_quantity=Decimal(100),
        min_order_value=Decimal(6),
        buy_window=levels,
        sell_window=levels + ROOM,
        max_open_orders=2 * levels + ROOM,
        cleanup_batch=10,
    )
    settings = known(
        EngineSettings,
        symbol=SYMBOL,
        strategy_id="SQ1",
        interval=INTERVAL,
        grid=grid,
        position_side=PositionSide.BOTH,
        adopt_position="halt",
        reconcile_interval_s=1e9,
        margin_lock_s=10,
        price_max_age_s=3600,
        first_sequence=1,
    )
    header = known(Header, anchor=Decimal(100_000), interval=INTERVAL, sequence=1, watermark_ms=1)
    held = Decimal("0.001")
    slots = [
        Slot(level=level, quantity=held, cost=held * (100_000 + level * INTERVAL))
        for level in range(ROOM, ROOM + levels)
    ]
    return GridEngine(settings, RULES, known(Stored, header=header, slots=tuple(slots), accounting=begun()), now=0.0)


def begun() -> Any:
    """Return the account of a grid that has begun; None for a build that has none."""
    try:
        accounts = import_module("opensqt.market_maker.orders.accounting")
        ledgers = import_module("opensqt.market_maker.profit.ledger")
    except ModuleNotFoundError:
        return None
    return accounts.StoredAccounting(ledger=ledgers.ProfitLedger(since_ms=0))


class Run:
    """An engine whose orders are all accepted."""

    def __init__(self, levels: int) -> None:
        self.engine = engine(levels)
        self.orders: dict[str, Order] = {}
        self.at = Decimal(100_004)
        self.trades = 0
        self.now = 0.0
        self.next_filled: Order | None = None

    def handle(self, event: Event) -> list[Command]:
        """Do what the service does with one event: handle, decide, take what has to be stored."""
        self.engine.handle(event, self.now)
        commands = self.engine.decide(self.now)
        self.engine.state.take_changes()
        return commands

    def lay(self) -> float:
        """Place the whole grid, and acknowledge it order by order."""
        compare = self.handle(PriceUpdate(price(Decimal(100_000))))
        self.handle(PriceUpdate(price(self.at)))
        started = time.thread_time_ns()
        self.settle(compare)
        return (time.thread_time_ns() - started) / 1000

    def step(self) -> float:
        """Move the price up by one level: one order is placed, and one is cancelled."""
        self.at += INTERVAL
        self.now += 5  # without a mark price a move has to last before buys follow it
        event = PriceUpdate(price(self.at))
        return self.timed(lambda: self.handle(event))

    def fill(self) -> float:
        """Fill the nearest buy, then the sell that follows from it, in turns."""
        order = self.next_filled or min(
            self.orders.values(), key=lambda order: (abs((order.price or 0) - self.at), order.side.value)
        )
        self.trades += 1
        trade = Fill(
            symbol=SYMBOL,
            trade_id=str(self.trades),
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            side=order.side,
            position_side=PositionSide.BOTH,
            price=order.price or Decimal(0),
            quantity=order.quantity,
            fee=Decimal("0.02"),
            fee_asset="USDT",
            is_maker=True,
            event_time_ms=self.trades,
        )
        del self.orders[order.client_order_id]
        filled = with_status(order, OrderStatus.FILLED, filled=order.quantity)
        event = OrderBatch((OrderUpdate(order=filled, fill=trade),), gap=False)
        took = self.timed(lambda: self.handle(event))
        # The order that followed: a search among thousands would empty the caches before each fill.
        self.next_filled = next(reversed(self.orders.values()))
        return took

    def timed(self, work: Callable[[], list[Command]]) -> float:
        started = time.thread_time_ns()
        commands = work()
        took = (time.thread_time_ns() - started) / 1000
        self.settle(commands)
        return took

    def settle(self, commands: Iterable[Command]) -> None:
        """Accept everything."""
        waiting = list(commands)
        while waiting:
            for event in self.answers(waiting.pop(0)):
                waiting += self.handle(event)

    def answers(self, command: Command) -> list[Event]:
        match command:
            case Place(requests):
                return [PlaceResult(request.client_order_id, self.accept(request)) for request in requests]
            case Cancel(refs):
                ended = [self.orders.pop(ref.client_order_id) for ref in refs]
                return [
                    CancelResult(order.client_order_id, with_status(order, OrderStatus.CANCELED)) for order in ended
                ]
            case Reconcile():
                held = self.engine.state.position
                position = Position(symbol=SYMBOL, quantity=held, entry_price=Decimal(100_000))
                return [Reconciled((position,), tuple(self.orders.values()), ())]
        return []  # what a newer build asks of the venue besides

    def accept(self, request: OrderRequest) -> Order:
        order = Order(
            symbol=SYMBOL,
            side=request.side,
            quantity=request.quantity,
            client_order_id=request.client_order_id,
            status=OrderStatus.OPEN,
            order_id=f"v{request.client_order_id}",
            price=request.price,
        )
        self.orders[order.client_order_id] = order
        return order


def with_status(order: Order, status: OrderStatus, *, filled: Decimal = Decimal(0)) -> Order:
    return Order(
        symbol=SYMBOL,
        side=order.side,
        quantity=order.quantity,
        client_order_id=order.client_order_id,
        status=status,
        order_id=order.order_id,
        price=order.price,
        filled_quantity=filled,
    )


def price(at: Decimal) -> Price:
    return Price(symbol=SYMBOL, bid=at - Decimal("0.1"), ask=at + Decimal("0.1"), event_time_ms=1)


def main() -> None:
    """Answer requests until the end of stdin: `lay LEVELS`, `step LEVELS COUNT`, `fill LEVELS COUNT`."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    runs: dict[int, Run] = {}
    for line in sys.stdin:
        what, levels, *count = line.split()
        gc.collect()
        gc.disable()
        if what == "lay":
            runs[int(levels)] = run = Run(int(levels))
            times = [run.lay()]
        else:
            run = runs[int(levels)]
            times = [getattr(run, what)() for _ in range(int(count[0]))]
        gc.enable()
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
