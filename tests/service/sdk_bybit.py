"""Bybit's own SDK, unmodified, as the table of SDKs uses it."""

from __future__ import annotations

import queue
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pybit import unified_trading
from pybit.exceptions import FailedRequestError, InvalidRequestError

from opensqt.simulator import Simulator
from tests.service.sdk_client import Answer, heard_from
from tests.support.blocking import in_thread

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


class SentRequests(dict[str, str]):
    """The SDK's requests by id. It keeps one only after it was sent; on loopback the answer can be quicker."""

    def __missing__(self, request_id: str) -> str:
        deadline = time.monotonic() + 20
        while request_id not in self and time.monotonic() < deadline:
            time.sleep(0.001)
        return self.get(request_id, "")


class Bybit:
    refused = (InvalidRequestError, FailedRequestError)

    def __init__(self, simulator: Simulator, secret: str = "sim-secret") -> None:
        self._stream_url = simulator.url.replace("http", "ws", 1)
        self._client = unified_trading.HTTP(api_key="sim-key", api_secret=secret, recv_window=20_000, timeout=20)
        self._client.endpoint = simulator.url

    async def call(self, name: str, **options: Any) -> Any:
        return (await in_thread(getattr(self._client, name), **options))["result"]

    async def place(self, price: Any = None, *, side: str = "buy", name: str = "") -> Answer:
        order = {**LINEAR, "side": side.title(), "orderType": "Market", "qty": "0.010"}
        limit = {} if price is None else {"orderType": "Limit", "price": str(price)}
        return await self.call("place_order", **order | limit, **{"orderLinkId": name} if name else {})

    async def find(self, order_id: Any) -> Answer:
        (found,) = (await self.call("get_open_orders", **LINEAR, orderId=order_id))["list"]
        return found

    async def open_orders(self) -> list[Answer]:
        return (await self.call("get_open_orders", **LINEAR))["list"]

    async def cancel(self, name: str) -> Answer:
        return await self.call("cancel_order", **LINEAR, orderLinkId=name)

    async def closed(self, order_id: Any) -> Answer:
        (closed,) = (await self.call("get_order_history", **LINEAR, orderId=order_id))["list"]
        return closed

    async def place_batch(self, price: Any) -> list[Answer]:
        good = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": str(price)}
        request = [good, {**good, "price": "1.05"}, good]
        return (await self.call("place_batch_order", category="linear", request=request))["list"]

    async def cancel_batch(self, order_ids: list[Any]) -> list[Answer]:
        request = [{"symbol": "BTCUSDT", "orderId": one} for one in order_ids]
        return (await self.call("cancel_batch_order", category="linear", request=request))["list"]

    async def account(self) -> Answer:
        (wallet,) = (await self.call("get_wallet_balance", accountType="UNIFIED"))["list"]
        return {"assets": [row["coin"] for row in wallet["coin"]], **wallet}

    async def set_leverage(self) -> Answer:
        await self.call("set_leverage", **LINEAR, buyLeverage="5", sellLeverage="5")
        (position,) = (await self.call("get_positions", **LINEAR))["list"]
        return position

    async def positions(self) -> list[Answer]:
        return (await self.call("get_positions", category="linear", settleCoin="USDT"))["list"]

    async def fills(self) -> list[Answer]:
        return (await self.call("get_executions", **LINEAR))["list"]

    async def candles(self, limit: int) -> list[Any]:
        return (await self.call("get_kline", **LINEAR, interval="1", limit=limit))["list"]

    async def symbols(self) -> set[str]:
        return {row["symbol"] for row in (await self.call("get_tickers", category="linear"))["list"]}

    async def cancel_unknown(self) -> None:
        await self.call("cancel_order", **LINEAR, orderId="1")

    def refusal(self, error: Any) -> tuple[Any, ...]:
        return (error.status_code,)

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator[tuple[Any, queue.Queue[Any]]]:
        """The SDK's stream client in its own thread, and what it heard; its address is a constant of its module."""
        heard: queue.Queue[Any] = queue.Queue()
        # By default its login expires after one second. One that comes later is refused, and the SDK waits for ever.
        private = {"api_key": "sim-key", "api_secret": "sim-secret", "private_auth_expire": 60}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(unified_trading, "PRIVATE_WSS", f"{self._stream_url}/v5/private")
            patch.setattr(unified_trading, "PUBLIC_WSS", f"{self._stream_url}/v5/public/{{CHANNEL_TYPE}}")
            stream = await in_thread(unified_trading.WebSocket, channel, testnet=False, **private)
            stream.subscriptions = SentRequests(stream.subscriptions)
            try:
                yield stream, heard
            finally:
                await in_thread(stream.exit)

    async def subscribe(self, stream: Any, heard: queue.Queue[Any], *names: str, **options: Any) -> None:
        for name in names:
            await in_thread(getattr(stream, name), callback=heard.put, **options)

    @asynccontextmanager
    async def own_orders(self) -> AsyncIterator[Callable[[], Awaitable[list[Answer]]]]:
        async with self.listening("private") as (stream, heard):
            await self.subscribe(stream, heard, "order_stream")

            async def rows() -> list[Answer]:
                return (await heard_from(heard))["data"]

            yield rows

    @asynccontextmanager
    async def quotes(self) -> AsyncIterator[Callable[[], Awaitable[Answer]]]:
        async with self.listening("linear") as (stream, heard):
            await self.subscribe(stream, heard, "orderbook_stream", depth=50, symbol="BTCUSDT")

            async def quote() -> Answer:
                frame = await heard_from(heard)
                book = frame["data"]
                bid, ask = max(float(row[0]) for row in book["b"]), min(float(row[0]) for row in book["a"])
                return {"channel": frame["topic"], "symbol": book["s"], "bid": bid, "ask": ask}

            yield quote

    def close(self) -> None:
        self._client.client.close()
