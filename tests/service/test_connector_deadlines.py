"""Deadlines and callers that go away: each is told in time, and nothing is left behind or done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from opensqt.connector.orders.journal import Journal
from opensqt.model.exchange import Exchange
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import types_pb2
from tests.service.connector_rig import Rig, Venue, order, place, reason_of, refused_in_time, rig
from tests.service.hostile import METHODS
from tests.support import eventually

Code = grpc.StatusCode
REF = types_pb2.OrderRef(symbol="BTCUSDT", client_order_id="held")
REQUESTS: dict[str, Any] = {
    "PlaceOrder": place("a"),
    "BatchPlaceOrders": pb.BatchPlaceOrdersRequest(orders=[order("b"), order("c")]),
    "CancelOrder": pb.CancelOrderRequest(order=REF),
    "BatchCancelOrders": pb.BatchCancelOrdersRequest(orders=[REF]),
    "CancelAllOrders": pb.CancelAllOrdersRequest(symbol="BTCUSDT"),
    "GetOrder": pb.GetOrderRequest(order=REF),
    "GetOpenOrders": pb.GetOpenOrdersRequest(),
    "GetAccount": pb.GetAccountRequest(),
    "GetPositions": pb.GetPositionsRequest(),
    "GetLatestPrice": pb.GetLatestPriceRequest(symbol="BTCUSDT"),
    "GetHistoricalKlines": pb.GetHistoricalKlinesRequest(symbol="BTCUSDT", interval="1m"),
    "ListFills": gateway_pb.ListFillsRequest(symbol="BTCUSDT"),
    "ListFundingPayments": gateway_pb.ListFundingPaymentsRequest(),
    "SetLeverage": gateway_pb.SetLeverageRequest(symbol="BTCUSDT", leverage=3),
    "SetMarginMode": gateway_pb.SetMarginModeRequest(symbol="BTCUSDT", margin_mode=types_pb2.MARGIN_MODE_CROSS),
    "SetPositionMode": gateway_pb.SetPositionModeRequest(position_mode=types_pb2.POSITION_MODE_ONE_WAY),
    "AmendOrder": gateway_pb.AmendOrderRequest(order=REF, amend_id="d", price="100.2"),
    "SubscribeOrderBook": gateway_pb.SubscribeOrderBookRequest(symbol="BTCUSDT", depth=5),
    "SubscribeTrades": gateway_pb.SubscribeTradesRequest(symbol="BTCUSDT"),
    "SubscribeMarkPrice": gateway_pb.SubscribeMarkPriceRequest(symbol="BTCUSDT"),
    "SubscribePrice": pb.SubscribePriceRequest(symbol="BTCUSDT"),
    "SubscribeOrders": pb.SubscribeOrdersRequest(),
    "SubscribeKlines": pb.SubscribeKlinesRequest(symbol="BTCUSDT", interval="1m"),
    "SubscribeAccount": pb.SubscribeAccountRequest(),
    "SubscribePositions": pb.SubscribePositionsRequest(),
    "SubscribeFundingPayments": gateway_pb.SubscribeFundingPaymentsRequest(),
}
"""A sound request for each method that asks the exchange."""
AT_ONCE = {"GetExchangeInfo", "GetStatus", "GetRateBudget", "Heartbeat", "HaltTrading", "ResumeTrading"}
"""Methods that answer from memory: nothing can keep them waiting."""
BOTH_WAYS = {"ReadStream"}
"""Streams in both directions; what their requests say is a Subscribe call's, and they end as those do."""
UNARY = [name for name in REQUESTS if not METHODS[name].server_streaming]
STREAMS = [name for name in REQUESTS if METHODS[name].server_streaming]


class Stuck(Venue):
    """Every request to it hangs until `gate` opens; its streams go on."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in ASKED:
            return found

        async def wait(*arguments: Any, **named: Any) -> Any:
            self.waiting += 1
            try:
                await self.gate.wait()
            finally:
                self.waiting -= 1
            return await found(*arguments, **named)

        return wait


ASKED = {
    name
    for name in vars(Exchange)
    if name.startswith(("get_", "list_", "cancel_", "batch_", "place_", "set_", "amend_"))
    and name not in ("get_status", "get_rate_budget", "get_exchange_info")
}


@pytest.fixture
async def stuck() -> AsyncIterator[Rig]:
    async with rig(Stuck()) as running:
        running.venue.gate.clear()
        yield running
        running.venue.gate.set()


def call(running: Rig, name: str, **given: Any) -> Any:
    stub = running.exchange if hasattr(running.exchange, name) else running.gateway
    return getattr(stub, name)(REQUESTS[name], **given)


def waiting(running: Rig) -> int:
    """How many requests hang at the exchange."""
    assert isinstance(running.venue, Stuck)
    return running.venue.waiting


async def at_rest(running: Rig, tasks: int) -> None:
    """F26: no call, upstream or task that a caller left behind."""
    connector = running.connector
    await eventually(lambda: connector.calls.in_flight == 0 and not connector.streams.counts, what="calls ended")
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks, what=f"{tasks} tasks")


def test_every_method_is_tried_or_answers_at_once() -> None:
    assert REQUESTS.keys() | AT_ONCE | BOTH_WAYS == METHODS.keys()


@pytest.mark.parametrize("name", [name for name in UNARY if "Place" not in name and name != "CancelAllOrders"])
async def test_a_call_is_answered_by_its_deadline_though_the_venue_is_not(stuck: Rig, name: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(stuck, name, timeout=0.2)
    assert caught.value.code() is Code.DEADLINE_EXCEEDED
    await eventually(lambda: stuck.connector.calls.in_flight == 0)


async def test_cancel_all_says_by_its_deadline_what_it_could_not_prove(stuck: Rig) -> None:
    """F39: and new orders of the symbol are taken again."""
    told = await refused_in_time(lambda: call(stuck, "CancelAllOrders", timeout=3))
    assert "not proven that no order is left" in (told.details() or "")
    assert (told.code(), reason_of(told)) == (Code.ABORTED, "ORDER_OUTCOME_UNKNOWN")
    stuck.venue.gate.set()
    assert (await stuck.exchange.PlaceOrder(place("after"))).order.client_order_id == "after"


@pytest.mark.parametrize("name", UNARY)
async def test_a_caller_that_goes_away_leaves_nothing_behind(stuck: Rig, name: str) -> None:
    before = len(asyncio.all_tasks())
    calling = call(stuck, name)
    await eventually(lambda: waiting(stuck))
    calling.cancel()
    await eventually(lambda: stuck.connector.calls.in_flight == 0)
    stuck.venue.gate.set()
    await at_rest(stuck, before)


@pytest.mark.parametrize("name", STREAMS)
async def test_a_reader_that_goes_away_leaves_nothing_behind(stuck: Rig, name: str) -> None:
    before = len(asyncio.all_tasks())
    canceled, hurried = call(stuck, name), call(stuck, name, timeout=0.2)
    assert (await canceled.read()).snapshot
    canceled.cancel()
    assert await hurried.code() is Code.DEADLINE_EXCEEDED
    await at_rest(stuck, before)


async def test_an_order_with_a_tiny_deadline_is_told_as_unknown_and_its_repeat_gets_the_first_outcome() -> None:
    """F1: it is journaled before it is sent, so that nothing depends on whether the caller hears of it."""
    async with rig() as running:
        running.venue.gate.clear()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.exchange.PlaceOrder(place("a"), timeout=0.05)
        assert caught.value.code() in (Code.DEADLINE_EXCEEDED, Code.ABORTED)
        if caught.value.code() is Code.ABORTED:
            assert reason_of(caught.value) == "ORDER_OUTCOME_UNKNOWN"
        running.venue.gate.set()
        again = (await running.exchange.PlaceOrder(place("a"))).order
        (only,) = await running.venue.get_open_orders()
        assert again.order_id == only.order_id


async def test_whatever_the_deadline_what_the_venue_has_is_in_the_journal(tmp_path: Path, large: bool) -> None:
    """F1: 200 orders whose callers go away at any moment between arrival and answer."""
    path = str(tmp_path / "journal.db")
    count = 5_000 if large else 200
    async with rig(journal=path) as running:

        async def hurried(number: int) -> grpc.StatusCode:
            # One in twenty waits for its answer, however long it takes here.
            timeout = 0.0005 * (number % 40) if number % 20 else 60
            return await running.exchange.PlaceOrder(place(f"a{number}"), timeout=timeout).code()

        codes = set()
        for start in range(0, count, 20):
            codes |= set(await asyncio.gather(*map(hurried, range(start, start + 20))))
        assert codes <= {Code.OK, Code.DEADLINE_EXCEEDED, Code.ABORTED, Code.UNAVAILABLE}
        await eventually(lambda: running.connector.orders.unresolved == 0 and running.connector.calls.in_flight == 0)
        placed = {one.client_order_id for one in await running.venue.get_open_orders()}
    journal = Journal(path)
    await journal.open()
    try:
        known = {name for name in placed if await journal.find(name) is not None}
    finally:
        await journal.close()
    assert known == placed != set()


async def test_an_order_that_is_answered_before_its_deadline_is_an_order() -> None:
    async with rig() as running:
        assert (await running.exchange.PlaceOrder(place("a"), timeout=30)).order.order_id
