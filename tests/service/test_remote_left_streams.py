"""A stream that nobody reads any more ends by itself, and what trades never waits behind streams."""

from __future__ import annotations

import asyncio
import gc

import grpc
import pytest

from opensqt.client.channel import ConnectorChannel
from opensqt.client.exchange import RemoteExchange
from opensqt.client.sync.exchange import SyncExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.errors import Unreachable
from opensqt.model.market import Price
from opensqt.model.order import OrderRef
from opensqt.model.stream import Stream
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.wire import options
from tests.service.connector_rig import Rig, rig
from tests.service.scripted_connector import HOLD, SILENCE, ScriptedConnector, connected
from tests.service.test_remote_streams import message
from tests.support import eventually
from tests.support.blocking import in_thread
from tests.support.grpc_server import serving


def remote(running: Rig) -> RemoteExchange:
    return RemoteExchange(RemoteSettings(base_url=running.connector.address, retry_scale=0.01))


def readers(running: Rig) -> int:
    return sum(running.connector.streams.counts.values())


@pytest.mark.timeout(7_200)
async def test_a_loop_that_is_left_by_break_ends_its_stream(large: bool) -> None:
    """More loops than one connection has streams; at each moment the calls go on."""
    async with rig() as running, remote(running) as exchange:
        for number in range(100_000 if large else options.MAX_CONCURRENT_STREAMS + 200):
            async for _ in exchange.subscribe_price("BTCUSDT"):
                break
            if number % 500 == 0:
                assert (await exchange.get_latest_price("BTCUSDT")).symbol == "BTCUSDT"
        await eventually(lambda: (exchange.streams_open, readers(running)) == (0, 0))
        assert await exchange.get_open_orders() == []


async def test_a_function_that_returns_from_its_loop_ends_its_stream() -> None:
    async def first_price(exchange: RemoteExchange) -> Price:
        async for batch in exchange.subscribe_price("BTCUSDT"):
            return batch.updates[-1]
        raise AssertionError("the stream ended")

    async with rig() as running, remote(running) as exchange:
        await first_price(exchange)
        await eventually(lambda: (exchange.streams_open, readers(running)) == (0, 0))


async def test_a_stream_in_a_cycle_ends_when_the_cycle_is_collected() -> None:
    class Holder:
        def __init__(self, stream: Stream[Price]) -> None:
            self.stream = stream
            self.itself = self

    async with rig() as running, remote(running) as exchange:
        holder = Holder(exchange.subscribe_price("BTCUSDT"))
        await anext(holder.stream)
        assert readers(running) == 1
        del holder
        # In another thread, as the collector may run anywhere.
        await in_thread(gc.collect)
        await eventually(lambda: (exchange.streams_open, readers(running)) == (0, 0))


async def test_a_block_ends_its_stream() -> None:
    async with rig() as running, remote(running) as exchange:
        async with exchange.subscribe_price("BTCUSDT") as prices:
            assert (await anext(prices)).snapshot
            assert exchange.streams_open == 1
        assert exchange.streams_open == 0
        with pytest.raises(StopAsyncIteration):
            await anext(prices)
        await eventually(lambda: readers(running) == 0)


async def test_a_blocking_loop_that_is_left_by_break_ends_its_stream() -> None:
    async with rig() as running:
        inner = remote(running)

        def loops() -> int:
            with SyncExchange(inner) as exchange:
                for _ in range(50):
                    for _batch in exchange.subscribe_price("BTCUSDT"):
                        break
                exchange.get_latest_price("BTCUSDT")
                return inner.streams_open

        assert await in_thread(loops) <= 1
        await eventually(lambda: readers(running) == 0)


async def test_a_reader_inside_the_process_ends_too() -> None:
    async with rig() as running:
        async for _ in running.venue.subscribe_price("BTCUSDT"):
            break
        async with running.venue.subscribe_price("BTCUSDT") as prices:
            await anext(prices)
        assert running.venue.venue.price_feeds["BTCUSDT"].readers == 0


async def test_calls_never_wait_behind_streams() -> None:
    """More streams than a connection carries are open, and a cancel is answered all the same."""
    connector = ScriptedConnector()
    connector.script("SubscribePrice", [message(1), HOLD])
    connector.script("CancelOrder", grpc.StatusCode.PERMISSION_DENIED)
    async with connected(connector, server_options=(("grpc.max_concurrent_streams", 4),)) as exchange:
        streams = [exchange.subscribe_price("BTCUSDT") for _ in range(8)]
        reading = [asyncio.create_task(anext(stream, None)) for stream in streams]
        await eventually(lambda: connector.streams_open == 4)
        with pytest.raises(Exception, match="PERMISSION_DENIED"):
            await exchange.cancel_order(OrderRef(symbol="BTCUSDT", client_order_id="one"))
        for stream in streams:
            await stream.aclose()
        await asyncio.gather(*reading)


async def test_a_cancel_that_was_never_sent_is_told_as_such() -> None:
    """Every place for a call is taken by one that is not answered, so the cancel is not sent before its deadline."""
    connector = ScriptedConnector()
    connector.script("GetLatestPrice", SILENCE)
    async with serving(connector.register) as port:
        channel = ConnectorChannel(RemoteSettings(base_url=f"127.0.0.1:{port}", deadline_s=60))
        await channel.open()
        waiting = [
            asyncio.create_task(channel.call(channel.exchange.GetLatestPrice, pb.GetLatestPriceRequest()))
            for _ in range(options.MAX_CALLS_AT_ONCE)
        ]
        await eventually(lambda: len(connector.received["GetLatestPrice"]) == options.MAX_CALLS_AT_ONCE)
        with pytest.raises(Unreachable, match="nothing was sent"):
            await channel.call(channel.exchange.CancelOrder, pb.CancelOrderRequest(), placing=True, deadline_s=0.1)
        await channel.close()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert not connector.received["CancelOrder"]
