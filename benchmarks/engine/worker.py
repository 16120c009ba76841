"""One build's engine, timed: reads requests from stdin and writes the times as JSON, in microseconds.

It runs with the sources of the build that it measures (PYTHONPATH), so that several builds are measured by the same
file in turns. That they do the same work is checked twice: each step places one order and cancels one and each fill
places one, or the worker ends; and `orders` lists what is live, for the builds to be compared.
"""

from __future__ import annotations

import gc
import itertools
import json
import logging
import statistics
import sys
import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import structlog

from benchmarks.engine.build import ANCHOR, INTERVAL, SYMBOL, imported
from opensqt.model.account import Position
from opensqt.model.market import Price
from opensqt.model.order import Fill, Order, OrderRequest, OrderStatus, OrderUpdate, PositionSide

BUILD = imported()
WARM_UP = 5
"""Calls before those that are counted: the other builds and the collector have emptied the caches."""


def clock_ns() -> int:
    """Return the time that reading the thread's clock takes by itself: it is no part of a decision."""
    times = [time.thread_time_ns() for _ in range(1001)]
    return int(statistics.median(after - before for before, after in itertools.pairwise(times)))


CLOCK_NS = clock_ns()


class Run:
    """An engine whose orders are all accepted."""

    def __init__(self, levels: int) -> None:
        self.engine = BUILD.engine(levels)
        self.orders: dict[str, Order] = {}
        self.at = Decimal(100_004)
        self.trades = 0
        self.now = 0.0
        self.next_filled: Order | None = None

    def handle(self, event: Any) -> list[Any]:
        """Do what the service does with one event: handle, decide, take what has to be stored."""
        self.engine.handle(event, self.now)
        commands: list[Any] = self.engine.decide(self.now)
        self.engine.state.take_changes()
        return commands

    def lay(self) -> float:
        """Place the whole grid, and acknowledge it order by order."""
        compare = self.handle(BUILD.price(price(ANCHOR)))
        self.handle(BUILD.price(price(self.at)))
        started = time.thread_time_ns()
        self.settle(compare)
        return (time.thread_time_ns() - started) / 1000

    def step(self) -> float:
        """Move the price up by one level: one order is placed, and one is cancelled."""
        self.at += INTERVAL
        self.now += 5  # without a mark price a move has to last before buys follow it
        event = BUILD.price(price(self.at))
        return self.timed(event, placed=1, canceled=1)

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
        event = BUILD.updates((OrderUpdate(order=filled, fill=trade),), gap=False)
        took = self.timed(event, placed=1, canceled=0)
        # The order that followed: a search among thousands would empty the caches before each fill.
        self.next_filled = next(reversed(self.orders.values()))
        return took

    def timed(self, event: Any, *, placed: int, canceled: int) -> float:
        started = time.thread_time_ns()
        commands = self.handle(event)
        took = (time.thread_time_ns() - started - CLOCK_NS) / 1000
        places = sum(len(command.requests) for command in commands if isinstance(command, BUILD.place))
        cancels = sum(len(command.refs) for command in commands if isinstance(command, BUILD.cancel))
        if (places, cancels) != (placed, canceled):
            raise RuntimeError(f"placed {places} and cancelled {cancels}, expected {placed} and {canceled}")
        self.settle(commands)
        return took

    def settle(self, commands: Iterable[Any]) -> None:
        """Accept everything."""
        waiting = list(commands)
        while waiting:
            for event in self.answers(waiting.pop(0)):
                waiting += self.handle(event)

    def answers(self, command: Any) -> list[Any]:
        match command:
            case BUILD.place(requests):
                return [BUILD.placed(request.client_order_id, self.accept(request)) for request in requests]
            case BUILD.cancel(refs):
                ended = [self.orders.pop(ref.client_order_id) for ref in refs]
                return [
                    BUILD.canceled(order.client_order_id, with_status(order, OrderStatus.CANCELED)) for order in ended
                ]
            case BUILD.reconcile():
                held = self.engine.state.position
                position = Position(symbol=SYMBOL, quantity=held, entry_price=ANCHOR)
                return [BUILD.reconciled((position,), tuple(self.orders.values()), ())]
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

    def live(self) -> list[str]:
        """Return the live orders in words."""
        return sorted(f"{order.side.value} {order.quantity} at {order.price}" for order in self.orders.values())


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
    """Answer requests until the end of stdin.

    `source`, `lay LEVELS`, `step LEVELS COUNT`, `fill LEVELS COUNT` or `orders LEVELS`.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    runs: dict[int, Run] = {}
    for line in sys.stdin:
        what, *numbers = line.split()
        gc.collect()
        gc.disable()
        answer: list[Any]
        match what, [int(number) for number in numbers]:
            case "source", []:
                answer = [sys.modules["opensqt.market_maker.engine"].__file__]
            case "lay", [levels]:
                runs[levels] = Run(levels)
                answer = [runs[levels].lay()]
            case "orders", [levels]:
                answer = runs[levels].live()
            case (("step" | "fill"), [levels, count]):
                run = runs[levels]
                answer = [getattr(run, what)() for _ in range(WARM_UP + count)][WARM_UP:]
            case _:
                raise ValueError(f"unknown request: {line!r}")
        gc.enable()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
