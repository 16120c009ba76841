"""A real connector on a free port over an exchange in memory, and a plain gRPC client of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from opensqt.config.connector import ConnectorServerSettings
from opensqt.connector.orders.manager import Resolve
from opensqt.connector.server import Connector
from opensqt.model.order import Order, OrderRequest
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from opensqt.proto.gateway_service_pb2_grpc import GatewayServiceStub
from opensqt.testing.exchange import InMemoryExchange
from tests.support import eventually


class Venue(InMemoryExchange):
    """An exchange with a price, whose order placing can be held back."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.gate = asyncio.Event()
        self.gate.set()
        self.held = 0
        for symbol in ("BTCUSDT", "ETHUSDT"):
            self.set_price(symbol, Decimal(100), Decimal("100.1"))

    async def place_order(self, request: OrderRequest) -> Order:
        self.held += 1
        await self.gate.wait()
        self.held -= 1
        return await super().place_order(request)

    def tick(self, number: int, symbol: str = "BTCUSDT") -> Decimal:
        """Move the price to one that tells *number*."""
        bid = Decimal(200) + Decimal(number) / 10
        self.set_price(symbol, bid, bid + Decimal("0.1"))
        return bid


@dataclass
class Rig:
    connector: Connector
    venue: Venue
    channel: grpc.aio.Channel
    exchange: ExchangeServiceStub
    gateway: GatewayServiceStub


@asynccontextmanager
async def rig(
    venue: Venue | None = None, *, journal: str = ":memory:", resolve: Resolve | None = None, **settings: Any
) -> AsyncIterator[Rig]:
    """Run a connector over *venue*; anything else is a `ServerSettings` field."""
    venue = venue or Venue()
    given = {"port": 0, "metrics_port": None, "drain_s": 0, "health_interval_s": 0.05, **settings}
    async with (
        Connector(venue, ConnectorServerSettings(**given), journal=journal, resolve=resolve) as connector,
        client(connector.address) as channel,
    ):
        yield Rig(connector, venue, channel, ExchangeServiceStub(channel), GatewayServiceStub(channel))


@asynccontextmanager
async def client(address: str, *, narrow: bool = False) -> AsyncIterator[grpc.aio.Channel]:
    """Open a channel of its own connection; a *narrow* one takes in 64 KB ahead of its reader and no more."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    if narrow:
        options += [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield channel


def order(client_order_id: str, **fields: Any) -> types_pb2.OrderRequest:
    """A resting buy of BTCUSDT, unless told otherwise."""
    given = {
        "symbol": "BTCUSDT",
        "side": types_pb2.SIDE_BUY,
        "order_type": types_pb2.ORDER_TYPE_LIMIT,
        "time_in_force": types_pb2.TIME_IN_FORCE_GTC,
        "quantity": "0.1",
        "price": "99",
        **fields,
    }
    return types_pb2.OrderRequest(client_order_id=client_order_id, **given)


def place(client_order_id: str, **fields: Any) -> pb.PlaceOrderRequest:
    return pb.PlaceOrderRequest(order=order(client_order_id, **fields))


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The stable reason in a failed call's google.rpc.ErrorInfo."""
    packed = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status_pb2.Status.FromString(packed).details)
    assert info.domain == "opensqt"
    return info.reason


async def refused_in_time(call: Callable[[], Awaitable[object]]) -> grpc.aio.AioRpcError:
    """Call until the refusal arrives before the deadline: it gets 0.25 s for its way, which a busy machine may miss."""

    async def refusal() -> grpc.aio.AioRpcError | None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call()
        return None if caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED else caught.value

    told = await eventually(refusal, what="a refusal before the deadline")
    assert told is not None
    return told
