"""What a client asks for: round trip, and every malformed field told by name, value and what was expected."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from opensqt.model.errors import InvalidRequest
from opensqt.model.order import OrderRef, OrderRequest, OrderType, PositionSide, Side, TimeInForce
from opensqt.model.stream import Cursor
from opensqt.proto import exchange_service_pb2 as service_pb
from opensqt.proto import types_pb2 as pb
from opensqt.wire import requests
from tests.unit.wire import models


@given(models.order_requests)
@settings(max_examples=100)
def test_an_order_request_comes_back_as_it_was(request: OrderRequest) -> None:
    wire = requests.encode_order_request(request).SerializeToString()
    assert requests.decode_order_request(pb.OrderRequest.FromString(wire)) == request


@given(models.order_refs)
@settings(max_examples=50)
def test_an_order_ref_comes_back_as_it_was(ref: OrderRef) -> None:
    assert requests.decode_order_ref(requests.encode_order_ref(ref)) == ref


def asked(**changes: Any) -> pb.OrderRequest:
    fields: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": pb.SIDE_BUY,
        "order_type": pb.ORDER_TYPE_LIMIT,
        "time_in_force": pb.TIME_IN_FORCE_GTC,
        "quantity": "0.01",
        "price": "100",
        "client_order_id": "a1",
    }
    return pb.OrderRequest(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"symbol": ""}, "order.symbol '': expected capital letters and digits"),
        ({"symbol": "BTC/USDT"}, "order.symbol 'BTC/USDT': expected capital letters"),
        ({"side": 0}, "order.side unspecified: expected one of BUY, SELL"),
        ({"side": 9}, "order.side 9: expected one of BUY, SELL"),
        ({"order_type": 0}, "order.order_type unspecified: expected one of LIMIT, MARKET"),
        ({"time_in_force": 0}, "order.time_in_force unspecified: expected one of GTC"),
        ({"position_side": 7}, "order.position_side 7: expected one of BOTH"),
        ({"quantity": ""}, "order.quantity '': expected a decimal"),
        ({"quantity": "1e9999999"}, "order.quantity '1e9999999': expected a decimal in plain digits"),
        ({"quantity": "9" * 30}, "expected at most 15 digits before the point and 13 behind it"),
        ({"price": "0." + "0" * 29 + "1"}, "expected at most 15 digits before the point and 13 behind it"),
        ({"quantity": "NaN"}, "order.quantity 'NaN': expected a decimal"),
        ({"quantity": "1_000"}, "order.quantity '1_000': expected a decimal"),
        ({"quantity": "\u0661"}, "order.quantity '\u0661': expected a decimal"),
        ({"quantity": "9" * 400}, "expected a decimal in plain digits"),
        ({"price": "Infinity"}, "order.price 'Infinity': expected a decimal"),
        ({"price": ""}, "order.price '': expected a decimal"),
        ({"client_order_id": ""}, "order.client_order_id '': expected 1 to 32 ASCII letters and digits"),
        ({"client_order_id": "a-1"}, "order.client_order_id 'a-1': expected 1 to 32"),
        ({"client_order_id": "a" * 33}, "expected 1 to 32 ASCII letters and digits"),
    ],
)
def test_a_malformed_field_is_told_by_name_value_and_expectation(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        requests.decode_order_request(asked(**changes))
    assert told in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_place_in_a_batch_is_told() -> None:
    with pytest.raises(InvalidRequest, match=r"orders\[3\]\.quantity"):
        requests.decode_order_request(asked(quantity="x"), "orders[3]")


def test_an_unspecified_position_side_means_both() -> None:
    assert requests.decode_order_request(asked(position_side=0)).position_side is PositionSide.BOTH


def test_a_market_order_needs_no_time_in_force() -> None:
    message = asked(order_type=pb.ORDER_TYPE_MARKET, time_in_force=0)
    message.ClearField("price")
    decoded = requests.decode_order_request(message)
    assert (decoded.order_type, decoded.time_in_force, decoded.price) == (OrderType.MARKET, TimeInForce.GTC, None)


def test_a_request_with_a_number_that_is_none_is_refused_before_it_is_sent() -> None:
    request = OrderRequest(symbol="BTCUSDT", side=Side.BUY, quantity=Decimal("NaN"), client_order_id="a1")
    with pytest.raises(InvalidRequest, match=r"order\.quantity NaN"):
        requests.encode_order_request(request)


@pytest.mark.parametrize("ref", [pb.OrderRef(symbol="BTCUSDT"), pb.OrderRef(symbol="BTCUSDT", order_id="x" * 65)])
def test_an_order_ref_without_a_usable_id_is_refused(ref: pb.OrderRef) -> None:
    with pytest.raises(InvalidRequest, match="order"):
        requests.decode_order_ref(ref)


def test_an_empty_symbol_passes_only_where_it_means_all() -> None:
    assert requests.decode_symbol("", required=False) == ""
    with pytest.raises(InvalidRequest):
        requests.decode_symbol("")


def test_a_position_is_read_and_its_absence_too() -> None:
    request = service_pb.SubscribePriceRequest(symbol="BTCUSDT")
    assert requests.decode_cursor(request) is None
    request.position.epoch, request.position.sequence = "e", 7
    assert requests.decode_cursor(request) == Cursor("e", 7)


def test_the_cursor_of_older_clients_is_read_where_there_is_no_position() -> None:
    request = service_pb.SubscribePriceRequest(cursor=pb.Cursor(epoch="old", sequence=3))
    assert requests.decode_cursor(request) == Cursor("old", 3)
    request.position.epoch, request.position.sequence = "e", 7
    assert requests.decode_cursor(request) == Cursor("e", 7)


@pytest.mark.parametrize("field", ["position", "cursor"])
def test_a_place_without_an_epoch_is_refused(field: str) -> None:
    request = service_pb.SubscribePriceRequest(symbol="BTCUSDT")
    getattr(request, field).sequence = 7
    with pytest.raises(InvalidRequest, match=rf"{field}\.epoch '': expected the epoch of an earlier response"):
        requests.decode_cursor(request)


@pytest.mark.parametrize("at", [None, Cursor("e", 7)])
def test_a_place_that_was_written_reads_back_for_connectors_of_before_too(at: Cursor | None) -> None:
    written = service_pb.SubscribePriceRequest(**requests.resume_at(at))
    assert requests.decode_cursor(written) == at
    written.ClearField("position")
    assert requests.decode_cursor(written) == at


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_outside_1_to_1000_is_refused(limit: int) -> None:
    with pytest.raises(InvalidRequest, match=f"limit {limit}: expected 1 to 1000"):
        requests.check_limit(limit)
