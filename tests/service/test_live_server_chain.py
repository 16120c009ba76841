"""The live server as a process, behind a real connector process, before a simulated venue."""

from __future__ import annotations

import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from opensqt.client.exchange import RemoteExchange
from opensqt.config.connector import ConnectorServerSettings
from opensqt.config.remote import RemoteSettings
from opensqt.connector.server import Connector
from opensqt.model import client_order_id
from opensqt.model.order import OrderRequest, OrderType, Side
from opensqt.simulator import Simulator, SimulatorSettings
from tests.support import process
from tests.support.live_server import SYMBOL, Client, buy, connect, exchange_with_history
from tests.support.wait import eventually

# Ten attempts in under a minute.
RETRY = {"OPENSQT__EXCHANGES__REMOTE__RETRY_SCALE": "0.2"}
KEYS = {"API_KEY": "sim-key", "API_SECRET": "sim-secret"}


def live_server(connector: str, *arguments: str, **env: str) -> Any:
    """Start one as a process."""
    given = {"EXCHANGE_GRPC_ADDRESS": connector, "OPENSQT__SERVER__REFRESH_INTERVAL": "1", **RETRY, **env}
    return process.start("opensqt.live_server", "--port", "0", *arguments, env=given)


def connector(simulator: Simulator, folder: Path, port: str = "0") -> Any:
    """Start one as a process."""
    arguments = ["--exchange", "binance", "--base-url", simulator.url, "--port", port, "--metrics-port", "0"]
    return process.start("opensqt.connector", *arguments, "--journal", str(folder / "journal.db"), env=KEYS)


@asynccontextmanager
async def in_memory() -> AsyncIterator[str]:
    """A connector in this process."""
    settings = ConnectorServerSettings(port=0, metrics_port=None)
    async with Connector(exchange_with_history(), settings, journal=":memory:") as running:
        yield running.address


@asynccontextmanager
async def trader(address: str) -> AsyncIterator[RemoteExchange]:
    async with RemoteExchange(RemoteSettings(base_url=address)) as exchange:
        yield exchange


async def trade(exchange: RemoteExchange, side: Side, quantity: str) -> None:
    """Take from the market."""
    request = OrderRequest(
        symbol=SYMBOL,
        side=side,
        quantity=Decimal(quantity),
        order_type=OrderType.MARKET,
        client_order_id=client_order_id.new("T"),
    )
    await exchange.place_order(request)


def truth(simulator: Simulator) -> dict[str, Any]:
    """What the venue's ledger says of the account."""
    account: dict[str, Any] = simulator.ledger()["accounts"]["sim-key"]
    return account


def shows(client: Client, simulator: Simulator) -> bool:
    """Whether the page's newest word equals the ledger, to the last digit."""
    ledger, accounts = truth(simulator), client.of("account")
    positions = [one for one in client.of("position") if one["fills"] == len(ledger["fills"])]
    if not (accounts and positions):
        return False
    shown = [positions[-1]["realizedPnL"], positions[-1]["amount"], accounts[-1]["balance"]]
    held = sum((Decimal(one["quantity"]) for one in ledger["positions"]), Decimal(0))
    realized = Decimal(ledger["realized_pnl"]) - Decimal(ledger["fees"])
    return [Decimal(one) for one in shown] == [realized, held, Decimal(ledger["wallet_balance"])]


async def test_the_page_agrees_with_the_ledger_and_so_does_a_restarted_one(tmp_path: Path):
    """F36: position, balance and realized profit after fees, over partial closes and a restart."""
    async with Simulator(SimulatorSettings(exchange="binance", port=0)) as simulator, AsyncExitStack() as stack:
        connected = await stack.enter_async_context(connector(simulator, tmp_path))
        address = await connected.ready()
        exchange = await stack.enter_async_context(trader(address))
        async with live_server(address) as server, connect(await server.ready()) as client:
            for side, quantity in ((Side.BUY, "0.300"), (Side.SELL, "0.100"), (Side.SELL, "0.050")):
                await trade(exchange, side, quantity)
            await eventually(lambda: shows(client, simulator), what="the ledger's figures")
            assert len({one["id"] for one in client.of("trade_event")}) == len(truth(simulator)["fills"])
        async with live_server(address) as server, connect(await server.ready()) as client:
            await eventually(lambda: shows(client, simulator), what="the ledger's figures again")


async def test_the_page_survives_a_killed_connector_and_shows_what_happened_meanwhile(tmp_path: Path):
    """F6, F31: stale while it is away, and the fill of that time afterwards."""
    async with Simulator(SimulatorSettings(exchange="binance", port=0)) as simulator, AsyncExitStack() as stack:
        simulator.market.pause(SYMBOL)
        async with connector(simulator, tmp_path) as first:
            address = await first.ready()
            server = await stack.enter_async_context(live_server(address))
            client = await stack.enter_async_context(connect(await server.ready()))
            async with trader(address) as exchange:
                bid = (await exchange.get_latest_price(SYMBOL)).bid
                await exchange.place_order(buy(str(bid + Decimal("0.01")), client_order_id="B1"))
            await eventually(lambda: client.open_orders() == ["B1"])
            first.send(signal.SIGKILL)
            await first.wait()
        await eventually(lambda: client.of("status")[-1]["connected"] is False)
        assert client.of("status")[-1]["stale"] is True
        simulator.market.send_outside_order(SYMBOL, Side.SELL, Decimal("0.010"))
        async with connector(simulator, tmp_path, address.split(":")[1]) as second:
            await second.ready()
            simulator.market.resume(SYMBOL)
            await eventually(lambda: shows(client, simulator), what="the fill of meanwhile")
            await eventually(lambda: client.open_orders() == [], what="no open order")
            await eventually(lambda: client.of("status")[-1]["stale"] is False)


async def test_sigterm_ends_it_in_good_order():
    """F30: with a page open."""
    async with in_memory() as address, live_server(address) as server, connect(await server.ready()) as client:
        server.send(signal.SIGTERM)
        assert await server.wait() == 0
        await eventually(lambda: client.socket.closed)
    assert client.socket.close_code == 1001
    assert "Traceback" not in server.output


async def test_a_symbol_that_is_not_traded_is_said_in_one_sentence():
    async with in_memory() as address, live_server(address, SYMBOL="NOPEUSDT") as server:
        assert await server.wait() == 2
    errors = [line for line in server.stderr.splitlines() if line.startswith(b"error:")]
    assert errors == [b"error: trading.symbol: 'NOPEUSDT' is not traded on memory"], server.output


async def test_a_port_in_use_is_told_before_the_connector_is_asked():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with live_server("127.0.0.1:9", "--port", str(port)) as server:
            assert await server.wait() == 2
    assert server.output.startswith(f"error: port {port}: already in use")


async def test_a_connector_that_never_answers_ends_it_with_code_4():
    async with live_server("127.0.0.1:9", OPENSQT__EXCHANGES__REMOTE__RETRY_SCALE="0.001") as server:
        assert await server.wait() == 4
    assert "attempt 10 of 10" in server.output
    assert "Traceback" not in server.output


async def test_a_connector_that_stays_away_ends_it_with_code_4():
    async with AsyncExitStack() as stack:
        async with in_memory() as address:
            server = await stack.enter_async_context(
                live_server(address, OPENSQT__EXCHANGES__REMOTE__RETRY_SCALE="0.001")
            )
            await server.ready()
        assert await server.wait() == 4
    assert server.stderr.splitlines()[-1].startswith(b"error: connector ")
