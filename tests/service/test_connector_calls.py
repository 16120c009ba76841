"""The connector's unary calls: what they answer, refuse, log and count."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest
import structlog
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from opensqt.model.errors import InsufficientMargin, RateLimited
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import types_pb2
from tests.service.connector_rig import Rig, order, place, reason_of, refused_in_time, rig
from tests.support.blocking import in_thread

REF = types_pb2.OrderRef(symbol="BTCUSDT", client_order_id="a")


@pytest.fixture
async def running() -> AsyncIterator[Rig]:
    async with rig() as running:
        yield running


async def test_an_order_goes_all_the_way_and_back(running: Rig) -> None:
    placed = (await running.exchange.PlaceOrder(place("a"))).order
    assert (placed.client_order_id, placed.status) == ("a", types_pb2.ORDER_STATUS_OPEN)
    assert (await running.exchange.GetOrder(pb.GetOrderRequest(order=REF))).order.order_id == placed.order_id
    listed = await running.exchange.GetOpenOrders(pb.GetOpenOrdersRequest())
    assert [one.client_order_id for one in listed.orders] == ["a"]
    canceled = (await running.exchange.CancelOrder(pb.CancelOrderRequest(order=REF))).order
    assert canceled.status == types_pb2.ORDER_STATUS_CANCELED


async def test_a_batch_answers_per_item_in_order(running: Rig) -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    batch = pb.BatchPlaceOrdersRequest(orders=[order("a"), order("b", quantity="0.00001"), order("c")])
    results = (await running.exchange.BatchPlaceOrders(batch)).results
    assert [one.WhichOneof("result") for one in results] == ["order", "error", "order"]
    assert results[1].error.reason == "ORDER_DENIED"
    refs = [types_pb2.OrderRef(symbol="BTCUSDT", client_order_id=name) for name in ("a", "none", "c")]
    results = (await running.exchange.BatchCancelOrders(pb.BatchCancelOrdersRequest(orders=refs))).results
    assert [one.WhichOneof("result") for one in results] == ["order", "error", "order"]


async def test_an_item_of_a_batch_that_makes_no_sense_hides_no_other(running: Rig) -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    batch = pb.BatchPlaceOrdersRequest(orders=[order(""), order("a"), order("b", quantity="1e9")])
    results = (await running.exchange.BatchPlaceOrders(batch)).results
    assert [one.WhichOneof("result") for one in results] == ["error", "order", "error"]
    assert results[0].error.message.startswith("orders[0].client_order_id")
    refs = [types_pb2.OrderRef(symbol="BTCUSDT"), types_pb2.OrderRef(symbol="BTCUSDT", client_order_id="a")]
    results = (await running.exchange.BatchCancelOrders(pb.BatchCancelOrdersRequest(orders=refs))).results
    assert [one.WhichOneof("result") for one in results] == ["error", "order"]


async def test_cancel_all_answers_those_that_were_canceled(running: Rig) -> None:
    await running.exchange.BatchPlaceOrders(pb.BatchPlaceOrdersRequest(orders=[order("a"), order("b")]))
    await running.exchange.PlaceOrder(place("other", symbol="ETHUSDT"))
    answer = await running.exchange.CancelAllOrders(pb.CancelAllOrdersRequest(symbol="BTCUSDT"))
    assert {one.client_order_id for one in answer.orders} == {"a", "b"}


async def test_account_positions_price_candles_and_fills_are_answered(running: Rig) -> None:
    await running.exchange.PlaceOrder(place("a", price="101", time_in_force=types_pb2.TIME_IN_FORCE_IOC))
    account = (await running.exchange.GetAccount(pb.GetAccountRequest())).account
    assert account.asset == "USDT"
    (position,) = (await running.exchange.GetPositions(pb.GetPositionsRequest(symbol="BTCUSDT"))).positions
    assert position.quantity == "0.1"
    price = (await running.exchange.GetLatestPrice(pb.GetLatestPriceRequest(symbol="BTCUSDT"))).price
    assert price.bid == "100"
    asked = pb.GetHistoricalKlinesRequest(symbol="BTCUSDT", interval="1m")
    assert len((await running.exchange.GetHistoricalKlines(asked)).klines) >= 1
    (fill,) = (await running.gateway.ListFills(gateway_pb.ListFillsRequest(symbol="BTCUSDT"))).fills
    assert fill.client_order_id == "a"


async def test_exchange_info_names_what_is_behind(running: Rig) -> None:
    info = await running.exchange.GetExchangeInfo(pb.GetExchangeInfoRequest())
    assert info.name == "memory"
    assert {rules.symbol for rules in info.symbols} == {"BTCUSDT", "ETHUSDT"}


KLINES = {"symbol": "BTCUSDT", "interval": "1m"}


@pytest.mark.parametrize(
    ("method", "request_", "said"),
    [
        ("PlaceOrder", place("a", side=0), "order.side unspecified: expected one of BUY, SELL"),
        ("PlaceOrder", place("a", order_type=0), "order.order_type unspecified: expected"),
        ("PlaceOrder", place("a", quantity="1e5"), "order.quantity '1e5': expected a decimal in plain digits"),
        ("PlaceOrder", place("a", quantity="NaN"), "order.quantity 'NaN': expected"),
        ("PlaceOrder", place("a", symbol=""), "order.symbol '': expected"),
        ("PlaceOrder", place("a-b"), "order.client_order_id 'a-b': expected"),
        ("BatchPlaceOrders", pb.BatchPlaceOrdersRequest(), "orders: 0 items; expected 1 to 100"),
        ("BatchPlaceOrders", pb.BatchPlaceOrdersRequest(orders=[order("a")] * 101), "orders: 101 items"),
        ("CancelOrder", pb.CancelOrderRequest(), "order.symbol '': expected"),
        ("GetOrder", pb.GetOrderRequest(order=types_pb2.OrderRef(symbol="BTCUSDT")), "expected client_order_id or"),
        ("CancelAllOrders", pb.CancelAllOrdersRequest(), "symbol '': expected"),
        ("GetLatestPrice", pb.GetLatestPriceRequest(symbol="NONEUSDT"), "NONEUSDT"),
        ("GetHistoricalKlines", pb.GetHistoricalKlinesRequest(symbol="BTCUSDT", interval="7m"), "interval '7m': expe"),
        ("GetHistoricalKlines", pb.GetHistoricalKlinesRequest(**KLINES, limit=1001), "limit 1001: expected 1 to 1000"),
        ("GetHistoricalKlines", pb.GetHistoricalKlinesRequest(**KLINES, limit=-1), "limit -1: expected 1 to 1000"),
        (
            "GetHistoricalKlines",
            pb.GetHistoricalKlinesRequest(**KLINES, start_time_ms=2, end_time_ms=1),
            "end_time_ms 1: expected at least start_time_ms, 2",
        ),
        ("GetHistoricalKlines", pb.GetHistoricalKlinesRequest(**KLINES, start_time_ms=-5), "start_time_ms -5: expe"),
    ],
)
async def test_a_bad_request_is_told_by_field_value_and_what_was_expected(
    running: Rig, method: str, request_: Any, said: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(running.exchange, method)(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert said in caught.value.details()


async def test_fills_before_all_time_are_a_bad_request(running: Rig) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="since_ms -1: expected"):
        await running.gateway.ListFills(gateway_pb.ListFillsRequest(symbol="BTCUSDT", since_ms=-1))


async def test_an_error_of_the_exchange_keeps_its_code_and_reason(running: Rig) -> None:
    running.venue.fail_next(InsufficientMargin("too little", venue_code="-2019"), on="place_order")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.exchange.PlaceOrder(place("a"))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(caught.value) == "INSUFFICIENT_MARGIN"


async def test_a_failure_that_nobody_foresaw_is_told_neutrally_and_logged(running: Rig) -> None:
    """F33: the text of an unexpected exception stays in the connector."""
    running.venue.fail_next(KeyError("inner-detail"), on="get_account")  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as logs, pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.exchange.GetAccount(pb.GetAccountRequest())
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "inner-detail" not in str(caught.value)
    assert [line["log_level"] for line in logs if line["event"] == "call failed unexpectedly"] == ["error"]


async def test_the_same_order_asked_for_twice_is_placed_once(running: Rig) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    first, second = await running.exchange.PlaceOrder(place("a")), await running.exchange.PlaceOrder(place("a"))
    assert first.order.order_id == second.order.order_id
    assert len(await running.venue.get_open_orders()) == 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.exchange.PlaceOrder(place("a", quantity="0.2"))
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_an_order_not_answered_before_the_deadline_is_told_as_unknown(running: Rig) -> None:
    """F1: the caller learns that the outcome is open while it still listens."""
    running.venue.gate.clear()
    told = await refused_in_time(lambda: running.exchange.PlaceOrder(place("a"), timeout=1))
    assert told.code() is grpc.StatusCode.ABORTED
    assert reason_of(told) == "ORDER_OUTCOME_UNKNOWN"
    running.venue.gate.set()
    assert (await running.exchange.PlaceOrder(place("a"))).order.status == types_pb2.ORDER_STATUS_OPEN


async def test_a_rate_limit_tells_how_long_to_wait(running: Rig) -> None:
    running.venue.fail_next(RateLimited("slow down", retry_after_s=2.5), on="get_account")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.exchange.GetAccount(pb.GetAccountRequest())
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason_of(caught.value) == "RATE_LIMITED"


@pytest.mark.parametrize("sent", ["strategy-7:42", None, "no good; id"])
async def test_every_call_has_a_correlation_id_that_is_logged_and_sent_back(running: Rig, sent: str | None) -> None:
    call = running.exchange.PlaceOrder(place("a"), metadata=[("x-correlation-id", sent)] if sent else None)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        await call
        returned = dict(await call.trailing_metadata())["x-correlation-id"]
    assert returned == sent if sent == "strategy-7:42" else len(returned) == 16
    (line,) = [line for line in logs if line["event"] == "call"]
    assert line["correlation_id"] == returned
    assert (line["method"], line["code"], line["log_level"]) == ("PlaceOrder", "OK", "info")
    assert line["peer"].startswith("ipv4:127.0.0.1:")
    assert line["ms"] > 0
    assert (line["symbol"], line["client_order_id"]) == ("BTCUSDT", "a")


async def test_reading_is_logged_only_for_who_debugs(running: Rig) -> None:
    with structlog.testing.capture_logs() as logs:
        await running.exchange.GetAccount(pb.GetAccountRequest())
    assert [line["log_level"] for line in logs if line["event"] == "call"] == ["debug"]


async def test_calls_and_streams_are_counted_on_the_metrics_page() -> None:
    async with rig(metrics_port=0) as running:
        await running.exchange.PlaceOrder(place("a"))
        with pytest.raises(grpc.aio.AioRpcError):
            await running.exchange.GetLatestPrice(pb.GetLatestPriceRequest())
        stream = running.exchange.SubscribePrice(pb.SubscribePriceRequest(symbol="BTCUSDT"))
        await stream.read()
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{running.connector.metrics_address}/metrics") as page,
        ):
            lines = (await page.text()).splitlines()
    assert 'grpc_requests_total{method="PlaceOrder",status="OK"} 1.0' in lines
    assert 'grpc_requests_total{method="GetLatestPrice",status="INVALID_ARGUMENT"} 1.0' in lines
    assert 'grpc_request_duration_seconds_count{method="PlaceOrder"} 1.0' in lines
    assert 'exchange_stream_connected{exchange="memory",stream="price:BTCUSDT"} 1.0' in lines
    assert 'exchange_stream_messages_total{stream="price"} 1.0' in lines
    assert 'connector_stream_readers{kind="price"} 1.0' in lines
    assert "connector_serving 1.0" in lines


async def test_reflection_lists_12_unary_and_5_streaming_methods(running: Rig) -> None:
    with grpc.insecure_channel(running.connector.address) as channel:

        def reflect() -> tuple[list[str], list[bool]]:
            database = ProtoReflectionDescriptorDatabase(channel)
            pool = descriptor_pool.DescriptorPool(database)
            service = pool.FindServiceByName("opensqt.market_maker.v1.ExchangeService")
            return list(database.get_services()), [method.server_streaming for method in service.methods]

        services, streaming = await in_thread(reflect)
    assert {"opensqt.market_maker.v1.GatewayService", "grpc.health.v1.Health"} <= set(services)
    assert (streaming.count(False), streaming.count(True)) == (12, 5)
