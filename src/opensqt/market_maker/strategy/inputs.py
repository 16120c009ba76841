"""Events of the market: the newest best quote, order book, trade and mark price."""

from __future__ import annotations

from dataclasses import dataclass

from opensqt.model.market import MarkPrice, OrderBook, Price, PublicTrade


@dataclass(frozen=True, slots=True)
class PriceUpdate:
    """The newest best bid and ask."""

    price: Price
    age_s: float = 0.0
    """Seconds since it was received from the venue; a stream's snapshot may be old."""

    @property
    def value(self) -> Price:
        """What was received."""
        return self.price


@dataclass(frozen=True, slots=True)
class OrderBookUpdate:
    """The newest order book."""

    book: OrderBook
    age_s: float = 0.0

    @property
    def value(self) -> OrderBook:
        """What was received."""
        return self.book


@dataclass(frozen=True, slots=True)
class TradeUpdate:
    """The newest trade of the market."""

    trade: PublicTrade
    age_s: float = 0.0

    @property
    def value(self) -> PublicTrade:
        """What was received."""
        return self.trade


@dataclass(frozen=True, slots=True)
class MarkUpdate:
    """The newest mark price, with the next funding."""

    mark: MarkPrice
    age_s: float = 0.0

    @property
    def value(self) -> MarkPrice:
        """What was received."""
        return self.mark


PriceInput = PriceUpdate | OrderBookUpdate | TradeUpdate | MarkUpdate
"""The inputs of the reference price."""
