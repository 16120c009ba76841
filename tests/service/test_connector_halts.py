"""HaltTrading and ResumeTrading over gRPC: who is refused, who may do it, and that a restart forgets no halt."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from opensqt.connector.orders.journal import JournalError
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import types_pb2
from tests.service.connector_rig import Rig, Venue, order, place, reason_of, rig
from tests.service.gatekeeper import bearer, guarded
from tests.service.test_connector_audit import told
from tests.service.test_connector_lease import Lasting
from tests.support import eventually

Code = grpc.StatusCode
RISK = {"name": "risk", "role": "trade"}


async def halt(running: Rig, halt_id: str = "h1", metadata: Any = (), **fields: Any) -> Any:
    return await running.gateway.HaltTrading(
        gateway_pb.HaltTradingRequest(halt_id=halt_id, **fields), metadata=metadata
    )


async def resume(running: Rig, metadata: Any = (), **fields: Any) -> Any:
    return await running.gateway.ResumeTrading(gateway_pb.ResumeTradingRequest(**fields), metadata=metadata)


async def refused(call: Any) -> tuple[Code, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), reason_of(caught.value)


async def halted(running: Rig, name: str, **fields: Any) -> bool:
    """Place an order and say whether a halt refused it."""
    batch = pb.BatchPlaceOrdersRequest(orders=[order(name, **fields)])
    reason = (await running.exchange.BatchPlaceOrders(batch)).results[0].error.reason
    assert reason in ("", "TRADING_HALTED")
    return bool(reason)


async def test_a_halt_of_the_account_refuses_every_new_order_until_it_is_lifted() -> None:
    """F39: cancels and queries work, and an id that was used before still gets its outcome."""
    async with rig() as running:
        await running.exchange.PlaceOrder(place("before"))
        await halt(running, reason="margin call")
        assert await halted(running, "a")
        assert await halted(running, "b", symbol="ETHUSDT")
        call = running.exchange.PlaceOrder(place("c"))
        assert await refused(call) == (Code.FAILED_PRECONDITION, "TRADING_HALTED")
        assert not await halted(running, "before")
        assert len((await running.exchange.GetOpenOrders(pb.GetOpenOrdersRequest())).orders) == 1
        await running.exchange.CancelAllOrders(pb.CancelAllOrdersRequest(symbol="BTCUSDT"))
        assert [one.halt_id for one in (await resume(running)).lifted] == ["h1"]
        assert not await halted(running, "a")


async def test_a_halt_of_a_symbol_leaves_the_others() -> None:
    async with rig() as running:
        await halt(running, symbol="BTCUSDT")
        assert await halted(running, "a")
        assert not await halted(running, "b", symbol="ETHUSDT")


async def test_the_refusal_says_who_halted_and_why_and_when_to_ask_again() -> None:
    async with rig() as running:
        await halt(running, reason="margin call")
        with pytest.raises(grpc.aio.AioRpcError, match=r"halted by local \(h1\): margin call") as caught:
            await running.exchange.PlaceOrder(place("a"))
    packed = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status_pb2.Status.FromString(packed).details)
    assert retry.retry_delay.seconds == 5


async def test_a_halt_asked_for_again_is_the_same_one() -> None:
    async with rig() as running:
        first = (await halt(running, ttl_ms=5_000)).halt
        again = (await halt(running, ttl_ms=60_000)).halt
        assert (again.since_ms, again.expires_ms > first.expires_ms) == (first.since_ms, True)
        status = await running.gateway.GetStatus(gateway_pb.GetStatusRequest())
        assert [one.halt_id for one in status.halts] == ["h1"]


async def test_a_halt_with_a_time_ends_when_nobody_renews_it() -> None:
    async with rig() as running:
        await halt(running, ttl_ms=1_000)
        assert await halted(running, "a")
        await eventually(lambda: running.connector.halts.standing() == ())
        assert not await halted(running, "a")
        assert await running.connector.journal.halts() == []


async def test_resuming_leaves_halts_with_a_time_to_who_holds_them() -> None:
    """F39: else somebody's resume would let orders in while another command cancels and closes."""
    async with rig() as running:
        await halt(running, "held")
        await halt(running, "busy", ttl_ms=60_000)
        answer = await resume(running)
        assert [one.halt_id for one in answer.lifted] == ["held"]
        assert [one.halt_id for one in answer.standing] == ["busy"]
        assert [one.halt_id for one in (await resume(running, halt_id="busy")).lifted] == ["busy"]


async def test_resuming_what_is_not_halted_is_no_error() -> None:
    async with rig() as running:
        assert not (await resume(running)).lifted
        assert not (await resume(running, halt_id="none")).lifted


async def test_a_symbol_can_be_resumed_by_itself() -> None:
    async with rig() as running:
        await halt(running, "btc", symbol="BTCUSDT")
        await halt(running, "eth", symbol="ETHUSDT")
        assert [one.halt_id for one in (await resume(running, symbol="ETHUSDT")).lifted] == ["eth"]
        assert await halted(running, "a")


async def test_a_halt_outlasts_a_restart_of_the_connector(tmp_path: Path) -> None:
    """F39: the one with a time lasts the whole of it anew, for its holder could not renew it."""
    venue, journal = Lasting(), str(tmp_path / "journal.db")
    async with rig(venue, journal=journal) as running:
        before = (await halt(running, "held", reason="margin call")).halt
        await halt(running, "busy", ttl_ms=60_000)
    async with rig(venue, journal=journal) as running:
        assert await halted(running, "a")
        held, busy = (await running.gateway.GetStatus(gateway_pb.GetStatusRequest())).halts
        assert (held, busy.halt_id) == (before, "busy")
        await resume(running)
        await resume(running, halt_id="busy")
    async with rig(venue, journal=journal) as running:
        assert not await halted(running, "a")


async def test_a_halt_that_can_not_be_written_down_holds_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """F39: to refuse it would leave trading on; to say nothing would promise what a restart breaks."""

    async def no_room(_: object) -> None:
        raise JournalError("no room on the disk")

    async with rig() as running:
        monkeypatch.setattr(running.connector.journal, "keep_halt", no_room)
        asked = gateway_pb.HaltTradingRequest(halt_id="h1")
        with pytest.raises(grpc.aio.AioRpcError, match=r"is halted, but .* no room on the disk") as caught:
            await running.gateway.HaltTrading(asked)
        assert (caught.value.code(), reason_of(caught.value)) == (Code.UNAVAILABLE, "UNREACHABLE")
        assert await halted(running, "a")


async def test_a_halt_whose_end_can_not_be_written_down_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """F39: trading that goes on would be halted again by a restart, to everybody's surprise."""

    async def no_room(_: object) -> None:
        raise JournalError("no room on the disk")

    async with rig() as running:
        await halt(running)
        monkeypatch.setattr(running.connector.journal, "drop_halt", no_room)
        assert await refused(resume(running)) == (Code.UNAVAILABLE, "UNREACHABLE")
        assert await halted(running, "a")


async def test_the_orders_that_a_halt_concerns_are_named() -> None:
    """F39: those in flight, and those that were acknowledged and have not ended; of its symbol only."""
    async with rig() as running:
        await running.exchange.PlaceOrder(place("open"))
        await running.exchange.PlaceOrder(place("other", symbol="ETHUSDT"))
        running.venue.gate.clear()
        placing = asyncio.ensure_future(running.exchange.PlaceOrder(place("flying")))
        await eventually(lambda: running.venue.held)
        answer = await halt(running, symbol="BTCUSDT")
        running.venue.gate.set()
        await placing
    assert [one.client_order_id for one in answer.in_flight] == ["flying"]
    assert [one.client_order_id for one in answer.open] == ["open"]


async def test_a_halt_is_a_note_of_health_and_no_failure() -> None:
    async with rig() as running:
        await halt(running, reason="margin call")
        await halt(running, "h2", symbol="BTCUSDT")
        await running.connector.health.look()
        status = await running.gateway.GetStatus(gateway_pb.GetStatusRequest())
        notes = {one.name: (one.ok, one.reason) for one in status.checks if one.name.startswith("halt")}
        probe = await health_pb2_grpc.HealthStub(running.channel).Check(health_pb2.HealthCheckRequest())
        assert b"connector_halts 2.0" in running.connector.metrics.text()
    assert notes == {
        "halt": (True, "trading is halted by local (h1): margin call"),
        "halt:BTCUSDT": (True, "trading is halted by local (h2)"),
    }
    assert (status.healthy, probe.status) == (True, health_pb2.HealthCheckResponse.SERVING)


@pytest.mark.parametrize(
    "fields",
    [{"halt_id": ""}, {"halt_id": "a b"}, {"halt_id": "h1", "ttl_ms": 5}, {"halt_id": "h1", "symbol": "btc/usdt"}],
)
async def test_a_halt_that_makes_no_sense_is_refused_and_halts_nothing(fields: dict[str, Any]) -> None:
    async with rig() as running:
        call = running.gateway.HaltTrading(gateway_pb.HaltTradingRequest(**fields))
        assert await refused(call) == (Code.INVALID_ARGUMENT, "INVALID_REQUEST")
        assert not await halted(running, "a")


async def test_who_is_held_to_symbols_halts_and_resumes_those_only(tmp_path: Path) -> None:
    limited = {"name": "maker", "role": "trade", "symbols": ["BTCUSDT"]}
    maker, risk = bearer("maker"), bearer("risk")
    denied = (Code.PERMISSION_DENIED, "PERMISSION_DENIED")
    async with guarded(tmp_path, limited, RISK) as running:
        assert await refused(halt(running, metadata=maker)) == denied
        assert await refused(halt(running, symbol="ETHUSDT", metadata=maker)) == denied
        await halt(running, symbol="BTCUSDT", metadata=maker)
        await halt(running, "all", metadata=risk)
        assert await refused(resume(running, metadata=maker)) == denied
        assert await refused(resume(running, halt_id="all", metadata=maker)) == denied
        assert [one.halt_id for one in (await resume(running, symbol="BTCUSDT", metadata=maker)).lifted] == ["h1"]


async def test_who_may_cancel_only_its_own_orders_halts_nobody(tmp_path: Path) -> None:
    own_only = {"name": "maker", "role": "trade", "cancel_others": False}
    async with guarded(tmp_path, own_only) as running:
        call = halt(running, symbol="BTCUSDT", metadata=bearer("maker"))
        assert await refused(call) == (Code.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_halts_and_their_end_are_audited(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        asked = gateway_pb.HaltTradingRequest(halt_id="h1", symbol="BTCUSDT", reason="margin call", ttl_ms=1_000)
        begun = await told(running, "HaltTrading", asked)
        ended = await told(running, "ResumeTrading", gateway_pb.ResumeTradingRequest(halt_id="h1"))
    assert (begun["client"], begun["halt_id"], begun["symbol"], begun["reason"], begun["ttl_ms"]) == (
        ("maker", "h1", "BTCUSDT", "", 1_000)
    )
    assert begun["why"] == "margin call"
    assert (ended["halt_id"], ended["lifted"], ended["code"]) == ("h1", ["h1"], "OK")


async def test_a_reduce_only_order_that_names_the_halt_closes_a_position() -> None:
    """F39: its holder closes what is held while everybody else is kept out."""
    async with rig(Venue()) as running:
        market = {"order_type": types_pb2.ORDER_TYPE_MARKET, "price": None, "time_in_force": 0}
        await running.exchange.PlaceOrder(place("open", **market))
        await halt(running)
        closing = {**market, "side": types_pb2.SIDE_SELL, "reduce_only": True}
        assert await halted(running, "no", **closing)
        request = pb.PlaceOrderRequest(order=order("close", **closing), halt_id="h1")
        answer = await running.exchange.PlaceOrder(request)
        assert answer.order.status == types_pb2.ORDER_STATUS_FILLED
