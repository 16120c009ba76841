"""What a client asks for: written by RemoteExchange, read and checked by the connector.

Only the form is checked here. Whether a symbol is traded or a quantity fits its step is for the exchange to say.
"""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from typing import Any, TypeVar

from opensqt.model import client_order_id
from opensqt.model.account import PositionMode
from opensqt.model.errors import InvalidRequest
from opensqt.model.market import DEFAULT_DEPTH, MAX_DEPTH
from opensqt.model.order import MarginMode, OrderRef, OrderRequest, OrderType, PositionSide, TimeInForce
from opensqt.model.stream import Cursor
from opensqt.proto import types_pb2 as pb
from opensqt.wire import codec

T = TypeVar("T")
_PLAIN = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_INTEGER_DIGITS, _DECIMALS = 15, 13
"""Beyond the numbers of any market, and together what Decimal's arithmetic holds exactly: with 30 digits it fails."""
_SYMBOL = re.compile(r"[A-Z0-9]{2,40}")


def encode_order_request(request: OrderRequest) -> pb.OrderRequest:
    """Encode an order that is asked for; what the connector would call malformed is refused before it is sent.

    Raises:
        InvalidRequest: Naming the field, its value and what was expected.
    """
    return pb.OrderRequest(
        symbol=decode_symbol(request.symbol, "order.symbol"),
        side=codec.SIDE_NUMBER[request.side],
        order_type=codec.ORDER_TYPE_NUMBER[request.order_type],
        time_in_force=codec.TIME_IN_FORCE_NUMBER[request.time_in_force],
        quantity=_text(request.quantity, "quantity"),
        price=None if request.price is None else _text(request.price, "price"),
        client_order_id=decode_client_order_id(request.client_order_id, "order.client_order_id"),
        reduce_only=request.reduce_only,
        position_side=codec.POSITION_SIDE_NUMBER[request.position_side],
        # Left out where it is the default, so that an order is stored as it was before the field.
        margin_mode=None if request.margin_mode is MarginMode.CROSS else codec.MARGIN_MODE_NUMBER[request.margin_mode],
    )


def decode_order_request(message: pb.OrderRequest, where: str = "order", *, stored: bool = False) -> OrderRequest:
    """Decode and check an order that is asked for.

    Args:
        message: As it came.
        where: What errors call it, e.g. `orders[2]`.
        stored: Whether it was taken in before, perhaps by an earlier version that allowed more digits.

    Raises:
        InvalidRequest: Naming the field, its value and what was expected.
    """
    order_type = _member(message.order_type, codec.ORDER_TYPE, f"{where}.order_type")
    if order_type is OrderType.MARKET and not message.time_in_force:
        time_in_force = TimeInForce.GTC
    else:
        time_in_force = _member(message.time_in_force, codec.TIME_IN_FORCE, f"{where}.time_in_force")
    position_side = PositionSide.BOTH
    if message.position_side:
        position_side = _member(message.position_side, codec.POSITION_SIDE, f"{where}.position_side")
    margin_mode = MarginMode.CROSS
    if message.margin_mode:
        margin_mode = _member(message.margin_mode, codec.MARGIN_MODE, f"{where}.margin_mode")
    return OrderRequest(
        symbol=decode_symbol(message.symbol, f"{where}.symbol"),
        side=_member(message.side, codec.SIDE, f"{where}.side"),
        quantity=_decimal(message.quantity, f"{where}.quantity", stored=stored),
        client_order_id=decode_client_order_id(message.client_order_id, f"{where}.client_order_id"),
        order_type=order_type,
        price=_decimal(message.price, f"{where}.price", stored=stored) if message.HasField("price") else None,
        time_in_force=time_in_force,
        reduce_only=message.reduce_only,
        position_side=position_side,
        margin_mode=margin_mode,
    )


def encode_order_ref(ref: OrderRef) -> pb.OrderRef:
    """Encode the name of an order; a malformed one is refused before it is sent.

    Raises:
        InvalidRequest: Naming the field, its value and what was expected.
    """
    message = pb.OrderRef(symbol=ref.symbol, client_order_id=ref.client_order_id, order_id=ref.order_id)
    decode_order_ref(message)
    return message


def decode_order_ref(message: pb.OrderRef, where: str = "order") -> OrderRef:
    """Decode and check the name of an order.

    Raises:
        InvalidRequest: Naming the field, its value and what was expected.
    """
    symbol = decode_symbol(message.symbol, f"{where}.symbol")
    if not (message.client_order_id or message.order_id):
        raise InvalidRequest(f"{where}: expected client_order_id or order_id", symbol=symbol)
    for name, text in (("client_order_id", message.client_order_id), ("order_id", message.order_id)):
        # An order that somebody else placed may carry an id beyond our own rule for new ones.
        if len(text) > 64 or not text.isascii() or not text.isprintable():
            raise InvalidRequest(f"{where}.{name} {_shown(text)}: expected at most 64 printable ASCII characters")
    return OrderRef(symbol=symbol, client_order_id=message.client_order_id, order_id=message.order_id)


def decode_symbol(text: str, field: str = "symbol", *, required: bool = True) -> str:
    """Check a symbol's form; an empty one passes where it means all symbols.

    Raises:
        InvalidRequest: Naming the field, its value and what was expected.
    """
    if not text and not required:
        return text
    if not _SYMBOL.fullmatch(text):
        raise InvalidRequest(f"{field} {_shown(text)}: expected capital letters and digits, such as BTCUSDT")
    # Whatever is kept of many orders then shares the one text.
    return sys.intern(text)


def decode_client_order_id(text: str, field: str = "client_order_id") -> str:
    """Check the id of a new order.

    Raises:
        InvalidRequest: Naming the field, its value and what was expected.
    """
    if not client_order_id.is_valid(text):
        raise InvalidRequest(f"{field} {_shown(text)}: expected 1 to 32 ASCII letters and digits")
    return text


def decode_decimal(text: str, field: str) -> Decimal:
    """Read a number that is asked for.

    Raises:
        InvalidRequest: Naming the field, its value and what was expected.
    """
    return Decimal(_check_decimal(text, field))


def check_leverage(leverage: int) -> int:
    """Check a leverage that is asked for; the most is the symbol's and for the exchange to say.

    Raises:
        InvalidRequest: It is below 1, or no whole number that a message can hold.
    """
    if isinstance(leverage, bool) or not isinstance(leverage, int) or not 1 <= leverage < 2**31:
        raise InvalidRequest(f"leverage {_shown(str(leverage))}: expected a whole number from 1 on")
    return leverage


def decode_margin_mode(number: int) -> MarginMode:
    """Check the margin mode that is asked for.

    Raises:
        InvalidRequest: Naming the field, its value and what was expected.
    """
    return _member(number, codec.MARGIN_MODE, "margin_mode")


def decode_position_mode(number: int) -> PositionMode:
    """Check the position mode that is asked for.

    Raises:
        InvalidRequest: Naming the field, its value and what was expected.
    """
    return _member(number, codec.POSITION_MODE, "position_mode")


def check_limit(limit: int) -> int:
    """Check how many candles are asked for.

    Raises:
        InvalidRequest: It is not 1 to 1000.
    """
    if not 1 <= limit <= 1000:
        raise InvalidRequest(f"limit {limit}: expected 1 to 1000")
    return limit


def check_depth(depth: int) -> int:
    """Check how many levels of an order book are asked for.

    Raises:
        InvalidRequest: It is beyond what any venue gives.
    """
    if not 1 <= depth <= MAX_DEPTH:
        raise InvalidRequest(f"depth {depth}: expected 1 to {MAX_DEPTH}")
    return depth


def decode_depth(depth: int) -> int:
    """Decode how many levels of an order book are asked for; 0 means the default.

    Raises:
        InvalidRequest: It is beyond what any venue gives.
    """
    return check_depth(depth or DEFAULT_DEPTH)


def decode_cursor(message: Any) -> Cursor | None:
    """Decode where a subscription resumes, None when it begins anew.

    Clients older than `position` send `cursor`; requests that are younger have no such field.

    Raises:
        InvalidRequest: It has no epoch.
    """
    for field in ("position", "cursor"):
        if field in message.DESCRIPTOR.fields_by_name and message.HasField(field):
            at = getattr(message, field)
            if not at.epoch:
                raise InvalidRequest(f"{field}.epoch '': expected the epoch of an earlier response")
            return Cursor(at.epoch, at.sequence)
    return None


def resume_after(cursor: Cursor | None) -> dict[str, Any]:
    """Return the field of a subscription request of GatewayService that resumes at *cursor*; none begins anew."""
    return {} if cursor is None else {"position": pb.StreamPosition(epoch=cursor.epoch, sequence=cursor.sequence)}


def resume_at(cursor: Cursor | None) -> dict[str, Any]:
    """Return the fields of a subscription request of ExchangeService that resumes at *cursor*; none begins anew.

    A connector older than `position` reads `cursor`. Without it, it would answer a snapshot that shows no gap.
    """
    if cursor is None:
        return {}
    return {
        "position": pb.StreamPosition(epoch=cursor.epoch, sequence=cursor.sequence),
        "cursor": pb.Cursor(epoch=cursor.epoch, sequence=cursor.sequence),
    }


def _member(number: int, table: dict[int, T], field: str) -> T:
    if number not in table:
        shown = "unspecified" if number == 0 else number
        raise InvalidRequest(f"{field} {shown}: expected one of {', '.join(str(one) for one in table.values())}")
    return table[number]


def _decimal(text: str, field: str, *, stored: bool) -> Decimal:
    return Decimal(_check_decimal(text, field, stored=stored))


def _check_decimal(text: str, field: str, *, stored: bool = False) -> str:
    if not _PLAIN.fullmatch(text):
        raise InvalidRequest(f"{field} {_shown(text)}: expected a decimal in plain digits, such as 0.001")
    integer, _, decimals = text.partition(".")
    if stored:
        return text
    if len(integer.lstrip("-0")) > _INTEGER_DIGITS or len(decimals.rstrip("0")) > _DECIMALS:
        most = f"at most {_INTEGER_DIGITS} digits before the point and {_DECIMALS} behind it"
        raise InvalidRequest(f"{field} {_shown(text)}: expected {most}")
    return text


def _text(value: Decimal, field: str) -> str:
    try:
        text = codec.encode_decimal(value)
    except ValueError as error:
        raise InvalidRequest(f"order.{field} {error}") from None
    return _check_decimal(text, f"order.{field}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
