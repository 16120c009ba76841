"""Gate's public channels: order book update, trades and tickers. Contracts become base coins.

https://www.gate.com/docs/developers/futures/ws/en/#order-book-update-subscription
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from msgspec import field

from opensqt.model.market import BookLevel, MarkPrice, PublicTrade
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules
from opensqt.venues.channels import PublicChannels
from opensqt.venues.events import BookUpdate, MarketEvent
from opensqt.venues.gate.parse import milliseconds
from opensqt.venues.gate.requests import GateRequests
from opensqt.venues.parsing import book_levels, mark_price_of, public_trade, read_each
from opensqt.venues.rows import VenueRow, decode, member, objects
from opensqt.venues.venue import Venue

_DEPTH = 100
_EVERY = "100ms"
_COMPARED_LEVELS = 20
_TRADES = 100


class LevelRow(VenueRow, frozen=True):
    """A level of a book: price and contracts."""

    price: Decimal = field(name="p")
    quantity: Decimal = field(name="s")


class BookUpdateRow(VenueRow, frozen=True):
    """The levels that changed between the ids `U` and `u`."""

    contract: str = field(name="s")
    time_ms: int = field(name="t")
    first: int = field(name="U")
    last: int = field(name="u")
    bids: list[LevelRow] = field(name="b", default_factory=list)
    asks: list[LevelRow] = field(name="a", default_factory=list)


class OrderBookRow(VenueRow, frozen=True):
    """The response of the order book endpoint with an id."""

    last: int = field(name="id")
    update: Decimal
    bids: list[LevelRow]
    asks: list[LevelRow]


class PublicTradeRow(VenueRow, frozen=True):
    """A trade: contracts below zero were sold by the taker."""

    trade_id: int = field(name="id")
    contract: str
    size: Decimal
    price: Decimal
    create_time_ms: Decimal
    """Milliseconds on the stream, seconds with a fraction in a response."""


class TickerTime(VenueRow, frozen=True):
    """The time of a frame of tickers."""

    time_ms: int


class TickerRow(VenueRow, frozen=True):
    """The part of a ticker, or of a contract, that is used."""

    mark_price: Decimal
    index_price: Decimal | None = None
    funding_rate: Decimal | None = None
    funding_next_apply: Decimal = Decimal(0)
    """Seconds; a ticker has none."""


class GatePublic(PublicChannels):
    """A change begins with the id after the last one's; the first after a snapshot has `U` <= id + 1 <= `u`.

    The documents do not say whether a level is sent that enters the hundred best without a change of its own, so only
    the range of the snapshot counts as known, and a new one is queried before the market leaves it.
    """

    book_window = _DEPTH
    book_sends_entering_levels = False
    book_begins_on_stream = False

    def __init__(self, venue: Venue, requests: GateRequests) -> None:
        self._venue = venue
        self._requests = requests
        self._next_funding_ms: dict[str, int] = {}
        """By symbol, as the contract was queried last: the ticker has no time of the funding."""
        self._funding_intervals_ms: dict[str, int] = {}

    def parse(self, frame: Any) -> Iterable[MarketEvent] | None:
        """Parse a frame of these channels; None for any other frame."""
        if not isinstance(frame, dict) or frame.get("event") != "update":
            return None
        channel, result = frame.get("channel"), frame.get("result")
        if channel == "futures.order_book_update":
            return (self._book_update(result),)
        if channel == "futures.trades":
            return read_each(self._venue.set_aside, "trade", "", objects(result, "result"), self._trade)
        if channel == "futures.tickers":
            time_ms = decode(frame, TickerTime).time_ms
            return [self._ticker(raw, time_ms) for raw in objects(result, "result")]
        return None

    async def watch_book(self, symbol: str) -> None:
        """Subscribe to the changes of 100 levels, every 100 ms."""
        await self._hold("futures.order_book_update", symbol, _EVERY, str(_DEPTH))

    async def unwatch_book(self, symbol: str) -> None:
        """Unsubscribe from the order book."""
        await self._release("futures.order_book_update", symbol, _EVERY, str(_DEPTH))

    async def renew_book(self, symbol: str) -> BookUpdate | None:
        """Query a snapshot that the changes of the stream apply to."""
        return await self._query_book(symbol, _DEPTH)

    async def query_book(self, symbol: str) -> BookUpdate:
        """Query the best levels, to compare the streamed book with them."""
        return await self._query_book(symbol, _COMPARED_LEVELS)

    async def watch_trades(self, symbol: str) -> None:
        """Subscribe to public trades."""
        await self._hold("futures.trades", symbol)

    async def unwatch_trades(self, symbol: str) -> None:
        """Unsubscribe from public trades."""
        await self._release("futures.trades", symbol)

    async def query_trades(self, symbol: str) -> list[PublicTrade]:
        """Query the latest trades, oldest first."""
        params = {"contract": self._venue.market_id(symbol), "limit": str(_TRADES)}
        rows = await self._requests.query("GetSettleTrades", params, symbol, public=True)
        return [parse_trade(row, self._venue.rules[symbol]) for row in reversed(objects(rows, "trades"))]

    async def watch_mark_price(self, symbol: str) -> None:
        """Subscribe to the ticker, which has the mark price and the funding rate."""
        await self._hold("futures.tickers", symbol)

    async def unwatch_mark_price(self, symbol: str) -> None:
        """Unsubscribe from the ticker."""
        await self._release("futures.tickers", symbol)

    async def query_mark_price(self, symbol: str) -> MarkPrice:
        """Query the contract, which has the time of the next funding; the response has no time of the market."""
        params = {"contract": self._venue.market_id(symbol)}
        raw = await self._requests.query("GetSettleContractsContract", params, symbol, public=True)
        row = decode(raw, TickerRow)
        self._next_funding_ms[symbol] = milliseconds(row.funding_next_apply)
        self._funding_intervals_ms[symbol] = int(raw.get("funding_interval") or 0) * 1000
        return self._mark_price(row, symbol, 0)

    async def _query_book(self, symbol: str, limit: int) -> BookUpdate:
        params = {"contract": self._venue.market_id(symbol), "limit": str(limit), "with_id": "true"}
        row = decode(await self._requests.query("GetSettleOrderBook", params, symbol, public=True), OrderBookRow)
        rules = self._venue.rules[symbol]
        return BookUpdate(
            symbol=symbol,
            bids=_levels(row.bids, rules),
            asks=_levels(row.asks, rules),
            last=row.last,
            snapshot=True,
            limit=limit,
            event_time_ms=milliseconds(row.update),
            received_ns=time.time_ns(),
        )

    def _book_update(self, raw: Any) -> BookUpdate:
        row = decode(raw, BookUpdateRow)
        rules = self._venue.listed_rules(row.contract)
        return BookUpdate(
            symbol=rules.symbol,
            bids=_levels(row.bids, rules),
            asks=_levels(row.asks, rules),
            last=row.last,
            previous=row.first - 1,
            event_time_ms=row.time_ms,
            received_ns=time.time_ns(),
        )

    def _trade(self, raw: Any) -> PublicTrade:
        return parse_trade(raw, self._venue.listed_rules(member(raw, "contract")))

    def _ticker(self, raw: Any, time_ms: int) -> MarkPrice:
        row = decode(raw, TickerRow)
        return self._mark_price(row, self._venue.listed_rules(member(raw, "contract")).symbol, time_ms)

    def _mark_price(self, row: TickerRow, symbol: str, time_ms: int) -> MarkPrice:
        next_ms, interval_ms = self._next_funding_ms.get(symbol, 0), self._funding_intervals_ms.get(symbol, 0)
        if interval_ms and next_ms <= time_ms:
            # The funding that was queried is over, and the next one is an interval later.
            next_ms += ((time_ms - next_ms) // interval_ms + 1) * interval_ms
            self._next_funding_ms[symbol] = next_ms
        return mark_price_of(
            symbol,
            row.mark_price,
            time_ms,
            index=row.index_price,
            funding_rate=row.funding_rate,
            next_funding_ms=next_ms,
        )

    @property
    def _url(self) -> str:
        return str(self._venue.client.urls["api"]["swap"]["usdt"])

    def _message(self, event: str, channel: str, symbol: str, variant: tuple[str, ...]) -> dict[str, Any]:
        payload = [self._venue.market_id(symbol), *variant]
        return {"time": self._venue.client.seconds(), "channel": channel, "event": event, "payload": payload}

    async def _hold(self, channel: str, symbol: str, *variant: str) -> None:
        message = self._message("subscribe", channel, symbol, variant)
        await self._venue.client.hold(self._url, f"{channel}:{symbol}", message)

    async def _release(self, channel: str, symbol: str, *variant: str) -> None:
        message = self._message("unsubscribe", channel, symbol, variant)
        await self._venue.client.release(self._url, f"{channel}:{symbol}", message)


def parse_trade(raw: Any, rules: SymbolRules) -> PublicTrade:
    """Read a trade of a frame or of a response; the time is milliseconds in one, and seconds in the other."""
    row = decode(raw, PublicTradeRow)
    time_ms = row.create_time_ms
    return public_trade(
        rules.symbol,
        row.trade_id,
        row.price,
        abs(row.size) * rules.contract_size,
        Side.BUY if row.size > 0 else Side.SELL,
        int(time_ms if time_ms > _SECONDS_BELOW else time_ms * 1000),
    )


_SECONDS_BELOW = 100_000_000_000
"""A time since the epoch below this is in seconds."""


def _levels(rows: list[LevelRow], rules: SymbolRules) -> tuple[BookLevel, ...]:
    return book_levels([(row.price, row.quantity) for row in rows], rules.contract_size)
