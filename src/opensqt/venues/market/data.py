"""All market data topics of an adapter: opened for the first reader, checked by a watchdog, closed after the last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from opensqt.model.errors import ExchangeError, Unsupported
from opensqt.model.market import Candle, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.venue import Channel
from opensqt.streams.feed import Feed
from opensqt.streams.market_feeds import mark_price_feed, trade_feed
from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.channels import PublicChannels
from opensqt.venues.events import BookUpdate, MarketEvent
from opensqt.venues.health import BackgroundTasks, Health, in_ms
from opensqt.venues.market.book import LocalBook
from opensqt.venues.market.book_topic import BookTopic
from opensqt.venues.market.mark_price import MarkPriceTopic
from opensqt.venues.market.topic import CandleTopic, MarketTopic, candle_feed, price_feed
from opensqt.venues.market.trades import TradeTopic
from opensqt.venues.transport.subscription import QUERY_ERRORS, RETRYABLE_ERRORS
from opensqt.venues.venue import Venue

_log = get_logger("venue")
_WATCHDOG_INTERVAL_S = 0.5
_UNSUBSCRIBE_TIMEOUT_S = 5.0
_CATCH_UP_CANDLES = 99
AnyTopic = MarketTopic[Price] | MarketTopic[Candle] | MarketTopic[OrderBook] | MarketTopic[PublicTrade] | MarkPriceTopic
Key = tuple[str, ...]


class MarketData:
    """The topics, and the watchdog that checks them.

    Args:
        venue: Subscribes and sends the queries.
        client: The ccxt client, to end connections.
        health: Receives a check `market_data:TOPIC` for each topic.
        tasks: Owns the subscriptions.
    """

    def __init__(self, venue: Venue, client: Any, health: Health, tasks: BackgroundTasks) -> None:
        self._venue = venue
        self._client = client
        self._health = health
        self._tasks = tasks
        self.topics: dict[Key, AnyTopic] = {}
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._gaps: set[Key] = set()
        self._closed: ExchangeError | None = None

    def start(self) -> None:
        """Start the watchdog."""
        self._tasks.start("watchdog", self._watchdog())

    def close(self, error: ExchangeError) -> None:
        """End every reader with *error*."""
        self._closed = error
        for topic in self.topics.values():
            topic.close(error)

    def prices(self, symbol: str) -> Feed[Price]:
        """Return the feed of a symbol's prices, and subscribe if needed."""
        topic = self._price_topic(symbol)
        if topic is None:
            name = f"price:{symbol}"
            topic = MarketTopic[Price](
                name,
                price_feed(),
                watch=lambda: self._venue.watch_price(symbol),
                unwatch=lambda: self._venue.unwatch_price(symbol),
                query=lambda: self._query_price(symbol),
                on_freshness_change=self._health_callback(name),
            )
            self._open((symbol,), topic)
        return topic.feed

    def candles(self, symbol: str, interval: str) -> Feed[Candle]:
        """Return the feed of a symbol's candles, and subscribe if needed."""
        topic = self._candle_topic(symbol, interval)
        if topic is None:
            name = f"kline:{symbol}:{interval}"
            topic = CandleTopic(
                name,
                candle_feed(),
                watch=lambda: self._venue.watch_candles(symbol, interval),
                unwatch=lambda: self._venue.unwatch_candles(symbol, interval),
                query=lambda: self._query_candles(symbol, interval),
                on_freshness_change=self._health_callback(name),
                on_gap=lambda: self._fill_gap((symbol, interval)),
            )
            self._open((symbol, interval), topic)
        return topic.feed

    def order_book(self, symbol: str, depth: int) -> Feed[OrderBook]:
        """Return the feed of a symbol's order book of this depth, and subscribe if needed."""
        topic = self._book_topic(symbol)
        if topic is None:
            name, channels = f"order_book:{symbol}", self._channels()
            topic = BookTopic(
                name,
                symbol,
                LocalBook(
                    window=channels.book_window,
                    sends_entering_levels=channels.book_sends_entering_levels,
                    checksum=channels.checksum,
                ),
                watch=lambda: channels.watch_book(symbol),
                unwatch=lambda: channels.unwatch_book(symbol),
                renew=lambda: channels.renew_book(symbol),
                compare=lambda: channels.query_book(symbol),
                begins_on_stream=channels.book_begins_on_stream,
                linger_s=self._venue.settings.linger_s,
                on_freshness_change=self._health_callback(name),
            )
            # Before it is opened, because an adapter that is closed ends the readers of all depths.
            feed = topic.feed_of(depth)
            self._open(("order_book", symbol), topic)
            return feed
        return topic.feed_of(depth)

    def trades(self, symbol: str) -> Feed[PublicTrade]:
        """Return the feed of a symbol's public trades, and subscribe if needed."""
        topic = self._trade_topic(symbol)
        if topic is None:
            name, channels = f"trades:{symbol}", self._channels()
            topic = TradeTopic(
                name,
                trade_feed(),
                watch=lambda: channels.watch_trades(symbol),
                unwatch=lambda: channels.unwatch_trades(symbol),
                query=lambda: channels.query_trades(symbol),
                on_freshness_change=self._health_callback(name),
                ids_are_consecutive=channels.trade_ids_are_consecutive,
                on_gap=lambda: self._fill_gap(("trades", symbol)),
            )
            self._open(("trades", symbol), topic)
        return topic.feed

    def mark_price(self, symbol: str) -> Feed[MarkPrice]:
        """Return the feed of a symbol's mark price, and subscribe if needed."""
        topic = self._mark_price_topic(symbol)
        if topic is None:
            name, channels = f"mark_price:{symbol}", self._channels()

            async def query() -> list[MarkPrice]:
                return [await channels.query_mark_price(symbol)]

            topic = MarkPriceTopic(
                name,
                mark_price_feed(),
                watch=lambda: channels.watch_mark_price(symbol),
                unwatch=lambda: channels.unwatch_mark_price(symbol),
                query=query,
                on_freshness_change=self._health_callback(name),
            )
            self._open(("mark_price", symbol), topic)
        return topic.feed

    def handle(self, event: MarketEvent, socket: Any) -> None:
        """Pass a streamed update to its topic, if that is still open."""
        self._venue.observe_market_time(event.event_time_ms)
        topic: Any
        match event:
            case Price():
                topic = self._price_topic(event.symbol)
            case Candle():
                topic = self._candle_topic(event.symbol, event.interval)
            case BookUpdate():
                book = self._book_topic(event.symbol)
                if book is not None:
                    book.handle_frame(event, socket)
                return
            case PublicTrade():
                topic = self._trade_topic(event.symbol)
            case MarkPrice():
                topic = self._mark_price_topic(event.symbol)
        if topic is not None:
            topic.handle(event, socket)

    def channels(self) -> list[Channel]:
        """Return whether the stream of each topic is connected, and the age of its last update."""
        return [
            Channel(name=topic.name, connected=topic.connected, data_age_ms=in_ms(topic.data_age_s()))
            for topic in self.topics.values()
        ]

    def fresh_price(self, symbol: str) -> Price | None:
        """Return the streamed price if it is verified as fresh, else None."""
        topic = self._price_topic(symbol)
        if topic is None or not topic.fresh or topic.unverified_s() > self._venue.settings.stale_after_s:
            return None
        return topic.last

    def _price_topic(self, symbol: str) -> MarketTopic[Price] | None:
        return cast("MarketTopic[Price] | None", self.topics.get((symbol,)))

    def _candle_topic(self, symbol: str, interval: str) -> CandleTopic | None:
        return cast("CandleTopic | None", self.topics.get((symbol, interval)))

    def _book_topic(self, symbol: str) -> BookTopic | None:
        return cast("BookTopic | None", self.topics.get(("order_book", symbol)))

    def _trade_topic(self, symbol: str) -> TradeTopic | None:
        return cast("TradeTopic | None", self.topics.get(("trades", symbol)))

    def _mark_price_topic(self, symbol: str) -> MarkPriceTopic | None:
        return cast("MarkPriceTopic | None", self.topics.get(("mark_price", symbol)))

    def _channels(self) -> PublicChannels:
        if self._venue.public is None:
            raise Unsupported(f"{self._venue.name}: no stream of order books, public trades or mark prices")
        return self._venue.public

    def _open(self, key: Key, topic: AnyTopic) -> None:
        if self._closed is not None:
            topic.close(self._closed)
            return
        self.topics[key] = topic
        self._health.set(f"market_data:{topic.name}", True, "subscribing")
        self._health.add_probe(
            f"market_data:{topic.name}", lambda: topic.mark_stale_if_unverified(self._venue.settings.stale_after_s)
        )
        self._running[key] = self._tasks.start(topic.name, topic.run())

    def _health_callback(self, name: str) -> Callable[[bool, str], None]:
        return lambda fresh, reason: self._health.set(f"market_data:{name}", fresh, reason)

    async def _query_price(self, symbol: str) -> list[Price]:
        return [await self._venue.price(symbol)]

    async def _query_candles(self, symbol: str, interval: str) -> list[Candle]:
        topic = self._candle_topic(symbol, interval)
        has_data = topic is not None and topic.last is not None
        return await self._venue.candles(symbol, interval, _CATCH_UP_CANDLES if has_data else 2)

    def _fill_gap(self, key: Key) -> None:
        """Query what the stream did not publish: a closed candle, or trades."""
        topic = self.topics.get(key)
        if topic is None or key in self._gaps:
            return
        self._gaps.add(key)
        self._tasks.start(f"fill gap {topic.name}", self._catch_up(key, topic), lasting=False)

    async def _catch_up(self, key: Key, topic: AnyTopic) -> None:
        try:
            await topic.catch_up()
        except QUERY_ERRORS as error:
            _log.warning("query of missing data failed", topic=topic.name, error=redact(repr(error)))
        finally:
            self._gaps.discard(key)

    async def _watchdog(self) -> None:
        """Check the topics without recent data, and close those without readers."""
        settings = self._venue.settings
        while True:
            await asyncio.sleep(min(_WATCHDOG_INTERVAL_S, settings.stale_after_s / 4))
            checks: list[Coroutine[Any, Any, None]] = []
            for key, topic in list(self.topics.items()):
                if topic.update_idle_s() > settings.linger_s:
                    await self._close_topic(key, topic)
                elif topic.needs_check(settings.stale_after_s):
                    checks.append(self._check_topic(topic))
            await asyncio.gather(*checks)

    async def _check_topic(self, topic: AnyTopic) -> None:
        """Check one topic, and abort its connection if it is stalled. Its subscription then makes a new one."""
        if (
            await topic.check_stalled()
            and topic.begin_replacement(self._venue.settings.stale_after_s)
            and topic.socket is not None
        ):
            self._client.abort_connection(topic.socket)

    async def _close_topic(self, key: Key, topic: AnyTopic) -> None:
        """Close a topic: close its connection, or unsubscribe if other topics use the connection, too."""
        del self.topics[key]
        await self._tasks.end(self._running.pop(key))
        self._health.forget(f"market_data:{topic.name}")
        shared = any(other.socket is topic.socket for other in self.topics.values())
        try:
            async with asyncio.timeout(_UNSUBSCRIBE_TIMEOUT_S):
                if topic.socket is not None and not shared:
                    await self._client.close_connection(topic.socket)
                else:
                    await topic.unwatch()
        except (*RETRYABLE_ERRORS, TimeoutError) as error:
            # The connection stays open, and its frames are ignored. The venue or the next reader ends it.
            _log.warning("could not unsubscribe", topic=topic.name, error=redact(str(error)))
