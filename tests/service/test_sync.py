"""The blocking exchange, from a thread that has no loop and from one whose loop is running."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

import opensqt
from opensqt import OrderRef, OrderRequest, OrderStatus, Side, errors
from opensqt.proto import gateway_service_pb2 as gateway_pb
from tests.service.connector_rig import Rig, rig
from tests.service.scripted_connector import ScriptedConnector
from tests.support import eventually
from tests.support.blocking import in_thread, in_thread_for, next_of
from tests.support.grpc_server import serving
from tests.support.process import run_program

BTC = "BTCUSDT"


@pytest.fixture
async def made() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


async def blocking(made: Rig, script: Callable[[opensqt.SyncExchange], Any]) -> Any:
    """Run *script* in a thread without a loop, as a user's program runs, and answer what it answers."""

    def work() -> Any:
        with opensqt.connect_sync(made.connector.address) as exchange:
            return script(exchange)

    return await in_thread(work)


def request(price: str = "90") -> OrderRequest:
    return OrderRequest(
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal("0.1"),
        price=Decimal(price),
        client_order_id=opensqt.new_client_order_id(),
    )


async def test_an_order_is_placed_found_and_cancelled(made: Rig) -> None:
    def script(exchange: opensqt.SyncExchange) -> list[OrderStatus]:
        order = exchange.place_order(request())
        ref = OrderRef(symbol=BTC, client_order_id=order.client_order_id)
        found = exchange.get_order(ref)
        return [order.status, found.status, exchange.cancel_order(ref).status]

    assert await blocking(made, script) == [OrderStatus.OPEN, OrderStatus.OPEN, OrderStatus.CANCELED]


async def test_an_error_is_the_same_class_with_the_same_facts(made: Rig) -> None:
    with pytest.raises(errors.UnknownSymbol) as caught:
        await blocking(made, lambda exchange: exchange.get_latest_price("NOSUCH"))
    assert caught.value.symbol == "NOSUCH"


async def test_a_stream_is_a_plain_iterator(made: Rig) -> None:
    def script(exchange: opensqt.SyncExchange) -> list[Decimal]:
        bids: list[Decimal] = []
        with exchange.subscribe_price(BTC, timeout_s=10) as prices:
            for batch in prices:
                bids += [price.bid for price in batch.updates]
                if bids[-1] != 100:
                    return bids
                made.venue.tick(1)
        return bids

    assert await blocking(made, script) == [Decimal(100), Decimal("200.1")]


async def test_a_stream_that_is_silent_times_out_and_goes_on(made: Rig) -> None:
    def script(exchange: opensqt.SyncExchange) -> Decimal:
        prices = exchange.subscribe_price(BTC, timeout_s=0.05)
        next_of(prices)
        with pytest.raises(TimeoutError, match=r"within 0\.05 s; the stream goes on"):
            next(prices)
        made.venue.tick(2)
        return next_of(prices).updates[-1].bid

    assert await blocking(made, script) == Decimal("200.2")


async def test_a_closed_stream_ends_its_iteration(made: Rig) -> None:
    def script(exchange: opensqt.SyncExchange) -> list[Any]:
        prices = exchange.subscribe_price(BTC)
        next(prices)
        prices.close()
        prices.close()
        return list(prices)

    assert await blocking(made, script) == []


async def test_a_loop_that_is_left_does_not_stay_subscribed(made: Rig) -> None:
    """F26: memory does not grow with subscriptions that end."""

    def script(exchange: opensqt.SyncExchange) -> int:
        for _ in exchange.subscribe_price(BTC):
            break
        deadline = time.monotonic() + 10
        while made.venue.venue.price_feeds[BTC].readers and time.monotonic() < deadline:
            exchange.get_rate_budget()
        return made.venue.venue.price_feeds[BTC].readers

    assert await blocking(made, script) == 0


async def test_it_works_inside_a_running_loop_as_in_a_notebook() -> None:
    """The connector is in a loop of its own here, for this test's loop is blocked, as a notebook's is."""
    address: list[str] = []
    stop = threading.Event()

    async def serve() -> None:
        async with rig() as made:
            address.append(made.connector.address)
            await in_thread_for(50, stop.wait)

    server = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    server.start()
    try:
        await eventually(lambda: address)
        with opensqt.connect_sync(address[0]) as exchange:
            assert exchange.get_latest_price(BTC).ask == Decimal("100.1")
    finally:
        stop.set()
        await in_thread(server.join)


async def test_several_threads_may_share_one(made: Rig) -> None:
    def script(exchange: opensqt.SyncExchange) -> set[Decimal]:
        bids: list[Decimal] = []
        threads = [threading.Thread(target=lambda: bids.append(exchange.get_latest_price(BTC).bid)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(bids) == 8
        return set(bids)

    assert await blocking(made, script) == {Decimal(100)}


async def test_a_call_after_the_end_says_what_is_missing(made: Rig) -> None:
    exchange = await blocking(made, lambda exchange: exchange)
    with pytest.raises(errors.Unreachable, match="start was not called or close was"):
        exchange.get_account()


async def test_a_connector_that_is_not_there_leaves_no_thread_behind() -> None:
    def script() -> None:
        with pytest.raises(errors.ConnectorUnavailable):
            opensqt.connect_sync("127.0.0.1:1", attempts=1)

    await in_thread(script)
    assert not [thread for thread in threading.enumerate() if thread.name == "opensqt"]


async def test_a_lease_is_kept_while_the_block_runs_and_then_given_up() -> None:
    connector = ScriptedConnector()
    connector.script("Heartbeat", gateway_pb.HeartbeatResponse(client="grid", expires_ms=1))
    async with serving(connector.register) as port:

        def script() -> None:
            with opensqt.connect_sync(f"127.0.0.1:{port}") as exchange, exchange.lease(ttl_s=1) as lease:
                deadline = time.monotonic() + 10
                while len(connector.received["Heartbeat"]) < 3 and time.monotonic() < deadline:
                    assert lease.held

        await in_thread(script)
    told = [request.ttl_ms for request in connector.received["Heartbeat"]]
    assert (set(told[:-1]), told[-1]) == ({1000}, 0)


async def test_after_a_lapse_nothing_is_placed_until_the_block_is_left() -> None:
    connector = ScriptedConnector()
    held, lapsed = (gateway_pb.HeartbeatResponse(client="grid", expires_ms=1, lapsed=one) for one in (False, True))
    connector.script("Heartbeat", held, lapsed, held)
    async with serving(connector.register) as port:

        def script() -> None:
            with opensqt.connect_sync(f"127.0.0.1:{port}") as exchange, exchange.lease(ttl_s=1) as lease:
                deadline = time.monotonic() + 10
                while lease.held and time.monotonic() < deadline:
                    exchange.get_status()
                with pytest.raises(errors.LeaseExpired):
                    exchange.place_order(request())

        with pytest.raises(errors.LeaseExpired, match="the lease of grid had ended"):
            await in_thread(script)
    assert not connector.received["PlaceOrder"]


async def test_ctrl_c_ends_a_wait_and_the_exchange_still_works(made: Rig) -> None:
    script = f"""
import opensqt, os, signal, threading
exchange = opensqt.connect_sync("{made.connector.address}")
prices = exchange.subscribe_price("BTCUSDT")
next(prices)
try:
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    next(prices)
except KeyboardInterrupt:
    print(exchange.get_latest_price("BTCUSDT").bid)
"""
    assert await run_program("-c", script) == (0, "100\n")


async def test_a_program_that_closes_nothing_ends_all_the_same(made: Rig) -> None:
    """F30: a stop ends soon and takes away own orders only."""
    script = f"""
import opensqt
exchange = opensqt.connect_sync("{made.connector.address}")
prices = exchange.subscribe_price("BTCUSDT")
next(prices)
print("done")
"""
    assert await run_program("-c", script) == (0, "done\n")
