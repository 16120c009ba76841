"""The attackers, in a process of their own: `python -m tests.chaos.attack.attackers ADDRESS READ_TOKEN`.

It reads the kind of attack from stdin, a line each, and attacks by it until the next; an empty line pauses. It answers
each line with how many attacks of the kind before it has made: calls, streams or connections.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import grpc
from grpc_health.v1 import health_pb2

from opensqt.proto import exchange_service_pb2 as exchange
from opensqt.proto import gateway_service_pb2 as gateway
from opensqt.proto import types_pb2
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from opensqt.proto.gateway_service_pb2_grpc import GatewayServiceStub
from tests.support.deaf_client import deaf_client

_CONNECTIONS = 8
_AT_ONCE = 16
"""Calls that each connection of a flood has in flight."""
_DEAF = 20
_STREAMS_EACH = 20
_IDLE = 300
_OVERSIZE = 6_000_000
"""Bytes of one request: above what a server takes."""
_LARGE = 200_000
"""Bytes of one text: a request that a server takes, and has to refuse by its content."""

Attack = Callable[[str, str], Awaitable[None]]
SERVICE = "opensqt.market_maker.v1.ExchangeService"
made: Counter[str] = Counter()
"""Attacks by their kind: calls that were answered or refused, streams and connections that were opened."""


async def floods(address: str, token: str) -> None:
    """Calls without a token, with a wrong one and with a reader's, as fast as they are answered."""
    known = (("authorization", f"Bearer {token}"),)
    wrong = (("authorization", "Bearer sqt_wrong"),)

    async def caller(channel: grpc.aio.Channel, number: int) -> None:
        stub, status = ExchangeServiceStub(channel), GatewayServiceStub(channel)
        order = exchange.PlaceOrderRequest(order=_order("flood"))
        for turn in itertools.count(number):
            with suppress(grpc.aio.AioRpcError):
                match turn % 4:
                    case 0:
                        await stub.PlaceOrder(order, timeout=20)
                    case 1:
                        await stub.PlaceOrder(order, metadata=wrong, timeout=20)
                    case 2:
                        await stub.PlaceOrder(order, metadata=known, timeout=20)
                    case _:
                        await status.GetStatus(gateway.GetStatusRequest(), metadata=known, timeout=20)
            made["floods"] += 1

    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(_channel(address)) for _ in range(_CONNECTIONS)]
        async with asyncio.TaskGroup() as group:
            for number in range(_AT_ONCE):
                for channel in channels:
                    group.create_task(caller(channel, number))


async def busy_reader(address: str, token: str) -> None:
    """One known client that asks as much as it can, of what costs the connector something."""
    known = (("authorization", f"Bearer {token}"),)

    async def caller(stub: ExchangeServiceStub) -> None:
        while True:
            with suppress(grpc.aio.AioRpcError):
                await stub.GetExchangeInfo(exchange.GetExchangeInfoRequest(), metadata=known, timeout=20)
                await stub.GetLatestPrice(exchange.GetLatestPriceRequest(symbol="BTCUSDT"), metadata=known, timeout=20)
                made["busy reader"] += 2

    async with _channel(address) as channel, asyncio.TaskGroup() as group:
        for _ in range(4 * _AT_ONCE):
            group.create_task(caller(ExchangeServiceStub(channel)))


async def watchers(address: str, token: str) -> None:
    """Watchers of health and subscribers that read nothing, on connections that grant the server no byte."""
    watch = health_pb2.HealthCheckRequest(service=SERVICE).SerializeToString()
    prices = exchange.SubscribePriceRequest(symbol="BTCUSDT").SerializeToString()
    async with AsyncExitStack() as stack:
        for _ in range(_DEAF):
            deaf = await stack.enter_async_context(deaf_client(address))
            for _ in range(_STREAMS_EACH):
                deaf.call("/grpc.health.v1.Health/Watch", watch)
                deaf.call(f"/{SERVICE}/SubscribePrice", prices)
                made["watchers"] += 2
        async with _channel(address) as channel:
            known = (("authorization", f"Bearer {token}"),)
            stub = ExchangeServiceStub(channel)
            unread = [
                stub.SubscribePrice(exchange.SubscribePriceRequest(symbol="BTCUSDT"), metadata=known)
                for _ in range(_STREAMS_EACH)
            ]
            try:
                await asyncio.Event().wait()
            finally:
                for call in unread:
                    call.cancel()


async def idle_connections(address: str, _token: str) -> None:
    """Connections that say nothing, or only half of HTTP/2's first words; those that are closed are made again."""
    host, _, port = address.rpartition(":")

    async def one(number: int) -> None:
        while True:
            writer = None
            try:
                reader, writer = await asyncio.open_connection(host, int(port))
                made["idle connections"] += 1
                if number % 2:
                    writer.write(b"PRI * HTTP/2.0\r\n")
                while await reader.read(65_536):
                    pass
            except OSError:
                await asyncio.sleep(0.1)
            finally:
                if writer is not None:
                    writer.transport.abort()
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        for number in range(_IDLE):
            group.create_task(one(number))


async def huge_requests(address: str, token: str) -> None:
    """Requests above the limit of a message, and below it with texts, numbers and batches that are far too large."""
    known = (("authorization", f"Bearer {token}"),)
    oversize = exchange.PlaceOrderRequest(order=_order("x" * _OVERSIZE))
    large = exchange.PlaceOrderRequest(order=_order("x" * _LARGE))
    digits = exchange.PlaceOrderRequest(order=_order("digits", quantity="9" * _LARGE))
    batch = exchange.BatchPlaceOrdersRequest(orders=[_order(f"b{number}") for number in range(5_000)])

    async def caller(channel: grpc.aio.Channel) -> None:
        stub = ExchangeServiceStub(channel)
        calls = (
            lambda: stub.PlaceOrder(oversize, metadata=known, timeout=20),
            lambda: stub.PlaceOrder(large, metadata=known, timeout=20),
            lambda: stub.PlaceOrder(digits, timeout=20),
            lambda: stub.BatchPlaceOrders(batch, metadata=known, timeout=20),
        )
        for call in itertools.cycle(calls):
            with suppress(grpc.aio.AioRpcError):
                await call()
            made["huge requests"] += 1

    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(_channel(address)) for _ in range(_CONNECTIONS)]
        async with asyncio.TaskGroup() as group:
            for channel in channels:
                group.create_task(caller(channel))


ATTACKS: dict[str, Attack] = {
    "busy reader": busy_reader,
    "floods": floods,
    "watchers": watchers,
    "idle connections": idle_connections,
    "huge requests": huge_requests,
}


def _channel(address: str) -> grpc.aio.Channel:
    # A connection of its own, and no limit of ours on what it sends.
    return grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


def _order(client_order_id: str, quantity: str = "0.003") -> types_pb2.OrderRequest:
    return types_pb2.OrderRequest(
        symbol="BTCUSDT",
        side=types_pb2.SIDE_BUY,
        order_type=types_pb2.ORDER_TYPE_LIMIT,
        time_in_force=types_pb2.TIME_IN_FORCE_GTC,
        quantity=quantity,
        price="10000.0",
        client_order_id=client_order_id,
    )


async def _main(address: str, token: str) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    attack: asyncio.Task[None] | None = None
    kind = ""
    while line := await lines.readline():
        if attack is not None:
            attack.cancel()
            await asyncio.wait({attack})
            attack = None
        count = made.pop(kind, 0)
        if kind := line.decode().strip():
            attack = asyncio.create_task(_attack(kind, address, token))
        print(count, flush=True)


async def _attack(kind: str, address: str, token: str) -> None:
    """Attack; a connector that defends itself may end any connection, and the attack begins anew then."""
    while True:
        try:
            await ATTACKS[kind](address, token)
        except* (grpc.aio.AioRpcError, OSError, grpc.aio.UsageError):
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
