"""Events of the market: the newest best quote, order book, trade and mark price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from opensqt.model.market import MarkPrice, OrderBook, Price, PublicTrade

T = TypeVar("T", Price, OrderBook, PublicTrade, MarkPrice)


@dataclass(frozen=True, slots=True)
class _Received(Generic[T]):
    """The newest of its kind."""

    value: T
    age_s: float = 0.0
    """Seconds since it was received from the venue; a stream's snapshot may be old."""


class PriceUpdate(_Received[Price]):
    """The newest best bid and ask."""

    __slots__ = ()


class OrderBookUpdate(_Received[OrderBook]):
    """The newest order book."""

    __slots__ = ()


class TradeUpdate(_Received[PublicTrade]):
    """The newest trade of the market."""

    __slots__ = ()


class MarkUpdate(_Received[MarkPrice]):
    """The newest mark price, with the next funding."""

    __slots__ = ()


PriceInput = PriceUpdate | OrderBookUpdate | TradeUpdate | MarkUpdate
"""The inputs of the reference price."""
