"""Watchers of health that read nothing, before a real connector: the others are told of an outage, SIGTERM ends it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.chaos.gateway_rig import gateway
from tests.service.connector_rig import client
from tests.support import eventually, start
from tests.support.deaf_client import deaf_client

SERVICE = "opensqt.market_maker.v1.ExchangeService"
WATCH = "/grpc.health.v1.Health/Watch"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def says(address: str) -> int:
    async with client(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return (await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=10)).status


async def test_an_outage_is_told_and_sigterm_ends_the_process_though_watchers_read_nothing(tmp_path: Path) -> None:
    """F30, F31: one stranger with a window of 0 and one that is stopped took health and the stop away from all."""
    config = {"exchange": {"name": "binance", "symbols": ["BTCUSDT"], "stale_after_s": 2.0, "request_timeout_s": 2.0}}
    async with gateway("binance", tmp_path, config=config) as made, deaf_client(made.address) as deaf:
        watcher = ["tests.chaos.stopped_watcher", made.address]
        async with start(*watcher, cwd=Path.cwd()) as stopped:
            await eventually(lambda: "watching" in stopped.output)
            os.kill(stopped.pid, signal.SIGSTOP)
            try:
                streams = {deaf.call(WATCH, _request(name)) for name in ("", SERVICE, "liveness", "venue")}
                await eventually(lambda: deaf.answered >= streams)
                made.fault(kind="unreachable", on="any", times=0)
                await eventually(lambda: _is(made.address, NOT_SERVING), what="the outage")
                made.simulator.faults.clear()
                await eventually(lambda: _is(made.address, SERVING), what="its end")
                assert await made.stop() == 0
            finally:
                os.kill(stopped.pid, signal.SIGCONT)


def _request(service: str) -> bytes:
    return health_pb2.HealthCheckRequest(service=service).SerializeToString()


async def _is(address: str, state: int) -> bool:
    return await says(address) == state
