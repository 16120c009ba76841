"""Streams that lose one connection share the way back: one series of attempts, one end."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import grpc
import pytest
import structlog

from opensqt.client.exchange import RemoteExchange
from opensqt.client.stream import RemoteStream
from opensqt.config.remote import RemoteSettings
from opensqt.model.errors import ConnectorUnavailable
from opensqt.model.market import Price
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.wire import codec
from tests.service.scripted_connector import HOLD, ScriptedConnector
from tests.support import eventually
from tests.support.grpc_server import serving

PRICE = pb.SubscribePriceResponse(
    updates=[codec.encode_price(Price(symbol="BTCUSDT", bid=Decimal(1), ask=Decimal(2)))],
    epoch="e1",
    sequence=1,
)


def told(logs: list[Any]) -> list[str]:
    return [str(line["event"]).split(" failed")[0] for line in logs if str(line["event"]).startswith("attempt")]


def listening(*, streams: list[Any] | None = None) -> ScriptedConnector:
    connector = ScriptedConnector()
    connector.script("SubscribePrice", [PRICE, *(streams or [HOLD])])
    return connector


async def five(port: int, retry_scale: float) -> tuple[RemoteExchange, list[RemoteStream[Any]]]:
    """A connected client with five streams, each of which has had its first batch."""
    exchange = RemoteExchange(RemoteSettings(base_url=f"127.0.0.1:{port}", retry_scale=retry_scale, deadline_s=2))
    await exchange.start()
    streams: list[Any] = [exchange.subscribe_price(f"C{number}USDT") for number in range(5)]
    await asyncio.gather(*map(anext, streams))
    return exchange, streams


async def test_five_streams_make_one_series_of_attempts_and_end_together() -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving(listening().register) as port:
            exchange, streams = await five(port, 0.001)
        ends = await asyncio.gather(*map(anext, streams), return_exceptions=True)
        await exchange.close()
    assert [type(end) for end in ends] == [ConnectorUnavailable] * 5
    assert told(logs) == [f"attempt {n} of 10 to reach the connector at 127.0.0.1:{port}" for n in range(1, 11)]


async def test_five_streams_come_back_after_one_series() -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    with structlog.testing.capture_logs() as logs:
        async with serving(listening().register) as port:
            exchange, streams = await five(port, 0.05)
        reading = asyncio.gather(*map(anext, streams))
        await eventually(lambda: len(told(logs)) >= 2)
        again = listening()
        async with serving(again.register, port=port):
            assert [batch.sequence for batch in await reading] == [1] * 5
            await exchange.close()
    assert len(set(told(logs))) == len(told(logs))
    assert {request.cursor.epoch for request in again.received["SubscribePrice"]} == {"e1"}


async def test_a_topic_that_fails_on_a_healthy_connector_counts_for_itself() -> None:
    connector = listening()
    connector.script("SubscribeKlines", [grpc.StatusCode.UNAVAILABLE])
    with structlog.testing.capture_logs() as logs:
        async with serving(connector.register) as port:
            exchange, _ = await five(port, 0.0001)
            with pytest.raises(ConnectorUnavailable, match="klines BTCUSDT 1m could not be subscribed in 10"):
                await anext(exchange.subscribe_klines("BTCUSDT", "1m"))
            await exchange.close()
    assert told(logs)[9] == f"attempt 10 of 10 to subscribe to klines BTCUSDT 1m at 127.0.0.1:{port}"


async def test_closing_one_of_those_that_wait_leaves_the_others_waiting() -> None:
    async with serving(listening().register) as port:
        exchange, streams = await five(port, 0.05)
    reading = [asyncio.create_task(anext(stream, None)) for stream in streams]
    await streams[0].aclose()
    assert await reading[0] is None
    async with serving(listening().register, port=port):
        assert all(batch is not None and batch.sequence == 1 for batch in await asyncio.gather(*reading[1:]))
        await exchange.close()


async def test_closing_the_exchange_ends_all_that_wait() -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving(listening().register) as port:
            exchange, streams = await five(port, 10)
        reading = asyncio.gather(*map(anext, streams), return_exceptions=True)
        await eventually(lambda: told(logs))
        await exchange.close()
    assert all("closed" in str(end) for end in await reading)


async def test_a_stream_that_is_opened_while_the_connector_is_away_joins_the_series() -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving(listening().register) as port:
            exchange, streams = await five(port, 0.05)
        reading = asyncio.gather(*map(anext, streams))
        await eventually(lambda: len(told(logs)) >= 2)
        late = asyncio.create_task(anext(exchange.subscribe_price("BTCUSDT")))
        async with serving(listening().register, port=port):
            await asyncio.gather(reading, late)
            await exchange.close()
    assert len(set(told(logs))) == len(told(logs))
