"""Row `memory`: what a connector holds with one venue, and what grows over many updates and many subscriptions."""

from __future__ import annotations

import asyncio

from benchmarks.gateway import rig, venue
from benchmarks.gateway.rig import Client, Options
from benchmarks.gateway.streams import readers
from benchmarks.measure import Result
from benchmarks.process import Server, resident_mb
from opensqt.proto import exchange_service_pb2 as pb

_AT_ONCE = 20


async def memory(options: Options) -> list[Result]:
    """Measure all three."""
    return [await _with_a_venue(options), await _updates(options), await _subscriptions(options)]


async def _with_a_venue(options: Options) -> Result:
    async with venue.gateway(options) as gateway, rig.client(gateway.connector.address) as ours:
        streams = [ours.stub.SubscribePrice(pb.SubscribePriceRequest(symbol=rig.SYMBOL))]
        streams.append(ours.stub.SubscribeOrders(pb.SubscribeOrdersRequest()))
        for stream in streams:
            await stream.read()
        orders = rig.new_orders(price=await venue.deep_price(ours))
        for _ in range(options.size(200, 50)):
            placed = await ours.stub.PlaceOrder(next(orders))
            await ours.stub.CancelOrder(pb.CancelOrderRequest(order=rig.ref(placed.order)))
        held = resident_mb(gateway.connector.pid)
        for stream in streams:
            stream.cancel()
    return Result("memory", "resident, one venue, after orders and streams", held, 200, unit=" MB")


async def _updates(options: Options) -> Result:
    warm_up, updates = options.size(500_000, 50_000), options.size(10_000_000, 500_000)
    async with (
        rig.connector(options, "updates") as server,
        readers(server.address, 1) as one,
        one.subscribed(clock=False),
    ):
        await server.ask(what="flood", updates=warm_up)
        held = await settled_mb(server)
        await server.ask(what="flood", updates=updates)
        grown = await settled_mb(server) - held
    return Result("memory", f"growth in {updates:,} updates", grown, 10, unit=" MB", detail=f"from {held:.0f} MB")


async def _subscriptions(options: Options) -> Result:
    warm_up, rounds = options.size(5_000, 500), options.size(100_000, 3_000)
    async with rig.connector(options, "subscriptions") as server, rig.client(server.address) as ours:
        await churn(ours, warm_up)
        held = await settled_mb(server)
        await churn(ours, rounds)
        grown = await settled_mb(server) - held
    what = f"growth in {rounds:,} rounds of subscribe and cancel"
    return Result("memory", what, grown, 10, unit=" MB", detail=f"from {held:.0f} MB")


async def churn(client: Client, rounds: int) -> None:
    """Subscribe, read the first response, cancel; a few at a time, until it was done so often."""
    left = iter(range(rounds))

    async def subscriber() -> None:
        for _ in left:
            call = client.stub.SubscribePrice(pb.SubscribePriceRequest(symbol=rig.SYMBOL))
            await call.read()
            call.cancel()

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(subscriber())


async def settled_mb(server: Server) -> float:
    """Return what the server holds once nobody listens and its garbage was collected."""
    await server.ask(what="collect")
    return resident_mb(server.pid)
