"""What AmendOrder asks: written by RemoteExchange and the journal, read and checked by the connector."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from opensqt.model.errors import InvalidRequest
from opensqt.model.order import AmendRequest
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.wire import codec
from opensqt.wire.requests import decode_client_order_id, decode_decimal, decode_order_ref, encode_order_ref


def encode_amend_request(request: AmendRequest) -> pb.AmendOrderRequest:
    """Encode an amendment; what the connector would call malformed is refused before it is sent.

    Raises:
        InvalidRequest: Naming the field, its value and what was expected.
    """
    return pb.AmendOrderRequest(
        order=encode_order_ref(request.order),
        amend_id=decode_client_order_id(request.amend_id, "amend_id"),
        price=None if request.price is None else _text(request.price, "price"),
        quantity=None if request.quantity is None else _text(request.quantity, "quantity"),
    )


def decode_amend_request(message: pb.AmendOrderRequest, *, stored: bool = False) -> AmendRequest:
    """Decode and check an amendment.

    Args:
        message: As it came.
        stored: Whether it was taken in before, and names its order by both ids.

    Raises:
        InvalidRequest: Naming the field, its value and what was expected.
    """
    order = decode_order_ref(message.order)
    if order.client_order_id and order.order_id and not stored:
        # The client's id takes precedence, so an amendment that names the order by both is the same one.
        order = replace(order, order_id="")
    price = decode_decimal(message.price, "price") if message.HasField("price") else None
    quantity = decode_decimal(message.quantity, "quantity") if message.HasField("quantity") else None
    if price is None and quantity is None:
        raise InvalidRequest("price and quantity absent: expected at least one of them", symbol=order.symbol)
    return AmendRequest(
        order=order, amend_id=decode_client_order_id(message.amend_id, "amend_id"), price=price, quantity=quantity
    )


def _text(value: Decimal, field: str) -> str:
    try:
        text = codec.encode_decimal(value)
    except ValueError as error:
        raise InvalidRequest(f"{field} {error}") from None
    decode_decimal(text, field)
    return text
