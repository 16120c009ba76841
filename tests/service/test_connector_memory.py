"""What a refused request leaves behind in the connector."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import grpc
import pytest

from benchmarks.process import resident_mb
from opensqt.proto import exchange_service_pb2 as pb
from tests.service.connector_rig import order
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
