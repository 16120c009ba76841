"""Five symbols in one portfolio over a real connector, one of which fails in a way that is asked for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

from opensqt.client.exchange import RemoteExchange
from opensqt.config.market_maker import MarketMakerSettings
from opensqt.config.remote import RemoteSettings
from opensqt.market_maker.alerts.service import alerting
from opensqt.market_maker.portfolio import Portfolio
from opensqt.market_maker.service import MarketMaker, started
from opensqt.market_maker.store import writer
from opensqt.market_maker.store.store import Store
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.quoter import GridFrame, GridQuoter
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import Inventory, MarketState
from opensqt.model.account import Position
from opensqt.model.errors import ExchangeError
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderType, Side, TimeInForce
from opensqt.model.venue import ClaimRequest, ExchangeInfo, Lease, SymbolRules
from opensqt.simulator.engine.order import NewOrder
from opensqt.simulator.settings import ServerRules, SymbolSettings
from opensqt.telemetry.logging import configure
from tests.service.grid_rig import ACCOUNT, FEE, Chain, chain
from tests.support import eventually
from tests.support.logs import logging_restored
from tests.support.wait import required

FAILING = "XRPUSDT"
PRICES = {"BTCUSDT": "45000", "ETHUSDT": "2000", "BNBUSDT": "600", "SOLUSDT": "200", FAILING: "1000"}
INTERVALS = {"BTCUSDT": "5", "ETHUSDT": "0.25", "BNBUSDT": "0.08", "SOLUSDT": "0.03", FAILING: "0.12"}
HEALTHY = tuple(symbol for symbol in PRICES if symbol != FAILING)
UNWANTED = Decimal("61")
"""An amount for each level that the strategy of the failing symbol can't do with."""
PLENTY = ServerRules(weight_per_minute=200_000, orders_per_minute=100_000, orders_per_10s=20_000)


@dataclass
class Faults:
    """What is wrong with the failing symbol."""

    refuse: ExchangeError | None = None
    """The answer to each order."""
    fail: ExchangeError | None = None
    """The answer to every call."""
    claim: ExchangeError | None = None
    """The answer to a heartbeat with its claim."""
    delay_s: float = 0.0
    """Of each call."""
    rules: Callable[[SymbolRules], SymbolRules] | None = None
    update: Callable[[Any], Any] | None = None
    """Changes each update of its price streams; what it raises ends the stream."""
    copies: int = 0
    """How often each batch is delivered once more."""
    silent: bool = False
    """Whether its streams deliver nothing."""
    met: Counter[str] = field(default_factory=Counter)
    """How often the symbol met one of these."""


class Crashing(GridQuoter):
    """A strategy with a defect."""

    broken: BaseException | None = None
    """What it raises at each price."""
    raised = 0

    def __init__(self, grid: Grid, settings: GridSettings, rules: SymbolRules) -> None:
        super().__init__(grid, settings, rules)
        self._refuses = settings.order_quantity == UNWANTED

    def frame(self, market: MarketState, inventory: Inventory) -> GridFrame:
        if self._refuses:
            raise ArithmeticError("a defect of the strategy with these settings")
        if self.broken is not None:
            type(self).raised += 1
            raise type(self.broken)(*self.broken.args)
        return super().frame(market, inventory)


class FaultyExchange(RemoteExchange):
    """A connector's client whose calls and streams of one symbol fail as asked for."""

    faults: Faults

    async def _meet(self, symbol: str) -> None:
        if symbol != FAILING:
            return
        if self.faults.delay_s:
            self.faults.met["calls delayed"] += 1
            await asyncio.sleep(self.faults.delay_s)
        if self.faults.fail is not None:
            self.faults.met["calls failed"] += 1
            raise self.faults.fail

    async def _meet_order(self, symbol: str) -> None:
        await self._meet(symbol)
        if symbol == FAILING and self.faults.refuse is not None:
            self.faults.met["orders refused"] += 1
            raise self.faults.refuse

    async def place_order(self, request: OrderRequest) -> Order:
        await self._meet_order(request.symbol)
        return await super().place_order(request)

    async def batch_place_orders(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        await self._meet_order(requests[0].symbol)
        return await super().batch_place_orders(requests)

    async def cancel_order(self, ref: OrderRef) -> Order:
        await self._meet(ref.symbol)
        return await super().cancel_order(ref)

    async def batch_cancel_orders(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        await self._meet(refs[0].symbol)
        return await super().batch_cancel_orders(refs)

    async def get_order(self, ref: OrderRef) -> Order:
        await self._meet(ref.symbol)
        return await super().get_order(ref)

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        await self._meet(symbol)
        return await super().get_open_orders(symbol)

    async def get_positions(self, symbol: str = "") -> list[Position]:
        await self._meet(symbol)
        return await super().get_positions(symbol)

    async def list_fills(self, symbol: str, *, since_ms: int) -> list[Any]:
        await self._meet(symbol)
        return await super().list_fills(symbol, since_ms=since_ms)

    async def get_exchange_info(self) -> ExchangeInfo:
        info = await super().get_exchange_info()
        change = self.faults.rules
        if change is None:
            return info
        self.faults.met["rules changed"] += 1
        symbols = tuple(change(rules) if rules.symbol == FAILING else rules for rules in info.symbols)
        return replace(info, symbols=symbols)

    async def heartbeat(self, ttl_s: float, claim: ClaimRequest | None = None, *, number: int = 0) -> Lease:
        if claim is not None and claim.symbol == FAILING and self.faults.claim is not None:
            self.faults.met["claims refused"] += 1
            raise self.faults.claim
        return await super().heartbeat(ttl_s, claim, number=number)

    def subscribe_price(self, symbol: str, **given: Any) -> Any:
        return self._met(symbol, super().subscribe_price(symbol, **given))

    def subscribe_mark_price(self, symbol: str, **given: Any) -> Any:
        return self._met(symbol, super().subscribe_mark_price(symbol, **given))

    def subscribe_trades(self, symbol: str, **given: Any) -> Any:
        return self._met(symbol, super().subscribe_trades(symbol, **given))

    def subscribe_order_book(self, symbol: str, *depth: Any, **given: Any) -> Any:
        return self._met(symbol, super().subscribe_order_book(symbol, *depth, **given))

    def subscribe_orders(self, symbol: str = "", **given: Any) -> Any:
        return self._met(symbol, super().subscribe_orders(symbol, **given), prices=False)

    def _met(self, symbol: str, stream: Any, *, prices: bool = True) -> Any:
        return self._changed(stream, prices=prices) if symbol == FAILING else stream

    async def _changed(self, stream: Any, *, prices: bool) -> AsyncIterator[Any]:
        try:
            async for batch in stream:
                if self.faults.silent:
                    self.faults.met["batches lost"] += 1
                    continue
                if self.faults.fail is not None:
                    self.faults.met["streams failed"] += 1
                    raise self.faults.fail
                change = self.faults.update
                self.faults.met["batches changed"] += bool(change and prices)
                yield replace(batch, updates=tuple(map(change, batch.updates))) if change and prices else batch
                for _ in range(self.faults.copies):
                    self.faults.met["batches repeated"] += 1
                    await asyncio.sleep(0)
                    yield batch
        finally:
            await stream.aclose()


@dataclass
class Five:
    """A portfolio that runs, the venue's ledger, and what was seen of the four symbols that are well."""

    made: Chain
    portfolio: Portfolio
    faults: Faults
    database: Path
    task: asyncio.Task[None]
    file: dict[str, Any]
    """Changed keys of the failing symbol, as the settings file has them."""
    noticed: set[str] = field(default_factory=set)
    """The problems that one of the four ever had."""
    failed_times: int = 0
    """How often the fifth stopped trading and began anew."""
    lags: list[float] = field(default_factory=list)
    """Seconds that a wake-up of the loop came late."""

    def maker(self, symbol: str) -> MarketMaker | None:
        return self.portfolio.maker(symbol)

    def problems(self, symbol: str) -> list[str]:
        assert not self.task.done(), "all five ended"
        return [problem for problem in self.portfolio.problems() if problem.startswith(f"{symbol}: ")]

    def fills(self, symbol: str) -> int:
        return len(self.made.sim.engine.fills(ACCOUNT, symbol))

    def open_ids(self, symbol: str) -> set[str]:
        return {order.client_order_id for order in self.made.sim.engine.open_orders(ACCOUNT, symbol)}

    def held(self, symbol: str) -> Decimal:
        held = self.made.sim.engine.positions(ACCOUNT, symbol)
        return sum((position.quantity for position in held), Decimal(0))

    def trade_by_hand(self, symbol: str, side: Side, quantity: str) -> None:
        order = NewOrder(
            symbol=symbol,
            side=side,
            quantity=Decimal(quantity),
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC,
            client_order_id=f"byhand{time.monotonic_ns()}",
        )
        self.made.sim.engine.place(ACCOUNT, order)

    def decisions(self) -> tuple[float, float]:
        """Number and sum in milliseconds of the four's price-to-order times."""
        found = [0.0, 0.0]
        for symbol in HEALTHY:
            maker = self.maker(symbol)
            for family in maker.metrics.families() if maker else ():
                if family.name == "market_maker_latency_tick_to_trade_ms":
                    for sample in family.samples:
                        found[0] += sample.value if sample.name.endswith("_count") else 0
                        found[1] += sample.value if sample.name.endswith("_sum") else 0
        return found[0], found[1]

    async def watch(self) -> None:
        """Note without end what is wrong with one of the four."""
        seen = self.maker(FAILING)
        while True:
            for symbol in HEALTHY:
                self.noticed |= set(self.problems(symbol))
            if (maker := self.maker(FAILING)) is not seen:
                seen, self.failed_times = maker, self.failed_times + (maker is None)
            asked = time.monotonic()
            await asyncio.sleep(0.02)
            self.lags.append(time.monotonic() - asked - 0.02)

    def explained(self, symbol: str) -> bool:
        """Whether the levels hold what the venue does."""
        maker = self.maker(symbol)
        return maker is not None and maker.engine.state.position == self.held(symbol)

    def wanted_is_open(self, symbol: str) -> bool:
        """Whether exactly those orders are open that the grid has."""
        maker = self.maker(symbol)
        if maker is None:
            return False
        live = list(maker.engine.state.live_orders())
        return all(order.status.is_open for order in live) and {o.client_order_id for o in live} == self.open_ids(
            symbol
        )


def _symbols() -> tuple[SymbolSettings, ...]:
    return tuple(
        SymbolSettings.model_validate(
            {
                "symbol": symbol,
                "base_asset": symbol.removesuffix("USDT"),
                "price_step": "0.01",
                "quantity_step": "0.001",
                "min_quantity": "0.001",
                "start_price": price,
            }
        )
        for symbol, price in PRICES.items()
    )


def _settings(made: Chain, database: Path, changes: Mapping[str, Any]) -> MarketMakerSettings:
    entries: list[dict[str, Any]] = [
        {"symbol": symbol, "price_interval": interval} for symbol, interval in INTERVALS.items()
    ]
    entries[-1] |= {"strategy": "tests.chaos.portfolio_rig:Crashing", **changes}
    return MarketMakerSettings.model_validate(
        {
            "app": {"database_url": f"sqlite:///{database}"},
            "exchanges": {"binance": {"fee_rate": str(FEE)}},
            "trading": {
                "order_quantity": "60",
                "reconcile_interval": "2",
                "position_safety_check": "10",
                "symbols": entries,
            },
        }
    )


@asynccontextmanager
async def five(folder: Path) -> AsyncIterator[Five]:
    """Run five grids until the end of the block; they stop in good order."""
    database = folder / "five.db"
    async with AsyncExitStack() as stack:
        # A machine that is busy with other tests is slow for all five alike.
        stack.enter_context(patch.object(writer, "SLOW_S", required(writer.SLOW_S)))
        # As the program does: the traceback of a test's own setting takes the loop for a second.
        stack.enter_context(logging_restored())
        configure("WARNING", service="market-maker", style="json")
        made = await stack.enter_async_context(chain(folder, symbols=_symbols(), server=PLENTY))
        file: dict[str, Any] = {}
        settings = _settings(made, database, file)
        remote = RemoteSettings(base_url=made.connector.address).with_name("five")
        exchange, faults = FaultyExchange(remote), Faults()
        exchange.faults = faults
        Crashing.broken = None
        store = await Store.open(settings.app.database_url)
        stack.push_async_callback(store.close)
        await store.hold(*settings.symbols)
        alerts = await stack.enter_async_context(alerting(settings.alerts, "five"))
        await stack.enter_async_context(started(exchange))

        async def claim(grid: MarketMakerSettings) -> ClaimRequest:
            trading = grid.trading
            return ClaimRequest(symbol=trading.symbol, strategy=trading.strategy_id, holder="five", description="five")

        def load(_: object) -> MarketMakerSettings:
            return _settings(made, database, file)

        portfolio = Portfolio(
            settings.grids(),
            exchange,
            store,
            claim,
            alerts=alerts,
            load=lambda _: _settings(made, database, file),
            restart_base_s=0.2,
        )
        stop, ready = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(portfolio.run(stop, ready.set))
        rig = Five(made, portfolio, faults, database, task, file)
        await eventually(lambda: ready.is_set() or task.done(), what="the grids run")
        await eventually(lambda: not portfolio.problems(), what="all are healthy")
        watch = asyncio.create_task(rig.watch())
        try:
            yield rig
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            stop.set()
            await task
