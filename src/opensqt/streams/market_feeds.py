"""The feeds of order books, public trades and mark prices: how many updates each keeps, and what a slow reader gets."""

from __future__ import annotations

from opensqt.model.market import MarkPrice, OrderBook, PublicTrade
from opensqt.streams.conflation import TRADES_KEPT
from opensqt.streams.feed import Feed

_BOOKS_KEPT = 64
"""A book of 50 levels takes some 5 KB with its encoding."""


def order_book_feed() -> Feed[OrderBook]:
    """Make the feed of one symbol's order books of one depth. A reader is given the newest only."""
    return Feed(key=lambda book: book.symbol, conflate=True, capacity=_BOOKS_KEPT, conflate_above=1)


def trade_feed() -> Feed[PublicTrade]:
    """Make the feed of one symbol's trades. A reader that is too slow is given the newest, and the gap is reported."""
    return Feed(
        key=lambda trade: trade.trade_id,
        conflate=True,
        capacity=2 * TRADES_KEPT,
        conflate_above=TRADES_KEPT,
        snapshot_limit=TRADES_KEPT,
    )


def mark_price_feed() -> Feed[MarkPrice]:
    """Make the feed of one symbol's mark prices."""
    return Feed(key=lambda price: price.symbol, conflate=True)
