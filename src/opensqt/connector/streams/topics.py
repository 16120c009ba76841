"""The five kinds of topics: where each one's updates come from, what they are about, and how they are encoded."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from opensqt.connector.streams.frames import Message
from opensqt.model.account import Account, Position
from opensqt.model.exchange import Exchange
from opensqt.model.market import Candle, Price
from opensqt.model.order import OrderUpdate
from opensqt.model.stream import Cursor, Stream
from opensqt.wire import codec


@dataclass(frozen=True, slots=True)
class Topic:
    """One upstream subscription: prices of a symbol, the account's orders, ..."""

    kind: str
    symbol: str = ""
    interval: str = ""

    def __str__(self) -> str:
        return ":".join(part for part in (self.kind, self.symbol, self.interval) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How all topics of a kind behave."""

    subscribe: Callable[[Exchange, Topic, Cursor | None], Stream[Any]]
    encode: Callable[[Any], Message]
    key: Callable[[Any], Hashable]
    symbol: Callable[[Any], str]
    conflate: bool
    keep: Callable[[Any], bool] = lambda _update: True
    state: Callable[[Any], Any] = lambda update: update
    """What a snapshot tells of an update."""
    snapshot_limit: int | None = None


def _order_key(update: OrderUpdate) -> Hashable:
    # The venue's id comes only with its first word; ours is there from the start, but for orders of others.
    order = update.order
    return order.symbol, order.client_order_id or order.order_id


def _order_state(update: OrderUpdate) -> OrderUpdate:
    # A fill is an event: told again in a snapshot it could count twice.
    return update if update.fill is None else OrderUpdate(order=update.order)


def _position_key(position: Position) -> Hashable:
    return position.symbol, position.position_side


def _candle_key(candle: Candle) -> Hashable:
    # One key per bar, so that conflation never drops a closing one.
    return candle.open_time_ms


def _account_key(account: Account) -> Hashable:
    return account.asset


def _price_key(price: Price) -> Hashable:
    return price.symbol


KINDS: dict[str, Kind] = {
    "price": Kind(
        subscribe=lambda exchange, topic, cursor: exchange.subscribe_price(topic.symbol, cursor=cursor),
        encode=codec.encode_price,
        key=_price_key,
        symbol=lambda price: price.symbol,
        conflate=True,
    ),
    "orders": Kind(
        subscribe=lambda exchange, _topic, cursor: exchange.subscribe_orders(cursor=cursor),
        encode=codec.encode_order_update,
        key=_order_key,
        symbol=lambda update: update.order.symbol,
        conflate=False,
        keep=lambda update: not update.order.status.is_closed,
        state=_order_state,
    ),
    "klines": Kind(
        subscribe=lambda exchange, topic, cursor: exchange.subscribe_klines(
            topic.symbol, topic.interval, cursor=cursor
        ),
        encode=codec.encode_candle,
        key=_candle_key,
        symbol=lambda candle: candle.symbol,
        conflate=True,
        snapshot_limit=10,
    ),
    "account": Kind(
        subscribe=lambda exchange, _topic, cursor: exchange.subscribe_account(cursor=cursor),
        encode=codec.encode_account,
        key=_account_key,
        symbol=lambda _account: "",
        conflate=True,
    ),
    "positions": Kind(
        subscribe=lambda exchange, _topic, cursor: exchange.subscribe_positions(cursor=cursor),
        encode=codec.encode_position,
        key=_position_key,
        symbol=lambda position: position.symbol,
        conflate=True,
    ),
}
