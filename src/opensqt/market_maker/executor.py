"""The only part that speaks to the exchange about orders: carries commands out, brings the answers back as events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from opensqt.market_maker.orders.events import (
    Ask,
    Cancel,
    CancelAnswered,
    Command,
    Event,
    OrderTold,
    Place,
    Placed,
    Reconcile,
    Reconciled,
    ReconcileFailed,
)
from opensqt.model.errors import ConnectorUnavailable, ExchangeError
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef, OrderRequest

AT_ONCE = 8
"""Calls in flight; more wait their turn, so that a burst does not crowd out the cancels of the next moment."""


class Executor:
    """Runs each command as a task of its owner's group; nothing is ever sent twice from here.

    Args:
        exchange: Where to.
        symbol: What the grid trades.
        max_batch: Items per call.
        group: Owns the tasks, so that one that fails ends the process.
        post: Takes the answers.
        timed: Told the milliseconds of each placing call.
    """

    def __init__(
        self,
        exchange: Exchange,
        symbol: str,
        *,
        max_batch: int,
        group: asyncio.TaskGroup,
        post: Callable[[Event], None],
        timed: Callable[[float], None],
    ) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._max_batch = max(1, max_batch)
        self._group = group
        self._post = post
        self._timed = timed
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def carry_out(self, commands: Iterable[Command]) -> None:
        """Start the commands; cancels first."""
        for command in sorted(commands, key=lambda one: not isinstance(one, Cancel)):
            match command:
                case Cancel(refs):
                    for first in range(0, len(refs), self._max_batch):
                        self._start(self._cancel(refs[first : first + self._max_batch]))
                case Place(requests):
                    for first in range(0, len(requests), self._max_batch):
                        self._start(self._place(requests[first : first + self._max_batch]))
                case Ask(ref):
                    self._start(self._ask(ref))
                case Reconcile(since_ms):
                    self._start(self._reconcile(since_ms))

    def give_up(self) -> None:
        """Stop waiting for answers; what was sent stays sent, and the next start asks what became of it."""
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _place(self, requests: Sequence[OrderRequest]) -> None:
        outcomes: Sequence[Order | ExchangeError]
        async with self._turn:
            started = time.perf_counter()
            try:
                if len(requests) == 1:
                    outcomes = [await self._exchange.place_order(requests[0])]
                else:
                    outcomes = await self._exchange.batch_place_orders(requests)
            except ExchangeError as error:
                outcomes = [error] * len(requests)
            self._timed((time.perf_counter() - started) * 1000)
        for request, outcome in zip(requests, _checked(outcomes), strict=True):
            self._post(Placed(request.client_order_id, outcome))

    async def _cancel(self, refs: Sequence[OrderRef]) -> None:
        outcomes: Sequence[Order | ExchangeError]
        async with self._turn:
            try:
                if len(refs) == 1:
                    outcomes = [await self._exchange.cancel_order(refs[0])]
                else:
                    outcomes = await self._exchange.batch_cancel_orders(refs)
            except ExchangeError as error:
                outcomes = [error] * len(refs)
        for ref, outcome in zip(refs, _checked(outcomes), strict=True):
            self._post(CancelAnswered(ref.client_order_id, outcome))

    async def _ask(self, ref: OrderRef) -> None:
        outcome: Order | ExchangeError
        try:
            outcome = await self._exchange.get_order(ref)
        except ConnectorUnavailable:
            raise
        except ExchangeError as error:
            outcome = error
        self._post(OrderTold(ref, outcome))

    async def _reconcile(self, since_ms: int) -> None:
        """Ask for the position first and for the fills last, so that no fill in the position is missing in the list."""
        try:
            positions = await self._exchange.get_positions(self._symbol)
            open_orders = await self._exchange.get_open_orders(self._symbol)
            fills = await self._exchange.list_fills(self._symbol, since_ms=since_ms)
        except ConnectorUnavailable:
            raise
        except ExchangeError as error:
            self._post(ReconcileFailed(error))
            return
        self._post(Reconciled(tuple(positions), tuple(open_orders), tuple(fills)))


def _checked(outcomes: Sequence[Order | ExchangeError]) -> Sequence[Order | ExchangeError]:
    for outcome in outcomes:
        if isinstance(outcome, ConnectorUnavailable):
            raise outcome
    return outcomes
