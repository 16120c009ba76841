"""The limits of a client through the whole connector: what is denied never reaches the exchange."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from opensqt.model.errors import Unreachable
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from tests.service.connector_rig import Rig, client, order, place, reason_of
from tests.service.gatekeeper import MAKER, bearer, guarded, write
from tests.support import eventually

MAKERS = bearer("maker")


@asynccontextmanager
async def limited(folder: Path, **limits: Any) -> AsyncIterator[Rig]:
    async with guarded(folder, MAKER | limits, {"name": "free", "role": "trade"}) as running:
        yield running


async def placed(running: Rig, *names: str, metadata: Any = MAKERS, **fields: Any) -> list[str]:
    """Place one batch and answer for each item its status or the reason of its refusal."""
    batch = pb.BatchPlaceOrdersRequest(orders=[order(name, **fields) for name in names])
    answer = await running.exchange.BatchPlaceOrders(batch, metadata=metadata)
    return [
        one.error.reason if one.HasField("error") else types_pb2.OrderStatus.Name(one.order.status)[13:]
        for one in answer.results
    ]


async def at_the_venue(running: Rig) -> list[str]:
    return [one.client_order_id for one in await running.venue.get_open_orders()]


async def test_one_denied_item_of_a_batch_hides_no_other(tmp_path: Path) -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    async with limited(tmp_path, max_order_notional="10", symbols=["BTCUSDT"]) as running:
        batch = [order("a"), order("b", quantity="1"), order(""), order("c", symbol="ETHUSDT"), order("d")]
        answer = await running.exchange.BatchPlaceOrders(pb.BatchPlaceOrdersRequest(orders=batch), metadata=MAKERS)
        assert [one.error.reason for one in answer.results] == [
            "",
            "ORDER_DENIED",
            "INVALID_REQUEST",
            "PERMISSION_DENIED",
            "",
        ]
        assert await at_the_venue(running) == ["a", "d"]


async def test_a_client_cancels_only_where_it_may_trade(tmp_path: Path) -> None:
    async with limited(tmp_path, symbols=["ETHUSDT"]) as running:
        await placed(running, "a", metadata=bearer("free"))
        ref = types_pb2.OrderRef(symbol="BTCUSDT", client_order_id="a")
        for call in (
            running.exchange.CancelOrder(pb.CancelOrderRequest(order=ref), metadata=MAKERS),
            running.exchange.CancelAllOrders(pb.CancelAllOrdersRequest(symbol="BTCUSDT"), metadata=MAKERS),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert reason_of(caught.value) == "PERMISSION_DENIED"
        answer = await running.exchange.BatchCancelOrders(pb.BatchCancelOrdersRequest(orders=[ref]), metadata=MAKERS)
        assert answer.results[0].error.reason == "PERMISSION_DENIED"
        assert await at_the_venue(running) == ["a"]


async def test_a_client_that_may_cancel_only_its_own_orders_leaves_the_others(tmp_path: Path) -> None:
    async with limited(tmp_path, cancel_others=False) as running:
        await placed(running, "theirs", metadata=bearer("free"))
        await placed(running, "mine", "too")
        refs = [types_pb2.OrderRef(symbol="BTCUSDT", client_order_id=name) for name in ("theirs", "mine", "none")]
        batch = pb.BatchCancelOrdersRequest(orders=refs)
        answer = await running.exchange.BatchCancelOrders(batch, metadata=MAKERS)
        assert [one.error.reason for one in answer.results] == ["PERMISSION_DENIED", "", "PERMISSION_DENIED"]
        everything = pb.CancelAllOrdersRequest(symbol="BTCUSDT")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.exchange.CancelAllOrders(everything, metadata=MAKERS)
        assert reason_of(caught.value) == "PERMISSION_DENIED"
        assert await at_the_venue(running) == ["theirs", "too"]
        # One that is gone already is told as that.
        again = await running.exchange.BatchCancelOrders(batch, metadata=MAKERS)
        assert again.results[1].order.status == types_pb2.ORDER_STATUS_CANCELED


async def test_open_orders_are_counted_for_each_client_by_itself(tmp_path: Path) -> None:
    async with limited(tmp_path, max_open_orders=2) as running:
        assert await placed(running, "f1", "f2", "f3", metadata=bearer("free")) == ["OPEN"] * 3
        assert await placed(running, "a", "b", "c") == ["OPEN", "OPEN", "ORDER_DENIED"]
        ref = types_pb2.OrderRef(symbol="BTCUSDT", client_order_id="a")
        await running.exchange.CancelOrder(pb.CancelOrderRequest(order=ref), metadata=MAKERS)

        async def room_again() -> bool:
            return await placed(running, "c") == ["OPEN"]

        await eventually(room_again)


async def test_callers_at_once_do_not_exceed_it_together(tmp_path: Path) -> None:
    async with limited(tmp_path, max_open_orders=3) as running:
        calls = [running.exchange.PlaceOrder(place(f"o{number}"), metadata=MAKERS) for number in range(10)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        denied = [one for one in outcomes if isinstance(one, grpc.aio.AioRpcError)]
        assert {reason_of(one) for one in denied} == {"ORDER_DENIED"}
        assert len(denied) == 7
        assert len(await at_the_venue(running)) == 3


async def test_too_many_orders_a_second_are_told_when_to_come_back(tmp_path: Path) -> None:
    async with limited(tmp_path, max_orders_per_second=1) as running:
        await running.exchange.PlaceOrder(place("a"), metadata=MAKERS)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.exchange.PlaceOrder(place("b"), metadata=MAKERS)
        status = status_pb2.Status.FromString(dict(caught.value.trailing_metadata() or ())["grpc-status-details-bin"])
        retry = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(retry) for detail in status.details)
        assert Duration() != retry.retry_delay
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await at_the_venue(running) == ["a"]


async def test_a_repeat_gets_the_first_outcome_though_nothing_more_may_be_placed(tmp_path: Path) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    async with limited(tmp_path, max_open_orders=1, max_orders_per_second=1) as running:
        first = await running.exchange.PlaceOrder(place("a"), metadata=MAKERS)
        assert await placed(running, "b") == ["ORDER_DENIED"]
        again = await running.exchange.PlaceOrder(place("a"), metadata=MAKERS)
        assert again.order.order_id == first.order.order_id
        assert await at_the_venue(running) == ["a"]


async def test_a_limit_that_changed_in_the_file_holds_for_the_next_order(tmp_path: Path) -> None:
    async with limited(tmp_path, max_order_notional="5") as running:
        assert await placed(running, "a") == ["ORDER_DENIED"]
        write(tmp_path / "clients.yaml", MAKER | {"max_order_notional": "50"})

        async def granted() -> bool:
            return await placed(running, "a") == ["OPEN"]

        await eventually(granted)


async def test_an_id_in_flight_is_no_way_around_the_limits(tmp_path: Path) -> None:
    """F1: the first order of the id comes to nothing while a larger one of the same id is looked at."""
    async with limited(tmp_path, max_order_notional="10") as running:
        name, *others = {"a", "b", "c"}
        running.venue.gate.clear()
        running.venue.fail_next(Unreachable("no route"), on="place_order")
        first = running.exchange.PlaceOrder(place(name), metadata=MAKERS)
        await eventually(lambda: running.venue.held)
        free, journal = threading.Event(), running.connector.journal
        slow = asyncio.create_task(journal.execute(lambda _database: free.wait(5)))
        larger = asyncio.create_task(placed(running, name, *others, quantity="1"))
        await eventually(lambda: journal.queued)
        running.venue.gate.set()
        await eventually(lambda: len(journal.queued) >= 2)
        free.set()
        await asyncio.gather(first, slow, return_exceptions=True)
        assert "OPEN" not in await larger
        assert await at_the_venue(running) == []


async def test_a_burst_of_one_client_ends_no_call_of_another(tmp_path: Path) -> None:
    """F16: gRPC cancels calls by chance, anybody's, when it holds more than its limit for calls not taken up yet."""
    async with limited(tmp_path) as running, AsyncExitStack() as stack:
        await placed(running, "a")
        address = running.connector.address
        flooding = [ExchangeServiceStub(await stack.enter_async_context(client(address))) for _ in range(4)]
        flood = [stub.GetAccount(pb.GetAccountRequest(), metadata=MAKERS) for stub in flooding for _ in range(400)]
        ref = types_pb2.OrderRef(symbol="BTCUSDT", client_order_id="a")
        cancels = [
            running.exchange.CancelOrder(pb.CancelOrderRequest(order=ref), metadata=bearer("free")) for _ in range(50)
        ]
        assert {await call.code() for call in cancels} == {grpc.StatusCode.OK}
        assert {await call.code() for call in flood} <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
