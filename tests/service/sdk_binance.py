"""Binance's own SDK, unmodified, as the table of SDKs uses it."""

from __future__ import annotations

import json
import queue
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from binance.error import ClientError
from binance.um_futures import UMFutures
from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient

from opensqt.simulator import Simulator
from tests.service.sdk_client import Answer, heard_from
from tests.support.blocking import in_thread

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}


class Binance:
    refused = ClientError

    def __init__(self, simulator: Simulator, secret: str = "sim-secret") -> None:
        self._stream_url = simulator.url.replace("http", "ws", 1)
        self._client = UMFutures(key="sim-key", secret=secret, base_url=simulator.url, timeout=25)

    async def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        return await in_thread(getattr(self._client, name), *arguments, **options)

    async def place(self, price: Any = None, *, side: str = "buy", name: str = "") -> Answer:
        order = {"symbol": "BTCUSDT", "side": side.upper(), "type": "MARKET", "quantity": "0.010"}
        limit = {} if price is None else {"type": "LIMIT", "timeInForce": "GTC", "price": str(price)}
        return await self.call("new_order", **order | limit, **{"newClientOrderId": name} if name else {})

    async def find(self, order_id: Any) -> Answer:
        return await self.call("query_order", "BTCUSDT", orderId=order_id)

    async def open_orders(self) -> list[Answer]:
        return await self.call("get_orders", symbol="BTCUSDT")

    async def cancel(self, name: str) -> Answer:
        return await self.call("cancel_order", "BTCUSDT", origClientOrderId=name)

    closed = find

    async def place_batch(self, price: Any) -> list[Answer]:
        good = {**ORDER, "price": str(price)}
        return await self.call("new_batch_order", [good, {**good, "price": "45000.05"}, good])

    async def cancel_batch(self, order_ids: list[Any]) -> list[Answer]:
        return await self.call("cancel_batch_order", "BTCUSDT", order_ids, [])

    async def account(self) -> Answer:
        assets = [row["asset"] for row in await self.call("balance")]
        return {**await self.call("account"), "assets": assets}

    async def set_leverage(self) -> Answer:
        return await self.call("change_leverage", "BTCUSDT", 5)

    async def positions(self) -> list[Answer]:
        return await self.call("get_position_risk")

    async def fills(self) -> list[Answer]:
        return await self.call("get_account_trades", "BTCUSDT")

    async def candles(self, limit: int) -> list[Any]:
        return await self.call("klines", "BTCUSDT", "1m", limit=limit)

    async def symbols(self) -> set[str]:
        return {row["symbol"] for row in await self.call("book_ticker")}

    async def cancel_unknown(self) -> None:
        await self.call("cancel_order", "BTCUSDT", orderId=1)

    def refusal(self, error: Any) -> tuple[Any, ...]:
        return error.status_code, error.error_code

    @asynccontextmanager
    async def _listening(self, **options: Any) -> AsyncIterator[tuple[Any, queue.Queue[Any]]]:
        heard: queue.Queue[Any] = queue.Queue()
        stream = await in_thread(
            UMFuturesWebsocketClient,
            stream_url=self._stream_url,
            on_message=lambda _, text: heard.put(json.loads(text)),
            **options,
        )
        try:
            yield stream, heard
        finally:
            await in_thread(stream.stop)
            stream.socket_manager.ws.shutdown()  # stop() leaves it open

    @asynccontextmanager
    async def own_orders(self) -> AsyncIterator[Callable[[], Awaitable[list[Answer]]]]:
        key = (await self.call("new_listen_key"))["listenKey"]
        async with self._listening() as (stream, heard):
            await in_thread(stream.user_data, listen_key=key, id=1)
            assert await heard_from(heard) == {"result": None, "id": 1}

            async def rows() -> list[Answer]:
                message = await heard_from(heard)
                is_fill = message.get("e") == "ORDER_TRADE_UPDATE" and message["o"]["x"] == "TRADE"
                return [message["o"]] if is_fill else []

            yield rows

    @asynccontextmanager
    async def quotes(self) -> AsyncIterator[Callable[[], Awaitable[Answer]]]:
        async with self._listening(is_combined=True) as (stream, heard):
            await in_thread(stream.book_ticker, symbol="btcusdt", id=1)
            await heard_from(heard)

            async def quote() -> Answer:
                frame = await heard_from(heard)
                data = frame["data"]
                return {"channel": frame["stream"], "symbol": data["s"], "bid": data["b"], "ask": data["a"]}

            yield quote

    def close(self) -> None:
        self._client.session.close()
