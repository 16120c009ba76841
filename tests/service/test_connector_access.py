"""Who is let in by its token, what its role allows, and how that changes while the connector runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from opensqt.connector.auth.roles import REQUIRED
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from tests.service.connector_rig import Rig, client, order, place, reason_of
from tests.service.gatekeeper import MAKER, METHODS, PAGE, bearer, code_of, guarded, token, write
from tests.support import eventually
from tests.support.blocking import in_thread

Code = grpc.StatusCode
TURNED_AWAY = (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED)
TRADING = {"PlaceOrder", "BatchPlaceOrders", "AmendOrder", "CancelOrder", "BatchCancelOrders", "CancelAllOrders"}
TRADING |= {"Heartbeat", "HaltTrading", "ResumeTrading", "SetLeverage", "SetMarginMode", "SetPositionMode"}
FREEING = ("CancelOrder", "BatchCancelOrders", "CancelAllOrders", "Heartbeat", "HaltTrading", "ResumeTrading")
BTC = pb.SubscribePriceRequest(symbol="BTCUSDT")


async def refused(call: Any) -> tuple[Code, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), reason_of(caught.value)


async def test_every_rpc_needs_a_token_and_the_trading_ones_the_role(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        for method in METHODS:
            assert await code_of(running.channel, method) is Code.UNAUTHENTICATED, method
            read = await code_of(running.channel, method, bearer("page"))
            assert (read is Code.PERMISSION_DENIED) is (method in TRADING), method
            assert read is not Code.UNAUTHENTICATED, method
            assert await code_of(running.channel, method, bearer("maker")) not in TURNED_AWAY, method
    assert METHODS.keys() == REQUIRED.keys()


async def test_a_reader_places_nothing_whatever_it_asks(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        batch = pb.BatchPlaceOrdersRequest(orders=[order("b")])
        assert await code_of(running.channel, "PlaceOrder", bearer("page"), place("a")) is Code.PERMISSION_DENIED
        assert await code_of(running.channel, "BatchPlaceOrders", bearer("page"), batch) is Code.PERMISSION_DENIED
        assert await running.venue.get_open_orders() == []


async def test_the_token_names_the_client_whatever_it_calls_itself(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        metadata = (*bearer("page"), ("x-client-name", "maker"))
        answer = await running.gateway.GetRateBudget(gateway_pb.GetRateBudgetRequest(), metadata=metadata)
    assert answer.client == "page"


@pytest.mark.parametrize(
    "metadata",
    [
        (("authorization", token("page")),),
        (("authorization", f"Basic {token('page')}"),),
        (("authorization", "Bearer "),),
        (("authorization", f"Bearer {token('page')} more"),),
        (*bearer("page"), *bearer("maker")),
        (*bearer("nobody"), *bearer("page")),
        (("authorization", f"Bearer {'x' * 4000}"),),
        (("authorization-bin", token("page").encode()),),
    ],
)
async def test_anything_but_one_known_token_is_refused(tmp_path: Path, metadata: Any) -> None:
    async with guarded(tmp_path) as running:
        call = running.exchange.GetAccount(pb.GetAccountRequest(), metadata=metadata)
        assert await refused(call) == (Code.UNAUTHENTICATED, "TOKEN_REFUSED")


def reflected(address: str) -> Sequence[str]:
    with grpc.insecure_channel(address) as channel:
        return ProtoReflectionDescriptorDatabase(channel).get_services()


async def test_health_and_reflection_ask_for_no_token(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        health = await health_pb2_grpc.HealthStub(running.channel).Check(health_pb2.HealthCheckRequest())
        services = await in_thread(reflected, running.connector.address)
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert "opensqt.market_maker.v1.ExchangeService" in services


async def follow(running: Rig, name: str) -> Any:
    stream = running.exchange.SubscribePrice(BTC, metadata=bearer(name))
    assert await stream.read()
    return stream


async def to_its_end(stream: Any) -> None:
    while await stream.read():
        pass


async def ended(stream: Any) -> tuple[Code, str]:
    return await refused(to_its_end(stream))


async def test_a_revoked_clients_streams_end_and_nobody_elses(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        page, maker = await follow(running, "page"), await follow(running, "maker")
        write(tmp_path / "clients.yaml", MAKER)
        assert await ended(page) == (Code.UNAUTHENTICATED, "TOKEN_REFUSED")
        assert await code_of(running.channel, "GetAccount", bearer("page")) is Code.UNAUTHENTICATED
        running.venue.tick(1)
        assert (await maker.read()).updates[-1].bid == "200.1"
        await eventually(lambda: list(running.connector.streams.counts.values()) == [1])


async def test_a_revoked_reader_that_reads_nothing_gets_nothing_new(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running, client(running.connector.address, narrow=True) as channel:
        asked = pb.SubscribeOrdersRequest()
        stream = ExchangeServiceStub(channel).SubscribeOrders(asked, metadata=bearer("page"))
        assert await stream.read()
        write(tmp_path / "clients.yaml", MAKER)
        await eventually(
            lambda: running.connector.streams.counts.get(next(iter(running.connector.streams.counts), None), 0) == 0
        )
        await running.exchange.PlaceOrder(place("late"), metadata=bearer("maker"))
        # The very next word is the end.
        assert await refused(stream.read()) == (Code.UNAUTHENTICATED, "TOKEN_REFUSED")


async def test_streams_end_when_the_token_expires(tmp_path: Path) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    async with guarded(tmp_path, PAGE | {"expires": soon.isoformat()}) as running:
        assert await ended(await follow(running, "page")) == (Code.UNAUTHENTICATED, "TOKEN_REFUSED")
        assert await code_of(running.channel, "GetAccount", bearer("page")) is Code.UNAUTHENTICATED


async def test_a_role_that_changed_in_the_file_holds_for_the_next_call(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        assert await code_of(running.channel, "PlaceOrder", bearer("page"), place("a")) is Code.PERMISSION_DENIED
        write(tmp_path / "clients.yaml", PAGE | {"role": "trade"})

        async def may_trade() -> bool:
            return await code_of(running.channel, "PlaceOrder", bearer("page"), place("a")) is Code.OK

        await eventually(may_trade)


async def notes(running: Rig) -> tuple[bool, dict[str, str]]:
    answer = await running.gateway.GetStatus(gateway_pb.GetStatusRequest(), metadata=bearer("page"))
    return answer.healthy, {check.name: check.reason for check in answer.checks if check.ok and check.reason}


async def test_a_bad_new_file_keeps_the_old_one_and_is_told_without_harm_to_health(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        write(tmp_path / "clients.yaml", PAGE | {"role": "admin"})

        async def told() -> str:
            return (await notes(running))[1].get("configuration:clients", "")

        assert "clients.0.role: 'admin': expected 'read' or 'trade'" in await eventually(told)
        assert (await notes(running))[0]
        assert await code_of(running.channel, "GetAccount", bearer("maker")) is Code.OK
        write(tmp_path / "clients.yaml", PAGE)

        async def taken_up() -> bool:
            return (await notes(running))[1] == {}

        await eventually(taken_up)
        assert await code_of(running.channel, "GetAccount", bearer("maker")) is Code.UNAUTHENTICATED


async def test_a_flood_of_bad_tokens_does_not_fill_the_disk(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        with structlog.testing.capture_logs() as logs:
            for _ in range(300):
                await code_of(running.channel, "GetAccount", bearer("nobody"))
            await code_of(running.channel, "PlaceOrder", bearer("page"))
    *lines, last = [line for line in logs if line["event"] == "refused"]
    assert 20 <= len(lines) < 60
    # What one of ours tries is not lost in it.
    assert (last["client"], last["reason"]) == ("page", "PERMISSION_DENIED")
    assert lines[0]["peer"].startswith("ipv4:127.0.0.1:")
    assert {line["log_level"] for line in lines} == {"warning"}
    assert not [line for line in logs if line["event"] == "call failed"]


async def test_one_client_has_so_many_calls_in_flight_and_no_more(tmp_path: Path) -> None:
    async with guarded(tmp_path, max_calls_in_flight=2) as running:
        running.venue.gate.clear()
        held = [running.exchange.PlaceOrder(place(name), metadata=bearer("maker")) for name in ("a", "b")]
        await eventually(lambda: running.venue.held == 2)
        call = running.exchange.GetAccount(pb.GetAccountRequest(), metadata=bearer("maker"))
        assert await refused(call) == (Code.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        assert await code_of(running.channel, "GetAccount", bearer("page")) is Code.OK
        running.venue.gate.set()
        for one in held:
            assert (await one).order.order_id
        assert await code_of(running.channel, "GetAccount", bearer("maker")) is Code.OK


async def test_calls_in_flight_block_neither_cancels_nor_the_lease(tmp_path: Path) -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    async with guarded(tmp_path, max_calls_in_flight=1) as running:
        await running.exchange.PlaceOrder(place("a"), metadata=bearer("maker"))
        running.venue.gate.clear()
        held = running.exchange.PlaceOrder(place("b"), metadata=bearer("maker"))
        await eventually(lambda: running.venue.held)
        ref = {"symbol": "BTCUSDT", "client_order_id": "a"}
        cancel = pb.CancelOrderRequest(order=ref)
        batch = pb.BatchCancelOrdersRequest(orders=[ref])
        # It would wait for the order that is held, were it of the same symbol.
        everything = pb.CancelAllOrdersRequest(symbol="ETHUSDT")
        beat = gateway_pb.HeartbeatRequest(ttl_ms=60_000)
        halt, resume = gateway_pb.HaltTradingRequest(halt_id="h1"), gateway_pb.ResumeTradingRequest()
        for method, asked in zip(FREEING, (cancel, batch, everything, beat, halt, resume), strict=True):
            assert await code_of(running.channel, method, bearer("maker"), asked) is Code.OK, method
        running.venue.gate.set()
        await held


async def test_one_client_has_so_many_streams_and_no_more(tmp_path: Path) -> None:
    async with guarded(tmp_path, max_streams=1) as running:
        stream = await follow(running, "page")
        second = running.exchange.SubscribePrice(BTC, metadata=bearer("page"))
        assert await refused(second.read()) == (Code.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        stream.cancel()

        async def again() -> bool:
            return await code_of(running.channel, "SubscribePrice", bearer("page"), BTC) is Code.OK

        await eventually(again)
