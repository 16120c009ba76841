"""An amendment over the wire: what was asked for comes back, and what makes no sense is named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.errors import InvalidRequest
from opensqt.model.order import AmendRequest, OrderRef
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.wire.amendments import decode_amend_request, encode_amend_request

REF = OrderRef(symbol="BTCUSDT", client_order_id="mine")
REQUEST = AmendRequest(order=REF, amend_id="a1", price=Decimal("100.10"), quantity=Decimal("0.003"))


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        replace(REQUEST, price=None),
        replace(REQUEST, quantity=None),
        replace(REQUEST, order=OrderRef(symbol="BTCUSDT", order_id="77")),
    ],
)
def test_what_was_asked_for_comes_back(request_: AmendRequest) -> None:
    sent = encode_amend_request(request_).SerializeToString()
    assert decode_amend_request(pb.AmendOrderRequest.FromString(sent)) == request_


def test_an_order_named_by_both_ids_is_named_by_the_clients_unless_it_was_stored() -> None:
    both = encode_amend_request(replace(REQUEST, order=replace(REF, order_id="77")))
    assert decode_amend_request(both).order == REF
    assert decode_amend_request(both, stored=True).order.order_id == "77"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"price": None, "quantity": None}, "price and quantity absent"),
        ({"price": "1e5"}, "price '1e5'"),
        ({"quantity": "NaN"}, "quantity 'NaN'"),
        ({"amend_id": ""}, "amend_id ''"),
        ({"amend_id": "a-1"}, "amend_id 'a-1'"),
        ({"order": types_pb2.OrderRef(symbol="BTCUSDT")}, "order: expected client_order_id or order_id"),
        ({"order": None}, "order.symbol ''"),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_of_the_field(fields: dict[str, Any], said: str) -> None:
    order = types_pb2.OrderRef(symbol="BTCUSDT", client_order_id="mine")
    given = {"order": order, "amend_id": "a1", "price": "1", "quantity": "1", **fields}
    with pytest.raises(InvalidRequest, match=said.replace("(", r"\(")):
        decode_amend_request(pb.AmendOrderRequest(**given))


def test_a_number_that_the_connector_would_refuse_is_not_sent() -> None:
    with pytest.raises(InvalidRequest, match="quantity"):
        encode_amend_request(replace(REQUEST, quantity=Decimal("NaN")))


def test_an_amendment_of_nothing_can_not_be_made() -> None:
    with pytest.raises(ValueError, match="price or quantity"):
        AmendRequest(order=REF, amend_id="a1")
