"""The kinds of streams: where the updates of each come from, and how they are encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opensqt.connector.streams.encode import encode
from opensqt.model.exchange import Exchange
from opensqt.model.stream import Cursor, Stream
from opensqt.wire import codec, market_codec


@dataclass(frozen=True, slots=True)
class StreamKey:
    """Names a stream: prices of a symbol, the account's orders, ..."""

    kind: str
    symbol: str = ""
    interval: str = ""
    depth: int = 0

    def __str__(self) -> str:
        depth = str(self.depth) if self.depth else ""
        return ":".join(part for part in (self.kind, self.symbol, self.interval, depth) if part)


Subscribe = Callable[[Exchange, StreamKey, str, Cursor | None], Stream[Any]]
"""Attaches a reader to the exchange's feed: of a stream, of one symbol in it or of all, after a cursor."""


@dataclass(frozen=True, slots=True)
class StreamKind:
    """How all streams of a kind are read."""

    subscribe: Subscribe
    encode: Callable[[Any], bytes]
    """Encodes one update as an item of a response."""
    has_position_only: bool = False
    """Whether epoch and sequence stand in the position alone, because no client is older than that."""


KINDS: dict[str, StreamKind] = {
    "price": StreamKind(
        lambda exchange, key, _symbol, cursor: exchange.subscribe_price(key.symbol, cursor=cursor),
        lambda price: encode(codec.encode_price(price)),
    ),
    "orders": StreamKind(
        lambda exchange, _key, symbol, cursor: exchange.subscribe_orders(symbol, cursor=cursor),
        lambda update: encode(codec.encode_order_update(update)),
    ),
    "klines": StreamKind(
        lambda exchange, key, _symbol, cursor: exchange.subscribe_klines(key.symbol, key.interval, cursor=cursor),
        lambda candle: encode(codec.encode_candle(candle)),
    ),
    "account": StreamKind(
        lambda exchange, _key, _symbol, cursor: exchange.subscribe_account(cursor=cursor),
        lambda account: encode(codec.encode_account(account)),
    ),
    "positions": StreamKind(
        lambda exchange, _key, symbol, cursor: exchange.subscribe_positions(symbol, cursor=cursor),
        lambda position: encode(codec.encode_position(position)),
    ),
    "order_book": StreamKind(
        lambda exchange, key, _symbol, cursor: exchange.subscribe_order_book(key.symbol, key.depth, cursor=cursor),
        lambda book: encode(market_codec.encode_order_book(book)),
        has_position_only=True,
    ),
    "trades": StreamKind(
        lambda exchange, key, _symbol, cursor: exchange.subscribe_trades(key.symbol, cursor=cursor),
        lambda trade: encode(market_codec.encode_trade(trade)),
        has_position_only=True,
    ),
    "mark_price": StreamKind(
        lambda exchange, key, _symbol, cursor: exchange.subscribe_mark_price(key.symbol, cursor=cursor),
        lambda price: encode(market_codec.encode_mark_price(price)),
        has_position_only=True,
    ),
    "funding_payments": StreamKind(
        lambda exchange, _key, symbol, cursor: exchange.subscribe_funding_payments(symbol, cursor=cursor),
        lambda payment: encode(codec.encode_funding_payment(payment)),
        has_position_only=True,
    ),
}
