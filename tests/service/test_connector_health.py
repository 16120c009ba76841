"""The connector's health: what it says is what is so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from opensqt.connector.streams.keys import StreamKey
from opensqt.model.venue import Channel, Check, ExchangeStatus
from opensqt.proto import gateway_service_pb2 as gateway_pb
from tests.service.connector_rig import Rig, Venue, rig
from tests.support import eventually
from tests.support.health_probe import probe

SERVICE = "opensqt.market_maker.v1.ExchangeService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class MutableStatusVenue(Venue):
    """Its status can hang or fail."""

    broken: BaseException | None = None
    hangs = False
    extra: tuple[Check, ...] = ()
    channels: tuple[Channel, ...] = ()

    async def get_status(self) -> ExchangeStatus:
        if self.hangs:
            await asyncio.Event().wait()
        if self.broken:
            raise self.broken
        status = await super().get_status()
        return replace(status, checks=(*status.checks, *self.extra), channels=self.channels, clock_offset_ms=-7)


@pytest.fixture
async def running() -> AsyncIterator[Rig]:
    async with rig(MutableStatusVenue()) as running:
        yield running


async def says(running: Rig, service: str = "") -> int:
    answer = await health_pb2_grpc.HealthStub(running.channel).Check(health_pb2.HealthCheckRequest(service=service))
    return answer.status


async def failed(running: Rig) -> dict[str, str]:
    """The failed checks that GetStatus tells, with their reasons."""
    answer = await running.gateway.GetStatus(gateway_pb.GetStatusRequest())
    assert answer.healthy == all(check.ok for check in answer.checks)
    return {check.name: check.reason for check in answer.checks if not check.ok}


async def becomes(running: Rig, status: int) -> None:
    async def is_so() -> bool:
        return {await says(running, service) for service in ("", SERVICE)} == {status}

    await eventually(is_so)
    assert await says(running, "liveness") == SERVING


async def test_a_healthy_connector_serves_under_all_three_names(running: Rig) -> None:
    assert [await says(running, service) for service in ("", SERVICE, "liveness")] == [SERVING] * 3
    answer = await running.gateway.GetStatus(gateway_pb.GetStatusRequest())
    assert (answer.healthy, answer.version) == (True, "0.1.0")
    assert answer.started_ms <= min(check.since_ms for check in answer.checks)


async def test_a_sick_exchange_is_told_with_its_reason_and_so_is_its_recovery(running: Rig) -> None:
    """F31: health never says yes while a part is dead."""
    running.venue.set_unhealthy("the private stream is silent")
    await becomes(running, NOT_SERVING)
    assert await failed(running) == {"venue": "the private stream is silent"}
    running.venue.set_unhealthy("")
    await becomes(running, SERVING)
    assert await failed(running) == {}


async def test_a_status_that_can_not_be_had_is_no_good_health(running: Rig) -> None:
    """F31: health never says yes while a part is dead."""
    running.venue.broken = ZeroDivisionError("inner-detail")
    await becomes(running, NOT_SERVING)
    assert await failed(running) == {"exchange": "ZeroDivisionError; see the log"}


async def test_a_status_that_hangs_is_no_good_health(running: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """F31: health never says yes while a part is dead."""
    monkeypatch.setattr("opensqt.connector.health.ANSWER_WITHIN_S", 0.05)
    running.venue.hangs = True
    await becomes(running, NOT_SERVING)
    assert "no status within" in (await failed(running))["exchange"]


async def test_a_background_task_that_dies_is_told(running: Rig) -> None:
    """F31: health never says yes while a part is dead."""

    async def dies() -> None:
        raise RuntimeError("a bug")

    running.connector.tasks.spawn("watcher", dies())
    await becomes(running, NOT_SERVING)
    assert await failed(running) == {"task:watcher": "ended: RuntimeError: a bug"}


async def test_a_background_task_that_somebody_cancels_is_told(running: Rig) -> None:
    """F31: each of the connector's own that goes on for ever; the monitor's end is seen by who runs it."""
    lasting = [task for task in running.connector.tasks if task.get_name() != "health"]
    for task in lasting:
        task.cancel()
    await becomes(running, NOT_SERVING)
    names = {f"task:{task.get_name()}" for task in lasting}
    assert await failed(running) == dict.fromkeys(names, "was cancelled")


async def test_a_stream_that_its_last_reader_leaves_is_no_failure(running: Rig) -> None:
    """F31: a reader that leaves takes nothing along, and health says nothing of it."""
    async with aclosing(running.connector.streams.read(StreamKey("price", "BTCUSDT"))) as batches:
        await anext(batches)
    await eventually(lambda: not running.connector.streams.counts)
    assert await failed(running) == {}


async def test_each_check_can_be_watched_by_its_name(running: Rig) -> None:
    """F13: who reads one stream is told when that one goes stale, and when the check is gone."""
    stub = health_pb2_grpc.HealthStub(running.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="market_data:price:BTCUSDT"))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    checks = [(True, SERVING), (False, NOT_SERVING), (True, SERVING)]
    for ok, told in checks:
        running.venue.extra = (Check(name="market_data:price:BTCUSDT", ok=ok, reason="silent"),)
        assert (await watch.read()).status == told
    running.venue.extra = ()
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


async def test_channels_and_the_clock_are_told_as_the_exchange_tells_them(running: Rig) -> None:
    running.venue.channels = (Channel(name="price:BTCUSDT", connected=True, data_age_ms=40),)

    async def told() -> bool:
        answer = await running.gateway.GetStatus(gateway_pb.GetStatusRequest())
        (channel,) = answer.channels or [None]
        return channel is not None and (channel.name, channel.data_age_ms, answer.clock_offset_ms) == (
            "price:BTCUSDT",
            40,
            -7,
        )

    await eventually(told)


async def test_a_journal_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    """F31: health never says yes while a part is dead.
    F32: the state file is never torn, and lags behind nothing that was done.
    """
    async with rig(journal=str(tmp_path / "journal.db")) as running:
        await running.connector.journal.execute(lambda database: database.execute("PRAGMA query_only = 1"))
        await becomes(running, NOT_SERVING)
        assert "readonly" in (await failed(running))["journal"]


async def test_a_journal_that_can_not_be_pruned_is_pruned_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31, F32: health says no for as long as the disk is full, and not until somebody restarts the connector."""
    monkeypatch.setattr("opensqt.connector.server.PRUNE_EVERY_S", 0.02)
    async with rig(journal=str(tmp_path / "journal.db")) as running:
        journal = running.connector.journal
        await journal.execute(lambda database: database.execute("ALTER TABLE intent RENAME TO elsewhere"))
        await eventually(lambda: journal.failures >= 2)
        assert not [check for check in running.connector.tasks.checks() if "pruning" in check.name]


async def test_a_watcher_of_health_is_told_of_each_change(running: Rig) -> None:
    watch = health_pb2_grpc.HealthStub(running.channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    assert (await watch.read()).status == SERVING
    running.venue.set_unhealthy("gone")
    assert (await watch.read()).status == NOT_SERVING
    running.venue.set_unhealthy("")
    assert (await watch.read()).status == SERVING


async def test_the_end_of_the_health_monitor_itself_is_noticed(running: Rig) -> None:
    """F31: a connector that can't vouch for its health any more has to end."""
    noticed = asyncio.create_task(running.connector.failed())
    (monitor,) = [task for task in running.connector.tasks if task.get_name() == "health"]
    assert not noticed.done()
    monitor.cancel()
    await eventually(noticed.done)


async def test_the_real_probe_sees_both_answers(running: Rig) -> None:
    assert await probe(running.connector.address) == (0, "SERVING")
    running.venue.set_unhealthy("gone")
    await becomes(running, NOT_SERVING)
    code, said = await probe(running.connector.address, service=SERVICE)
    assert (code, said) == (4, "NOT_SERVING")
    assert await probe(running.connector.address, service="liveness") == (0, "SERVING")
