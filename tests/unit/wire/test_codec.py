"""Model to message and back: nothing is lost, and what can't be read is told by field."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.model.account import Account
from opensqt.model.order import Order, OrderStatus, PositionSide, Side
from opensqt.proto import exchange_service_pb2 as service_pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import types_pb2 as pb
from opensqt.wire import codec, gateway_codec, market_codec
from tests.unit.wire import models

PAIRS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], Any], Callable[[Any], Any], type[Any]]] = {
    "order": (models.orders, codec.encode_order, codec.decode_order, pb.Order),
    "fill": (models.fills, codec.encode_fill, codec.decode_fill, pb.Fill),
    "order update": (models.order_updates, codec.encode_order_update, codec.decode_order_update, pb.OrderUpdate),
    "account": (models.accounts, codec.encode_account, codec.decode_account, pb.Account),
    "position": (models.positions, codec.encode_position, codec.decode_position, pb.Position),
    "price": (models.prices, codec.encode_price, codec.decode_price, pb.Price),
    "candle": (models.candles, codec.encode_candle, codec.decode_candle, pb.Kline),
    "order book": (models.order_books, market_codec.encode_order_book, market_codec.decode_order_book, pb.OrderBook),
    "public trade": (models.public_trades, market_codec.encode_trade, market_codec.decode_trade, pb.PublicTrade),
    "mark price": (models.mark_prices, market_codec.encode_mark_price, market_codec.decode_mark_price, pb.MarkPrice),
    "rules": (models.rules, codec.encode_rules, codec.decode_rules, pb.SymbolRules),
    "info": (models.infos, codec.encode_info, codec.decode_info, service_pb.GetExchangeInfoResponse),
}


@pytest.mark.parametrize("kind", PAIRS)
@given(data=st.data())
@settings(max_examples=60)
def test_a_message_comes_back_from_the_wire_as_it_was(kind: str, data: st.DataObject) -> None:
    values, encode, decode, message = PAIRS[kind]
    value = data.draw(values)
    assert decode(message.FromString(encode(value).SerializeToString())) == value


@given(models.statuses)
@settings(max_examples=30)
def test_health_comes_back_from_the_wire_as_it_was(status: Any) -> None:
    message = gateway_codec.encode_status(status, version="1", started_ms=1)
    assert gateway_codec.decode_status(gateway_pb.GetStatusResponse.FromString(message.SerializeToString())) == status


@given(models.budgets)
@settings(max_examples=30)
def test_a_rate_budget_comes_back_from_the_wire_as_it_was(budget: Any) -> None:
    message = gateway_codec.encode_budget(budget).SerializeToString()
    assert gateway_codec.decode_budget(gateway_pb.GetRateBudgetResponse.FromString(message)) == budget


@given(models.leases)
@settings(max_examples=30)
def test_a_lease_comes_back_from_the_wire_as_it_was(lease: Any) -> None:
    message = gateway_codec.encode_lease(lease).SerializeToString()
    assert gateway_codec.decode_lease(gateway_pb.HeartbeatResponse.FromString(message)) == lease


@given(models.decimals)
def test_a_decimal_is_written_in_plain_digits_and_keeps_its_value(value: Decimal) -> None:
    text = codec.encode_decimal(value)
    assert set(text) <= set("-0123456789.")
    assert Decimal(text) == value


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_finite_number_is_never_sent(text: str) -> None:
    with pytest.raises(ValueError, match="expected a finite decimal"):
        codec.encode_decimal(Decimal(text))


def test_trailing_zeros_survive_as_venues_wrote_them() -> None:
    account = Account(
        asset="USDT", wallet_balance=Decimal("1.500"), unrealized_pnl=Decimal("0.00"), available_balance=Decimal(1)
    )
    assert str(codec.decode_account(codec.encode_account(account)).wallet_balance) == "1.500"


def an_order() -> pb.Order:
    return codec.encode_order(
        Order(
            symbol="BTCUSDT",
            side=Side.BUY,
            quantity=Decimal(1),
            client_order_id="a1",
            status=OrderStatus.OPEN,
            position_side=PositionSide.BOTH,
        )
    )


def test_an_absent_price_stays_absent_and_a_zero_stays_zero() -> None:
    message = an_order()
    assert codec.decode_order(message).price is None
    message.price = "0"
    assert codec.decode_order(message).price == 0


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity", "1,5"])
def test_a_number_that_cannot_be_read_is_told_by_field(text: str) -> None:
    message = an_order()
    message.quantity = text
    with pytest.raises(codec.MalformedMessage, match=r"order\.quantity .*expected a"):
        codec.decode_order(message)


def test_a_status_of_a_newer_connector_is_told_and_not_guessed() -> None:
    message = an_order()
    message.status = 77
    with pytest.raises(codec.MalformedMessage, match="OrderStatus 77: expected one of PENDING, UNKNOWN, OPEN"):
        codec.decode_order(message)


def test_a_capability_of_a_newer_connector_is_left_out() -> None:
    message = service_pb.GetExchangeInfoResponse(name="binance", position_mode=pb.POSITION_MODE_ONE_WAY)
    message.capabilities.time_in_force.extend([pb.TIME_IN_FORCE_GTC, 99])
    assert codec.decode_info(message).capabilities.time_in_force == {"GTC"}


def test_a_field_of_a_newer_connector_does_not_disturb() -> None:
    """F25: one unknown field or value never stops a stream."""
    unknown_field = b"\xfa\x3f\x03new"
    message = pb.Order.FromString(an_order().SerializeToString() + unknown_field)
    assert codec.decode_order(message).client_order_id == "a1"


def test_a_book_that_is_not_valid_has_a_reason_even_if_the_connector_gave_none() -> None:
    """F14: a book with a hole in it is not traded on."""
    assert not market_codec.decode_order_book(pb.OrderBook(symbol="BTCUSDT")).valid


@pytest.mark.parametrize("field", ["price", "quantity"])
def test_a_level_that_is_no_number_is_malformed(field: str) -> None:
    level = {"price": "1", "quantity": "1", field: "NaN"}
    with pytest.raises(codec.MalformedMessage, match=f"order_book.asks.{field}"):
        market_codec.decode_order_book(pb.OrderBook(valid=True, asks=[pb.BookLevel(**level)]))
