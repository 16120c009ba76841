"""What the rows of the gateway's benchmarks have in common: servers, plain clients, and the orders they send."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import orjson

from benchmarks.gateway.serve import ASK, BID, SYMBOL
from benchmarks.process import Server, running
from opensqt.model import client_order_id
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from opensqt.wire import options

READERS = 10


@dataclass(frozen=True)
class Options:
    """How large the runs are."""

    folder: Path
    """For journals and logs, on the disk that is measured."""
    quick: bool = False

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True)
class Client:
    """One plain gRPC client with a connection of its own."""

    channel: grpc.aio.Channel
    stub: Any


@asynccontextmanager
async def client(address: str) -> AsyncIterator[Client]:
    own = [*options.CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=own) as channel:
        await channel.channel_ready()
        yield Client(channel, ExchangeServiceStub(channel))  # type: ignore[no-untyped-call]


@asynccontextmanager
async def floor(options: Options, **answers: bytes) -> AsyncIterator[Server]:
    """Run the bare server; it answers each method with these bytes."""
    text = orjson.dumps({name: base64.b64encode(data).decode() for name, data in answers.items()}).decode()
    async with running("benchmarks.gateway.floor", text, log=options.folder / "floor.log") as server:
        yield server


@asynccontextmanager
async def connector(options: Options, name: str = "connector") -> AsyncIterator[Server]:
    """Run a connector over an exchange in memory, its journal on the disk."""
    journal = str(options.folder / f"{name}.db")
    async with running("benchmarks.gateway.serve", journal, log=options.folder / f"{name}.log") as server:
        yield server


def new_orders(price: str = "49000.0") -> Iterator[pb.PlaceOrderRequest]:
    """Make orders that rest: each has an id of its own."""
    while True:
        order = types_pb2.OrderRequest(
            symbol=SYMBOL,
            side=types_pb2.SIDE_BUY,
            order_type=types_pb2.ORDER_TYPE_LIMIT,
            time_in_force=types_pb2.TIME_IN_FORCE_POST_ONLY,
            quantity="0.002",
            price=price,
            client_order_id=client_order_id.new("bench"),
        )
        yield pb.PlaceOrderRequest(order=order)


def ref(order: types_pb2.Order | types_pb2.OrderRequest) -> types_pb2.OrderRef:
    return types_pb2.OrderRef(symbol=order.symbol, client_order_id=order.client_order_id)


def price() -> types_pb2.Price:
    """A price of the size that the connector sends."""
    return types_pb2.Price(
        symbol=SYMBOL,
        bid=str(BID),
        ask=str(ASK),
        bid_quantity=str(BID),
        ask_quantity=str(ASK),
        event_time_ms=1_700_000_000_000,
        received_ns=1_700_000_000_000_000_000,
    )
