"""nautilus_trader: a live node with one strategy on the venue that VENUE names, in an interpreter of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nautilus_trader.config import InstrumentProviderConfig, LiveExecEngineConfig, LoggingConfig, TradingNodeConfig
from nautilus_trader.core import nautilus_pyo3
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import BookType, OrderSide, OrderStatus, TimeInForce, TriggerType
from nautilus_trader.model.identifiers import InstrumentId, TraderId, Venue
from nautilus_trader.trading.config import StrategyConfig
from nautilus_trader.trading.strategy import Strategy

WITHIN_S = float(os.environ.get("WITHIN_S", "20"))
KEYS = {"api_key": "sim-key", "api_secret": "sim-secret"}


class Watching(Strategy):
    """Keeps what it receives; the scenario trades through it."""

    def __init__(self, instrument_id: InstrumentId) -> None:
        super().__init__(StrategyConfig(order_id_tag="001", use_hyphens_in_client_order_ids=False))
        self.instrument_id = instrument_id
        self.received: dict[str, int] = {}
        self.events: list[Any] = []
        self.started = False

    def on_start(self) -> None:
        self.started = True

    def count(self, name: str) -> None:
        self.received[name] = self.received.get(name, 0) + 1

    def on_quote_tick(self, _tick: Any) -> None:
        self.count("quotes")

    def on_trade_tick(self, _tick: Any) -> None:
        self.count("trades")

    def on_order_book_deltas(self, _deltas: Any) -> None:
        self.count("book")

    def on_bar(self, _bar: Any) -> None:
        self.count("bars")

    def on_mark_price(self, _price: Any) -> None:
        self.count("mark prices")

    def on_event(self, event: Any) -> None:
        self.events.append(event)


class Scenario:
    """Counts the calls that pass, as the scripts in node/ do."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[dict[str, str | None]] = []
        self._step = ""

    async def step(self, name: str, body: Callable[[], Awaitable[None]]) -> None:
        self._step = name
        try:
            await body()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the failure of this step
            self.record("the step", f"{type(error).__name__}: {error}")

    def record(self, call: str, error: str | None = None) -> None:
        self.calls.append({"step": self._step, "call": call, "error": error})

    async def eventually(self, call: str, condition: Callable[[], Any], seen: Callable[[], Any] = lambda: "") -> bool:
        """Count a call as passed once its effect is seen."""
        ends = asyncio.get_running_loop().time() + WITHIN_S
        while not condition():
            if asyncio.get_running_loop().time() > ends:
                self.record(call, f"not within {WITHIN_S:.0f} s; {seen()}")
                return False
            await asyncio.sleep(0.02)
        self.record(call)
        return True

    def report(self) -> None:
        Path(os.environ["REPORT"]).write_text(json.dumps({"client": self.name, "calls": self.calls}))


def known(config: type, **given: Any) -> Any:
    """Make a configuration of what this version of it knows."""
    return config(**{name: value for name, value in given.items() if name in config.__struct_fields__})  # type: ignore[attr-defined]


def binance(http: str, ws: str) -> tuple[str, str, Any, Any, Any, Any]:
    from nautilus_trader.adapters.binance.common.enums import BinanceAccountType
    from nautilus_trader.adapters.binance.config import BinanceDataClientConfig, BinanceExecClientConfig
    from nautilus_trader.adapters.binance.factories import BinanceLiveDataClientFactory, BinanceLiveExecClientFactory

    shared = {
        **KEYS,
        "base_url_http": http,
        "account_type": BinanceAccountType.USDT_FUTURES,
        "instrument_provider": ALL,
    }
    data = known(BinanceDataClientConfig, **shared, base_url_ws=ws)
    # Newer versions sign in over the API by WebSocket, and have the stream's address apart from it.
    apart = "base_url_ws_stream" in BinanceExecClientConfig.__struct_fields__
    own = {"base_url_ws": f"{ws}/ws-fapi/v1" if apart else ws, "base_url_ws_stream": f"{ws}/private"}
    execution = known(BinanceExecClientConfig, **shared, **own)
    return (
        "BINANCE",
        "BTCUSDT-PERP.BINANCE",
        data,
        execution,
        BinanceLiveDataClientFactory,
        BinanceLiveExecClientFactory,
    )


def bybit(http: str, ws: str) -> tuple[str, str, Any, Any, Any, Any]:
    from nautilus_trader.adapters.bybit.config import BybitDataClientConfig, BybitExecClientConfig
    from nautilus_trader.adapters.bybit.factories import BybitLiveDataClientFactory, BybitLiveExecClientFactory

    product = getattr(nautilus_pyo3, "BybitProductType", None)
    if version("nautilus_trader") < "1.222":
        from nautilus_trader.adapters.bybit.common.enums import BybitProductType as product  # noqa: N813
    shared = {**KEYS, "base_url_http": http, "product_types": (product.LINEAR,), "instrument_provider": ALL}
    data = known(BybitDataClientConfig, **shared)
    own = {"base_url_ws_private": f"{ws}/v5/private", "base_url_ws_trade": f"{ws}/v5/trade"}
    execution = known(BybitExecClientConfig, **shared, **own)
    return "BYBIT", "BTCUSDT-LINEAR.BYBIT", data, execution, BybitLiveDataClientFactory, BybitLiveExecClientFactory


def okx(http: str, ws: str) -> tuple[str, str, Any, Any, Any, Any]:
    from nautilus_trader.adapters.okx.config import OKXDataClientConfig, OKXExecClientConfig
    from nautilus_trader.adapters.okx.factories import OKXLiveDataClientFactory, OKXLiveExecClientFactory

    types = (nautilus_pyo3.OKXInstrumentType.SWAP,)
    shared = {**KEYS, "api_passphrase": "sim-pass", "base_url_http": http, "instrument_types": types}
    shared["instrument_provider"] = ALL
    # Older versions read the keys of their streams from the environment only.
    os.environ.update(OKX_API_KEY="sim-key", OKX_API_SECRET="sim-secret", OKX_API_PASSPHRASE="sim-pass")
    data = known(OKXDataClientConfig, **shared, base_url_ws=f"{ws}/ws/v5/public")
    execution = known(
        OKXExecClientConfig,
        **shared,
        base_url_ws=f"{ws}/ws/v5/private",
        margin_mode=nautilus_pyo3.OKXMarginMode.CROSS,
    )
    return "OKX", "BTC-USDT-SWAP.OKX", data, execution, OKXLiveDataClientFactory, OKXLiveExecClientFactory


def addresses_without_a_setting(ws: str) -> None:
    """Set the addresses for which the package has no setting: nothing else of it is changed.

    Version 1.221 has none for OKX's business stream and Bybit's public one. Version 1.231 gives Bybit's public stream
    the address of HTTP.
    """
    nautilus_pyo3.get_okx_ws_url_business = lambda *_: f"{ws}/ws/v5/business"
    from nautilus_trader.adapters.bybit import factories

    if hasattr(factories, "get_ws_base_url_public"):
        factories.get_ws_base_url_public = lambda **_: f"{ws}/v5/public/linear"
        return
    made = nautilus_pyo3.BybitWebSocketClient

    class Addressed:
        new_private, new_trade = made.new_private, made.new_trade

        @staticmethod
        def new_public(**given: Any) -> Any:
            return made.new_public(**given | {"url": f"{ws}/v5/public/linear"})

    nautilus_pyo3.BybitWebSocketClient = Addressed


ALL = InstrumentProviderConfig(load_all=True)
VENUES = {"binance": binance, "bybit": bybit, "okx": okx}


async def run(venue: str, http: str) -> None:
    ws = http.replace("http", "ws", 1)
    addresses_without_a_setting(ws)
    scenario = Scenario(os.environ["CLIENT"])
    name, instrument_name, data, execution, data_factory, exec_factory = VENUES[venue](
        http, http.replace("http", "ws", 1)
    )
    logs = tempfile.mkdtemp()
    node = TradingNode(
        config=TradingNodeConfig(
            trader_id=TraderId("TESTER-001"),
            data_clients={name: data},
            exec_clients={name: execution},
            exec_engine=LiveExecEngineConfig(reconciliation=True),
            logging=LoggingConfig(
                log_level=os.environ.get("NAUTILUS_LOG", "ERROR"), log_level_file="WARNING", log_directory=logs
            ),
            timeout_connection=20.0,
            timeout_reconciliation=20.0,
            timeout_portfolio=10.0,
            timeout_disconnection=5.0,
            timeout_post_stop=1.0,
        )
    )
    instrument_id = InstrumentId.from_str(instrument_name)
    strategy = Watching(instrument_id)
    node.trader.add_strategy(strategy)
    node.add_data_client_factory(name, data_factory)
    node.add_exec_client_factory(name, exec_factory)
    node.build()
    running = asyncio.create_task(node.run_async())
    try:
        await trade(scenario, node, strategy, Venue(name))
    finally:
        scenario.report()
        try:
            await asyncio.wait_for(node.stop_async(), 15)
        except TimeoutError:
            print("the node did not stop within 15 s")
        running.cancel()
    for line in complaints(Path(logs)):
        print(line)


def complaints(logs: Path) -> list[str]:
    """Return what the node has logged as a warning or an error, without repetitions."""
    lines = [line for file in logs.glob("*") for line in file.read_text().splitlines()]
    return list(dict.fromkeys(re.sub(r"^\S+ ", "", line) for line in lines))


async def trade(scenario: Scenario, node: TradingNode, strategy: Watching, venue: Venue) -> None:
    cache, portfolio = node.cache, node.portfolio
    instrument_id = strategy.instrument_id
    state: dict[str, Any] = {}

    def status(order: Any, *expected: OrderStatus) -> Callable[[], bool]:
        return lambda: order.status in expected

    def seen(order: Any) -> Callable[[], str]:
        return lambda: f"{order.status_string()}: {order.last_event}"

    async def instruments() -> None:
        await scenario.eventually("load instruments", lambda: cache.instrument(instrument_id) is not None)

    async def connect() -> None:
        kernel = node.kernel
        await scenario.eventually("connect data", kernel.data_engine.check_connected)
        await scenario.eventually("connect execution", kernel.exec_engine.check_connected)

    async def reconcile() -> None:
        await scenario.eventually("reconcile", lambda: strategy.started)

    async def subscribe() -> None:
        strategy.subscribe_quote_ticks(instrument_id)
        strategy.subscribe_trade_ticks(instrument_id)
        strategy.subscribe_order_book_deltas(instrument_id, book_type=BookType.L2_MBP)
        strategy.subscribe_bars(BarType.from_str(f"{instrument_id}-1-MINUTE-LAST-EXTERNAL"))
        strategy.subscribe_mark_prices(instrument_id)
        await scenario.eventually("subscribe", lambda: cache.quote_tick(instrument_id) is not None)

    def made(kind: str, **fields: Any) -> Any:
        return getattr(strategy.order_factory, kind)(instrument_id=instrument_id, **fields)

    def quantity(times: int) -> Any:
        instrument = cache.instrument(instrument_id)
        return instrument.make_qty(Decimal("0.01") * times / Decimal(str(instrument.multiplier)))

    def price(share: str) -> Any:
        instrument = cache.instrument(instrument_id)
        quote = cache.quote_tick(instrument_id)
        return instrument.make_price(quote.bid_price.as_decimal() * Decimal(share))

    async def limit() -> None:
        await subscribe()
        order = made("limit", order_side=OrderSide.BUY, quantity=quantity(1), price=price("0.99"))
        state["order"] = order
        strategy.submit_order(order)
        await scenario.eventually("submit_order limit", status(order, OrderStatus.ACCEPTED), seen(order))

    async def query() -> None:
        order = state["order"]
        strategy.query_order(order)
        await asyncio.sleep(0.5)
        await scenario.eventually("query_order", status(order, OrderStatus.ACCEPTED), seen(order))

    async def amend() -> None:
        order = state["order"]
        strategy.modify_order(order, quantity=quantity(2), price=price("0.985"))
        await scenario.eventually("modify_order", lambda: order.quantity == quantity(2), seen(order))

    async def cancel() -> None:
        order = state["order"]
        strategy.cancel_order(order)
        await scenario.eventually("cancel_order", status(order, OrderStatus.CANCELED), seen(order))

    async def market() -> None:
        order = made("market", order_side=OrderSide.BUY, quantity=quantity(2))
        strategy.submit_order(order)
        await scenario.eventually("submit_order market", status(order, OrderStatus.FILLED), seen(order))

    async def stop() -> None:
        order = made(
            "stop_market",
            order_side=OrderSide.SELL,
            quantity=quantity(1),
            trigger_price=price("0.97"),
            trigger_type=TriggerType.LAST_PRICE,
            reduce_only=True,
        )
        strategy.submit_order(order)
        await scenario.eventually("submit_order stop_market", status(order, OrderStatus.ACCEPTED), seen(order))
        strategy.cancel_order(order)
        await scenario.eventually("cancel_order stop_market", status(order, OrderStatus.CANCELED), seen(order))

    async def position() -> None:
        await scenario.eventually("positions_open", lambda: len(cache.positions_open(instrument_id=instrument_id)) == 1)
        await scenario.eventually("net_position", lambda: portfolio.net_position(instrument_id) > 0)

    async def balance() -> None:
        def total() -> Any:
            account = portfolio.account(venue)
            return account and account.balance_total(USDT)

        await scenario.eventually("balance_total", lambda: total() and 9000 < total().as_double() < 10000, total)

    async def private_stream() -> None:
        for event in ("OrderAccepted", "OrderFilled", "OrderCanceled", "PositionOpened"):
            await scenario.eventually(
                event, lambda event=event: any(type(one).__name__ == event for one in strategy.events)
            )

    async def public_stream() -> None:
        # Version 1.221 has no mark prices of Bybit.
        old = venue.value == "BYBIT" and version("nautilus_trader") < "1.222"
        marks = () if old else ("mark prices",)
        for name in ("quotes", "trades", "book", *marks):
            await scenario.eventually(name, lambda name=name: strategy.received.get(name), lambda: strategy.received)

    async def batch() -> None:
        orders = [
            made(
                "limit",
                order_side=OrderSide.BUY,
                quantity=quantity(1),
                price=price("0.98"),
                time_in_force=TimeInForce.GTC,
            )
            for _ in range(3)
        ]
        if venue.value == "OKX":
            # For this venue a list is an order with its stops only.
            for order in orders:
                strategy.submit_order(order)
        else:
            strategy.submit_order_list(strategy.order_factory.create_list(orders))
        for number, order in enumerate(orders, 1):
            await scenario.eventually(f"order {number} of a list", status(order, OrderStatus.ACCEPTED), seen(order))
        strategy.cancel_all_orders(instrument_id)
        for number, order in enumerate(orders, 1):
            await scenario.eventually(f"cancel_all_orders {number}", status(order, OrderStatus.CANCELED), seen(order))

    async def close() -> None:
        strategy.close_all_positions(instrument_id)
        await scenario.eventually(
            "close_all_positions",
            lambda: not cache.positions_open(instrument_id=instrument_id),
            lambda: cache.positions_open(),
        )

    steps = {
        "instruments": instruments,
        "connect": connect,
        "reconcile": reconcile,
        "limit": limit,
        "query": query,
        "amend": amend,
        "cancel": cancel,
        "market": market,
        "stop": stop,
        "position": position,
        "balance": balance,
        "private stream": private_stream,
        "public stream": public_stream,
        "batch": batch,
        "close": close,
    }
    for name, body in steps.items():
        await scenario.step(name, body)
        if name == "reconcile" and not strategy.started:
            return


if __name__ == "__main__":
    asyncio.run(run(os.environ["VENUE"], os.environ["SIMULATOR"]))
    sys.stdout.flush()
    os._exit(0)
