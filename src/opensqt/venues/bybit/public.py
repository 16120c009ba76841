"""Bybit's public channels: orderbook.50, publicTrade and tickers of linear contracts.

https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from msgspec import field

from opensqt.model.market import MarkPrice, PublicTrade
from opensqt.model.order import Side
from opensqt.venues.bybit.requests import BybitRequests
from opensqt.venues.channels import PublicChannels
from opensqt.venues.events import BookUpdate, MarketEvent
from opensqt.venues.parsing import Row, book_levels, mark_price_of, public_trade, read_each
from opensqt.venues.rows import VenueRow, decode, first, lookup, member, objects
from opensqt.venues.venue import Venue

_DEPTH = 50
_TRADES = 100
_RESTARTED = 1
"""Update id of a snapshot after a restart of the venue's service."""
_SIDE = {"Buy": Side.BUY, "Sell": Side.SELL}
Levels = list[tuple[Decimal, Decimal]]


class OrderBookRow(VenueRow, frozen=True):
    """A snapshot, or the levels that changed; update ids of one topic are consecutive."""

    symbol: str = field(name="s")
    update_id: int = field(name="u")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")


class BookTimes(VenueRow, frozen=True):
    """When a frame was made, and when the matching engine made what is in it, where the venue says so."""

    ts: int
    cts: int = 0

    @property
    def time_ms(self) -> int:
        """The time of the matching engine if there is one."""
        return self.cts or self.ts


class PublicTradeRow(VenueRow, frozen=True):
    """A trade of the stream."""

    symbol: str = field(name="s")
    trade_id: str = field(name="i")
    time_ms: int = field(name="T")
    side: str = field(name="S")
    quantity: Decimal = field(name="v")
    price: Decimal = field(name="p")


class RecentTradeRow(VenueRow, frozen=True, rename="camel"):
    """A trade of a response."""

    exec_id: str
    price: Decimal
    size: Decimal
    side: str
    time: int


class TickerRow(VenueRow, frozen=True, rename="camel"):
    """The part of a ticker that is used; a delta holds the fields that changed."""

    mark_price: Decimal
    index_price: Decimal | None = None
    funding_rate: Decimal | None = None
    next_funding_time: int = 0


class BybitPublic(PublicChannels):
    """The book begins with a snapshot on the stream; a hole in it is mended by subscribing again."""

    book_window = _DEPTH
    book_sends_entering_levels = True
    book_begins_on_stream = True

    def __init__(self, venue: Venue, requests: BybitRequests) -> None:
        self._venue = venue
        self._requests = requests
        self._tickers: dict[str, Row] = {}
        """By symbol, the fields of the ticker as they were sent last."""

    def parse(self, frame: Any) -> Iterable[MarketEvent] | None:
        """Parse a frame of these channels; None for any other frame."""
        topic = str(frame.get("topic", "")) if isinstance(frame, dict) else ""
        if topic.startswith(f"orderbook.{_DEPTH}."):
            return (self._book(frame),)
        if topic.startswith("publicTrade."):
            symbol = self._symbol(topic.removeprefix("publicTrade."))
            rows = objects(frame.get("data"), "data")
            return read_each(self._venue.set_aside, "trade", symbol, rows, self._trade)
        if topic.startswith("tickers."):
            return (self._ticker(frame),)
        return None

    async def watch_book(self, symbol: str) -> None:
        """Subscribe to 50 levels, every 20 ms."""
        await self._hold(self._topic(f"orderbook.{_DEPTH}", symbol))

    async def unwatch_book(self, symbol: str) -> None:
        """Unsubscribe from the order book."""
        await self._release(self._topic(f"orderbook.{_DEPTH}", symbol))

    async def renew_book(self, symbol: str) -> BookUpdate | None:
        """Subscribe again: the venue then sends a snapshot. Its query has the update ids of another depth."""
        topics = [self._topic(f"orderbook.{_DEPTH}", symbol)]
        await self._venue.client.send_to(
            self._url, {"op": "unsubscribe", "args": topics}, {"op": "subscribe", "args": topics}
        )
        return None

    async def query_book(self, symbol: str) -> BookUpdate:
        """Query the best levels, to compare the streamed book with them."""
        params = {"symbol": self._venue.market_id(symbol), "limit": str(_DEPTH)}
        response = await self._requests.query("MarketOrderbook", params, symbol, public=True)
        return _book_frame(decode(response, OrderBookRow), symbol, decode(response, BookTimes).time_ms, snapshot=True)

    async def watch_trades(self, symbol: str) -> None:
        """Subscribe to public trades."""
        await self._hold(self._topic("publicTrade", symbol))

    async def unwatch_trades(self, symbol: str) -> None:
        """Unsubscribe from public trades."""
        await self._release(self._topic("publicTrade", symbol))

    async def query_trades(self, symbol: str) -> list[PublicTrade]:
        """Query the latest trades, oldest first."""
        params = {"symbol": self._venue.market_id(symbol), "limit": str(_TRADES)}
        response = await self._requests.query("MarketRecentTrade", params, symbol, public=True)
        return [parse_trade(row, symbol) for row in reversed(objects(member(response, "list"), "list"))]

    async def watch_mark_price(self, symbol: str) -> None:
        """Subscribe to the ticker, which has the mark price and the funding."""
        await self._hold(self._topic("tickers", symbol))

    async def unwatch_mark_price(self, symbol: str) -> None:
        """Unsubscribe from the ticker."""
        await self._release(self._topic("tickers", symbol))

    async def query_mark_price(self, symbol: str) -> MarkPrice:
        """Query the ticker; the response has no time of the market."""
        params = {"symbol": self._venue.market_id(symbol)}
        response = await self._requests.query("MarketTickers", params, symbol, public=True)
        return _mark_price(decode(first(member(response, "list"), "list"), TickerRow), symbol, 0)

    def _book(self, frame: Any) -> BookUpdate:
        row = decode(frame.get("data"), OrderBookRow)
        snapshot = frame.get("type") == "snapshot" or row.update_id == _RESTARTED
        return _book_frame(row, self._symbol(row.symbol), decode(frame, BookTimes).time_ms, snapshot=snapshot)

    def _trade(self, raw: Any) -> PublicTrade:
        row = decode(raw, PublicTradeRow)
        return public_trade(
            self._symbol(row.symbol), row.trade_id, row.price, row.quantity, lookup(_SIDE, row.side, "S"), row.time_ms
        )

    def _ticker(self, frame: Any) -> MarkPrice:
        data = frame.get("data")
        symbol = self._symbol(member(data, "symbol"))
        known = {} if frame.get("type") == "snapshot" else self._tickers.get(symbol, {})
        found = _mark_price(decode(known | data, TickerRow), symbol, decode(frame, BookTimes).ts)
        self._tickers[symbol] = known | data
        return found

    def _symbol(self, name: Any) -> str:
        return self._venue.listed_rules(name).symbol

    def _topic(self, kind: str, symbol: str) -> str:
        return f"{kind}.{self._venue.market_id(symbol)}"

    @property
    def _url(self) -> str:
        client = self._venue.client
        return str(client.implode_hostname(client.urls["api"]["ws"]["public"]["linear"]))

    async def _hold(self, topic: str) -> None:
        await self._venue.client.hold(self._url, topic, {"op": "subscribe", "args": [topic]})

    async def _release(self, topic: str) -> None:
        await self._venue.client.release(self._url, topic, {"op": "unsubscribe", "args": [topic]})


def parse_trade(raw: Any, symbol: str) -> PublicTrade:
    """Read a trade of a response."""
    row = decode(raw, RecentTradeRow)
    return public_trade(symbol, row.exec_id, row.price, row.size, lookup(_SIDE, row.side, "side"), row.time)


def _book_frame(row: OrderBookRow, symbol: str, time_ms: int, *, snapshot: bool) -> BookUpdate:
    return BookUpdate(
        symbol=symbol,
        bids=book_levels(row.bids),
        asks=book_levels(row.asks),
        last=row.update_id,
        previous=row.update_id - 1,
        snapshot=snapshot,
        event_time_ms=time_ms,
        received_ns=time.time_ns(),
    )


def _mark_price(row: TickerRow, symbol: str, time_ms: int) -> MarkPrice:
    return mark_price_of(
        symbol,
        row.mark_price,
        time_ms,
        index=row.index_price,
        funding_rate=row.funding_rate,
        next_funding_ms=row.next_funding_time,
    )
