"""What a real connector writes: one JSON object a line, and each call's correlation id down to the venue's requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from tests.chaos.gateway_rig import KEYS, gateway
from tests.service.connector_rig import client, place


async def written(tmp_path: Path) -> list[dict[str, Any]]:
    """Run a connector at DEBUG, place an order, read, fail; answer its log."""
    environ = {**KEYS, "LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json"}
    async with gateway("binance", tmp_path, environ=environ) as rig, client(rig.address) as channel:
        stub = ExchangeServiceStub(channel)
        await stub.PlaceOrder(place("logged", quantity="0.003", price="40000"), metadata=called("trade-1"))
        await stub.GetAccount(pb.GetAccountRequest(), metadata=called("read-1"))
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetOpenOrders(pb.GetOpenOrdersRequest(symbol="NOPE"), metadata=called("fail-1"))
        await rig.stop()
    return [json.loads(line) for line in rig.output.splitlines() if not line.startswith("exchange-connector ready")]


def called(correlation_id: str) -> list[tuple[str, str]]:
    return [("x-correlation-id", correlation_id), ("x-client-name", "desk")]


def of(lines: list[dict[str, Any]], **fields: Any) -> list[dict[str, Any]]:
    return [line for line in lines if fields.items() <= line.items()]


async def test_a_call_can_be_followed_from_the_client_to_the_venue(tmp_path: Path) -> None:
    lines = await written(tmp_path)
    told: Mapping[str, Any] = {"event": "call", "client": "desk", "service": "exchange-connector"}
    (traded,) = of(lines, correlation_id="trade-1", method="PlaceOrder", code="OK", **told)
    (read,) = of(lines, correlation_id="read-1", method="GetAccount", code="OK", **told)
    (failed,) = of(lines, correlation_id="fail-1", method="GetOpenOrders", code="INVALID_ARGUMENT", **told)
    assert (traded["level"], read["level"], failed["level"]) == ("info", "debug", "debug")
    assert all(line["ms"] > 0 and line["peer"] for line in (traded, read, failed))
    assert [line["endpoint"] for line in of(lines, event="venue request", correlation_id="trade-1")] == ["POST order"]
    assert [line["lane"] for line in of(lines, event="venue request", correlation_id="read-1")] == ["query"]
    upkeep = [line for line in of(lines, event="venue request") if "correlation_id" not in line]
    assert {"GET openOrders", "POST listenKey"} <= {line["endpoint"] for line in upkeep}
