"""OKX's public channels: books, trades, mark-price and funding-rate. Contracts become base coins.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec import field

from opensqt.model.market import MarkPrice, PublicTrade
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules
from opensqt.venues.channels import PublicChannels
from opensqt.venues.events import BookUpdate, MarketEvent
from opensqt.venues.okx.requests import OkxRequests
from opensqt.venues.parsing import Row, book_levels, mark_price_of, public_trade, read_each
from opensqt.venues.rows import VenueRow, decode, first, lookup, member, objects
from opensqt.venues.venue import Venue

_DEPTH = 400
_COMPARED_LEVELS = 20
_TRADES = 100
_SIDE = {"buy": Side.BUY, "sell": Side.SELL}
_CHANNELS = frozenset({"books", "trades", "mark-price", "funding-rate"})


class OrderBookRow(VenueRow, frozen=True, rename="camel"):
    """A snapshot, or the levels that changed: price, contracts, a field without meaning, number of orders."""

    bids: list[list[Decimal]]
    asks: list[list[Decimal]]
    ts: int
    seq_id: int
    prev_seq_id: int | None = None


class PublicTradeRow(VenueRow, frozen=True, rename="camel"):
    """The trades of one taker at one price; quantities are contracts."""

    trade_id: str
    side: str
    ts: int
    price: Decimal = field(name="px")
    quantity: Decimal = field(name="sz")


class MarkPriceRow(VenueRow, frozen=True):
    """A mark price."""

    ts: int
    mark: Decimal = field(name="markPx")


class FundingRateRow(VenueRow, frozen=True, rename="camel"):
    """The next funding: `fundingTime` is the time of it, `nextFundingTime` that of the one after it."""

    funding_rate: Decimal
    funding_time: int


class OkxPublic(PublicChannels):
    """The book is verified by `prevSeqId`, which is the `seqId` of the change before.

    The venue sends no checksum any more: since June 2026 the field is always 0. It also announced that the snapshot at
    the beginning of the stream ends, so the snapshot is queried, and one on the stream is used where it comes.
    """

    book_window = _DEPTH
    book_sends_entering_levels = True
    book_begins_on_stream = False

    def __init__(self, venue: Venue, requests: OkxRequests) -> None:
        self._venue = venue
        self._requests = requests
        self._funding: dict[str, FundingRateRow] = {}
        self._marks: dict[str, MarkPrice] = {}

    def parse(self, frame: Any) -> Iterable[MarketEvent] | None:
        """Parse a frame of these channels; None for any other frame."""
        if not isinstance(frame, dict) or "event" in frame:
            return None
        arg = frame.get("arg")
        channel = arg.get("channel") if isinstance(arg, dict) else None
        if not isinstance(channel, str) or channel not in _CHANNELS:
            return None
        rules, rows = self._venue.listed_rules(member(arg, "instId")), objects(frame.get("data"), "data")
        if channel == "books":
            return [self._book(row, rules, snapshot=frame.get("action") == "snapshot") for row in rows]
        if channel == "trades":
            return read_each(self._venue.set_aside, "trade", rules.symbol, rows, lambda raw: parse_trade(raw, rules))
        return self._mark_prices(channel, rows, rules.symbol)

    async def watch_book(self, symbol: str) -> None:
        """Subscribe to the changes of 400 levels, every 100 ms."""
        await self._hold(symbol, "books")

    async def unwatch_book(self, symbol: str) -> None:
        """Unsubscribe from the order book."""
        await self._release(symbol, "books")

    async def renew_book(self, symbol: str) -> BookUpdate | None:
        """Query a snapshot that the changes of the stream apply to."""
        return await self._query_book(symbol, _DEPTH)

    async def query_book(self, symbol: str) -> BookUpdate:
        """Query the best levels, to compare the streamed book with them."""
        return await self._query_book(symbol, _COMPARED_LEVELS)

    async def watch_trades(self, symbol: str) -> None:
        """Subscribe to public trades."""
        await self._hold(symbol, "trades")

    async def unwatch_trades(self, symbol: str) -> None:
        """Unsubscribe from public trades."""
        await self._release(symbol, "trades")

    async def query_trades(self, symbol: str) -> list[PublicTrade]:
        """Query the latest trades, oldest first."""
        params = {"instId": self._venue.market_id(symbol), "limit": str(_TRADES)}
        rows = await self._requests.query("publicGetMarketTrades", params, symbol)
        return [parse_trade(row, self._venue.rules[symbol]) for row in reversed(rows)]

    async def watch_mark_price(self, symbol: str) -> None:
        """Subscribe to the mark price and to the funding rate, which are two channels."""
        await self._hold(symbol, "mark-price", "funding-rate")

    async def unwatch_mark_price(self, symbol: str) -> None:
        """Unsubscribe from both."""
        await self._release(symbol, "mark-price", "funding-rate")

    async def query_mark_price(self, symbol: str) -> MarkPrice:
        """Query mark price and funding rate."""
        params = {"instId": self._venue.market_id(symbol)}
        swap = params | {"instType": "SWAP"}
        funding = await self._requests.query("publicGetPublicFundingRate", params, symbol)
        mark = await self._requests.query("publicGetPublicMarkPrice", swap, symbol)
        self._funding[symbol] = decode(first(funding, "data"), FundingRateRow)
        return self._mark_price(decode(first(mark, "data"), MarkPriceRow), symbol)

    async def _query_book(self, symbol: str, limit: int) -> BookUpdate:
        params = {"instId": self._venue.market_id(symbol), "sz": str(limit)}
        rows = await self._requests.query("publicGetMarketBooks", params, symbol)
        return self._book(first(rows, "data"), self._venue.rules[symbol], snapshot=True)

    def _book(self, raw: Any, rules: SymbolRules, *, snapshot: bool) -> BookUpdate:
        row = decode(raw, OrderBookRow)
        return BookUpdate(
            symbol=rules.symbol,
            bids=book_levels(row.bids, rules.contract_size),
            asks=book_levels(row.asks, rules.contract_size),
            last=row.seq_id,
            previous=row.prev_seq_id,
            snapshot=snapshot,
            event_time_ms=row.ts,
            received_ns=time.time_ns(),
        )

    def _mark_prices(self, channel: str, rows: Sequence[Any], symbol: str) -> Iterable[MarkPrice]:
        """Yield the mark price with the funding rate that was sent last, and again when the rate changes."""
        for raw in rows:
            if channel == "mark-price":
                self._marks[symbol] = self._mark_price(decode(raw, MarkPriceRow), symbol)
                yield self._marks[symbol]
                continue
            self._funding[symbol] = row = decode(raw, FundingRateRow)
            known = self._marks.get(symbol)
            if known is not None:
                self._marks[symbol] = replace(
                    known, funding_rate=row.funding_rate, next_funding_ms=row.funding_time, received_ns=time.time_ns()
                )
                yield self._marks[symbol]

    def _mark_price(self, row: MarkPriceRow, symbol: str) -> MarkPrice:
        funding = self._funding.get(symbol)
        return mark_price_of(
            symbol,
            row.mark,
            row.ts,
            funding_rate=funding.funding_rate if funding is not None else None,
            next_funding_ms=funding.funding_time if funding is not None else 0,
        )

    def _args(self, symbol: str, channels: Sequence[str]) -> list[Row]:
        return [{"channel": channel, "instId": self._venue.market_id(symbol)} for channel in channels]

    async def _hold(self, symbol: str, *channels: str) -> None:
        client, args = self._venue.client, self._args(symbol, channels)
        await client.hold(client.get_url(channels[0]), _name(symbol, channels), {"op": "subscribe", "args": args})

    async def _release(self, symbol: str, *channels: str) -> None:
        client, args = self._venue.client, self._args(symbol, channels)
        await client.release(client.get_url(channels[0]), _name(symbol, channels), {"op": "unsubscribe", "args": args})


def parse_trade(raw: Any, rules: SymbolRules) -> PublicTrade:
    """Read a trade of a frame or of a response."""
    row = decode(raw, PublicTradeRow)
    return public_trade(
        rules.symbol,
        row.trade_id,
        row.price,
        row.quantity * rules.contract_size,
        lookup(_SIDE, row.side, "side"),
        row.ts,
    )


def _name(symbol: str, channels: Sequence[str]) -> str:
    return f"{'+'.join(channels)}:{symbol}"
