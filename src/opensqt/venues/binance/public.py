"""Binance's public channels: diff. book depth, aggregate trades, mark price.

https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from msgspec import field

from opensqt.model.market import MarkPrice, PublicTrade
from opensqt.model.order import Side
from opensqt.venues.binance.requests import BinanceRequests
from opensqt.venues.channels import PublicChannels
from opensqt.venues.events import BookUpdate, MarketEvent
from opensqt.venues.parsing import book_levels, mark_price_of, public_trade
from opensqt.venues.rows import VenueRow, decode, objects
from opensqt.venues.venue import Venue

_SNAPSHOT_LEVELS = 1_000
_COMPARED_LEVELS = 20
_TRADES = 100
Levels = list[tuple[Decimal, Decimal]]


class DepthUpdateRow(VenueRow, frozen=True):
    """A depthUpdate: the levels that changed between the update ids `pu` and `u`."""

    symbol: str = field(name="s")
    time_ms: int = field(name="T")
    last: int = field(name="u")
    previous: int = field(name="pu")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")


class DepthRow(VenueRow, frozen=True):
    """The response of the depth endpoint."""

    last: int = field(name="lastUpdateId")
    time_ms: int = field(name="T")
    bids: Levels
    asks: Levels


class AggregateTradeRow(VenueRow, frozen=True):
    """The trades of one taker at one price within 100 ms."""

    trade_id: int = field(name="a")
    price: Decimal = field(name="p")
    quantity: Decimal = field(name="q")
    time_ms: int = field(name="T")
    buyer_is_maker: bool = field(name="m")


class StreamedMarkPriceRow(VenueRow, frozen=True):
    """A markPriceUpdate."""

    symbol: str = field(name="s")
    time_ms: int = field(name="E")
    mark: Decimal = field(name="p")
    index: Decimal | None = field(name="i", default=None)
    funding_rate: Decimal | None = field(name="r", default=None)
    next_funding_ms: int = field(name="T", default=0)


class PremiumIndexRow(VenueRow, frozen=True, rename="camel"):
    """The response of the premium index endpoint."""

    mark_price: Decimal
    time: int
    index_price: Decimal | None = None
    last_funding_rate: Decimal | None = None
    next_funding_time: int = 0


class BinancePublic(PublicChannels):
    """The stream of differences needs a queried snapshot: it holds no levels of its own.

    A change continues the book whose `u` is its `pu`; the first one after a snapshot has `U` <= lastUpdateId <= `u`.
    https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/How-to-manage-a-local-order-book-correctly
    """

    book_window = _SNAPSHOT_LEVELS
    book_sends_entering_levels = False
    book_begins_on_stream = False
    trade_ids_are_consecutive = True

    def __init__(self, venue: Venue, requests: BinanceRequests) -> None:
        self._venue = venue
        self._requests = requests

    def parse(self, frame: Any) -> Iterable[MarketEvent] | None:
        """Parse a frame of these channels; None for any other frame."""
        kind = frame.get("e") if isinstance(frame, dict) else None
        if kind == "depthUpdate":
            return (self._depth_update(frame),)
        if kind == "aggTrade":
            return (parse_trade(frame, self._symbol(frame.get("s"))),)
        if kind == "markPriceUpdate":
            return (self._mark_price(frame),)
        return None

    async def watch_book(self, symbol: str) -> None:
        """Subscribe to the differences, ten times a second."""
        await self._hold("public", f"{self._name(symbol)}@depth@100ms")

    async def unwatch_book(self, symbol: str) -> None:
        """Unsubscribe from the order book."""
        await self._release("public", f"{self._name(symbol)}@depth@100ms")

    async def renew_book(self, symbol: str) -> BookUpdate | None:
        """Query a snapshot that the changes of the stream apply to."""
        return await self._depth(symbol, _SNAPSHOT_LEVELS)

    async def query_book(self, symbol: str) -> BookUpdate:
        """Query the best levels, to compare the streamed book with them."""
        return await self._depth(symbol, _COMPARED_LEVELS)

    async def watch_trades(self, symbol: str) -> None:
        """Subscribe to aggregate trades; the stream of single trades is not documented for futures."""
        await self._hold("market", f"{self._name(symbol)}@aggTrade")

    async def unwatch_trades(self, symbol: str) -> None:
        """Unsubscribe from public trades."""
        await self._release("market", f"{self._name(symbol)}@aggTrade")

    async def query_trades(self, symbol: str) -> list[PublicTrade]:
        """Query the latest trades, oldest first."""
        params = {"symbol": self._venue.market_id(symbol), "limit": str(_TRADES)}
        rows = await self._requests.query("GetAggTrades", params, symbol, public=True)
        return [parse_trade(row, symbol) for row in objects(rows, "aggTrades")]

    async def watch_mark_price(self, symbol: str) -> None:
        """Subscribe to the mark price of each second."""
        await self._hold("market", f"{self._name(symbol)}@markPrice@1s")

    async def unwatch_mark_price(self, symbol: str) -> None:
        """Unsubscribe from mark price and funding rate."""
        await self._release("market", f"{self._name(symbol)}@markPrice@1s")

    async def query_mark_price(self, symbol: str) -> MarkPrice:
        """Query mark price and funding rate."""
        params = {"symbol": self._venue.market_id(symbol)}
        row = decode(await self._requests.query("GetPremiumIndex", params, symbol, public=True), PremiumIndexRow)
        return mark_price_of(
            symbol,
            row.mark_price,
            row.time,
            index=row.index_price,
            funding_rate=row.last_funding_rate,
            next_funding_ms=row.next_funding_time,
        )

    def _depth_update(self, frame: Any) -> BookUpdate:
        row = decode(frame, DepthUpdateRow)
        return BookUpdate(
            symbol=self._symbol(row.symbol),
            bids=book_levels(row.bids),
            asks=book_levels(row.asks),
            last=row.last,
            previous=row.previous,
            event_time_ms=row.time_ms,
            received_ns=time.time_ns(),
        )

    def _mark_price(self, frame: Any) -> MarkPrice:
        row = decode(frame, StreamedMarkPriceRow)
        return mark_price_of(
            self._symbol(row.symbol),
            row.mark,
            row.time_ms,
            index=row.index,
            funding_rate=row.funding_rate,
            next_funding_ms=row.next_funding_ms,
        )

    async def _depth(self, symbol: str, limit: int) -> BookUpdate:
        params = {"symbol": self._venue.market_id(symbol), "limit": str(limit)}
        row = decode(await self._requests.query("GetDepth", params, symbol, public=True), DepthRow)
        return BookUpdate(
            symbol=symbol,
            bids=book_levels(row.bids),
            asks=book_levels(row.asks),
            last=row.last,
            snapshot=True,
            limit=limit,
            event_time_ms=row.time_ms,
            received_ns=time.time_ns(),
        )

    def _symbol(self, name: Any) -> str:
        return self._venue.listed_rules(name).symbol

    def _name(self, symbol: str) -> str:
        return self._venue.market_id(symbol).lower()

    def _url(self, category: str, stream: str) -> str:
        client = self._venue.client
        return f"{client.get_ws_url('linear', category)}/{client.stream('linear', stream)}"

    async def _hold(self, category: str, stream: str) -> None:
        url, client = self._url(category, stream), self._venue.client
        number = client.request_id(url)
        await client.hold(url, stream, {"method": "SUBSCRIBE", "params": [stream], "id": number}, number)

    async def _release(self, category: str, stream: str) -> None:
        url, client = self._url(category, stream), self._venue.client
        message = {"method": "UNSUBSCRIBE", "params": [stream], "id": client.request_id(url)}
        await client.release(url, stream, message)


def parse_trade(raw: Any, symbol: str) -> PublicTrade:
    """Read an aggregate trade of a frame or of a response."""
    row = decode(raw, AggregateTradeRow)
    return public_trade(
        symbol, row.trade_id, row.price, row.quantity, Side.SELL if row.buyer_is_maker else Side.BUY, row.time_ms
    )
