"""A real live server in this process, and an exchange that has a past."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from opensqt.config.live_server import LiveServerSettings
from opensqt.live_server.read_only_exchange import ReadOnlyExchange
from opensqt.live_server.service import LiveServer
from opensqt.live_server.view_updater import Intervals
from opensqt.model.clock import now_ms
from opensqt.model.market import Candle
from opensqt.model.order import OrderRequest, Side, TimeInForce
from opensqt.testing.exchange import InMemoryExchange

SYMBOL = "ETHUSDT"
MINUTE = 60_000
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
"""What asks for a WebSocket."""
FAST = Intervals(publish=0.02, status=0.05, status_timeout=1, refresh=0.2, longest_wait=0.5)


def candle(open_time_ms: int, close: str = "3000", **fields: object) -> Candle:
    """One minute that opened at 3000."""
    at = Decimal(close)
    values: dict[str, object] = {
        "symbol": SYMBOL,
        "interval": "1m",
        "open_time_ms": open_time_ms,
        "open": Decimal(3000),
        "high": max(at, Decimal(3000)) + 2,
        "low": min(at, Decimal(3000)) - 2,
        "close": at,
        "volume": Decimal("12.5"),
    }
    return Candle(**{**values, **fields})  # type: ignore[arg-type]


def buy(price: str, quantity: str = "0.010", *, client_order_id: str) -> OrderRequest:
    """A resting buy."""
    return order(Side.BUY, price, quantity, client_order_id=client_order_id)


def order(side: Side, price: str, quantity: str, *, client_order_id: str) -> OrderRequest:
    """A resting order."""
    return OrderRequest(
        symbol=SYMBOL,
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        client_order_id=client_order_id,
        time_in_force=TimeInForce.POST_ONLY,
    )


def exchange_with_history(candles: int = 130, *, feed_capacity: int = 8192) -> InMemoryExchange:
    """ETHUSDT at 3000 with that many minutes behind it."""
    exchange = InMemoryExchange(feed_capacity=feed_capacity)
    this_minute = now_ms() // MINUTE * MINUTE
    exchange.add_candles(candle(this_minute - (candles - index) * MINUTE) for index in range(candles))
    exchange.set_price(SYMBOL, Decimal("2999.90"), Decimal("3000.10"))
    return exchange


@asynccontextmanager
async def serve(
    exchange: ReadOnlyExchange, *, port: int = 0, outbox_limit: int = 1000, **server: object
) -> AsyncIterator[str]:
    """Run a live server over *exchange* and answer HOST:PORT; *server* are settings of that section."""
    settings = LiveServerSettings.model_validate({"server": {"port": port, "stale_after_seconds": 60, **server}})
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        LiveServer(exchange, settings, intervals=FAST, outbox_limit=outbox_limit).run(stop, ready.set_result)
    )
    try:
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        yield ready.result() if ready.done() else await _failed(running)
    finally:
        stop.set()
        await running


async def _failed(running: asyncio.Task[None]) -> str:
    await running
    raise AssertionError("the server ended before it was ready")


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    headers: dict[str, str]
    text: str


async def fetch(address: str, path: str, headers: dict[str, str] | None = None) -> Answer:
    """GET one path of a server at HOST:PORT."""
    async with ClientSession() as session, session.get(f"http://{address}{path}", headers=headers) as answer:
        return Answer(answer.status, dict(answer.headers), await answer.text())


class Client:
    """A WebSocket client that keeps what it got."""

    def __init__(self, socket_: ClientWebSocketResponse) -> None:
        self.socket = socket_
        self.messages: list[dict[str, Any]] = []

    async def read(self) -> None:
        async for message in self.socket:
            assert message.type is WSMsgType.TEXT
            self.messages.append(orjson.loads(message.data))

    def of(self, kind: str) -> list[Any]:
        """The data of every message of a type, oldest first."""
        return [message["data"] for message in self.messages if message["type"] == kind]

    def open_orders(self) -> list[str]:
        """The client ids of the orders that a page would show now."""
        shown: dict[str, bool] = {}
        for data in self.of("orders"):
            shown = {} if isinstance(data, list) else shown
            shown |= {one["clientOrderId"]: one["open"] for one in (data if isinstance(data, list) else [data])}
        return [name for name, is_open in shown.items() if is_open]


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Client]:
    async with ClientSession() as session, session.ws_connect(f"http://{address}/ws") as socket_:
        client = Client(socket_)
        reading = asyncio.create_task(client.read())
        yield client
        await socket_.close()
        await reading
