"""The connector's stop: soon, in good order, and touching nobody's orders."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from opensqt.connector.orders.journal import Journal, State
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import types_pb2
from opensqt.wire.requests import decode_order_request
from tests.service.connector_rig import Rig, Venue, client, place, rig
from tests.support import eventually

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def says(address: str, service: str = "") -> int:
    """Health as a newcomer sees it, on a connection of its own."""
    async with client(address) as channel:
        return (await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))).status


async def code_of(call: Any) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def stopping(running: Rig) -> asyncio.Task[None]:
    stop = asyncio.create_task(running.connector.stop())
    await eventually(lambda: not running.connector.health.status.healthy)
    return stop


async def test_a_call_in_flight_is_finished_before_the_connector_stops() -> None:
    """F30: a stop ends soon and takes away own orders only."""
    async with rig() as running:
        running.venue.gate.clear()
        placing = running.exchange.PlaceOrder(place("a"))
        await eventually(lambda: running.venue.held)
        stop = await stopping(running)
        assert not stop.done()
        running.venue.gate.set()
        assert (await placing).order.status == types_pb2.ORDER_STATUS_OPEN
        await stop


async def test_while_it_stops_health_says_not_serving_to_who_comes_now() -> None:
    """F30: a stop ends soon and takes away own orders only."""
    async with rig() as running:
        running.venue.gate.clear()
        placing = running.exchange.PlaceOrder(place("a"))
        await eventually(lambda: running.venue.held)
        stop = await stopping(running)
        assert await says(running.connector.address) == NOT_SERVING
        assert await says(running.connector.address, "liveness") == SERVING
        running.venue.gate.set()
        await asyncio.gather(stop, placing)


async def test_while_it_stops_new_calls_and_streams_are_refused() -> None:
    """F30: a stop ends soon and takes away own orders only."""
    async with rig() as running:
        running.venue.gate.clear()
        placing = running.exchange.PlaceOrder(place("a"))
        await eventually(lambda: running.venue.held)
        stop = await stopping(running)
        stub = running.exchange
        assert await code_of(stub.PlaceOrder(place("b"))) is grpc.StatusCode.UNAVAILABLE
        stream = stub.SubscribePrice(pb.SubscribePriceRequest(symbol="BTCUSDT"))
        assert await code_of(stream.read()) is grpc.StatusCode.UNAVAILABLE
        running.venue.gate.set()
        await asyncio.gather(stop, placing)
    assert [order.client_order_id for order in await running.venue.get_open_orders()] == ["a"]


async def test_twenty_open_streams_end_with_unavailable_and_do_not_hold_the_stop() -> None:
    """F30: a stop ends soon and takes away own orders only."""
    async with rig() as running:
        stub = running.exchange
        streams = [stub.SubscribePrice(pb.SubscribePriceRequest(symbol="BTCUSDT")) for _ in range(10)]
        streams += [stub.SubscribeOrders(pb.SubscribeOrdersRequest()) for _ in range(10)]
        for stream in streams:
            await stream.read()
        await running.connector.stop()
        codes = {await code_of(stream.read()) for stream in streams}
    assert codes == {grpc.StatusCode.UNAVAILABLE}


async def test_stopping_leaves_every_order_at_the_venue() -> None:
    """F30: they are the clients' and other people's; the connector cancels none."""
    async with rig() as running:
        await running.exchange.PlaceOrder(place("ours"))
    assert [order.client_order_id for order in await running.venue.get_open_orders()] == ["ours"]


async def test_no_lease_ends_because_its_heartbeats_are_refused_while_it_stops() -> None:
    """F30: the client lives, and its orders are wanted; the next run gives it its whole time anew."""
    async with rig() as running:
        await running.exchange.PlaceOrder(place("ours"))
        await running.gateway.Heartbeat(gateway_pb.HeartbeatRequest(ttl_ms=1_000))
        running.venue.gate.clear()
        placing = running.exchange.PlaceOrder(place("held"))
        await eventually(lambda: running.venue.held)
        stop = await stopping(running)
        began_s = time.monotonic()
        await eventually(lambda: time.monotonic() > began_s + 2)
        running.venue.gate.set()
        await placing
        await stop
        assert running.connector.leases.ended == 0
    assert {order.client_order_id for order in await running.venue.get_open_orders()} == {"ours", "held"}


async def test_a_stop_leaves_no_task_behind() -> None:
    async with rig() as running:
        before = running.connector.tasks
        stream = running.exchange.SubscribePrice(pb.SubscribePriceRequest(symbol="BTCUSDT"))
        await stream.read()
    assert list(before) == []
    assert running.venue.venue.price_feeds["BTCUSDT"].readers == 0


async def test_an_order_whose_caller_has_gone_is_finished_too(tmp_path: Path) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost.
    F30: a stop ends soon and takes away own orders only.
    """
    path = str(tmp_path / "journal.db")
    async with rig(journal=path) as running:
        running.venue.gate.clear()
        call = running.exchange.PlaceOrder(place("a"))
        await eventually(lambda: running.venue.held)
        call.cancel()
        await eventually(lambda: running.connector.calls.in_flight == 0)
        stop = await stopping(running)
        running.venue.gate.set()
        await stop
    journal = Journal(path)
    await journal.open()
    record = await journal.find("a")
    await journal.close()
    assert record is not None
    assert record.state is State.PLACED


async def test_an_exchange_that_hangs_as_it_closes_does_not_hold_the_stop() -> None:
    """F30: a stop ends soon and takes away own orders only."""

    class HangingVenue(Venue):
        async def close(self) -> None:
            await asyncio.Event().wait()

    async with rig(HangingVenue()) as running:
        async with asyncio.timeout(10):
            await running.connector.stop()


async def test_an_order_cut_off_by_the_stop_is_resolved_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost.
    F30: a stop ends soon and takes away own orders only.
    """
    monkeypatch.setattr("opensqt.connector.server.FINISH_CALLS_S", 0.1)
    journal = str(tmp_path / "journal.db")
    async with rig(journal=journal) as running:
        running.venue.gate.clear()
        call = asyncio.create_task(code_of(running.exchange.PlaceOrder(place("a"))))
        await eventually(lambda: running.venue.held)
        await running.connector.stop()
        assert await call in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    venue = Venue()
    accepted = await venue.place_order(decode_order_request(place("a").order))
    venue.gate.clear()
    async with rig(venue, journal=journal) as running:
        answer = await running.exchange.PlaceOrder(place("a"))
        assert (answer.order.order_id, venue.held) == (accepted.order_id, 0)
