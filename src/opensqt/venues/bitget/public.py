"""Bitget's public channels: books, trade and ticker of USDT-margined futures.

https://www.bitget.com/api-doc/contract/websocket/public/Order-Book-Channel
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from opensqt.model.market import BookLevel, MarkPrice, PublicTrade
from opensqt.model.order import Side
from opensqt.venues.bitget.requests import BitgetRequests
from opensqt.venues.channels import PublicChannels
from opensqt.venues.events import BookUpdate, MarketEvent
from opensqt.venues.parsing import Row, book_levels, mark_price_of, public_trade, read_each
from opensqt.venues.rows import VenueRow, decode, first, lookup, member, objects
from opensqt.venues.venue import Venue

_PRODUCT = "USDT-FUTURES"
_LEVELS_KEPT = 1_000
_COMPARED_LEVELS = 50
_TRADES = 100
_SIDE = {"buy": Side.BUY, "sell": Side.SELL}
_CHANNELS = frozenset({"books", "trade", "ticker"})


class OrderBookRow(VenueRow, frozen=True):
    """A snapshot, or the levels that changed."""

    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]
    ts: int
    seq: int = 0
    pseq: int | None = None
    """Number of the change before; only some of the venue's servers send it."""
    checksum: int = 0
    """0 where there is none."""


class PublicTradeRow(VenueRow, frozen=True, rename="camel"):
    """A trade."""

    trade_id: str
    price: Decimal
    size: Decimal
    side: str
    ts: int


class TickerRow(VenueRow, frozen=True, rename="camel"):
    """The part of a ticker that is used."""

    mark_price: Decimal
    ts: int
    index_price: Decimal | None = None
    funding_rate: Decimal | None = None
    next_funding_time: int = 0


class FundingRateRow(VenueRow, frozen=True, rename="camel"):
    """The response of the funding rate endpoint."""

    funding_rate: Decimal
    next_update: int = 0


class BitgetPublic(PublicChannels):
    """The book begins with a snapshot on the stream, and each change has a checksum of the 25 best levels after it.

    A hole shows by the checksum, because `seq` grows by more than one, and by `pseq` where the venue sends it. It is
    mended by subscribing again.
    """

    book_window = _LEVELS_KEPT
    book_sends_entering_levels = False
    book_begins_on_stream = True

    def __init__(self, venue: Venue, requests: BitgetRequests) -> None:
        self._venue = venue
        self._requests = requests

    def parse(self, frame: Any) -> Iterable[MarketEvent] | None:
        """Parse a frame of these channels; None for any other frame."""
        if not isinstance(frame, dict) or "data" not in frame:
            return None
        arg = frame.get("arg")
        channel = arg.get("channel") if isinstance(arg, dict) else None
        if not isinstance(channel, str) or channel not in _CHANNELS:
            return None
        symbol = self._venue.listed_rules(member(arg, "instId")).symbol
        rows = objects(frame["data"], "data")
        if channel == "books":
            return [_book(row, symbol, snapshot=frame.get("action") == "snapshot") for row in rows]
        if channel == "trade":
            trades = read_each(
                self._venue.set_aside, "trade", symbol, reversed(rows), lambda raw: parse_trade(raw, symbol)
            )
            return sorted(trades, key=lambda trade: trade.event_time_ms)
        return [_mark_price(decode(row, TickerRow), symbol) for row in rows]

    def checksum(self, bids: Sequence[BookLevel], asks: Sequence[BookLevel]) -> int:
        """Return the signed CRC-32 of price and quantity of the best levels as the venue wrote them, in turn."""
        levels = [level for pair in zip_longest(bids, asks) for level in pair if level is not None]
        text = ":".join(f"{price:f}:{quantity:f}" for price, quantity in levels)
        crc = zlib.crc32(text.encode())
        return crc - (1 << 32) if crc >= 1 << 31 else crc

    async def watch_book(self, symbol: str) -> None:
        """Subscribe to the changes of the whole book, every 150 ms."""
        await self._hold("books", symbol)

    async def unwatch_book(self, symbol: str) -> None:
        """Unsubscribe from the order book."""
        await self._release("books", symbol)

    async def renew_book(self, symbol: str) -> BookUpdate | None:
        """Subscribe again: the venue then sends a snapshot. Its query has no numbers."""
        args = [self._arg("books", symbol)]
        await self._venue.client.send_to(
            self._url, {"op": "unsubscribe", "args": args}, {"op": "subscribe", "args": args}
        )
        return None

    async def query_book(self, symbol: str) -> BookUpdate:
        """Query the best levels, to compare the streamed book with them."""
        params = self._params(symbol) | {"limit": str(_COMPARED_LEVELS)}
        return _book(await self._requests.query("MarketMergeDepth", params, symbol, public=True), symbol, snapshot=True)

    async def watch_trades(self, symbol: str) -> None:
        """Subscribe to public trades."""
        await self._hold("trade", symbol)

    async def unwatch_trades(self, symbol: str) -> None:
        """Unsubscribe from public trades."""
        await self._release("trade", symbol)

    async def query_trades(self, symbol: str) -> list[PublicTrade]:
        """Query the latest trades, oldest first."""
        params = self._params(symbol) | {"limit": str(_TRADES)}
        rows = await self._requests.query("MarketFills", params, symbol, public=True)
        return [parse_trade(row, symbol) for row in reversed(objects(rows, "fills"))]

    async def watch_mark_price(self, symbol: str) -> None:
        """Subscribe to the ticker, which has the mark price and the funding."""
        await self._hold("ticker", symbol)

    async def unwatch_mark_price(self, symbol: str) -> None:
        """Unsubscribe from the ticker."""
        await self._release("ticker", symbol)

    async def query_mark_price(self, symbol: str) -> MarkPrice:
        """Query the ticker and the funding rate, which has the time of the next one."""
        params = self._params(symbol)
        ticker = first(await self._requests.query("MarketTicker", params, symbol, public=True), "data")
        rates = await self._requests.query("MarketCurrentFundRate", params, symbol, public=True)
        funding = decode(first(rates, "data"), FundingRateRow)
        ticker = ticker | {"fundingRate": str(funding.funding_rate), "nextFundingTime": funding.next_update}
        return _mark_price(decode(ticker, TickerRow), symbol)

    def _params(self, symbol: str) -> Row:
        return {"productType": _PRODUCT, "symbol": self._venue.market_id(symbol)}

    def _arg(self, channel: str, symbol: str) -> Row:
        return {"instType": _PRODUCT, "channel": channel, "instId": self._venue.market_id(symbol)}

    @property
    def _url(self) -> str:
        settings = self._venue.settings
        kind = "demo" if settings.testnet and not settings.base_url else "ws"
        return str(self._venue.client.urls["api"][kind]["public"])

    async def _hold(self, channel: str, symbol: str) -> None:
        message = {"op": "subscribe", "args": [self._arg(channel, symbol)]}
        await self._venue.client.hold(self._url, f"{channel}:{symbol}", message)

    async def _release(self, channel: str, symbol: str) -> None:
        message = {"op": "unsubscribe", "args": [self._arg(channel, symbol)]}
        await self._venue.client.release(self._url, f"{channel}:{symbol}", message)


def parse_trade(raw: Any, symbol: str) -> PublicTrade:
    """Read a trade of a frame or of a response."""
    row = decode(raw, PublicTradeRow)
    return public_trade(symbol, row.trade_id, row.price, row.size, lookup(_SIDE, row.side.lower(), "side"), row.ts)


def _book(raw: Any, symbol: str, *, snapshot: bool) -> BookUpdate:
    row = decode(raw, OrderBookRow)
    return BookUpdate(
        symbol=symbol,
        bids=book_levels(row.bids),
        asks=book_levels(row.asks),
        last=row.seq,
        previous=row.pseq,
        snapshot=snapshot,
        checksum=row.checksum or None,
        event_time_ms=row.ts,
        received_ns=time.time_ns(),
    )


def _mark_price(row: TickerRow, symbol: str) -> MarkPrice:
    return mark_price_of(
        symbol,
        row.mark_price,
        row.ts,
        index=row.index_price,
        funding_rate=row.funding_rate,
        next_funding_ms=row.next_funding_time,
    )
