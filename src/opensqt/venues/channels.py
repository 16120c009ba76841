"""The interface to a venue's public channels beyond prices and candles: order book, trades, mark price."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from opensqt.model.market import MAX_DEPTH, BookLevel, MarkPrice, PublicTrade
from opensqt.venues.events import BookUpdate, MarketEvent


class PublicChannels(ABC):
    """Subscriptions, queries and frames of one venue. A `watch_` method ends only with the connection, by raising."""

    order_book_depth: ClassVar[int] = MAX_DEPTH
    """Levels of each side that an order book is published with at most."""
    book_window: ClassVar[int]
    """Levels of each side that the venue keeps up on its stream of order books; a deeper level is forgotten."""
    book_sends_entering_levels: ClassVar[bool]
    """Whether the stream also sends a level that enters the window without a change of its own."""
    book_begins_on_stream: ClassVar[bool]
    """Whether the venue sends a snapshot on the stream after each subscription."""
    trade_ids_are_consecutive: ClassVar[bool] = False
    """Whether each trade has the id after the last one's, so that a hole shows."""

    @abstractmethod
    def parse(self, frame: Any) -> Iterable[MarketEvent] | None:
        """Parse a frame of these channels; None for any other frame.

        A trade that can't be read is set aside, and hides no other. RowError says that the frame itself can't be read.
        """

    @abstractmethod
    async def watch_book(self, symbol: str) -> None:
        """Subscribe to the order book."""

    @abstractmethod
    async def unwatch_book(self, symbol: str) -> None:
        """Unsubscribe from the order book."""

    @abstractmethod
    async def renew_book(self, symbol: str) -> BookUpdate | None:
        """Query a snapshot that the changes of the stream apply to.

        Returns:
            The snapshot; None where the venue sends it on the stream, which was requested.
        """

    @abstractmethod
    async def query_book(self, symbol: str) -> BookUpdate:
        """Query the best levels, to compare the streamed book with them."""

    def checksum(self, bids: Sequence[BookLevel], asks: Sequence[BookLevel]) -> int:
        """Return the venue's checksum of the best levels.

        Raises:
            NotImplementedError: The venue has none, so no frame of it has one either.
        """
        raise NotImplementedError

    @abstractmethod
    async def watch_trades(self, symbol: str) -> None:
        """Subscribe to public trades."""

    @abstractmethod
    async def unwatch_trades(self, symbol: str) -> None:
        """Unsubscribe from public trades."""

    @abstractmethod
    async def query_trades(self, symbol: str) -> list[PublicTrade]:
        """Query the latest trades, oldest first."""

    @abstractmethod
    async def watch_mark_price(self, symbol: str) -> None:
        """Subscribe to mark price and funding rate."""

    @abstractmethod
    async def unwatch_mark_price(self, symbol: str) -> None:
        """Unsubscribe from mark price and funding rate."""

    @abstractmethod
    async def query_mark_price(self, symbol: str) -> MarkPrice:
        """Query mark price and funding rate."""
