"""A market maker over a simulator: in this process through the adapter, or as processes through a real connector."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from opensqt.config.market_maker import (
    ExchangesSettings,
    GridTradingSettings,
    MarketMakerAppSettings,
    MarketMakerSettings,
    VenueAccess,
)
from opensqt.config.risk import RiskSettings
from opensqt.market_maker.app import assemble
from opensqt.market_maker.engine_settings import Phase
from opensqt.market_maker.orders.events import GridFill
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.market_maker.service import MarketMaker
from opensqt.market_maker.store.store import Store
from opensqt.model.order import OrderType, Side, TimeInForce
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.engine.order import NewOrder
from tests.support import Process, eventually, start
from tests.support.blocking import in_thread
from tests.support.wait import WITHIN_S

SYMBOL = "BTCUSDT"
ACCOUNT = "sim-key"
KEYS = {"API_KEY": "sim-key", "API_SECRET": "sim-secret", "PASSPHRASE": "sim-pass"}
FEE = Decimal("0.00002")
"""Low, so that a narrow grid pays and tests see fills soon."""
TRADING = {"symbol": SYMBOL, "price_interval": "5", "order_quantity": "100", "reconcile_interval": "2"}


@asynccontextmanager
async def simulator(**settings: Any) -> AsyncIterator[Simulator]:
    """Run a simulator, of Binance unless `exchange` names another venue."""
    given = {"exchange": "binance", "seed": 7, "port": 0, "past_minutes": 60, "maker_fee": FEE, **settings}
    async with Simulator(SimulatorSettings(**given)) as sim:
        yield sim


@dataclass
class Ledger:
    """What the simulator holds to be true."""

    sim: Simulator

    @property
    def deposit(self) -> Decimal:
        """What the account had at the start."""
        return self.sim.settings.accounts[0].balance

    @property
    def account(self) -> dict[str, Any]:
        account: dict[str, Any] = self.sim.ledger()["accounts"][ACCOUNT]
        return account

    @property
    def open_orders(self) -> list[dict[str, Any]]:
        return [order for order in self.account["orders"] if order["status"] in ("OPEN", "PARTIALLY_FILLED")]

    @property
    def position(self) -> Decimal:
        held = [one for one in self.account["positions"] if one["symbol"] == SYMBOL]
        return sum((Decimal(one["quantity"]) for one in held), Decimal(0))

    def fills(self) -> list[tuple[str, ...]]:
        keys = ("trade_id", "client_order_id", "side", "price", "quantity", "fee")
        return sorted(tuple(plain(fill[key]) for key in keys) for fill in self.account["fills"])

    def place(self, side: Side, *, price: Decimal | None = None, quantity: str = "0.010") -> str:
        """Trade by hand on the grid's account; a price rests, none takes."""
        order = NewOrder(
            symbol=SYMBOL,
            side=side,
            quantity=Decimal(quantity),
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            price=price,
            time_in_force=TimeInForce.GTC,
            client_order_id=f"byhand{len(self.account['orders'])}",
        )
        return self.sim.engine.place(ACCOUNT, order).order_id


@asynccontextmanager
async def running(
    sim: Simulator,
    database: Path | str,
    *,
    adopt_position: str = "halt",
    cancel_on_exit: bool = True,
    risk: Mapping[str, Any] | None = None,
    **trading: Any,
) -> AsyncIterator[MarketMaker]:
    """Run a market maker in this process until the end of the block, and see that it stops in good order.

    The database is a file of SQLite, or an address.
    """
    venue = sim.settings.exchange
    url = database if isinstance(database, str) else f"sqlite:///{database}"
    app = {"current_exchange": venue, "database_url": url, "adopt_position": adopt_position}
    access = VenueAccess(
        api_key=SecretStr("sim-key"),
        secret_key=SecretStr("sim-secret"),
        passphrase=SecretStr("sim-pass"),
        base_url=sim.url,
        fee_rate=FEE,
    )
    settings = MarketMakerSettings(
        app=MarketMakerAppSettings.model_validate(app),
        exchanges=ExchangesSettings.model_validate({venue: access}),
        trading=GridTradingSettings.model_validate({**TRADING, **trading}),
        risk_control=RiskSettings.model_validate(risk or {}),
    )
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.app.database_url)
        stack.push_async_callback(store.close)
        await store.hold(settings.trading.symbol)
        made = await assemble(settings, store, stack)
        assert made.safe, made.rule_results
        maker = MarketMaker(
            made.engine,
            made.exchange,
            store,
            info=made.info,
            rules=made.rules,
            cancel_on_exit=cancel_on_exit,
            stop_within_s=WITHIN_S,
        )
        stop, ready = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(maker.run(stop, ready.set), name="maker")
        try:
            await eventually(lambda: ready.is_set() or task.done(), what="the grid runs")
            yield maker
        finally:
            stop.set()
            await task
        assert made.engine.phase is Phase.STOPPED


@dataclass
class Chain(Ledger):
    """What stands before a market maker process, and where its database is."""

    connector: Process
    folder: Path

    def maker(self, *arguments: str, **env: str) -> AbstractAsyncContextManager[Process]:
        variables = {
            **{f"OPENSQT__TRADING__{key.upper()}": value for key, value in TRADING.items()},
            f"OPENSQT__EXCHANGES__{self.sim.settings.exchange.upper()}__FEE_RATE": str(FEE),
            "EXCHANGE_GRPC_ADDRESS": self.connector.address,
            "OPENSQT__APP__DATABASE_URL": f"sqlite:///{self.folder}/grid.db",
            **env,
        }
        return start("opensqt.market_maker", "--port", "0", *arguments, env=variables, cwd=self.folder)


@asynccontextmanager
async def chain(folder: Path, **settings: Any) -> AsyncIterator[Chain]:
    """Run a simulator in this process, with the settings given, and a connector beside it."""
    async with simulator(**settings) as sim, connector(sim, folder) as process:
        yield Chain(sim, process, folder)


@asynccontextmanager
async def connector(sim: Simulator, folder: Path, *, port: str = "0") -> AsyncIterator[Process]:
    """Run a connector on the simulator, with its journal in *folder*."""
    arguments = ("--exchange", sim.settings.exchange, "--base-url", sim.url, "--port", port, "--metrics-port", "0")
    journal = ("--journal", str(folder / "journal.db"))
    async with start("opensqt.connector", *arguments, *journal, env=KEYS, cwd=folder) as process:
        await process.ready()
        yield process


async def store_fills(database: Path) -> list[tuple[str, ...]]:
    """The fills as the market maker stored them, in the shape of `Ledger.fills`."""
    return await store_fills_of(f"sqlite:///{database}")


async def store_fills_of(url: str) -> list[tuple[str, ...]]:
    """The same for the address of a database."""
    store = await Store.open(url)
    try:
        return sorted(_row(counted) for counted in await store.fills(SYMBOL))
    finally:
        await store.close()


def get(process: Process, path: str) -> Any:
    """GET a page of the market maker; blocking, for use in a thread."""
    with urllib.request.urlopen(f"http://{process.address}{path}", timeout=5) as answer:
        return json.loads(answer.read())


async def all_known(maker: Process) -> bool:
    """Whether the grid is well and waits for no order's outcome."""
    told = await in_thread(get, maker, "/status")
    return not told["problems"] and all(slot["state"] != "PENDING" for slot in told["slots"])


async def unchanged_for_a_second(sim: Simulator, look: Callable[[], object]) -> bool:
    """Whether *look* shows the same for a second of the venue's time, as for a grid at rest."""
    before, until_ms = look(), sim.engine.now_ms() + 1_000
    await eventually(lambda: sim.engine.now_ms() >= until_ms)
    return look() == before


def one_order_a_level(orders: list[dict[str, Any]]) -> bool:
    """Whether no level has two of the orders."""
    names = [OrderIds("SQ1", SYMBOL).read(order["client_order_id"]) for order in orders]
    levels = [name.level for name in names if name is not None]
    return len(levels) == len(set(levels))


def plain(value: object) -> str:
    """Text as it is, numbers without trailing zeros."""
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _row(counted: GridFill) -> tuple[str, ...]:
    fill = counted.fill
    values = (fill.trade_id, fill.client_order_id, fill.side.value, fill.price, fill.quantity, fill.fee)
    return tuple(plain(value) for value in values)
