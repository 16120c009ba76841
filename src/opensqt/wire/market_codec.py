"""Convert order books, public trades and mark prices to messages of the contract, and back without loss."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from opensqt.model.market import BookLevel, MarkPrice, OrderBook, PublicTrade
from opensqt.proto import types_pb2 as pb
from opensqt.wire.codec import SIDE, SIDE_NUMBER, decode_decimal, encode_decimal


def encode_order_book(book: OrderBook) -> pb.OrderBook:
    """Encode one order book."""
    return pb.OrderBook(
        symbol=book.symbol,
        bids=_encode_levels(book.bids),
        asks=_encode_levels(book.asks),
        sequence=book.sequence,
        valid=book.valid,
        invalid_reason=book.invalid_reason,
        event_time_ms=book.event_time_ms,
        received_ns=book.received_ns,
    )


def decode_order_book(message: pb.OrderBook) -> OrderBook:
    """Decode one order book."""
    return OrderBook(
        symbol=message.symbol,
        bids=_decode_levels(message.bids, "bids"),
        asks=_decode_levels(message.asks, "asks"),
        sequence=message.sequence,
        invalid_reason="" if message.valid else message.invalid_reason or "not valid",
        event_time_ms=message.event_time_ms,
        received_ns=message.received_ns,
    )


def encode_trade(trade: PublicTrade) -> pb.PublicTrade:
    """Encode one public trade."""
    return pb.PublicTrade(
        symbol=trade.symbol,
        trade_id=trade.trade_id,
        price=encode_decimal(trade.price),
        quantity=encode_decimal(trade.quantity),
        side=SIDE_NUMBER[trade.side],
        event_time_ms=trade.event_time_ms,
        received_ns=trade.received_ns,
    )


def decode_trade(message: pb.PublicTrade) -> PublicTrade:
    """Decode one public trade."""
    return PublicTrade(
        symbol=message.symbol,
        trade_id=message.trade_id,
        price=decode_decimal(message.price, "trade.price"),
        quantity=decode_decimal(message.quantity, "trade.quantity"),
        side=SIDE[message.side],
        event_time_ms=message.event_time_ms,
        received_ns=message.received_ns,
    )


def encode_mark_price(price: MarkPrice) -> pb.MarkPrice:
    """Encode one mark price."""
    return pb.MarkPrice(
        symbol=price.symbol,
        mark=encode_decimal(price.mark),
        index=_optional_text(price.index),
        funding_rate=_optional_text(price.funding_rate),
        next_funding_ms=price.next_funding_ms,
        event_time_ms=price.event_time_ms,
        received_ns=price.received_ns,
    )


def decode_mark_price(message: pb.MarkPrice) -> MarkPrice:
    """Decode one mark price."""
    return MarkPrice(
        symbol=message.symbol,
        mark=decode_decimal(message.mark, "mark_price.mark"),
        index=decode_decimal(message.index, "mark_price.index") if message.index else None,
        funding_rate=decode_decimal(message.funding_rate, "mark_price.funding_rate") if message.funding_rate else None,
        next_funding_ms=message.next_funding_ms,
        event_time_ms=message.event_time_ms,
        received_ns=message.received_ns,
    )


def _encode_levels(levels: Iterable[BookLevel]) -> list[pb.BookLevel]:
    return [pb.BookLevel(price=encode_decimal(price), quantity=encode_decimal(quantity)) for price, quantity in levels]


def _decode_levels(messages: Iterable[pb.BookLevel], side: str) -> tuple[BookLevel, ...]:
    return tuple(
        [
            (
                decode_decimal(level.price, f"order_book.{side}.price"),
                decode_decimal(level.quantity, f"order_book.{side}.quantity"),
            )
            for level in messages
        ]
    )


def _optional_text(value: Decimal | None) -> str | None:
    return None if value is None else encode_decimal(value)
