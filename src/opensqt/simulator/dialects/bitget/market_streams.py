"""Bitget's public channels: events of the engine as frames, each encoded once for all subscribers."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import orjson

from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.bitget import formats
from opensqt.simulator.dialects.bitget.public import PublicData
from opensqt.simulator.dialects.bitget.subscriptions import Subscription
from opensqt.simulator.engine.events import BookTicker, CandleUpdate, DepthUpdate, Event, SimCandle, SimTrade
from opensqt.simulator.settings import SymbolSettings
from opensqt.simulator.sockets import Socket

_CHECKED_LEVELS = 25
_WHOLE_BOOK = 1_000
_CANDLES_AT_FIRST = 100
_TRADES_AT_FIRST = 50


class MarketStreams:
    """Sends some streams at once, the others at their intervals."""

    def __init__(self, world: World, public: PublicData) -> None:
        self._world = world
        self._engine = world.engine
        self._subscriptions = world.subscriptions
        self._public = public
        self._channels: dict[str, Subscription] = {}
        self._due_ms: dict[str, int] = {}
        self._dirty: set[str] = set()
        self._changes: dict[str, tuple[dict[Any, Any], dict[Any, Any]]] = {}
        self._known = {rules.symbol: rules for rules in world.engine.symbols()}

    def has_symbol(self, symbol: str) -> bool:
        """Return whether a symbol trades here."""
        return symbol in self._known

    def subscribe(self, socket: Socket, channel: Subscription) -> None:
        """Subscribe a connection to a channel, and send it the current state first."""
        if not self._subscriptions.subscribe(socket, channel.topic):
            return
        socket.channels[channel.fault_name] += 1
        self._channels[channel.topic] = channel
        if channel.interval:
            self._engine.follow_candles(channel.symbol, channel.interval)
        if channel.kind == "books":
            # Existing subscribers must not get the differences twice: all continue from here.
            self._flush_book(channel)
            self._changes.setdefault(channel.topic, ({}, {}))
        data = self._first(channel)
        socket.send(self._frame(channel, "snapshot", data), channel.fault_name)

    def unsubscribe(self, socket: Socket, channel: Subscription) -> None:
        """End a subscription."""
        if self._subscriptions.unsubscribe(socket, channel.topic):
            socket.channels[channel.fault_name] -= 1

    def publish(self, event: Event) -> None:
        """Handle an event of the engine."""
        if isinstance(event, BookTicker):
            self._send(f"books1:{event.symbol}", "snapshot", lambda: [self._book(event.symbol, 1)])
            self._dirty.add(f"ticker:{event.symbol}")
        elif isinstance(event, DepthUpdate):
            self._depth(event)
        elif isinstance(event, SimTrade):
            rules = self._known[event.symbol]
            self._send(f"trade:{event.symbol}", "update", lambda: [formats.trade(event, rules)])
            self._dirty.add(f"ticker:{event.symbol}")
        elif isinstance(event, CandleUpdate):
            self._candle(event.candle)

    def tick(self, *, everything: bool = False) -> None:
        """Send the channels whose interval is over, or all with pending data."""
        now = self._world.monotonic_ms()
        for topic, channel in list(self._channels.items()):
            if not self._subscriptions.subscribers(topic):
                self._forget(topic)
            elif topic in self._dirty and (everything or now >= self._due_ms.get(topic, 0)):
                self._dirty.discard(topic)
                self._due_ms[topic] = now + channel.every_ms
                self._send_timed(channel)

    def _forget(self, topic: str) -> None:
        self._dirty.discard(topic)
        for kept in (self._channels, self._due_ms, self._changes):
            kept.pop(topic, None)

    def _send_timed(self, channel: Subscription) -> None:
        if channel.kind == "books":
            self._flush_book(channel)
        elif channel.kind == "candle":
            self._broadcast(channel, "update", self._bars(channel, 1))
        elif channel.kind == "ticker":
            self._send(channel.topic, "snapshot", lambda: [self._ticker(channel.symbol)])
        else:
            self._send(channel.topic, "snapshot", lambda: [self._book(channel.symbol, channel.levels)])

    def _first(self, channel: Subscription) -> list[Any]:
        """Return what a new subscriber gets first: the book, the latest candles, the latest trades."""
        if channel.kind == "ticker":
            return [self._ticker(channel.symbol)]
        if channel.kind == "candle":
            return self._bars(channel, _CANDLES_AT_FIRST)
        if channel.kind == "trade":
            rules = self._known[channel.symbol]
            latest = self._engine.trades(channel.symbol, limit=_TRADES_AT_FIRST)
            return [formats.trade(trade, rules) for trade in reversed(latest)]
        return [self._book(channel.symbol, channel.levels or _WHOLE_BOOK)]

    def _depth(self, event: DepthUpdate) -> None:
        changes = self._changes.get(f"books:{event.symbol}")
        if changes is not None:
            changes[0].update(event.bids)
            changes[1].update(event.asks)
        self._dirty.update(f"{name}:{event.symbol}" for name in ("books", "books5", "books15"))

    def _candle(self, bar: SimCandle) -> None:
        for topic, channel in self._channels.items():
            if (channel.symbol, channel.interval) != (bar.symbol, bar.interval):
                continue
            if not bar.closed:
                self._dirty.add(topic)
                continue
            # The final update of the bar that ended, and the first one of the next.
            rules = self._known[bar.symbol]
            rows = [formats.candle(bar, rules, streamed=True), *self._bars(channel, 1)]
            self._dirty.discard(topic)
            self._broadcast(channel, "update", rows)

    def _bars(self, channel: Subscription, count: int) -> list[list[str]]:
        rules = self._known[channel.symbol]
        bars = self._engine.candles(channel.symbol, channel.interval, limit=count)
        return [formats.candle(bar, rules, streamed=True) for bar in bars]

    def _ticker(self, symbol: str) -> dict[str, Any]:
        row = self._public.ticker(self._known[symbol])
        for name in ("deliveryStartTime", "deliveryTime", "deliveryStatus"):
            del row[name]
        return {"instId": row["symbol"], **row, "symbolType": "1"}

    def _book(self, symbol: str, levels: int) -> dict[str, Any]:
        book, rules = self._engine.book(symbol, levels), self._known[symbol]
        return {
            "asks": formats.levels(book.asks, rules),
            "bids": formats.levels(book.bids, rules),
            "checksum": self._checksum(symbol) if levels > _CHECKED_LEVELS else 0,
            "seq": book.last_update_id,
            "ts": str(book.time_ms),
        }

    def _flush_book(self, channel: Subscription) -> None:
        """Send the changes since the last frame, with the checksum of the current book."""
        bids, asks = self._changes.get(channel.topic, ({}, {}))
        if not bids and not asks:
            return
        rules = self._known[channel.symbol]
        self._changes[channel.topic] = ({}, {})
        row = {
            "asks": formats.levels(sorted(asks.items()), rules),
            "bids": formats.levels(sorted(bids.items(), reverse=True), rules),
            "checksum": self._checksum(channel.symbol),
            "seq": self._engine.book(channel.symbol, 1).last_update_id,
            "ts": str(self._engine.now_ms()),
        }
        self._broadcast(channel, "update", [row])

    def _checksum(self, symbol: str) -> int:
        book = self._engine.book(symbol, _CHECKED_LEVELS)
        return checksum(book.bids, book.asks, self._known[symbol])

    def _send(self, topic: str, action: str, data: Callable[[], list[Any]]) -> None:
        """Send the result of *data*, if the topic has subscribers."""
        if self._subscriptions.subscribers(topic):
            self._broadcast(self._channels[topic], action, data())

    def _broadcast(self, channel: Subscription, action: str, data: list[Any]) -> None:
        frame = self._frame(channel, action, data)
        for socket in self._subscriptions.subscribers(channel.topic):
            socket.send(frame, channel.fault_name)

    def _frame(self, channel: Subscription, action: str, data: list[Any]) -> bytes:
        return orjson.dumps({"action": action, "arg": channel.arg, "data": data, "ts": self._engine.now_ms()})


def checksum(bids: Any, asks: Any, rules: SymbolSettings) -> int:
    """Return the signed CRC-32 over the best levels of both sides in turn, as the venue documents it."""
    parts = []
    for pair in zip_longest(bids, asks):
        parts += [
            f"{decimals.price(level[0], rules)}:{decimals.quantity(level[1], rules)}"
            for level in pair
            if level is not None
        ]
    value = zlib.crc32(":".join(parts).encode())
    return value - (1 << 32) if value >= 1 << 31 else value
