"""However many clients listen, the venue sees one: counted by the simulator, on every venue, through the connector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from pydantic import SecretStr

from opensqt.config.venue import VenueSettings
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.venues.factory import create_exchange
from tests.service.connector_rig import Rig, client, rig
from tests.support import eventually

CLIENTS = 10
KEYS = {
    "api_key": SecretStr("sim-key"),
    "secret": SecretStr("sim-secret"),
    "passphrase": SecretStr("sim-pass"),
}
TOPICS: dict[str, Any] = {
    "SubscribePrice": pb.SubscribePriceRequest(symbol="BTCUSDT"),
    "SubscribeKlines": pb.SubscribeKlinesRequest(symbol="BTCUSDT", interval="1m"),
    "SubscribeOrders": pb.SubscribeOrdersRequest(),
    "SubscribeAccount": pb.SubscribeAccountRequest(),
    "SubscribePositions": pb.SubscribePositionsRequest(symbol="BTCUSDT"),
}


@asynccontextmanager
async def over(venue: str, *, linger_s: float = 0) -> AsyncIterator[tuple[Simulator, Rig]]:
    """A connector in this process over an adapter over a simulator."""
    async with Simulator(SimulatorSettings(exchange=venue, port=0, past_minutes=20)) as simulator:
        settings = VenueSettings(name=venue, base_url=simulator.url, symbols=("BTCUSDT",), linger_s=linger_s, **KEYS)
        async with rig(create_exchange(settings)) as running:  # type: ignore[arg-type]
            yield simulator, running


async def join(stack: AsyncExitStack, address: str) -> None:
    """Have one more client listen to every topic, on a connection of its own."""
    stub = ExchangeServiceStub(await stack.enter_async_context(client(address)))
    for name, request in TOPICS.items():
        assert (await getattr(stub, name)(request).read()).snapshot


def links(simulator: Simulator) -> dict[str, dict[str, int]]:
    """The venue's count of WebSocket connections: those that are open, and those that ever were."""
    told = simulator.ledger()["statistics"]
    return {"open": dict(told["connections_open"]), "opened": dict(told["connections_opened"])}


async def test_ten_clients_of_every_topic_are_one_at_the_venue_and_the_last_one_closes_it(venue: str) -> None:
    async with over(venue) as (simulator, running):
        alone = links(simulator)
        async with AsyncExitStack() as stack:
            await join(stack, running.connector.address)
            first = links(simulator)
            assert first["open"]["market"] > alone["open"]["market"]
            for _ in range(CLIENTS - 1):
                await join(stack, running.connector.address)
            assert links(simulator) == first
            readers = running.connector.streams.counts.values()
            assert (len(readers), set(readers)) == (len(TOPICS), {CLIENTS})
        await eventually(lambda: not running.connector.streams.counts, what="upstreams closed")
        await eventually(lambda: links(simulator)["open"] == alone["open"], what="market connections closed")


async def test_a_client_that_comes_back_within_the_grace_period_opens_nothing_new() -> None:
    async with over("binance", linger_s=30) as (simulator, running):
        async with AsyncExitStack() as stack:
            await join(stack, running.connector.address)
            first = links(simulator)
        await eventually(lambda: not running.connector.streams.counts, what="nobody listens")
        async with AsyncExitStack() as stack:
            await join(stack, running.connector.address)
            assert links(simulator) == first
