"""Gate's public channels: events of the engine as frames, at once or when their interval is over."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.gate import formats, frames
from opensqt.simulator.dialects.gate.contracts import Contracts
from opensqt.simulator.dialects.gate.public import INTERVALS, PublicData
from opensqt.simulator.engine.events import BookTicker, CandleUpdate, DepthUpdate, Event, SimTrade
from opensqt.simulator.settings import SymbolSettings
from opensqt.simulator.sockets import Socket

_FINE = {
    "futures.tickers": "ticker",
    "futures.trades": "trades",
    "futures.book_ticker": "price",
    "futures.order_book_update": "depth",
    "futures.candlesticks": "kline",
}
_NAMES = {ours: theirs for theirs, ours in INTERVALS.items()}
_EVERY_MS = {"futures.tickers": 1000, "futures.candlesticks": 250}
_DEPTH_EVERY_MS = {"20ms": 20, "100ms": 100}
_DEPTH_LEVELS = ("20", "50", "100")


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription to a channel of a contract."""

    channel: str
    rules: SymbolSettings
    variant: str = ""
    """The interval of candles, or the frequency and levels of a book."""
    every_ms: int = 0

    @property
    def topic(self) -> str:
        """Topic of the subscription."""
        return f"{self.channel} {self.rules.symbol} {self.variant}"

    @property
    def fine(self) -> str:
        """Name of its channel in a fault script."""
        return _FINE[self.channel]


class _BookDifference:
    """The levels that changed since a stream of differences was last sent."""

    def __init__(self) -> None:
        self.first_id = 0
        self.last_id = 0
        self.time_ms = 0
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def add(self, update: DepthUpdate) -> None:
        self.first_id = self.first_id or update.first_update_id
        self.last_id, self.time_ms = update.last_update_id, update.time_ms
        self.bids.update(update.bids)
        self.asks.update(update.asks)


class MarketStreams:
    """Sends prices and trades at once, the other channels at their intervals."""

    def __init__(self, world: World, contracts: Contracts, public: PublicData) -> None:
        self._world = world
        self._engine = world.engine
        self._subscriptions = world.subscriptions
        self._contracts = contracts
        self._public = public
        self._timed: dict[str, Subscription] = {}
        self._due_ms: dict[str, int] = {}
        self._changes: dict[str, _BookDifference] = {}
        self._candles: dict[str, CandleUpdate] = {}

    def serves(self, channel: str) -> bool:
        """Return whether a channel is public."""
        return channel in _FINE

    def streams(self, channel: str, payload: list[str]) -> list[Subscription] | str:
        """Read a subscription's payload, or return what is wrong with it."""
        names, variant, every_ms = payload, "", _EVERY_MS.get(channel, 0)
        if channel == "futures.candlesticks":
            if len(payload) != 2 or payload[0] not in INTERVALS:
                return "invalid argument: interval"
            variant, names = payload[0], payload[1:]
        elif channel == "futures.order_book_update":
            frequency, levels = (payload[1:2] or ["100ms"])[0], (payload[2:3] or ["100"])[0]
            if frequency not in _DEPTH_EVERY_MS or levels not in _DEPTH_LEVELS:
                return "invalid argument: frequency or level"
            variant, every_ms, names = f"{frequency} {levels}", _DEPTH_EVERY_MS[frequency], payload[:1]
        unknown = [name for name in names if name not in self._contracts.by_name]
        if unknown or not names:
            return f"unknown contract {', '.join(unknown)}"
        return [Subscription(channel, self._contracts.by_name[name], variant, every_ms) for name in names]

    def subscribe(self, socket: Socket, stream: Subscription) -> None:
        """Subscribe a connection to a stream."""
        if not self._subscriptions.subscribe(socket, stream.topic):
            return
        socket.channels[stream.fine] += 1
        if stream.every_ms:
            self._timed[stream.topic] = stream
        if stream.fine == "kline":
            self._engine.follow_candles(stream.rules.symbol, INTERVALS[stream.variant])
        if stream.fine == "depth":
            self._changes.setdefault(stream.topic, _BookDifference())

    def unsubscribe(self, socket: Socket, stream: Subscription) -> None:
        """End a subscription."""
        if self._subscriptions.unsubscribe(socket, stream.topic):
            socket.channels[stream.fine] -= 1

    def publish(self, event: Event) -> None:
        """Handle an event of the engine."""
        if isinstance(event, BookTicker):
            self._book_ticker(event)
        elif isinstance(event, SimTrade):
            self._trade(event)
        elif isinstance(event, DepthUpdate):
            for topic, changes in self._changes.items():
                if self._timed[topic].rules.symbol == event.symbol:
                    changes.add(event)
        elif isinstance(event, CandleUpdate):
            self._candle(event)

    def tick(self, *, everything: bool = False) -> None:
        """Send the streams whose interval is over, or all with pending data."""
        now = self._world.monotonic_ms()
        for topic, stream in list(self._timed.items()):
            if not self._subscriptions.subscribers(topic):
                for kept in (self._timed, self._due_ms, self._changes, self._candles):
                    kept.pop(topic, None)
            elif everything or now >= self._due_ms.get(topic, 0):
                self._due_ms[topic] = now + stream.every_ms
                self._send_timed(stream)

    def _send_timed(self, stream: Subscription) -> None:
        if stream.fine == "depth":
            self._depth(stream)
        elif stream.fine == "kline":
            if (update := self._candles.pop(stream.topic, None)) is not None:
                self._send_candle(stream, update)
        else:
            row = self._public.ticker(stream.rules)
            self._send(stream, self._engine.now_ms(), lambda _sizes: [row])

    def _book_ticker(self, event: BookTicker) -> None:
        rules = self._engine.symbol(event.symbol)

        def result(sizes: formats.Sizes) -> dict[str, Any]:
            return {
                "t": event.time_ms,
                "u": event.update_id,
                "s": formats.contract(rules),
                "b": decimals.price(event.bid, rules),
                "B": sizes.of(event.bid_quantity, rules),
                "a": decimals.price(event.ask, rules),
                "A": sizes.of(event.ask_quantity, rules),
            }

        self._send(Subscription("futures.book_ticker", rules), event.time_ms, result)

    def _trade(self, event: SimTrade) -> None:
        rules = self._engine.symbol(event.symbol)
        times = {"create_time": event.time_ms // 1000, "create_time_ms": event.time_ms}
        stream = Subscription("futures.trades", rules)
        self._send(stream, event.time_ms, lambda sizes: [formats.public_trade(event, rules, sizes) | times])

    def _candle(self, event: CandleUpdate) -> None:
        bar = event.candle
        name = _NAMES.get(bar.interval)
        if name is None:
            return
        stream = self._timed.get(Subscription("futures.candlesticks", self._engine.symbol(bar.symbol), name).topic)
        if stream is None:
            return
        if bar.closed:
            # A bar's final update is always sent, though no field marks it as final.
            self._candles.pop(stream.topic, None)
            self._send_candle(stream, event)
        else:
            self._candles[stream.topic] = event

    def _send_candle(self, stream: Subscription, update: CandleUpdate) -> None:
        bar, rules = update.candle, stream.rules
        more = {"n": f"{stream.variant}_{formats.contract(rules)}", "a": decimals.exact(bar.volume)}
        self._send(stream, update.time_ms, lambda sizes: [formats.candle(bar, rules, sizes) | more])

    def _depth(self, stream: Subscription) -> None:
        changes = self._changes[stream.topic]
        if not changes.first_id:
            return
        self._changes[stream.topic] = _BookDifference()
        rules = stream.rules

        def result(sizes: formats.Sizes) -> dict[str, Any]:
            return {
                "t": changes.time_ms,
                "s": formats.contract(rules),
                "U": changes.first_id,
                "u": changes.last_id,
                "b": formats.levels(changes.bids.items(), rules, sizes),
                "a": formats.levels(changes.asks.items(), rules, sizes),
            }

        self._send(stream, changes.time_ms, result)

    def _send(self, stream: Subscription, time_ms: int, result: Any) -> None:
        listeners = self._subscriptions.subscribers(stream.topic)
        if listeners:
            frames.send(listeners, stream.fine, stream.channel, time_ms, result)
