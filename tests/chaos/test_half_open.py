"""Connections that die without a word, and pings that go on for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from pydantic import SecretStr

from opensqt.config.venue import VenueSettings
from opensqt.model.exchange import Exchange
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.venues.factory import create_exchange
from opensqt.wire import options
from opensqt.wire.options import Option
from tests.service.connector_rig import Rig, rig
from tests.support import eventually, required
from tests.support.proxy import Proxy, proxy

SEEN_WITHIN_S = 30
FASTER, PINGS = 10, 6
"""How much faster the clock of both sides goes at test size (gRPC pings once a second at most), and how many pings that
proof waits for; the third one too many is punished."""
QUIET = pb.SubscribeOrdersRequest()


@asynccontextmanager
async def through(
    made: Proxy, options: Iterable[Option] = options.CHANNEL_OPTIONS
) -> AsyncIterator[ExchangeServiceStub]:
    """A client whose connection goes through the proxy, with the options that our own clients have."""
    own = [*options, ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(made.address, options=own) as channel:
        yield ExchangeServiceStub(channel)


async def notice(address: str, *lost: str) -> None:
    """Lose what goes in these directions, and wait until the client knows."""
    async with proxy(address) as network, through(network) as stub:
        stream = stub.SubscribeOrders(QUIET)
        await stream.read()
        network.blackhole(*lost)
        ended = asyncio.create_task(stream.code())
        await eventually(ended.done, within_s=required(SEEN_WITHIN_S), what=f"the client's notice of {lost}")
        assert ended.result() is grpc.StatusCode.UNAVAILABLE
        network.heal()
        again = stub.SubscribeOrders(QUIET, wait_for_ready=True, timeout=required(SEEN_WITHIN_S))
        assert (await again.read()).snapshot


async def test_a_client_and_the_connector_both_notice_a_dead_connection_whichever_way_it_died() -> None:
    """F29: by the pings of options.py, the stream ended with UNAVAILABLE here, its reader released there."""
    ways = (("to_server", "to_client"), ("to_server",), ("to_client",))
    async with rig() as running:
        noticing = [asyncio.create_task(notice(running.connector.address, *lost)) for lost in ways]
        await eventually(lambda: set(running.connector.streams.counts.values()) == {len(ways)}, what="all listen")
        streams = running.connector.streams
        await eventually(lambda: not streams.counts, within_s=required(SEEN_WITHIN_S), what="all released")
        await asyncio.gather(*noticing)


def scaled(options: Iterable[Option], divisor: int) -> list[Option]:
    """The same options in a world where time goes faster."""
    return [(name, max(1, value // divisor) if name.endswith("_ms") else value) for name, value in options]


async def pinged(running: Rig, options: Iterable[Option], *, for_s: float = 0) -> Proxy:
    """Hold a quiet stream, and a connection without a call, for that long and until each has sent enough pings."""
    until = asyncio.get_running_loop().time() + for_s
    async with AsyncExitStack() as stack:
        networks = [await stack.enter_async_context(proxy(running.connector.address)) for _ in range(2)]
        stubs = [await stack.enter_async_context(through(network, options)) for network in networks]
        stream = stubs[0].SubscribeOrders(QUIET)
        await stream.read()
        await stubs[1].GetAccount(pb.GetAccountRequest())
        for network in networks:
            await eventually(
                lambda network=network: (
                    network.to_client.goaways
                    or (network.to_server.pings >= PINGS and asyncio.get_running_loop().time() >= until)
                ),
                within_s=4_000,
                what="pings",
            )
        return networks[0] if networks[0].to_client.goaways else networks[1]


@pytest.mark.timeout(4_000)
async def test_pings_are_never_punished(monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    """F29: an hour of 10 s pings; at test size the clock of both sides goes ten times as fast."""
    faster = 1 if large else FASTER
    monkeypatch.setattr(options, "SERVER_OPTIONS", scaled(options.SERVER_OPTIONS, faster))
    async with rig() as running:
        network = await pinged(running, scaled(options.CHANNEL_OPTIONS, faster), for_s=3_600 if large else 0)
        assert (network.to_client.goaways, network.connections) == ([], 1)


async def test_a_server_that_was_not_told_of_the_pings_does_punish_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """F29: why options.py says it to both; and the proof above would see it."""
    strict = [option for option in options.SERVER_OPTIONS if "min_ping" not in option[0]]
    monkeypatch.setattr(options, "SERVER_OPTIONS", scaled(strict, FASTER))
    async with rig() as running:
        network = await pinged(running, scaled(options.CHANNEL_OPTIONS, FASTER))
        assert "too_many_pings" in network.to_client.goaways[0]


async def test_the_connector_notices_that_the_venue_is_behind_a_dead_network() -> None:
    """F29: health says so in time, and all is well again when the network is."""
    async with (
        Simulator(SimulatorSettings(port=0, past_minutes=20)) as simulator,
        proxy(simulator.url.removeprefix("http://")) as network,
        rig(adapter(f"http://{network.address}")) as running,  # type: ignore[arg-type]
    ):
        health = running.connector.health
        assert health.status.healthy
        network.blackhole()
        await eventually(lambda: not health.status.healthy, within_s=required(SEEN_WITHIN_S), what="the notice")
        network.heal()
        await eventually(lambda: health.status.healthy, within_s=required(SEEN_WITHIN_S), what="recovery")
        assert (await running.exchange.GetAccount(pb.GetAccountRequest())).account.asset == "USDT"


def adapter(url: str) -> Exchange:
    key, secret = SecretStr("sim-key"), SecretStr("sim-secret")
    return create_exchange(VenueSettings(name="binance", api_key=key, secret=secret, base_url=url))
