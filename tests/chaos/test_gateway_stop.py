"""Stopping under load: soon, with every call in flight answered, and without touching anybody else's orders."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc

from opensqt.model.order import Side
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from opensqt.simulator.faults import Fault
from tests.service.connector_rig import client, place
from tests.service.grid_rig import chain
from tests.support import eventually, required

STREAMS, CALLS = 20, 8
OUT_WITHIN_S = 10
Code = grpc.StatusCode


async def readers(stack: AsyncExitStack, address: str) -> list[Any]:
    """Open streams, on five connections, that each have said something."""
    opened = []
    for _ in range(5):
        stub = ExchangeServiceStub(await stack.enter_async_context(client(address)))
        opened += [
            stub.SubscribePrice(pb.SubscribePriceRequest(symbol="BTCUSDT")),
            stub.SubscribeOrders(pb.SubscribeOrdersRequest()),
            stub.SubscribeKlines(pb.SubscribeKlinesRequest(symbol="BTCUSDT", interval="1m")),
            stub.SubscribePositions(pb.SubscribePositionsRequest()),
        ]
    for stream in opened:
        await stream.read()
    return opened


async def drained(stream: Any) -> grpc.StatusCode:
    """Read a stream to its end and answer how it ended."""
    try:
        while await stream.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code()
    return Code.OK


async def test_a_market_maker_takes_its_own_orders_away_and_leaves_the_foreign_one(tmp_path: Path) -> None:
    """F30: a stop ends soon and takes away own orders only."""
    async with chain(tmp_path) as made:
        foreign = made.place(Side.BUY, price=Decimal(20_000))
        async with made.maker() as maker:
            await maker.ready()
            await eventually(lambda: len(made.open_orders) > 5, what="the grid's orders")
            maker.send(signal.SIGTERM)
            assert await maker.wait(required(OUT_WITHIN_S)) == 0, maker.output
        assert [order["order_id"] for order in made.open_orders] == [foreign]


async def test_a_connector_with_20_streams_and_calls_in_flight_is_out_in_time(tmp_path: Path) -> None:
    """F30: the calls get their answers, the streams UNAVAILABLE, and every order stays as it is."""
    async with chain(tmp_path) as made, AsyncExitStack() as stack:
        made.place(Side.BUY, price=Decimal(20_000))
        streams = await readers(stack, made.connector.address)
        assert len(streams) == STREAMS
        stub = ExchangeServiceStub(await stack.enter_async_context(client(made.connector.address)))
        made.sim.faults.add(Fault(kind="delay", on="place_order", times=0, delay_ms=1_000, before=False))
        placing = [stub.PlaceOrder(place(f"flight{n}", price="30000", quantity="0.003")) for n in range(CALLS)]
        await eventually(lambda: len(made.open_orders) == 1 + CALLS, what="orders at the venue, not answered yet")
        made.connector.send(signal.SIGTERM)
        codes = await asyncio.gather(*(call.code() for call in placing))
        assert await made.connector.wait(required(OUT_WITHIN_S)) == 0, made.connector.output
        assert set(codes) == {Code.OK}
        assert set(await asyncio.gather(*map(drained, streams))) == {Code.UNAVAILABLE}
        held = {order["client_order_id"] for order in made.open_orders}
        assert held == {"byhand0", *(f"flight{n}" for n in range(CALLS))}
