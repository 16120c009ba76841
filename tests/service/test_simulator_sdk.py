"""Binance's own SDK, unmodified, trades on the simulator. It is synchronous, so it runs in threads."""

from __future__ import annotations

import json
import queue
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from binance.error import ClientError
from binance.um_futures import UMFutures
from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient

from opensqt.simulator import Simulator
from tests.service.venue_clients import below, settings
from tests.support.blocking import in_thread


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(settings()) as simulator:
        yield simulator


class Sdk:
    """The SDK's client, its calls made in a thread."""

    def __init__(self, url: str) -> None:
        self._client = UMFutures(key="sim-key", secret="sim-secret", base_url=url)

    async def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        return await in_thread(getattr(self._client, name), *arguments, **options)

    async def limit(self, side: str, price: Any, **more: Any) -> Any:
        order = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
        return await self.call("new_order", **order, price=str(price), **more)

    def close(self) -> None:
        self._client.session.close()


@pytest.fixture
async def sdk(simulator: Simulator) -> AsyncIterator[Sdk]:
    sdk = Sdk(simulator.url)
    yield sdk
    sdk.close()


@asynccontextmanager
async def listening(simulator: Simulator, **options: Any) -> AsyncIterator[tuple[Any, queue.Queue[dict[str, Any]]]]:
    """The SDK's stream client in its own thread, and what it heard."""
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    stream = await in_thread(
        UMFuturesWebsocketClient,
        stream_url=simulator.url.replace("http", "ws", 1),
        on_message=lambda _, text: heard.put(json.loads(text)),
        **options,
    )
    try:
        yield stream, heard
    finally:
        await in_thread(stream.stop)
        stream.socket_manager.ws.shutdown()  # stop() leaves it open


async def test_an_order_is_placed_queried_and_canceled(sdk: Sdk, simulator: Simulator) -> None:
    placed = await sdk.limit("BUY", below(simulator), newClientOrderId="sdk1")
    assert (placed["status"], placed["clientOrderId"]) == ("NEW", "sdk1")
    assert (await sdk.call("query_order", "BTCUSDT", orderId=placed["orderId"]))["status"] == "NEW"
    assert [order["orderId"] for order in await sdk.call("get_orders", symbol="BTCUSDT")] == [placed["orderId"]]
    assert (await sdk.call("cancel_order", "BTCUSDT", origClientOrderId="sdk1"))["status"] == "CANCELED"
    assert simulator.engine.open_orders("sim-key") == []


async def test_a_batch_is_placed_and_canceled(sdk: Sdk, simulator: Simulator) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    good = {**order, "price": str(below(simulator))}
    first, refused, third = await sdk.call("new_batch_order", [good, {**good, "price": "45000.05"}, good])
    assert (first["status"], refused["code"], third["status"]) == ("NEW", -4014, "NEW")
    canceled = await sdk.call("cancel_batch_order", "BTCUSDT", [first["orderId"], third["orderId"]], [])
    assert [row["status"] for row in canceled] == ["CANCELED", "CANCELED"]


async def test_account_and_market_are_read(sdk: Sdk) -> None:
    assert (await sdk.call("account"))["totalWalletBalance"] == "10000"
    assert [row["asset"] for row in await sdk.call("balance")] == ["USDT"]
    assert await sdk.call("get_position_risk") == []
    assert (await sdk.call("change_leverage", "BTCUSDT", 5))["leverage"] == 5
    assert (await sdk.call("get_position_mode"))["dualSidePosition"] is False
    assert len(await sdk.call("klines", "BTCUSDT", "1m", limit=7)) == 7
    assert {row["symbol"] for row in await sdk.call("book_ticker")} == {"BTCUSDT", "ETHUSDT"}


async def test_a_refusal_raises_the_venues_code(sdk: Sdk, simulator: Simulator) -> None:
    with pytest.raises(ClientError) as refused:
        await sdk.call("cancel_order", "BTCUSDT", orderId=1)
    assert (refused.value.status_code, refused.value.error_code) == (400, -2011)


async def test_the_fill_arrives_over_the_user_stream(sdk: Sdk, simulator: Simulator) -> None:
    key = (await sdk.call("new_listen_key"))["listenKey"]
    async with listening(simulator) as (stream, heard):
        await in_thread(stream.user_data, listen_key=key, id=1)
        assert await in_thread(heard.get, timeout=25) == {"result": None, "id": 1}
        bought = await sdk.call("new_order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.010")
        fills = [event async for event in _fills(heard)]
    assert {fill["i"] for fill in fills} == {bought["orderId"]}
    assert (fills[-1]["X"], fills[-1]["z"], fills[-1]["N"]) == ("FILLED", "0.010", "USDT")


async def test_a_market_stream_is_heard(simulator: Simulator) -> None:
    async with listening(simulator, is_combined=True) as (stream, heard):
        await in_thread(stream.book_ticker, symbol="btcusdt", id=1)
        await in_thread(heard.get, timeout=25)
        frame = await in_thread(heard.get, timeout=25)
    assert (frame["stream"], frame["data"]["s"]) == ("btcusdt@bookTicker", "BTCUSDT")


async def _fills(heard: queue.Queue[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """The executions of one order, up to the one that fills it."""
    while True:
        message = await in_thread(heard.get, timeout=25)
        if message.get("e") == "ORDER_TRADE_UPDATE" and message["o"]["x"] == "TRADE":
            yield message["o"]
            if message["o"]["X"] == "FILLED":
                return
