"""Connections of strangers: those beyond an address's limit and those without calls are closed, the others stay."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from opensqt.connector import connections, health_service
from opensqt.wire import options
from tests.service.connector_rig import place, rig
from tests.support import eventually, start

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def strangers(address: str, count: int) -> AsyncIterator[list[Connection]]:
    """Connections that send nothing."""
    host, port = address.rsplit(":", 1)
    made = [await asyncio.open_connection(host, int(port)) for _ in range(count)]
    yield made
    for _, writer in made:
        writer.close()


async def is_closed(connection: Connection) -> bool:
    """Whether the connector has ended it. Its own settings frame may be read before that."""
    reader, _ = connection
    try:
        async with asyncio.timeout(0.01):
            while await reader.read(65_536):
                pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


async def closed(made: list[Connection]) -> int:
    return sum([await is_closed(one) for one in made])


async def test_an_address_has_no_more_than_its_connections_and_those_from_before_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F26: connections that say nothing took descriptors without a bound."""
    monkeypatch.setattr(connections, "LOOK_EVERY_S", 0.05)
    async with rig(max_connections=20) as running:
        await running.exchange.PlaceOrder(place("a"))
        async with strangers(running.connector.address, 50) as made:
            # The client's own connection counts, and was there first.
            await eventually(lambda: _are_closed(made, 31), what="those beyond the limit are closed")
            await running.exchange.PlaceOrder(place("b"))
            assert await closed(made) == 31


async def _are_closed(made: list[Connection], count: int) -> bool:
    return await closed(made) >= count


async def test_a_connection_without_calls_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    short = [
        (name, 1_000 if name == "grpc.max_connection_idle_ms" else value) for name, value in options.SERVER_OPTIONS
    ]
    assert dict(options.SERVER_OPTIONS)["grpc.max_connection_idle_ms"] == 600_000
    monkeypatch.setattr(options, "SERVER_OPTIONS", short)
    async with rig() as running:
        await running.exchange.PlaceOrder(place("a"))
        left = running.channel.get_state
        await eventually(lambda: left() is grpc.ChannelConnectivity.IDLE, what="the client's connection was ended")
        await running.exchange.PlaceOrder(place("b"))  # it connects again by itself


async def test_watchers_of_one_address_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """F26: what strangers may ask for is bounded by their address."""
    monkeypatch.setattr(health_service, "MAX_WATCHERS_OF_AN_ADDRESS", 3)
    async with rig() as running:
        watch = health_pb2_grpc.HealthStub(running.channel).Watch
        calls = [watch(health_pb2.HealthCheckRequest()) for _ in range(3)]
        for call in calls:
            await call.read()
        refused = watch(health_pb2.HealthCheckRequest())
        assert await refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "3 health watchers of this address" in (await refused.details() or "")
        calls[0].cancel()
        service = running.connector.health.service
        await eventually(lambda: service.watching == 2)
        again = watch(health_pb2.HealthCheckRequest())
        await again.read()
        for call in (*calls, again):
            call.cancel()


async def test_the_limit_of_descriptors_is_raised_at_the_start() -> None:
    limited = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, hard = limited
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        running = start("opensqt.connector", "--simulated", "--port", "0", "--metrics-port", "0")
        async with running as process:
            await process.ready()
            soft, _ = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limited)
    assert soft > 256
    assert soft == min(hard if hard != resource.RLIM_INFINITY else 65_536, 65_536)
