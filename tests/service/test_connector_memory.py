"""What a refused request leaves behind in the connector: nothing that waits for the garbage collector."""

from __future__ import annotations

import gc
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.process import resident_mb
from opensqt.proto import exchange_service_pb2 as pb
from tests.service.connector_rig import Rig, order, rig
from tests.service.gatekeeper import bearer, guarded

LARGE = 900_000


@pytest.mark.parametrize("role", ["read", "trade"])
async def test_a_refused_request_is_let_go_without_a_collection(tmp_path: Path, role: str) -> None:
    """F26: gRPC keeps an aborted call in a circle with its handler's frame, which held 300 KB of request each."""
    async with guarded(tmp_path, {"name": "clumsy", "role": role}) as running:
        request = pb.PlaceOrderRequest(order=order("x" * LARGE))

        async def refused(count: int) -> None:
            for _ in range(count):
                with pytest.raises(grpc.aio.AioRpcError):
                    await running.exchange.PlaceOrder(request, metadata=bearer("clumsy"))

        await refused(10)
        gc.collect()
        gc.disable()
        try:
            before = resident_mb(os.getpid())
            await refused(100)
            assert resident_mb(os.getpid()) - before < 40
        finally:
            gc.enable()


async def _no_token(running: Rig) -> None:
    await running.exchange.PlaceOrder(pb.PlaceOrderRequest(order=order("c1")))


async def _no_role(running: Rig) -> None:
    await running.exchange.PlaceOrder(pb.PlaceOrderRequest(order=order("c1")), metadata=bearer("clumsy"))


async def _no_stream(running: Rig) -> None:
    async for _ in running.exchange.SubscribePrice(pb.SubscribePriceRequest(symbol="BTCUSDT")):
        pass


async def _no_service(running: Rig) -> None:
    stub = health_pb2_grpc.HealthStub(running.channel)
    await stub.Check(health_pb2.HealthCheckRequest(service="unheard.of"))


@pytest.mark.parametrize("call", [_no_token, _no_role, _no_stream, _no_service])
async def test_a_refused_call_leaves_no_circle_to_the_collector(
    tmp_path: Path, call: Callable[[Rig], Awaitable[None]]
) -> None:
    """F26: 50 objects of each were left, and to collect those of 300 calls held up everybody's orders for 30 ms."""
    async with guarded(tmp_path, {"name": "clumsy", "role": "read"}) as running:
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                with pytest.raises(grpc.aio.AioRpcError):
                    await call(running)
            # gRPC itself keeps the last one or two.
            assert sum(isinstance(one, grpc.aio.AbortError) for one in gc.get_objects()) < 5
        finally:
            gc.enable()


async def test_freed_memory_is_returned_regularly() -> None:
    """F26: what floods, watchers and idle connections took stayed in pieces, and each other kind took new memory."""
    async with rig() as running:
        assert "freed-memory" in {task.get_name() for task in running.connector.tasks}
