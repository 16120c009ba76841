"""Order books, public trades and mark prices of an InMemoryExchange."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any

from opensqt.model.errors import ExchangeError
from opensqt.model.market import MAX_DEPTH, BookLevel, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.order import Side
from opensqt.streams.feed import Feed
from opensqt.streams.market_feeds import mark_price_feed, order_book_feed, trade_feed


class PublicMarketData:
    """The public data of each symbol, and their feeds.

    Args:
        symbols: Those that trade.
    """

    def __init__(self, symbols: Collection[str]) -> None:
        self._books: dict[str, OrderBook] = {}
        self._book_feeds: dict[tuple[str, int], Feed[OrderBook]] = {}
        self._own_mark_prices: set[str] = set()
        self._trades = 0
        self.trade_feeds = {symbol: _trade_feed() for symbol in symbols}
        self.mark_price_feeds = {symbol: mark_price_feed() for symbol in symbols}

    def quote(self, price: Price) -> None:
        """Make a book of the best bid and ask alone, and the middle between them the mark price unless that was set."""
        self.set_book(
            price.symbol,
            ((price.bid, price.bid_quantity),),
            ((price.ask, price.ask_quantity),),
            now_ns=price.received_ns,
        )
        if price.symbol not in self._own_mark_prices:
            mark = MarkPrice(
                symbol=price.symbol,
                mark=price.mid,
                event_time_ms=price.event_time_ms,
                received_ns=price.received_ns,
            )
            self.mark_price_feeds[price.symbol].publish([mark])

    def set_book(self, symbol: str, bids: Sequence[BookLevel], asks: Sequence[BookLevel], *, now_ns: int) -> None:
        """Set all levels of a book, best first."""
        self._publish(
            OrderBook(
                symbol=symbol,
                bids=tuple(bids[:MAX_DEPTH]),
                asks=tuple(asks[:MAX_DEPTH]),
                sequence=self._next_sequence(symbol),
                event_time_ms=now_ns // 1_000_000,
                received_ns=now_ns,
            )
        )

    def invalidate_book(self, symbol: str, reason: str, *, now_ns: int) -> None:
        """Mark a book invalid until it is set again."""
        self._publish(
            OrderBook(
                symbol=symbol,
                sequence=self._next_sequence(symbol),
                invalid_reason=reason,
                event_time_ms=now_ns // 1_000_000,
                received_ns=now_ns,
            )
        )

    def trade(self, symbol: str, price: Decimal, quantity: Decimal, side: Side, *, now_ns: int) -> PublicTrade:
        """Publish a trade; *side* is the taker's."""
        self._trades += 1
        trade = PublicTrade(
            symbol=symbol,
            trade_id=str(self._trades),
            price=price,
            quantity=quantity,
            side=side,
            event_time_ms=now_ns // 1_000_000,
            received_ns=now_ns,
        )
        self.trade_feeds[symbol].publish([trade])
        return trade

    def set_mark_price(self, price: MarkPrice) -> None:
        """Publish a mark price, which does not follow the best bid and ask from now on."""
        self._own_mark_prices.add(price.symbol)
        self.mark_price_feeds[price.symbol].publish([price])

    def book_feed(self, symbol: str, depth: int) -> Feed[OrderBook]:
        """Return the feed of a symbol's book of this depth, created on first use."""
        key = (symbol, depth)
        if key not in self._book_feeds:
            feed = self._book_feeds[key] = order_book_feed()
            if symbol in self._books:
                feed.publish([_best(self._books[symbol], depth)])
        return self._book_feeds[key]

    def inject_gap(self) -> None:
        """Send every reader the current state as a snapshot that is marked as a gap."""
        for feed in self._feeds():
            feed.replace(feed.snapshot, gap=True)

    def close(self, error: ExchangeError) -> None:
        """End every reader."""
        for feed in self._feeds():
            feed.close(error)

    def _feeds(self) -> Iterable[Feed[Any]]:
        return (*self._book_feeds.values(), *self.trade_feeds.values(), *self.mark_price_feeds.values())

    def _next_sequence(self, symbol: str) -> int:
        return self._books[symbol].sequence + 1 if symbol in self._books else 1

    def _publish(self, book: OrderBook) -> None:
        self._books[book.symbol] = book
        for (symbol, depth), feed in self._book_feeds.items():
            if symbol == book.symbol:
                feed.publish([_best(book, depth)])


def _best(book: OrderBook, depth: int) -> OrderBook:
    return OrderBook(
        symbol=book.symbol,
        bids=book.bids[:depth],
        asks=book.asks[:depth],
        sequence=book.sequence,
        invalid_reason=book.invalid_reason,
        event_time_ms=book.event_time_ms,
        received_ns=book.received_ns,
    )


def _trade_feed() -> Feed[PublicTrade]:
    feed = trade_feed()
    # A market without trades has a snapshot, too: none.
    feed.replace((), gap=False)
    return feed
