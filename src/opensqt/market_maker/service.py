"""The running market maker: one task owns the grid and reads one queue of stream updates and results."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from opensqt.market_maker.engine import GridEngine
from opensqt.market_maker.engine_settings import EngineSettings, Phase
from opensqt.market_maker.entry_limits import grid_exposure
from opensqt.market_maker.executor import Executor
from opensqt.market_maker.health import problems, venue_problems
from opensqt.market_maker.metrics import MarketMakerMetrics
from opensqt.market_maker.orders.events import (
    CallTimed,
    Command,
    Event,
    FundingBatch,
    GridExposure,
    MinuteBegan,
    OrderBatch,
    OtherGridsChanged,
    Place,
    PlaceAbandoned,
    PriceUpdate,
    RangeCandles,
    StopRequested,
    StoreChanged,
)
from opensqt.market_maker.price_streams import PriceStreams
from opensqt.market_maker.right import Ask, TradingRight
from opensqt.market_maker.risk.settings import MonitorSettings
from opensqt.market_maker.risk_inputs import RiskInputs
from opensqt.market_maker.shared_exposure import SharedExposure
from opensqt.market_maker.status import status
from opensqt.market_maker.store.store import Store
from opensqt.market_maker.store.writer import StoreWriter, not_writable
from opensqt.market_maker.strategy.volatility import VolatilitySettings
from opensqt.model.clock import now_ms, now_ns
from opensqt.model.errors import AccessError, ConfigError, ConnectorUnavailable, ExchangeError
from opensqt.model.exchange import Exchange
from opensqt.model.venue import ExchangeInfo, SymbolRules
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("market_maker")

TICK_S = 0.25
"""Seconds between two checks of back-offs and due queries when nothing happens."""
STOP_WITHIN_S = 8.0
"""Seconds that a stop waits for the venue's confirmation of its cancels."""
STOP_WITHOUT_STORE_S = 5.0
"""The same while the database is not writable."""
FLUSH_WITHIN_S = 4.0
"""Seconds that a stop waits for a database that is not writable: the parts that stop after the grid need the rest."""
STATUS_EVERY_S = 2.0
RESUBSCRIBE_S = 1.0
MINUTE_MS = 60_000
DAY_MS = 86_400_000
MINUTES_KEPT_DAYS = 90
"""The profit by minute is kept for so long; that by day for ever."""


class MarketMaker:
    """Connects engine, exchange and store.

    Args:
        engine: The grid, with what the store holds.
        exchange: Started.
        store: Holds the grid.
        info: Of the exchange.
        rules: Of the symbol.
        cancel_on_exit: Whether a stop cancels our orders.
        ask: As for `TradingRight`.
        shared: Where several grids of the process report what they may come to hold; None where there is one only.
        stop_within_s: How long a stop may take.
    """

    def __init__(
        self,
        engine: GridEngine,
        exchange: Exchange,
        store: Store,
        *,
        info: ExchangeInfo,
        rules: SymbolRules,
        cancel_on_exit: bool,
        ask: Ask | None = None,
        shared: SharedExposure | None = None,
        stop_within_s: float = STOP_WITHIN_S,
    ) -> None:
        self.engine = engine
        self.metrics = MarketMakerMetrics(engine)
        self._exchange = exchange
        self.store = store
        self._info = info
        self._rules = rules
        self._cancel_on_exit = cancel_on_exit
        self._stop_within_s = stop_within_s
        self._shared = shared
        self._others: Mapping[str, GridExposure] = {}
        self._reported_for: EngineSettings | None = None
        self._symbol = engine.settings.symbol
        self.right = TradingRight(self._symbol, store.holding, ask)
        self._events: list[Event] = []
        self._wake = asyncio.Event()
        self._venue_problems: list[str] = []
        self.status_sources: list[Callable[[], Mapping[str, Any]]] = []
        """Further parts of the process with sections of /status."""
        self._waiting: list[asyncio.Future[None]] = []
        self._has_ended = False
        self.problem_sources: list[Callable[[], Sequence[str]]] = []
        """Further parts of the process whose problems are this market maker's."""
        self._risk_inputs = RiskInputs(exchange, info, engine.risk.settings.monitor, self._post)
        self._executor: Executor | None = None
        self._writer = StoreWriter(
            store,
            self._symbol,
            take_changes=engine.state.take_changes,
            send=self._send,
            abandon=lambda place: self._post(PlaceAbandoned(tuple(one.client_order_id for one in place.requests))),
        )
        self.unsaved = False
        """Whether changes could not be stored before the end."""
        grid = engine.settings.grid
        self._market = PriceStreams(
            exchange,
            self._symbol,
            info.capabilities,
            own_levels=max(grid.buy_window, grid.sell_window),
            wake=self._wake.set,
        )

    def problems(self) -> list[str]:
        """Return the reasons why the grid is not healthy; empty when it is."""
        found = [*problems(self.engine, time.monotonic()), *self._venue_problems]
        for source in self.problem_sources:
            found += source()
        return [redact(problem) for problem in found]

    def status(self) -> dict[str, Any]:
        """Return the grid as JSON."""
        found = status(
            self.engine,
            exchange=self._info.name,
            problems=self.problems(),
            now=time.monotonic(),
            now_ms=now_ms(),
        )
        found["holder"] = self.store.holding.section(self._symbol)
        for source in self.status_sources:
            found.update(source())
        return found

    async def handled(self, event: Event) -> None:
        """Hand an event to the grid, and wait until it has handled it.

        Raises:
            ConfigError: The grid has ended, or ends before it has.
        """
        if self._has_ended:
            raise _ended()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._post(event)
        await done

    def watch(self, monitor: MonitorSettings) -> None:
        """Read the candles of other symbols for the risk monitor, if they are others."""
        self._risk_inputs.watch(monitor)

    @property
    def max_batch(self) -> int:
        """Orders in one call of the exchange."""
        return self._info.capabilities.max_batch

    def status_of(self, symbol: str) -> dict[str, Any] | None:
        """Return the grid as JSON; None for another symbol."""
        return self.status() if symbol == self._symbol else None

    def metrics_text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return self.metrics.text()

    async def run(self, stop: asyncio.Event, on_ready: Callable[[], None]) -> list[str]:
        """Trade until *stop*, then shut down.

        Args:
            stop: Set when it has to end.
            on_ready: Called once, when the venue's state was compared and the grid trades.

        Returns:
            The client ids of orders whose end the venue has not confirmed; none after a clean stop.

        Raises:
            ConnectorUnavailable: The exchange is lost for good.
            TradingClaimed: Another market maker has taken the grid.
            SQLAlchemyError: The database refuses the changes; orders are left as they are, and the next start resolves
                them.
        """
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(self._writer.run()),
                    group.create_task(self.store.holding.until_lost(self._symbol)),
                    *(group.create_task(reader) for reader in self._market.readers(self._resubscribing)),
                    group.create_task(self._read_orders()),
                    group.create_task(self._poll_venue_status()),
                    group.create_task(self._read_funding()),
                    group.create_task(self._read_candles()),
                    group.create_task(self._record_minutes()),
                ]
                helpers += [group.create_task(reader) for reader in self._risk_inputs.readers()]
                await self._loop(stop, on_ready, group)
                for helper in helpers:
                    helper.cancel()
        except BaseExceptionGroup as failures:
            raise first_failure(failures) from None
        finally:
            self._has_ended = True
            for done in self._waiting:
                if not done.done():
                    done.set_exception(_ended())
        if self.engine.phase is Phase.STOPPED:
            return []
        return [order.client_order_id for order in self.engine.state.live_orders()]

    async def _loop(self, stop: asyncio.Event, on_ready: Callable[[], None], group: asyncio.TaskGroup) -> None:
        self._executor = executor = Executor(
            self._exchange,
            self._symbol,
            quote_asset=self._rules.quote_asset,
            max_batch=self._info.capabilities.max_batch,
            group=group,
            post=self._post,
            observe_latency=self._observe_latency,
            right=self.right,
        )
        stopper = group.create_task(self._post_when(stop))
        deadline: float | None = None
        began = 0.0
        announced = False
        while self.engine.phase is not Phase.STOPPED:
            now = time.monotonic()
            if deadline is not None and self.engine.store_problem:
                # What is waited for can't be stored, and each part that stops after the grid meets the same database.
                deadline = min(deadline, began + STOP_WITHOUT_STORE_S)
            if deadline is not None and now > deadline:
                executor.stop_waiting()
                break
            count = len(self._waiting)
            self._step(executor, now)
            handled, self._waiting = self._waiting[:count], self._waiting[count:]
            for done in handled:
                if not done.done():
                    done.set_result(None)
            if self.engine.phase is Phase.STOPPING and deadline is None:
                began, deadline = now, now + self._stop_within_s
                _log.info("stopping", cancel_orders=self._cancel_on_exit)
            if self.engine.phase is Phase.RUNNING and not announced:
                announced = True
                on_ready()
            await self._pause()
        stopper.cancel()
        left_s = deadline - time.monotonic() if deadline is not None else self._stop_within_s
        self.unsaved = not await self._writer.flush(min(left_s, FLUSH_WITHIN_S))

    def _step(self, executor: Executor, now: float) -> None:
        """Handle the events, decide, and act; what needs the store is sent when the store has it."""
        prices = self._market.take()
        events, self._events = self._events, []
        for event in events:
            self.engine.handle(event, now)
        for price in prices:
            self.engine.handle(price, now)
        problem = self._writer.problem(now) or not_writable(self.store.holding.problem(now))
        if problem != self.engine.store_problem:
            self.engine.handle(StoreChanged(problem), now)
        commands = self._decide(now)
        executor.carry_out(command for command in commands if not isinstance(command, Place))
        places = [command for command in commands if isinstance(command, Place)]
        if places or self.engine.state.changed:
            self._writer.submit(places, now)
        tick_ns = max((one.value.received_ns for one in prices if isinstance(one, PriceUpdate)), default=0)
        if places and tick_ns:
            self.metrics.tick_to_trade_ms.observe((now_ns() - tick_ns) / 1e6)

    def _decide(self, now: float) -> list[Command]:
        """Decide with what the other grids may hold, and report what this one may: none decides in between."""
        engine, shared = self.engine, self._shared
        if shared is None:
            return engine.decide(now)
        others = shared.others(self._symbol)
        if others != self._others:
            self._others = others
            engine.handle(OtherGridsChanged(others), now)
        commands = engine.decide(now)
        if engine.market is not None and (engine.state.changed or self._reported_for is not engine.settings):
            self._reported_for = engine.settings
            price = engine.market.reference
            shared.report(self._symbol, grid_exposure(engine.risk, engine.state, engine.settings.grid, price))
        return commands

    def _send(self, place: Place) -> None:
        if self._executor is not None:
            self._executor.carry_out([place])

    async def _pause(self) -> None:
        """Wait for the next event, a tick at most."""
        if not self._wake.is_set():
            tick = asyncio.get_running_loop().call_later(TICK_S, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                tick.cancel()
        else:
            await asyncio.sleep(0)
        self._wake.clear()

    def _post(self, event: Event) -> None:
        self._events.append(event)
        self._wake.set()

    def _observe_latency(self, milliseconds: float) -> None:
        self.metrics.exchange_ms.observe(milliseconds)
        self._post(CallTimed(milliseconds))

    async def _post_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._post(StopRequested(self._cancel_on_exit))

    async def _read_orders(self) -> None:
        async for batch in self._resubscribing(lambda: self._exchange.subscribe_orders(self._symbol)):
            self._post(OrderBatch(batch.updates, gap=batch.gap or batch.snapshot))

    async def _read_funding(self) -> None:
        if not self._info.capabilities.funding_payments:
            return  # the engine's own query says so
        async for batch in self._resubscribing(lambda: self._exchange.subscribe_funding_payments(self._symbol)):
            self._post(FundingBatch(batch.updates, gap=batch.gap or batch.snapshot))

    async def _read_candles(self) -> None:
        watched = self.engine.settings.volatility
        if watched is None:
            return
        async for batch in self._resubscribing(lambda: self._exchange.subscribe_klines(self._symbol, watched.candles)):
            if batch.gap or batch.snapshot:
                await self._post_past_candles(watched)
            self._post(RangeCandles(batch.updates))

    async def _post_past_candles(self, watched: VolatilitySettings) -> None:
        try:
            past = await self._exchange.get_historical_klines(self._symbol, watched.candles, limit=watched.window + 2)
        except ConnectorUnavailable:
            raise
        except ExchangeError as error:
            _log.warning("past candles could not be queried", reason=error.reason, message=error.message)
            return
        self._post(RangeCandles(tuple(past)))

    async def _record_minutes(self) -> None:
        """Give the history a row at the start of each minute, and remove old ones once a day."""
        clean_ms = 0
        while True:
            await asyncio.sleep((MINUTE_MS - now_ms() % MINUTE_MS) / 1000)
            minute_ms = now_ms() - now_ms() % MINUTE_MS
            equity = None
            try:
                equity = (await self._exchange.get_account()).margin_balance
            except ConnectorUnavailable:
                raise
            except ExchangeError as error:
                _log.info("the account could not be queried for the history", reason=error.reason)
            self._post(MinuteBegan(minute_ms, equity))
            if minute_ms >= clean_ms:
                clean_ms = minute_ms + DAY_MS
                await self._remove_old_minutes(minute_ms)

    async def _remove_old_minutes(self, now_ms: int) -> None:
        try:
            await self.store.remove_minutes(self._symbol, before_ms=now_ms - MINUTES_KEPT_DAYS * DAY_MS)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("old minutes of the history could not be removed", error=str(error))

    async def _resubscribing(self, subscribe: Callable[[], Any]) -> AsyncIterator[Any]:
        """Read a stream without end: after a failure it is subscribed again, and starts with a snapshot."""
        while True:
            stream = subscribe()
            try:
                async for batch in stream:
                    yield batch
            except (ConnectorUnavailable, AccessError):
                raise
            except ExchangeError as error:
                _log.warning("stream lost; subscribing again", reason=error.reason, message=error.message)
            finally:
                await stream.aclose()
            await asyncio.sleep(RESUBSCRIBE_S)

    async def _poll_venue_status(self) -> None:
        """Poll the status of the exchange and of the way to it."""
        while True:
            try:
                venue = await self._exchange.get_status()
                watched = self.engine.risk.settings.monitor.symbols
                self._venue_problems = venue_problems(venue, self._symbol, watched)
            except ConnectorUnavailable:
                raise
            except ExchangeError as error:
                self._venue_problems = [f"connector: {error.message}"]
            await asyncio.sleep(STATUS_EVERY_S)


@asynccontextmanager
async def started(exchange: Exchange) -> AsyncIterator[Exchange]:
    """Start an exchange for a block, and close it after it."""
    try:
        await exchange.start()
        yield exchange
    finally:
        await exchange.close()


def _ended() -> ConfigError:
    return ConfigError("the grid ended before it took this up; /health says why")


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first failure of a group of tasks; a cancellation only when there is no other failure."""
    found: BaseException = failures
    while isinstance(found, BaseExceptionGroup):
        found = next(
            (error for error in found.exceptions if not isinstance(error, asyncio.CancelledError)), found.exceptions[0]
        )
    return found
