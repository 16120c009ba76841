"""Binance's market streams: events of the engine as frames, each encoded once for all subscribers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.binance import formats
from opensqt.simulator.dialects.binance.subscriptions import Subscription
from opensqt.simulator.engine.events import (
    BookTicker,
    CandleUpdate,
    DepthUpdate,
    Event,
    OrderChanged,
    SimCandle,
    SimTrade,
)
from opensqt.simulator.engine.order import SimOrder, is_liquidation
from opensqt.simulator.sockets import Socket


class _BookDifference:
    """The levels that changed since a stream of differences was last sent."""

    def __init__(self, last_id: int) -> None:
        self.previous_id = last_id
        self.first_id = 0
        self.last_id = last_id
        self.time_ms = 0
        self.bids: dict[Any, Any] = {}
        self.asks: dict[Any, Any] = {}

    def add(self, update: DepthUpdate) -> None:
        self.first_id = self.first_id or update.first_update_id
        self.last_id = update.last_update_id
        self.time_ms = update.time_ms
        self.bids.update(update.bids)
        self.asks.update(update.asks)

    def clear(self) -> None:
        self.previous_id, self.first_id = self.last_id, 0
        self.bids.clear()
        self.asks.clear()


class MarketStreams:
    """Sends some streams at once, the others at their intervals."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._engine = world.engine
        self._subscriptions = world.subscriptions
        self._streams: dict[str, Subscription] = {}
        self._due_ms: dict[str, int] = {}
        self._changes: dict[str, _BookDifference] = {}
        self._candles: dict[str, CandleUpdate] = {}
        self._aggregating: dict[str, list[SimTrade]] = {}
        self._known = {rules.symbol: rules for rules in world.engine.symbols()}

    def subscribe(self, socket: Socket, stream: Subscription) -> None:
        """Subscribe a connection to a stream; for an unknown symbol it receives nothing, as on the venue."""
        if not self._subscriptions.subscribe(socket, stream.text):
            return
        socket.channels[stream.channel] += 1
        if stream.symbol and stream.symbol not in self._known:
            return
        self._streams[stream.text] = stream
        if stream.interval:
            self._engine.follow_candles(stream.symbol, stream.interval)
        if stream.kind == "depth" and not stream.levels and stream.text not in self._changes:
            self._changes[stream.text] = _BookDifference(self._engine.book(stream.symbol, 5).last_update_id)

    def unsubscribe(self, socket: Socket, stream: Subscription) -> None:
        """End a subscription."""
        if self._subscriptions.unsubscribe(socket, stream.text):
            socket.channels[stream.channel] -= 1

    def publish(self, event: Event) -> None:
        """Handle an event of the engine."""
        if isinstance(event, BookTicker):
            self._book_ticker(event)
        elif isinstance(event, DepthUpdate):
            for name, changes in self._changes.items():
                if self._streams[name].symbol == event.symbol:
                    changes.add(event)
            for stream in self._streams.values():
                if stream.kind == "depth" and not stream.every_ms and stream.symbol == event.symbol:
                    self._depth(stream)
        elif isinstance(event, SimTrade):
            self._trade(event)
        elif isinstance(event, CandleUpdate):
            self._candle(event)
        elif isinstance(event, OrderChanged) and not event.order.status.is_open and is_liquidation(event.order):
            self._forced(event.order)

    def tick(self, *, everything: bool = False) -> None:
        """Send the streams whose interval is over, or all with pending data."""
        for symbol in list(self._aggregating):
            self._send_aggregate(symbol)
        now = self._world.monotonic_ms()
        for name in list(self._streams):
            if not self._subscriptions.subscribers(name):
                self._forget(name)
            elif self._streams[name].every_ms and (everything or now >= self._due_ms.get(name, 0)):
                self._due_ms[name] = now + self._streams[name].every_ms
                self._send_timed(self._streams[name])

    def _forget(self, name: str) -> None:
        for kept in (self._streams, self._due_ms, self._changes, self._candles):
            kept.pop(name, None)

    def _send_timed(self, stream: Subscription) -> None:
        if stream.kind == "depth":
            self._depth(stream)
        elif stream.kind in ("kline", "continuousKline"):
            if (update := self._candles.pop(stream.text, None)) is not None:
                self._send(stream.text, "kline", _kline(update, stream))
        elif stream.symbol:
            self._send(stream.text, stream.channel, self._row(stream.kind, stream.symbol))
        else:
            self._send(stream.text, stream.channel, [self._row(stream.kind, symbol) for symbol in self._known])

    def _book_ticker(self, event: BookTicker) -> None:
        topics = (f"{event.symbol.lower()}@bookTicker", "!bookTicker")
        if not any(self._subscriptions.subscribers(topic) for topic in topics):
            return
        rules = self._known[event.symbol]
        frame = orjson.dumps(
            {
                "e": "bookTicker",
                "u": event.update_id,
                "E": event.time_ms,
                "T": event.time_ms,
                "s": event.symbol,
                "b": decimals.price(event.bid, rules),
                "B": decimals.quantity(event.bid_quantity, rules),
                "a": decimals.price(event.ask, rules),
                "A": decimals.quantity(event.ask_quantity, rules),
            }
        )
        for topic in topics:
            send(self._subscriptions.subscribers(topic), topic, "price", frame)

    def _trade(self, event: SimTrade) -> None:
        pending = self._aggregating.get(event.symbol)
        if pending and pending[0].aggregate_id != event.aggregate_id:
            self._send_aggregate(event.symbol)
        if self._subscriptions.subscribers(f"{event.symbol.lower()}@aggTrade"):
            self._aggregating.setdefault(event.symbol, []).append(event)
        topic = f"{event.symbol.lower()}@trade"
        if self._subscriptions.subscribers(topic):
            rules = self._known[event.symbol]
            message = {
                "e": "trade",
                "E": event.time_ms,
                "T": event.time_ms,
                "s": event.symbol,
                "t": int(event.trade_id),
                "p": decimals.price(event.price, rules),
                "q": decimals.quantity(event.quantity, rules),
                "X": "MARKET",
                "m": event.buyer_is_maker,
            }
            self._send(topic, "trades", message)

    def _send_aggregate(self, symbol: str) -> None:
        trades = self._aggregating.pop(symbol)
        message = {"e": "aggTrade", "E": trades[-1].time_ms, "s": symbol}
        self._send(f"{symbol.lower()}@aggTrade", "trades", message | formats.aggregate(trades, self._known[symbol]))

    def _candle(self, event: CandleUpdate) -> None:
        bar = event.candle
        symbol = bar.symbol.lower()
        for name in (f"{symbol}@kline_{bar.interval}", f"{symbol}_perpetual@continuousKline_{bar.interval}"):
            stream = self._streams.get(name)
            if stream is None:
                continue
            if not bar.closed:
                self._candles[name] = event
                continue
            # The closing bar is always sent, whatever the interval of the stream.
            self._candles.pop(name, None)
            self._send(name, "kline", _kline(event, stream))

    def _forced(self, order: SimOrder) -> None:
        """Send a liquidation, when its order is closed."""
        rules = self._known[order.symbol]
        message = {
            "s": order.symbol,
            "S": order.side.value,
            "o": "LIMIT",
            "f": "IOC",
            "q": decimals.quantity(order.quantity, rules),
            "p": decimals.price(order.price or order.average_price, rules),
            "ap": decimals.rounded(order.average_price),
            "X": formats.status(order),
            "l": decimals.quantity(order.filled_quantity, rules),
            "z": decimals.quantity(order.filled_quantity, rules),
            "T": order.updated_ms,
        }
        for topic in (f"{order.symbol.lower()}@forceOrder", "!forceOrder@arr"):
            self._send(topic, "trades", {"e": "forceOrder", "E": order.updated_ms, "o": message})

    def _depth(self, stream: Subscription) -> None:
        rules = self._known[stream.symbol]
        message: dict[str, Any] = {"e": "depthUpdate"}
        if stream.levels:
            book = self._engine.book(stream.symbol, stream.levels)
            ids = {"U": book.last_update_id, "u": book.last_update_id, "pu": book.last_update_id - 1}
            bids, asks, time_ms = book.bids, book.asks, book.time_ms
        else:
            changes = self._changes[stream.text]
            if not changes.first_id:
                return
            ids = {"U": changes.first_id, "u": changes.last_id, "pu": changes.previous_id}
            bids, asks, time_ms = tuple(changes.bids.items()), tuple(changes.asks.items()), changes.time_ms
            changes.clear()
        message |= {"E": time_ms, "T": time_ms, "s": stream.symbol, **ids}
        message |= {"b": formats.levels(bids, rules), "a": formats.levels(asks, rules)}
        self._send(stream.text, "depth", message)

    def _row(self, kind: str, symbol: str) -> dict[str, Any]:
        if kind == "markPrice":
            return self._mark_price(symbol)
        rules = self._known[symbol]
        day = formats.day(self._engine.day(symbol), rules)
        row = {
            "e": "24hrMiniTicker" if kind == "miniTicker" else "24hrTicker",
            "E": self._engine.now_ms(),
            "s": symbol,
            "c": day["lastPrice"],
            "o": day["openPrice"],
            "h": day["highPrice"],
            "l": day["lowPrice"],
            "v": day["volume"],
            "q": day["quoteVolume"],
        }
        if kind == "ticker":
            row |= {"p": day["priceChange"], "P": day["priceChangePercent"], "w": day["weightedAvgPrice"]}
            row |= {"Q": day["lastQty"], "O": day["openTime"], "C": day["closeTime"]}
            row |= {"F": day["firstId"], "L": day["lastId"], "n": day["count"]}
        return row

    def _mark_price(self, symbol: str) -> dict[str, Any]:
        mark = self._engine.mark(symbol)
        return {
            "e": "markPriceUpdate",
            "E": mark.time_ms,
            "s": symbol,
            "p": decimals.rounded(mark.mark_price),
            "ap": decimals.rounded(mark.mark_price),
            "i": decimals.rounded(mark.index_price),
            "P": decimals.rounded(mark.index_price),
            "r": decimals.rounded(mark.funding_rate),
            "T": mark.next_funding_ms,
        }

    def _send(self, topic: str, channel: str, message: Any) -> None:
        listeners = self._subscriptions.subscribers(topic)
        if listeners:
            send(listeners, topic, channel, orjson.dumps(message))


def send(listeners: Iterable[Socket], topic: str, channel: str, frame: bytes) -> None:
    """Send an encoded frame to connections, wrapped once for those of the combined kind."""
    wrapped = b""
    for socket in listeners:
        if socket.state["combined"]:
            wrapped = wrapped or b'{"stream":"%b","data":%b}' % (topic.encode(), frame)
            socket.send(wrapped, channel)
        else:
            socket.send(frame, channel)


def _kline(update: CandleUpdate, stream: Subscription) -> dict[str, Any]:
    bar = update.candle
    if stream.kind == "kline":
        return {"e": "kline", "E": update.time_ms, "s": bar.symbol, "k": {"s": bar.symbol, **_bar(bar)}}
    names = {"ps": bar.symbol, "ct": "PERPETUAL"}
    return {"e": "continuous_kline", "E": update.time_ms, **names, "k": _bar(bar)}


def _bar(bar: SimCandle) -> dict[str, Any]:
    return {
        "t": bar.open_time_ms,
        "T": bar.close_time_ms,
        "i": bar.interval,
        "f": int(bar.first_trade_id or -1),
        "L": int(bar.last_trade_id or -1),
        "o": decimals.exact(bar.open),
        "c": decimals.exact(bar.close),
        "h": decimals.exact(bar.high),
        "l": decimals.exact(bar.low),
        "v": decimals.exact(bar.volume),
        "n": bar.trades,
        "x": bar.closed,
        "q": decimals.exact(bar.quote_volume),
        "V": decimals.exact(bar.taker_buy_volume),
        "Q": decimals.exact(bar.taker_buy_quote_volume),
        "B": "0",
    }
