"""A simulator, the venue's adapter and a connector over it in one process, so that a test can break any part of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from opensqt.client.exchange import RemoteExchange
from opensqt.config.connector import ConnectorServerSettings
from opensqt.config.remote import RemoteSettings
from opensqt.connector.server import Connector
from opensqt.model.venue import Channel, ExchangeStatus
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto.gateway_service_pb2_grpc import GatewayServiceStub
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.faults import Fault
from opensqt.venues.adapter import VenueAdapter
from opensqt.venues.factory import venue_type
from opensqt.venues.ratelimit.limiter import RateLimiter
from opensqt.wire import gateway_codec
from tests.chaos.adapter_rig import settings
from tests.support import eventually, required
from tests.support.wait import WITHIN_S

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
QUICK: dict[str, Any] = {"stale_after_s": 2.0, "reconcile_interval_s": 0.5, "request_timeout_s": 2.0}
SHIPPED: dict[str, Any] = {"stale_after_s": 10.0, "reconcile_interval_s": 5.0, "request_timeout_s": 10.0}
"""The defaults."""


@dataclass
class Inside:
    simulator: Simulator
    exchange: VenueAdapter
    connector: Connector
    health: health_pb2_grpc.HealthStub
    gateway: GatewayServiceStub

    def fault(self, **fields: Any) -> None:
        self.simulator.faults.add(Fault(**fields))

    @asynccontextmanager
    async def client(self, name: str = "", **more: Any) -> AsyncIterator[RemoteExchange]:
        given = {"base_url": self.connector.address, "name": name, "deadline_s": 20, **more}
        async with RemoteExchange(RemoteSettings(**given)) as exchange:
            yield exchange

    async def says(self, service: str = "") -> int:
        """What grpc.health.v1 says."""
        return int((await self.health.Check(health_pb2.HealthCheckRequest(service=service))).status)

    async def status(self) -> ExchangeStatus:
        return gateway_codec.decode_status(await self.gateway.GetStatus(gateway_pb.GetStatusRequest()))

    async def failed(self) -> dict[str, str]:
        """The failed checks that a client is told, with their reasons."""
        status = await self.status()
        return {check.name: check.reason for check in status.checks if not check.ok}

    async def channel(self, name: str) -> Channel:
        return next(channel for channel in (await self.status()).channels if channel.name == name)

    async def loses_readiness(self, check: str, reason: str = "") -> None:
        """Wait for NOT_SERVING because of *check*, for a reason that holds these words; 15 s is what F31 allows."""
        seen: list[dict[str, str]] = []

        async def told() -> bool:
            seen[:] = [await self.failed()]
            return await self.says() == NOT_SERVING and reason in seen[0].get(check, "\0")

        try:
            await eventually(told, within_s=required(15))
        except AssertionError as error:
            raise AssertionError(f"{check} ({reason}) never told; last: {seen}") from error

    async def recovers(self) -> None:
        """Wait for SERVING, and that it is meant: nothing is told as failed."""

        async def well() -> bool:
            return await self.says() == SERVING and not await self.failed()

        await eventually(well, what="SERVING")

    async def stays(self, status: int, seconds: float) -> None:
        """Look for so long whether health holds."""
        until_s = time.monotonic() + seconds

        async def over() -> bool:
            assert await self.says() == status, await self.failed()
            return time.monotonic() > until_s

        await eventually(over, within_s=seconds + WITHIN_S)


@asynccontextmanager
async def inside(
    venue: str,
    *,
    still: bool = True,
    journal: Path | None = None,
    server: Any = None,
    rate_limiter: RateLimiter | None = None,
    order_wait_s: float = 30.0,
    **more: Any,
) -> AsyncIterator[Inside]:
    """Run all three; *more* is fields of VenueSettings, *server* the simulator's rules."""
    simulated: dict[str, Any] = {"exchange": venue, "port": 0, "past_minutes": 10}
    if server is not None:
        simulated["server"] = server
    async with Simulator(SimulatorSettings(**simulated)) as simulator:
        if still:
            for rules in simulator.engine.symbols():
                simulator.market.pause(rules.symbol)
        reached = settings(simulator, **(QUICK | more))
        exchange = VenueAdapter(venue_type(venue), reached, rate_limiter=rate_limiter)
        listens = ConnectorServerSettings(
            port=0, metrics_port=None, drain_s=0, health_interval_s=0.1, linger_s=0.5, order_wait_s=order_wait_s
        )
        async with (
            Connector(exchange, listens, journal=str(journal or ":memory:")) as connector,
            grpc.aio.insecure_channel(connector.address) as channel,
        ):
            yield Inside(
                simulator, exchange, connector, health_pb2_grpc.HealthStub(channel), GatewayServiceStub(channel)
            )
