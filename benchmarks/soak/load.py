"""The mixed load of a soak: streams, orders, cancels, clients that come and go, one that is slow, and churn."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import grpc

from benchmarks.gateway import rig, venue
from benchmarks.gateway.rig import Client
from benchmarks.measure import timed
from opensqt.model import client_order_id
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2

_LONG_READERS = 4
_ORDERS_EVERY_S = 0.05
_READS_EVERY_S = 0.05
_COMES_AND_GOES_EVERY_S = 0.5
_CHURN_EVERY_S = 0.01
_SLOW_EVERY_S = 1.0
_ROUND_TRIP_EVERY = 20
"""So many orders rest and are canceled between two that trade."""


class Load:
    """What runs against one connector, and how long it waited for what since it was last asked."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._late_ms: dict[str, list[float]] = defaultdict(list)
        self.done: dict[str, int] = defaultdict(int)
        """How often each thing was done."""

    def taken(self) -> dict[str, list[float]]:
        """Return the latencies in ms since the last time, by what was waited for."""
        taken, self._late_ms = self._late_ms, defaultdict(list)
        return taken

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Keep everything going; what fails ends the task that is handed out."""
        task = asyncio.create_task(self._run(), name="load")
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(_LONG_READERS):
                group.create_task(self._with_client(self._read_streams))
            for work in (self._trade, self._ask, self._churn, self._read_slowly):
                group.create_task(self._with_client(work))
            group.create_task(self._come_and_go())

    async def _with_client(self, work: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
        async with rig.client(self._address) as client:
            await work(client)

    async def _read_streams(self, client: Client) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(client.stub.SubscribeOrders(pb.SubscribeOrdersRequest())))
            group.create_task(self._read(client.stub.SubscribeAccount(pb.SubscribeAccountRequest())))
            group.create_task(self._read(client.stub.SubscribePositions(pb.SubscribePositionsRequest())))
            group.create_task(self._read(_prices(client), late="update"))

    async def _read(self, call: Any, late: str = "") -> None:
        await call.read()
        while (message := await call.read()) is not grpc.aio.EOF:
            if late and message.updates:
                self._late_ms[late].append((time.time_ns() - message.updates[-1].received_ns) / 1e6)
            self.done["updates"] += len(message.updates)
        raise RuntimeError("a stream ended")

    async def _trade(self, client: Client) -> None:
        orders = rig.new_orders(price=await venue.deep_price(client))
        while True:
            for _ in range(_ROUND_TRIP_EVERY):
                order = next(orders)
                await self._timed("order", client.stub.PlaceOrder, order)
                await client.stub.CancelOrder(pb.CancelOrderRequest(order=rig.ref(order.order)))
                self.done["orders"] += 1
                await asyncio.sleep(_ORDERS_EVERY_S)
            for side in (types_pb2.SIDE_BUY, types_pb2.SIDE_SELL):
                await client.stub.PlaceOrder(pb.PlaceOrderRequest(order=_taking(side)))
                self.done["trades"] += 1

    async def _ask(self, client: Client) -> None:
        price = pb.GetLatestPriceRequest(symbol=rig.SYMBOL)
        while True:
            await self._timed("read", client.stub.GetLatestPrice, price)
            await client.stub.GetOpenOrders(pb.GetOpenOrdersRequest())
            self.done["reads"] += 2
            await asyncio.sleep(_READS_EVERY_S)

    async def _timed(self, what: str, method: Any, request: Any) -> None:
        late_ms = await timed(lambda: method(request))
        self._late_ms[what].append(late_ms)

    async def _churn(self, client: Client) -> None:
        while True:
            call = _prices(client)
            await call.read()
            call.cancel()
            self.done["subscriptions"] += 1
            await asyncio.sleep(_CHURN_EVERY_S)

    async def _read_slowly(self, client: Client) -> None:
        call = _prices(client)
        while await call.read() is not grpc.aio.EOF:  # noqa: ASYNC110 - slow on purpose
            await asyncio.sleep(_SLOW_EVERY_S)
        raise RuntimeError("the slow reader's stream ended")

    async def _come_and_go(self) -> None:
        while True:
            async with rig.client(self._address) as client:
                orders = client.stub.SubscribeOrders(pb.SubscribeOrdersRequest())
                await asyncio.gather(_prices(client).read(), orders.read())
            self.done["connections"] += 1
            await asyncio.sleep(_COMES_AND_GOES_EVERY_S)


def _prices(client: Client) -> Any:
    return client.stub.SubscribePrice(pb.SubscribePriceRequest(symbol=rig.SYMBOL))


def _taking(side: types_pb2.Side) -> types_pb2.OrderRequest:
    return types_pb2.OrderRequest(
        symbol=rig.SYMBOL,
        side=side,
        order_type=types_pb2.ORDER_TYPE_MARKET,
        quantity=str(Decimal("0.002")),
        client_order_id=client_order_id.new("soak"),
    )
