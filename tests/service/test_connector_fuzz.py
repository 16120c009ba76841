"""Whatever a client sends, it is answered with a status of ours, and the connector is as well as before."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from opensqt.config.venue import VenueSettings
from opensqt.model.order import Order, OrderRequest
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.venues.factory import create_exchange
from tests.service.connector_rig import Venue, order
from tests.service.connector_thread import Running, connector_thread
from tests.service.hostile import ANSWERS, METHODS, TEXTS, eventually, messages, send

SERVING = health_pb2.HealthCheckResponse.SERVING
INVALID = grpc.StatusCode.INVALID_ARGUMENT
FEW, MANY = 12, 2_000
"""Examples of each method at test size and with --large."""


class Recording(Venue):
    """Remembers each order that it was asked to place."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[OrderRequest] = []

    async def place_order(self, request: OrderRequest) -> Order:
        self.asked.append(request)
        return await super().place_order(request)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with connector_thread(Recording()) as running:
        yield running


def asked(running: Running) -> list[OrderRequest]:
    """The orders that came as far as the exchange."""
    venue = running.rig.venue
    assert isinstance(venue, Recording)
    return venue.asked


def of(method: str) -> st.SearchStrategy[Any]:
    return messages(METHODS[method].input_type)


def examples(large: bool) -> Any:
    return settings(
        max_examples=MANY if large else FEW,
        database=None,
        derandomize=not large,
        suppress_health_check=list(HealthCheck),
    )


def check(answer: tuple[grpc.StatusCode, str, str]) -> None:
    """A status that a client can work with: ours, with a reason, on one line."""
    code, text, reason = answer
    assert code in ANSWERS, answer
    if code is not grpc.StatusCode.OK:
        assert reason, answer
        assert text.isprintable(), answer
        assert len(text) <= 1000, answer


@pytest.mark.parametrize("method", METHODS)
def test_random_bytes_are_answered_with_a_status_of_ours(running: Running, method: str, large: bool) -> None:
    @examples(large)
    @given(st.binary(max_size=200))
    def fuzz(data: bytes) -> None:
        check(send(running.channel, method, data))

    fuzz()
    assert running.health() == SERVING


@pytest.mark.parametrize("method", METHODS)
def test_messages_full_of_nonsense_are_answered_with_a_status_of_ours(
    running: Running, method: str, large: bool
) -> None:
    @examples(large)
    @given(of(method))
    def fuzz(message: Any) -> None:
        check(send(running.channel, method, message.SerializeToString()))

    fuzz()
    assert running.health() == SERVING


@asynccontextmanager
async def simulated(ledgers: list[Callable[[], Any]]) -> AsyncIterator[Any]:
    """An adapter on a simulator, whose ledger goes into the list."""
    async with Simulator(SimulatorSettings(port=0, past_minutes=20)) as simulator:
        ledgers.append(simulator.ledger)
        key, secret = SecretStr("sim-key"), SecretStr("sim-secret")
        settings = VenueSettings(name="binance", api_key=key, secret=secret, base_url=simulator.url)
        yield create_exchange(settings)


def test_messages_full_of_nonsense_harm_no_venue_either(large: bool) -> None:
    """Over an adapter: what its budget has no room for any more is told as such."""
    ledgers: list[Callable[[], Any]] = []
    with connector_thread(over=simulated(ledgers), order_wait_s=1) as running:

        @settings(examples(large), max_examples=3_000 if large else 60)
        @given(st.sampled_from(sorted(METHODS)).flatmap(lambda name: st.tuples(st.just(name), of(name))))
        def fuzz(call: tuple[str, Any]) -> None:
            method, message = call
            check(send(running.channel, method, message.SerializeToString()))

        fuzz()
        assert running.health() == SERVING
        ledger = running.on_loop(ledgers[0])
        assert (ledger["statistics"]["http_429"], ledger["statistics"]["http_418"]) == (0, 0)
        assert ledger["accounts"]["sim-key"]["duplicate_client_order_ids"] == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05ab", b"\x0b"])
def test_bytes_that_are_no_message_are_a_bad_request(running: Running, method: str, data: bytes) -> None:
    """Broken tags, lengths beyond the end, a group that never closes."""
    code, text, reason = send(running.channel, method, data)
    assert (code, reason) == (INVALID, "INVALID_REQUEST"), text


@pytest.mark.parametrize("method", [name for name in METHODS if "symbol" in METHODS[name].input_type.fields_by_name])
@pytest.mark.parametrize("text", [b"\xed\xa0\x80", b"\xc0\xaf", b"\xff", b"\xf4\x90\x80\x80"])
def test_text_that_is_no_utf_8_is_a_bad_request(running: Running, method: str, text: bytes) -> None:
    """A lone surrogate, an overlong slash, a byte of nothing, a character beyond the last."""
    assert METHODS[method].input_type.fields_by_name["symbol"].number == 1
    code, said, reason = send(running.channel, method, bytes([0x0A, len(text)]) + text)
    assert (code, reason) == (INVALID, "INVALID_REQUEST"), said


@pytest.mark.parametrize("field", ["quantity", "price"])
@pytest.mark.parametrize("value", [text for text in TEXTS if text not in ("0", "1", "0.001", "100.1", "-0", "-1")])
def test_a_number_that_is_none_reaches_no_venue(running: Running, field: str, value: str) -> None:
    before = len(asked(running))
    request = pb.PlaceOrderRequest(order=order("a", **{field: value}))
    code, text, reason = send(running.channel, "PlaceOrder", request.SerializeToString())
    assert (code, reason) == (INVALID, "INVALID_REQUEST")
    assert text.startswith(f"order.{field} ")
    assert len(asked(running)) == before


@pytest.mark.parametrize("field", ["side", "order_type", "time_in_force", "position_side"])
@pytest.mark.parametrize("number", [99, -1, 2**31 - 1])
def test_a_name_out_of_range_reaches_no_venue(running: Running, field: str, number: int) -> None:
    before = len(asked(running))
    request = pb.PlaceOrderRequest(order=order("a", **{field: number}))
    code, text, _ = send(running.channel, "PlaceOrder", request.SerializeToString())
    assert (code, text.startswith(f"order.{field} {number}: expected one of")) == (INVALID, True)
    assert len(asked(running)) == before


def test_a_batch_of_ten_thousand_is_refused_whole_and_says_how_many_are_taken(running: Running) -> None:
    before = len(asked(running))
    batch = pb.BatchPlaceOrdersRequest(orders=[order(f"many{number}") for number in range(10_000)])
    code, text, _ = send(running.channel, "BatchPlaceOrders", batch.SerializeToString())
    assert (code, text) == (INVALID, "orders: 10000 items; expected 1 to 100")
    assert len(asked(running)) == before


def test_one_id_twice_in_a_batch_is_one_order_with_the_same_content_and_refused_with_other() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    with connector_thread(Recording()) as running:
        place = functools.partial(running.channel.unary_unary, response_deserializer=None)
        call = place("/opensqt.market_maker.v1.ExchangeService/BatchPlaceOrders")
        batch = pb.BatchPlaceOrdersRequest(orders=[order("a"), order("a"), order("a", quantity="0.2")])
        results = pb.BatchPlaceOrdersResponse.FromString(call(batch.SerializeToString(), timeout=10)).results
        assert results[0].order.order_id == results[1].order.order_id != ""
        assert results[2].error.reason == "DUPLICATE_ORDER"
        assert [one.client_order_id for one in asked(running)] == ["a"]


@pytest.mark.parametrize("epoch", ["", "elsewhere", "a" * 5000, "a\nb", "\U0001f4a3"])
@pytest.mark.parametrize("sequence", [0, 1, 2**64 - 1])
def test_a_position_from_elsewhere_brings_a_snapshot_with_a_gap_or_is_refused(
    running: Running, epoch: str, sequence: int
) -> None:
    """F7: it is never taken for the place in our own stream."""
    request = pb.SubscribePriceRequest(
        symbol="BTCUSDT", position=types_pb2.StreamPosition(epoch=epoch, sequence=sequence)
    )
    path = "/opensqt.market_maker.v1.ExchangeService/SubscribePrice"
    stream = running.channel.unary_stream(path)(request.SerializeToString(), timeout=10)
    if not epoch:
        with pytest.raises(grpc.RpcError, match=r"position.epoch '': expected"):
            next(stream)
        return
    first = pb.SubscribePriceResponse.FromString(next(stream))
    stream.cancel()
    assert (first.snapshot, first.gap) == (True, True)
    assert first.position.epoch != epoch


def test_fuzzing_leaves_no_task_and_no_subscription_behind(running: Running, large: bool) -> None:
    """F26: memory does not grow with subscriptions that end."""
    for name in METHODS:
        send(running.channel, name, b"")
    eventually(lambda: not running.rig.connector.streams.counts, what="upstreams closed")
    before = running.tasks()
    for text in TEXTS * (50 if large else 1):
        for name in ("SubscribePrice", "SubscribeOrders", "SubscribeKlines"):
            request = pb.SubscribeKlinesRequest(symbol=text[:300], interval="1m" if name == "SubscribeKlines" else "")
            check(send(running.channel, name, request.SerializeToString()))
    eventually(lambda: not running.rig.connector.streams.counts, what="upstreams closed")
    eventually(lambda: running.tasks() <= before, what="tasks gone")
    assert running.rig.connector.calls.in_flight == 0
