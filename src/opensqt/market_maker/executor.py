"""Carries the engine's commands out at the exchange, and posts their results as events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from decimal import Decimal
from typing import Any

from opensqt.market_maker.orders.events import (
    AssetPriced,
    Cancel,
    CancelResult,
    Command,
    Event,
    FundingListed,
    ListFunding,
    OrderQueried,
    Place,
    PlaceResult,
    PriceAsset,
    QueryOrder,
    ReadRules,
    Reconcile,
    Reconciled,
    ReconcileFailed,
    RulesRead,
)
from opensqt.market_maker.right import TradingRight
from opensqt.model.account import Account
from opensqt.model.clock import now_ms
from opensqt.model.errors import ConnectorUnavailable, ExchangeError, TradingClaimed, VenueError
from opensqt.model.exchange import Exchange
from opensqt.model.funding import FundingPayment
from opensqt.model.order import Order, OrderRef, OrderRequest
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.executor")

AT_ONCE = 8
"""Calls in flight; more are queued, so that a burst does not delay the cancels that follow."""


NEW_MS = 120_000
"""A minute that began longer ago is priced by its candle."""


class Executor:
    """Runs each command as a task of its owner's group; nothing is ever sent twice from here.

    Args:
        exchange: The exchange.
        symbol: The symbol of the grid.
        quote_asset: Assets are priced in it.
        max_batch: Items per call.
        group: Owns the tasks, so that the failure of one ends the process.
        post: Called with each result.
        observe_latency: Called with the milliseconds of each call that places orders.
        right: Confirmed before anything is sent; an error of it that says who else trades ends the process.
    """

    def __init__(
        self,
        exchange: Exchange,
        symbol: str,
        *,
        quote_asset: str,
        max_batch: int,
        group: asyncio.TaskGroup,
        post: Callable[[Event], None],
        observe_latency: Callable[[float], None],
        right: TradingRight,
    ) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._quote_asset = quote_asset
        self._max_batch = max(1, max_batch)
        self._group = group
        self._post = post
        self._observe_latency = observe_latency
        self._right = right
        self._call_slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def carry_out(self, commands: Iterable[Command]) -> None:
        """Start the commands; cancels first."""
        for command in sorted(commands, key=lambda command: not isinstance(command, Cancel)):
            match command:
                case Cancel(refs):
                    for first in range(0, len(refs), self._max_batch):
                        self._start(self._cancel(refs[first : first + self._max_batch]))
                case Place(requests):
                    for first in range(0, len(requests), self._max_batch):
                        self._start(self._place(requests[first : first + self._max_batch]))
                case QueryOrder(ref):
                    self._start(self._query(ref))
                case Reconcile(since_ms):
                    self._start(self._reconcile(since_ms))
                case ReadRules():
                    self._start(self._read_rules())
                case ListFunding(since_ms):
                    self._start(self._list_funding(since_ms))
                case PriceAsset(asset, minute_ms):
                    self._start(self._price_asset(asset, minute_ms))

    def stop_waiting(self) -> None:
        """Stop waiting for results. What was sent stays sent, and the next start queries its outcome."""
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _place(self, requests: Sequence[OrderRequest]) -> None:
        outcomes: Sequence[Order | ExchangeError]
        async with self._call_slots:
            started = time.perf_counter()
            try:
                await self._right.confirm()
                if len(requests) == 1:
                    outcomes = [await self._exchange.place_order(requests[0])]
                else:
                    outcomes = await self._exchange.batch_place_orders(requests)
            except ExchangeError as error:
                outcomes = [error] * len(requests)
            self._observe_latency((time.perf_counter() - started) * 1000)
        if any(isinstance(outcome, TradingClaimed) for outcome in outcomes):
            await self._right.verify()
        for request, outcome in zip(requests, _checked(outcomes), strict=True):
            self._post(PlaceResult(request.client_order_id, outcome))

    async def _cancel(self, refs: Sequence[OrderRef]) -> None:
        outcomes: Sequence[Order | ExchangeError]
        async with self._call_slots:
            try:
                await self._right.confirm()
                if len(refs) == 1:
                    outcomes = [await self._exchange.cancel_order(refs[0])]
                else:
                    outcomes = await self._exchange.batch_cancel_orders(refs)
            except TradingClaimed:
                raise
            except ExchangeError as error:
                outcomes = [error] * len(refs)
        for ref, outcome in zip(refs, _checked(outcomes), strict=True):
            self._post(CancelResult(ref.client_order_id, outcome))

    async def _query(self, ref: OrderRef) -> None:
        outcome: Order | ExchangeError
        try:
            outcome = await self._exchange.get_order(ref)
        except ConnectorUnavailable:
            raise
        except ExchangeError as error:
            outcome = error
        self._post(OrderQueried(ref, outcome))

    async def _list_funding(self, since_ms: int) -> None:
        outcome: Sequence[FundingPayment] | ExchangeError
        try:
            outcome = await self._exchange.list_funding_payments(self._symbol, since_ms=since_ms)
        except ConnectorUnavailable:
            raise
        except ExchangeError as error:
            outcome = error
        self._post(FundingListed(outcome))

    async def _price_asset(self, asset: str, minute_ms: int) -> None:
        """Query the price in that minute: the newest one while it lasts, else the close of its candle."""
        outcome: Decimal | ExchangeError
        try:
            outcome = await self._price_of(f"{asset}{self._quote_asset}", minute_ms)
        except ConnectorUnavailable:
            raise
        except ExchangeError as error:
            outcome = error
        self._post(AssetPriced(asset, minute_ms, outcome))

    async def _price_of(self, symbol: str, minute_ms: int) -> Decimal:
        if now_ms() - minute_ms < NEW_MS:
            return (await self._exchange.get_latest_price(symbol)).mid
        candles = await self._exchange.get_historical_klines(
            symbol, "1m", limit=1, start_ms=minute_ms, end_ms=minute_ms
        )
        if not candles:
            raise VenueError(f"no candle of {symbol} at {minute_ms}")
        return candles[0].close

    async def _reconcile(self, since_ms: int) -> None:
        """Query the position first and the fills last, so that no fill in the position is missing in the list."""
        account = await self._account()
        try:
            positions = await self._exchange.get_positions(self._symbol)
            open_orders = await self._exchange.get_open_orders(self._symbol)
            fills = await self._exchange.list_fills(self._symbol, since_ms=since_ms)
        except ConnectorUnavailable:
            raise
        except ExchangeError as error:
            self._post(ReconcileFailed(error))
            return
        self._post(Reconciled(tuple(positions), tuple(open_orders), tuple(fills), account))

    async def _account(self) -> Account | None:
        """Query the account. What is held and sold does not depend on it, so that a failure holds nothing up."""
        try:
            return await self._exchange.get_account()
        except ConnectorUnavailable:
            raise
        except ExchangeError as error:
            _log.warning("account could not be queried", reason=error.reason, message=error.message)
            return None

    async def _read_rules(self) -> None:
        try:
            info = await self._exchange.get_exchange_info()
        except ConnectorUnavailable:
            raise
        except ExchangeError as error:
            # The next refusal asks again.
            _log.warning("symbol rules could not be queried", reason=error.reason, message=error.message)
            return
        self._post(RulesRead(info.rules(self._symbol)))


def _checked(outcomes: Sequence[Order | ExchangeError]) -> Sequence[Order | ExchangeError]:
    for outcome in outcomes:
        if isinstance(outcome, ConnectorUnavailable):
            raise outcome
    return outcomes
