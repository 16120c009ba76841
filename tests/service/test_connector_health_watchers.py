"""Health and those who watch it: it waits for nobody, and who takes nothing is dropped."""

from __future__ import annotations

import asyncio
from functools import partial

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from opensqt.connector import health_service
from opensqt.model.venue import ExchangeStatus
from opensqt.proto import gateway_service_pb2 as gateway_pb
from tests.service.connector_rig import Rig, Venue, rig
from tests.support import eventually
from tests.support.deaf_client import deaf_client

SERVICE = "opensqt.market_maker.v1.ExchangeService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
WATCH = "/grpc.health.v1.Health/Watch"


async def says(running: Rig, service: str = "") -> int:
    answer = await health_pb2_grpc.HealthStub(running.channel).Check(
        health_pb2.HealthCheckRequest(service=service), timeout=5
    )
    return answer.status


def named(service: str) -> bytes:
    return health_pb2.HealthCheckRequest(service=service).SerializeToString()


async def test_a_watcher_that_reads_nothing_does_not_hold_back_what_health_says() -> None:
    """F31: an outage is told to everybody else, and so is its end."""
    async with rig() as running, deaf_client(running.connector.address) as deaf:
        streams = {deaf.call(WATCH, named(service)) for service in ("", SERVICE, "liveness", "venue") for _ in range(5)}
        await eventually(lambda: deaf.answered >= streams)
        for reason, state in (("gone", NOT_SERVING), ("", SERVING), ("gone", NOT_SERVING)):
            running.venue.set_unhealthy(reason)
            await eventually(partial(_is, running, state))


async def test_a_watcher_that_reads_nothing_does_not_hold_the_stop() -> None:
    """F30: a stop ends within its 10 s though watchers take nothing."""
    async with rig() as running, deaf_client(running.connector.address) as deaf:
        streams = {deaf.call(WATCH, named(service)) for service in ("", SERVICE)}
        await eventually(lambda: deaf.answered >= streams)
        async with asyncio.timeout(30):
            await running.connector.stop()


async def test_a_watcher_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_service, "TAKE_WITHIN_S", 0.05)
    async with rig() as running, deaf_client(running.connector.address) as deaf:
        deaf.call(WATCH)
        service = running.connector.health.service
        await eventually(lambda: service.dropped == 1 and service.watching == 0)
        assert await says(running) == SERVING


async def test_a_watcher_too_many_is_refused_and_the_others_are_told_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_service, "MAX_WATCHERS", 1)
    async with rig() as running:
        stub = health_pb2_grpc.HealthStub(running.channel)
        first = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await first.read()).status == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Watch(health_pb2.HealthCheckRequest()).read()
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        running.venue.set_unhealthy("gone")
        assert (await first.read()).status == NOT_SERVING


class StuckVenue(Venue):
    """Its status can hang in a way that no cancellation ends."""

    stuck = False

    async def get_status(self) -> ExchangeStatus:
        while self.stuck:
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue
        return await super().get_status()


async def test_a_monitor_that_looks_no_more_is_noticed_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """F31: what was last said holds only while somebody looks."""
    monkeypatch.setattr("opensqt.connector.health.ANSWER_WITHIN_S", 0.1)
    monkeypatch.setattr("opensqt.connector.health.SUPERVISE_EVERY_S", 0.05)
    venue = StuckVenue()
    async with rig(venue) as running:
        venue.stuck = True
        await eventually(partial(_is, running, NOT_SERVING))
        told = await running.gateway.GetStatus(gateway_pb.GetStatusRequest())
        (reason,) = [check.reason for check in told.checks if check.name == "health" and not check.ok]
        assert "no look at health for" in reason
        assert not told.healthy
        venue.stuck = False
        await eventually(partial(_is, running, SERVING))


async def _is(running: Rig, state: int) -> bool:
    return {await says(running, service) for service in ("", SERVICE)} == {state}
