"""Bybit's own SDK, unmodified, trades on the simulator. It is synchronous, so it runs in threads."""

from __future__ import annotations

import queue
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from pybit import unified_trading
from pybit.exceptions import InvalidRequestError

from opensqt.simulator import Simulator
from tests.service.venue_clients import below, settings
from tests.support.blocking import in_thread

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(settings(exchange="bybit")) as simulator:
        yield simulator


class SentRequests(dict[str, str]):
    """The SDK's requests by id. It keeps one only after it was sent; on loopback the answer can be quicker."""

    def __missing__(self, request_id: str) -> str:
        deadline = time.monotonic() + 20
        while request_id not in self and time.monotonic() < deadline:
            time.sleep(0.001)
        return self.get(request_id, "")


class Sdk:
    """The SDK's client, its calls made in a thread."""

    def __init__(self, url: str) -> None:
        self._client = unified_trading.HTTP(api_key="sim-key", api_secret="sim-secret", recv_window=20_000, timeout=20)
        self._client.endpoint = url

    async def call(self, name: str, **options: Any) -> Any:
        return (await in_thread(getattr(self._client, name), **options))["result"]

    async def limit(self, side: str, price: Any, **more: Any) -> Any:
        return await self.call(
            "place_order", **LINEAR, side=side, orderType="Limit", qty="0.010", price=str(price), **more
        )

    def close(self) -> None:
        self._client.client.close()


@pytest.fixture
async def sdk(simulator: Simulator) -> AsyncIterator[Sdk]:
    sdk = Sdk(simulator.url)
    yield sdk
    sdk.close()


@asynccontextmanager
async def listening(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, channel: str
) -> AsyncIterator[tuple[Any, queue.Queue[dict[str, Any]]]]:
    """The SDK's stream client in its own thread, and what it heard; its address is a constant of its module."""
    address = simulator.url.replace("http", "ws", 1)
    monkeypatch.setattr(unified_trading, "PRIVATE_WSS", f"{address}/v5/private")
    monkeypatch.setattr(unified_trading, "PUBLIC_WSS", f"{address}/v5/public/{{CHANNEL_TYPE}}")
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    # By default its login expires after one second. One that comes later is refused, and the SDK waits for ever.
    private = {"api_key": "sim-key", "api_secret": "sim-secret", "private_auth_expire": 60}
    stream = await in_thread(unified_trading.WebSocket, channel, testnet=False, **private)
    stream.subscriptions = SentRequests(stream.subscriptions)
    try:
        yield stream, heard
    finally:
        await in_thread(stream.exit)


async def test_an_order_is_placed_queried_and_canceled(sdk: Sdk, simulator: Simulator) -> None:
    placed = await sdk.limit("Buy", below(simulator), orderLinkId="sdk-1")
    assert placed["orderLinkId"] == "sdk-1"
    (found,) = (await sdk.call("get_open_orders", **LINEAR, orderId=placed["orderId"]))["list"]
    assert (found["orderStatus"], found["qty"]) == ("New", "0.010")
    assert (await sdk.call("cancel_order", **LINEAR, orderLinkId="sdk-1"))["orderId"] == placed["orderId"]
    (closed,) = (await sdk.call("get_order_history", **LINEAR, orderId=placed["orderId"]))["list"]
    assert (closed["orderStatus"], closed["cancelType"]) == ("Cancelled", "CancelByUser")


async def test_a_batch_is_placed_and_canceled(sdk: Sdk, simulator: Simulator) -> None:
    order = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": str(below(simulator))}
    placed = await sdk.call("place_batch_order", category="linear", request=[order, {**order, "price": "1.05"}, order])
    first, refused, third = placed["list"]
    assert refused["orderId"] == ""
    ids = [{"symbol": "BTCUSDT", "orderId": row["orderId"]} for row in (first, third)]
    await sdk.call("cancel_batch_order", category="linear", request=ids)
    assert simulator.engine.open_orders("sim-key") == []


async def test_account_and_market_are_read(sdk: Sdk) -> None:
    (wallet,) = (await sdk.call("get_wallet_balance", accountType="UNIFIED"))["list"]
    assert (wallet["totalWalletBalance"], wallet["coin"][0]["coin"]) == ("10000", "USDT")
    await sdk.call("set_leverage", **LINEAR, buyLeverage="5", sellLeverage="5")
    await sdk.call("place_order", **LINEAR, side="Sell", orderType="Market", qty="0.010")
    (position,) = (await sdk.call("get_positions", **LINEAR))["list"]
    assert (position["side"], position["size"], position["leverage"]) == ("Sell", "0.010", "5")
    assert len((await sdk.call("get_kline", **LINEAR, interval="1", limit=7))["list"]) == 7
    assert {row["symbol"] for row in (await sdk.call("get_tickers", category="linear"))["list"]} == {
        "BTCUSDT",
        "ETHUSDT",
    }
    assert (await sdk.call("get_api_key_information"))["permissions"]["ContractTrade"] == ["Order", "Position"]


async def test_a_refusal_raises_the_venues_code(sdk: Sdk) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        await sdk.call("cancel_order", **LINEAR, orderId="1")
    assert refused.value.status_code == 110001


async def test_order_fill_and_position_arrive_over_the_private_stream(
    sdk: Sdk, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(simulator, monkeypatch, "private") as (stream, heard):
        for name in ("order_stream", "execution_stream", "position_stream"):
            await in_thread(getattr(stream, name), callback=heard.put)
        bought = await sdk.call("place_order", **LINEAR, side="Buy", orderType="Market", qty="0.010")
        told: dict[str, dict[str, Any]] = {}
        while {"order", "execution", "position"} - told.keys():
            frame = await in_thread(heard.get, timeout=25)
            told[frame["topic"]] = frame["data"][-1]
    assert (told["order"]["orderId"], told["order"]["orderStatus"]) == (bought["orderId"], "Filled")
    assert (told["execution"]["orderId"], told["execution"]["execType"]) == (bought["orderId"], "Trade")
    assert (told["position"]["side"], told["position"]["size"]) == ("Buy", "0.010")


async def test_a_book_is_kept_from_differences(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(simulator, monkeypatch, "linear") as (stream, heard):
        await in_thread(stream.orderbook_stream, depth=50, symbol="BTCUSDT", callback=heard.put)
        frames = [await in_thread(heard.get, timeout=25) for _ in range(3)]
    assert all(frame["topic"] == "orderbook.50.BTCUSDT" for frame in frames)
    for book in (frame["data"] for frame in frames):
        bids, asks = ([Decimal(price) for price, _ in book[side]] for side in ("b", "a"))
        assert max(bids) < min(asks)
        assert all(Decimal(size) > 0 for side in ("b", "a") for _, size in book[side])
