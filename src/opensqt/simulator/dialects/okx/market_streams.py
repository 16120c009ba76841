"""OKX's market channels: events of the engine as frames, at once or when the channel's interval is over."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.okx import formats
from opensqt.simulator.dialects.okx.frames import Sender
from opensqt.simulator.dialects.okx.instruments import Instruments, OkxInstrument
from opensqt.simulator.dialects.okx.public import PublicData
from opensqt.simulator.dialects.okx.subscriptions import Subscription
from opensqt.simulator.engine.events import BookTicker, CandleUpdate, DepthUpdate, Event, SimCandle, SimTrade
from opensqt.simulator.sockets import Socket

_BOOK_DEPTH = 400
_NO_CHECKSUM = 0
"""The venue keeps the field and sends nothing in it since June 2026: `prevSeqId` shows whether a change is missing."""


class _BookDifference:
    """The levels that changed since the book channel was last sent."""

    def __init__(self, last_id: int) -> None:
        self.previous_id = self.last_id = last_id
        self.time_ms = 0
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def add(self, update: DepthUpdate) -> None:
        self.last_id, self.time_ms = update.last_update_id, update.time_ms
        self.bids.update(update.bids)
        self.asks.update(update.asks)

    def clear(self) -> None:
        self.previous_id = self.last_id
        self.bids.clear()
        self.asks.clear()


class MarketStreams:
    """Subscriptions to market channels, and their frames."""

    def __init__(self, world: World, instruments: Instruments, public: PublicData) -> None:
        self._engine = world.engine
        self._monotonic_ms = world.monotonic_ms
        self._instruments = instruments
        self._public = public
        self._sender = Sender(world)
        self._channels: dict[str, Subscription] = {}
        self._due_ms: dict[str, int] = {}
        self._changes: dict[str, _BookDifference] = {}
        self._candles: dict[str, SimCandle] = {}
        self._instrument_rows: list[dict[str, Any]] = []
        """The instruments as they were last sent."""

    def subscribe(self, socket: Socket, channel: Subscription) -> None:
        """Subscribe a connection to a channel, and send it the current state."""
        if not self._sender.subscribe(socket, channel.topic, channel) or channel.silent:
            return
        self._channels.setdefault(channel.topic, channel)
        if channel.interval:
            self._engine.follow_candles(channel.symbol, channel.interval)
        if channel.name == "books":
            self._send_changes(channel)
            self._send_snapshot(socket, channel)
        elif channel.name == "instruments":
            self._instrument_rows = self._public.instrument_rows()
            self._sender.send_to(socket, channel, self._instrument_rows)
        elif channel.name not in ("trades", "trades-all"):
            self._sender.send_to(socket, channel, [self._row(channel)])

    def unsubscribe(self, socket: Socket, channel: Subscription) -> None:
        """End a subscription."""
        self._sender.unsubscribe(socket, channel.topic, channel)

    def publish(self, event: Event) -> None:
        """Handle an event of the engine."""
        if isinstance(event, DepthUpdate):
            for topic, changes in self._changes.items():
                if self._channels[topic].symbol == event.symbol:
                    changes.add(event)
        elif isinstance(event, BookTicker):
            for channel in self._named("bbo-tbt", event.symbol):
                row = formats.best(event, self._swap(channel))
                self._sender.send(channel.topic, channel, [row])
        elif isinstance(event, SimTrade):
            for name in ("trades", "trades-all"):
                for channel in self._named(name, event.symbol):
                    row = formats.trade(event, self._swap(channel)) | {"count": "1"}
                    self._sender.send(channel.topic, channel, [row])
        elif isinstance(event, CandleUpdate):
            self._candle(event.candle)

    def tick(self, *, everything: bool = False) -> None:
        """Send the channels whose interval is over, or all with pending data."""
        now = self._monotonic_ms()
        for topic, channel in list(self._channels.items()):
            if not self._sender.has_subscribers(topic):
                for kept in (self._channels, self._due_ms, self._changes, self._candles):
                    kept.pop(topic, None)
            elif channel.every_ms and (everything or now >= self._due_ms.get(topic, 0)):
                self._due_ms[topic] = now + channel.every_ms
                self._send_timed(channel)

    def _named(self, name: str, symbol: str) -> list[Subscription]:
        return [channel for channel in self._channels.values() if channel.name == name and channel.symbol == symbol]

    def _swap(self, channel: Subscription) -> OkxInstrument:
        return self._instruments.by_symbol[channel.symbol]

    def _send_timed(self, channel: Subscription) -> None:
        if channel.name == "books":
            self._send_changes(channel)
        elif channel.name == "instruments":
            self._send_changed_instruments(channel)
        elif channel.interval:
            if (bar := self._candles.pop(channel.topic, None)) is not None:
                self._sender.send(channel.topic, channel, [formats.candle(bar, self._swap(channel))])
        else:
            self._sender.send(channel.topic, channel, [self._row(channel)])

    def _send_changed_instruments(self, channel: Subscription) -> None:
        """Send what changed: after the whole list, the venue sends an instrument again when its state or rules do."""
        rows = self._public.instrument_rows()
        changed = [row for row in rows if row not in self._instrument_rows]
        self._instrument_rows = rows
        if changed:
            self._sender.send(channel.topic, channel, changed)

    def _candle(self, bar: SimCandle) -> None:
        for channel in self._channels.values():
            if channel.interval != bar.interval or channel.symbol != bar.symbol:
                continue
            if not bar.closed:
                self._candles[channel.topic] = bar
                continue
            # The closing bar is always sent, whatever the interval of the channel.
            self._candles.pop(channel.topic, None)
            self._sender.send(channel.topic, channel, [formats.candle(bar, self._swap(channel))])

    def _row(self, channel: Subscription) -> Any:
        """Return the current state of a channel."""
        swap, symbol = self._swap(channel), channel.symbol
        if channel.interval:
            return formats.candle(self._engine.candles(symbol, channel.interval, limit=1)[-1], swap)
        if channel.name == "bbo-tbt":
            return formats.best(self._engine.best(symbol), swap)
        if channel.name == "tickers":
            return self._public.ticker(swap)
        if channel.name == "mark-price":
            return formats.mark(self._engine.mark(symbol), swap)
        if channel.name == "funding-rate":
            return formats.funding(self._engine.mark(symbol), swap, self._engine.funding_interval_ms)
        book = self._engine.book(symbol, 5)
        sides = {"asks": formats.levels(book.asks, swap), "bids": formats.levels(book.bids, swap)}
        return {**sides, "instId": swap.inst_id, "ts": str(book.time_ms), "seqId": book.last_update_id}

    def _send_snapshot(self, socket: Socket, channel: Subscription) -> None:
        swap, book = self._swap(channel), self._engine.book(channel.symbol, _BOOK_DEPTH)
        self._changes.setdefault(channel.topic, _BookDifference(book.last_update_id))
        row = {
            "asks": formats.levels(book.asks, swap),
            "bids": formats.levels(book.bids, swap),
            "ts": str(book.time_ms),
            "checksum": _NO_CHECKSUM,
            "seqId": book.last_update_id,
            "prevSeqId": -1,
        }
        self._sender.send_to(socket, channel, [row], action="snapshot")

    def _send_changes(self, channel: Subscription) -> None:
        changes = self._changes.get(channel.topic)
        if changes is None or changes.last_id == changes.previous_id:
            return
        swap = self._swap(channel)
        row = {
            "asks": formats.levels(sorted(changes.asks.items()), swap),
            "bids": formats.levels(sorted(changes.bids.items(), reverse=True), swap),
            "ts": str(changes.time_ms),
            "checksum": _NO_CHECKSUM,
            "seqId": changes.last_id,
            "prevSeqId": changes.previous_id,
        }
        changes.clear()
        self._sender.send(channel.topic, channel, [row], action="update")
