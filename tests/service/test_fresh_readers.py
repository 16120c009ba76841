"""A reader is fresh: however long it was away, at most one old batch is on its way."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest

import opensqt
from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.errors import InvalidRequest, StaleData
from opensqt.model.market import Price
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from tests.service.connector_rig import Rig, client, place, reason_of, rig
from tests.service.test_connector_metrics import told
from tests.support import eventually
from tests.support.blocking import in_thread, next_of

PRICE = gateway_pb.ReadStreamRequest(price=pb.SubscribePriceRequest(symbol="BTCUSDT"))
READER = Path(__file__).with_name("stopped_reader.py")


def acknowledged(received: int, read: int) -> gateway_pb.ReadStreamRequest:
    return gateway_pb.ReadStreamRequest(acknowledgement=gateway_pb.Acknowledgement(received=received, read=read))


def sequence(running: Rig) -> int:
    return running.venue.venue.price_feeds["BTCUSDT"].sequence


async def tick(running: Rig, count: int) -> None:
    for number in range(count):
        running.venue.tick(sequence(running) + number)
        await asyncio.sleep(0)


async def subscribed(running: Rig, request: gateway_pb.ReadStreamRequest = PRICE) -> Any:
    call = running.gateway.ReadStream()
    await call.write(request)
    return call


def has_stopped(pid: int) -> bool:
    """Whether each thread of a child of ours has stopped; it is said once for each stop."""
    return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG) is not None


async def drained(call: Any) -> None:
    async for _ in call:
        continue


async def test_one_response_is_sent_until_it_is_acknowledged_and_then_the_newest() -> None:
    async with rig() as running:
        call = await subscribed(running)
        first = (await call.read()).price
        await tick(running, 600)
        await call.write(acknowledged(1, 1))
        newest = (await call.read()).price
        assert first.snapshot
        assert [newest.position.sequence, len(newest.updates)] == [sequence(running), 1]


async def test_each_response_says_when_it_was_sent() -> None:
    async with rig() as running:
        before = time.time_ns()
        response = await (await subscribed(running)).read()
        assert before <= response.sent_ns <= time.time_ns()


@pytest.mark.parametrize(
    "requests",
    [
        [acknowledged(0, 0)],
        [gateway_pb.ReadStreamRequest()],
        [PRICE, PRICE],
        [PRICE, gateway_pb.ReadStreamRequest()],
        [PRICE, acknowledged(2, 0)],
    ],
    ids=["an acknowledgement first", "nothing", "a second subscription", "nothing later", "more than was sent"],
)
async def test_a_call_that_breaks_the_rules_is_refused(requests: list[gateway_pb.ReadStreamRequest]) -> None:
    async with rig() as running:
        call = running.gateway.ReadStream()
        for request in requests:
            await call.write(request)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await drained(call)
        assert reason_of(refused.value) == InvalidRequest.reason
        assert "expected" in (refused.value.details() or "")


async def test_a_reader_that_reads_nothing_shows_as_backlog_and_is_over_when_it_goes() -> None:
    """F28: a slow reader harms no other and its memory is bounded."""
    async with rig(metrics_port=0) as running:
        call = await subscribed(running)
        await call.read()
        await call.write(acknowledged(1, 0))
        await tick(running, 5000)
        assert (await told(running, "connector_stream_backlog", kind="price") or 0) > 4096
        call.cancel()
        await eventually(lambda: not running.connector.streams.counts)


async def unread_s(running: Rig) -> float:
    return await told(running, "connector_stream_unread_seconds", kind="price") or 0


async def test_a_reader_that_has_not_read_what_it_was_sent_shows_by_the_age_of_that() -> None:
    """Three prices are far from any count that would be a backlog."""
    async with rig(metrics_port=0) as running:
        call = await subscribed(running)
        await call.read()
        await tick(running, 3)

        async def grows() -> bool:
            return await unread_s(running) > 0.5

        async def is_over() -> bool:
            return await unread_s(running) == 0

        await eventually(grows, what="an age")
        await call.write(acknowledged(1, 1))
        await call.read()
        await call.write(acknowledged(2, 2))
        await eventually(is_over, what="the end of it")


async def test_a_plain_reader_shows_by_age_once_its_window_is_full() -> None:
    async with rig(metrics_port=0) as running, client(running.connector.address, narrow=True) as slow:
        call = ExchangeServiceStub(slow).SubscribePrice(PRICE.price)
        await call.read()

        async def grows() -> bool:
            await tick(running, 200)
            return await unread_s(running) > 0.5

        await eventually(grows, what="an age")


async def test_a_plain_response_says_when_it_was_sent() -> None:
    async with rig() as running:
        before = time.time_ns()
        response = await running.exchange.SubscribePrice(PRICE.price).read()
        assert before <= response.sent_ns <= time.time_ns()


@pytest.mark.parametrize("kind", ["price", "orders"])
async def test_what_waits_on_the_way_to_a_client_that_reads_nothing_is_under_256_kb(kind: str) -> None:
    """F28: a slow reader harms no other and its memory is bounded."""
    wanted = PRICE if kind == "price" else gateway_pb.ReadStreamRequest(orders=pb.SubscribeOrdersRequest())
    async with rig(metrics_port=0) as running:
        call = await subscribed(running, wanted)

        async def is_behind() -> bool:
            await tick(running, 500)
            first = time.time_ns()
            orders = [place(f"b{first}x{number}").order for number in range(100 if kind == "orders" else 0)]
            if orders:
                await running.exchange.BatchPlaceOrders(pb.BatchPlaceOrdersRequest(orders=orders))
            return (await told(running, "connector_stream_backlog", kind=kind) or 0) > 1000

        await eventually(is_behind, what="a backlog")
        waited, responses, until = 0, 0, time.time_ns()
        while (response := await call.read()).sent_ns < until:
            waited += response.ByteSize()
            responses += 1
            await call.write(acknowledged(responses, responses))
        assert 0 < waited < 256 * 1024


async def test_orders_go_ahead_by_a_window_and_none_is_lost() -> None:
    """F7: a fill that was told once is told to every reader, however slow."""
    async with rig() as running:
        call = await subscribed(running, gateway_pb.ReadStreamRequest(orders=pb.SubscribeOrdersRequest()))
        await call.read()
        for number in range(600):
            await running.exchange.PlaceOrder(place(f"o{number}"))
        ids: list[str] = []
        received = 1
        while len(set(ids)) < 600:
            ids += [update.order.client_order_id for update in (await call.read()).orders.updates]
            received += 1
            await call.write(acknowledged(received, received))
        assert list(dict.fromkeys(ids)) == [f"o{number}" for number in range(600)]


async def test_a_client_whose_loop_was_blocked_gets_one_old_batch_at_most() -> None:
    async with rig() as running:
        settings = RemoteSettings(base_url=running.connector.address)
        async with RemoteExchange(settings) as exchange, exchange.subscribe_price("BTCUSDT") as prices:
            await anext(prices)
            batches = 0
            # Each round the reader is away while hundreds of prices come.
            for _ in range(20):
                await tick(running, 300)
                at = sequence(running)
                while (await anext(prices)).sequence < at:
                    batches += 1
        assert batches <= 40


@pytest.mark.parametrize("client", ["async", "blocking"])
async def test_a_program_that_was_stopped_reads_one_old_batch_and_then_the_newest(client: str, large: bool) -> None:
    """Stopped as a laptop's lid or a debugger stops it; the prices go on meanwhile."""
    async with rig() as running:
        program = await asyncio.create_subprocess_exec(
            sys.executable, str(READER), client, running.connector.address, stdout=asyncio.subprocess.PIPE
        )
        assert program.stdout is not None
        try:
            await program.stdout.readline()
            program.send_signal(signal.SIGSTOP)
            # Its threads go on until one of them has taken the signal, and on a busy machine that takes a while.
            await eventually(lambda: has_stopped(program.pid), what="the program stops")
            stopped_at = sequence(running)
            for _ in range(960 if large else 200):
                await tick(running, 1)
                await asyncio.sleep(1 / 16 if large else 0.005)
            newest = sequence(running)
            program.send_signal(signal.SIGCONT)
            read = []
            while not read or read[-1] < newest:
                read.append(int(await program.stdout.readline()))
        finally:
            program.kill()
            await program.wait()
    # At most what was on its way when it stopped, and one batch: the answer to an acknowledgement that was on its way.
    assert len([number for number in read if stopped_at < number < newest]) <= 1
    assert len(read) <= 3


async def test_a_batch_says_how_old_its_newest_update_is() -> None:
    """The price was received an hour before anybody asked for it."""
    async with rig() as running:
        old = time.time_ns() - 3600 * 10**9
        running.venue.venue.price_feeds["BTCUSDT"].publish(
            [Price(symbol="BTCUSDT", bid=Decimal(1), ask=Decimal(2), received_ns=old)]
        )
        settings = RemoteSettings(base_url=running.connector.address)
        async with RemoteExchange(settings) as exchange, exchange.subscribe_price("BTCUSDT") as prices:
            assert (await anext(prices)).age_s >= 3600
            running.venue.venue.price_feeds["BTCUSDT"].publish(
                [Price(symbol="BTCUSDT", bid=Decimal(1), ask=Decimal(2), received_ns=time.time_ns())]
            )
            assert (await anext(prices)).age_s < 3600


def publish(running: Rig, *, received_ns: int) -> None:
    running.venue.venue.price_feeds["BTCUSDT"].publish(
        [Price(symbol="BTCUSDT", bid=Decimal(1), ask=Decimal(2), received_ns=received_ns)]
    )


async def test_a_reader_with_a_maximum_age_is_told_of_older_data_and_reads_on() -> None:
    async with rig() as running:
        publish(running, received_ns=time.time_ns() - 7200 * 10**9)
        settings = RemoteSettings(base_url=running.connector.address)
        async with (
            RemoteExchange(settings) as exchange,
            exchange.subscribe_price("BTCUSDT", max_age_s=3600) as prices,
        ):
            with pytest.raises(StaleData, match="price BTCUSDT: the newest update is 7200"):
                await anext(prices)
            publish(running, received_ns=time.time_ns())
            assert (await anext(prices)).age_s < 3600


async def test_a_blocking_reader_with_a_maximum_age_is_told_too() -> None:
    async with rig() as running:
        publish(running, received_ns=time.time_ns() - 7200 * 10**9)

        def read() -> None:
            with (
                opensqt.connect_sync(running.connector.address) as exchange,
                exchange.subscribe_price("BTCUSDT", max_age_s=3600) as prices,
            ):
                next(prices)

        with pytest.raises(StaleData):
            await in_thread(read)


async def test_a_blocking_step_that_timed_out_leaves_nothing_to_grow_old() -> None:
    """What comes between two steps conflates: it is no result of a step that was given up."""
    async with rig(metrics_port=0) as running:

        async def sent(count: int) -> None:
            async def so_many() -> bool:
                return (await told(running, "connector_stream_batch_size_count", kind="price") or 0) >= count

            running.venue.tick(count)
            await eventually(so_many, what=f"{count} responses")

        exchange = await in_thread(opensqt.connect_sync, running.connector.address)
        try:
            prices = exchange.subscribe_price("BTCUSDT", timeout_s=0.05)
            await in_thread(next_of, prices)
            with pytest.raises(TimeoutError):
                await in_thread(next, prices)
            await sent(2)
            between = sequence(running)
            # A third response is sent only after the client has received the second.
            await sent(3)
            assert (await in_thread(next_of, prices)).sequence > between
        finally:
            await in_thread(exchange.close)
