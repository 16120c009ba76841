"""Bybit's public streams: events of the engine as frames; books and tickers come as a snapshot, then as differences."""

from __future__ import annotations

from typing import Any

import orjson

from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.bybit import formats
from opensqt.simulator.dialects.bybit.public import PublicData
from opensqt.simulator.dialects.bybit.subscriptions import Subscription
from opensqt.simulator.engine.events import BookLevel, BookTicker, CandleUpdate, Event, SimTrade
from opensqt.simulator.sockets import Socket

_UNCHANGED_MS = 3000
"""The best bid and ask are sent again, complete, after this long without a change."""
_Side = dict[Any, Any]


class _PublishedBook:
    """A book in the state that its subscribers have."""

    def __init__(self) -> None:
        self.bids: _Side = {}
        self.asks: _Side = {}
        self.update_id = 0
        self.sequence = 0
        self.time_ms = 0
        self.sent_ms = 0


class MarketStreams:
    """Sends some streams at once, the others at their intervals."""

    def __init__(self, world: World, public: PublicData) -> None:
        self._world = world
        self._engine = world.engine
        self._subscriptions = world.subscriptions
        self._public = public
        self._topics: dict[str, Subscription] = {}
        self._due_ms: dict[str, int] = {}
        self._books: dict[str, _PublishedBook] = {}
        self._tickers: dict[str, dict[str, Any]] = {}
        self._candles: dict[str, CandleUpdate] = {}
        self._trades: dict[str, list[SimTrade]] = {}
        self._known = {rules.symbol: rules for rules in world.engine.symbols()}

    def has_symbol(self, topic: Subscription) -> bool:
        """Return whether a symbol of that name trades here."""
        return topic.symbol in self._known

    def subscribe(self, socket: Socket, topic: Subscription) -> bool:
        """Subscribe a connection to a stream; return whether the subscription is new."""
        if not self._subscriptions.subscribe(socket, topic.text):
            return False
        socket.channels[topic.channel] += 1
        self._topics[topic.text] = topic
        if topic.interval:
            self._engine.follow_candles(topic.symbol, topic.interval)
        return True

    def send_snapshot(self, socket: Socket, topic: Subscription) -> None:
        """Send the snapshot that a new subscription begins with."""
        if topic.kind == "orderbook":
            if topic.text not in self._books:
                self._books[topic.text] = _PublishedBook()
                self._refresh(topic, self._books[topic.text])
            socket.send(self._book_frame(topic, self._books[topic.text]), topic.channel)
        elif topic.kind == "tickers":
            row = self._tickers.setdefault(topic.text, self._public.ticker(self._known[topic.symbol]))
            socket.send(self._ticker_frame(topic, "snapshot", row), topic.channel)

    def unsubscribe(self, socket: Socket, topic: Subscription) -> bool:
        """End a subscription; return whether there was one."""
        if not self._subscriptions.unsubscribe(socket, topic.text):
            return False
        socket.channels[topic.channel] -= 1
        return True

    def publish(self, event: Event) -> None:
        """Handle an event of the engine."""
        if isinstance(event, BookTicker):
            topic = self._topics.get(f"orderbook.1.{event.symbol}")
            if topic is not None and topic.text in self._books:
                self._send_delta(topic, _best(event.bid, event.bid_quantity), _best(event.ask, event.ask_quantity))
        elif isinstance(event, SimTrade):
            if f"publicTrade.{event.symbol}" in self._topics:
                self._trades.setdefault(event.symbol, []).append(event)
        elif isinstance(event, CandleUpdate):
            self._candle(event)

    def tick(self, *, everything: bool = False) -> None:
        """Send the streams whose interval is over, or all with pending data."""
        for symbol in list(self._trades):
            self._send_trades(symbol)
        now = self._world.monotonic_ms()
        for name, topic in list(self._topics.items()):
            if not self._subscriptions.subscribers(name):
                self._forget(name)
            elif topic.every_ms and (everything or now >= self._due_ms.get(name, 0)):
                self._due_ms[name] = now + topic.every_ms
                self._send_timed(topic)
            elif topic.levels == 1 and now - self._books[name].sent_ms >= _UNCHANGED_MS:
                self._send(topic, self._book_frame(topic, self._books[name]))

    def _forget(self, name: str) -> None:
        for kept in (self._topics, self._due_ms, self._books, self._tickers, self._candles):
            kept.pop(name, None)

    def _send_timed(self, topic: Subscription) -> None:
        if topic.kind == "orderbook":
            book = self._engine.book(topic.symbol, topic.levels)
            self._send_delta(topic, book.bids, book.asks)
        elif topic.kind == "tickers":
            self._send_ticker(topic)
        elif (update := self._candles.pop(topic.text, None)) is not None:
            self._send_candle(topic, update)

    def _refresh(self, topic: Subscription, book: _PublishedBook) -> None:
        found = self._engine.book(topic.symbol, topic.levels)
        book.bids, book.asks = dict(found.bids), dict(found.asks)
        book.update_id = book.sequence = found.last_update_id
        book.time_ms = found.time_ms

    def _send_delta(self, topic: Subscription, bids: tuple[BookLevel, ...], asks: tuple[BookLevel, ...]) -> None:
        book, rules = self._books[topic.text], self._known[topic.symbol]
        changed_bids, changed_asks = _changes(book.bids, dict(bids)), _changes(book.asks, dict(asks))
        if not changed_bids and not changed_asks:
            return
        book.bids, book.asks = dict(bids), dict(asks)
        book.update_id += 1
        book.sequence = self._engine.best(topic.symbol).update_id
        book.time_ms = self._engine.now_ms()
        book.sent_ms = self._world.monotonic_ms()
        sides = {"b": formats.levels(changed_bids, rules), "a": formats.levels(changed_asks, rules)}
        data = {"s": topic.symbol, **sides, "u": book.update_id, "seq": book.sequence}
        self._send(topic, self._frame(topic, "delta", book.time_ms, data, cts=book.time_ms))

    def _book_frame(self, topic: Subscription, book: _PublishedBook) -> bytes:
        rules = self._known[topic.symbol]
        book.sent_ms = self._world.monotonic_ms()
        sides = {"b": formats.levels(book.bids.items(), rules), "a": formats.levels(book.asks.items(), rules)}
        data = {"s": topic.symbol, **sides, "u": book.update_id, "seq": book.sequence}
        return self._frame(topic, "snapshot", book.time_ms, data, cts=book.time_ms)

    def _ticker_frame(self, topic: Subscription, kind: str, row: dict[str, Any]) -> bytes:
        sequence = self._engine.best(topic.symbol).update_id
        return self._frame(topic, kind, self._engine.now_ms(), row, cs=sequence)

    def _send_ticker(self, topic: Subscription) -> None:
        row = self._public.ticker(self._known[topic.symbol])
        known = self._tickers.get(topic.text, {})
        changed = {key: value for key, value in row.items() if known.get(key) != value}
        if changed:
            self._tickers[topic.text] = row
            data = {"symbol": topic.symbol, **changed}
            self._send(topic, self._ticker_frame(topic, "delta", data))

    def _candle(self, event: CandleUpdate) -> None:
        bar = event.candle
        topic = self._topics.get(f"kline.{formats.INTERVAL.get(bar.interval, '')}.{bar.symbol}")
        if topic is None:
            return
        if not bar.closed:
            self._candles[topic.text] = event
            return
        # The closing bar is always sent, whatever the interval of the stream.
        self._candles.pop(topic.text, None)
        self._send_candle(topic, event)

    def _send_candle(self, topic: Subscription, update: CandleUpdate) -> None:
        bar = update.candle
        row = {
            "start": bar.open_time_ms,
            "end": bar.close_time_ms,
            "interval": formats.INTERVAL[bar.interval],
            "open": decimals.exact(bar.open),
            "close": decimals.exact(bar.close),
            "high": decimals.exact(bar.high),
            "low": decimals.exact(bar.low),
            "volume": decimals.exact(bar.volume),
            "turnover": decimals.exact(bar.quote_volume),
            "confirm": bar.closed,
            "timestamp": update.time_ms,
        }
        self._send(topic, self._frame(topic, "snapshot", update.time_ms, [row]))

    def _send_trades(self, symbol: str) -> None:
        trades, topic = self._trades.pop(symbol), self._topics.get(f"publicTrade.{symbol}")
        if topic is None:
            return
        rules = self._known[symbol]
        rows = [
            {
                "T": each.time_ms,
                "s": symbol,
                "S": "Sell" if each.buyer_is_maker else "Buy",
                "v": decimals.quantity(each.quantity, rules),
                "p": decimals.price(each.price, rules),
                "L": "ZeroPlusTick",
                "i": each.trade_id,
                "BT": False,
                "RPI": False,
                "seq": each.aggregate_id,
            }
            for each in trades
        ]
        self._send(topic, self._frame(topic, "snapshot", trades[-1].time_ms, rows))

    def _frame(self, topic: Subscription, kind: str, time_ms: int, data: Any, **more: Any) -> bytes:
        return orjson.dumps({"topic": topic.text, "type": kind, "ts": time_ms, "data": data, **more})

    def _send(self, topic: Subscription, frame: bytes) -> None:
        for socket in list(self._subscriptions.subscribers(topic.text)):
            socket.send(frame, topic.channel)


def _best(price: Any, quantity: Any) -> tuple[BookLevel, ...]:
    return ((price, quantity),) if quantity else ()


def _changes(before: _Side, now: _Side) -> list[BookLevel]:
    """Return the levels that are new or changed, and with zero those that are gone."""
    gone = [(price, decimals.ZERO) for price in before if price not in now]
    return gone + [(price, quantity) for price, quantity in now.items() if before.get(price) != quantity]
