"""Frames as a venue sends them, written down from its simulator while it really trades."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

import orjson

from benchmarks.frames import clients
from benchmarks.frames.clients import SYMBOL
from opensqt.model.order import OrderType, Side, TimeInForce
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.engine.order import NewOrder
from opensqt.simulator.faults import PRIVATE_CHANNELS
from opensqt.simulator.settings import AccountSettings, ServerRules
from opensqt.simulator.sockets import Socket
from opensqt.venues.venue import Venue

START_MS = 1_700_000_000_000
_LATER_MS = 3_600_000
_MARKET_STEP_MS = 100
_LOT = Decimal("0.002")
_TIMEOUT_S = 30.0


class Kind(StrEnum):
    """What a frame is about."""

    PRICE = "price"
    ORDER = "order"

    def of(self, channels: Iterable[str]) -> bool:
        """Whether any of a connection's channels carries such frames; whatever is public here is a price."""
        return any(name == "orders" if self is Kind.ORDER else name not in PRIVATE_CHANNELS for name in channels)


class Way(StrEnum):
    """How frames are read. The bare reader is given those that the adapter subscribes to."""

    BARE = "bare"
    CCXT = "ccxt"
    ADAPTER = "adapter"


Frames = dict[tuple[Kind, Way], list[bytes]]


def simulator(venue: str, start_ms: int = START_MS) -> Simulator:
    """Make a simulator that stands still; *start_ms* is the time of its market."""
    return Simulator(
        SimulatorSettings(
            exchange=venue,
            port=0,
            seed=7,
            clock="manual",
            start_ms=start_ms,
            past_minutes=200,
            accounts=(AccountSettings(balance=Decimal(1_000_000)),),
            server=ServerRules(ping_every_ms=3_600_000),
        )
    )


class _Recorder:
    """Takes the place of `Socket.send`: keeps the frames of known connections instead of sending them.

    Args:
        is_read: Whether our adapter reads anything out of a frame; the others are left out for every reader.
    """

    def __init__(self, is_read: Callable[[bytes], bool]) -> None:
        self._is_read = is_read
        self._whose: dict[Socket, Way] = {}
        self._empty: set[bytes] = set()
        self.frames: Frames = defaultdict(list)

    def name(self, sockets: list[Socket], way: Way) -> None:
        """Say whose the connections are that nobody claimed yet."""
        for socket in sockets:
            self._whose.setdefault(socket, way)

    def take(self, socket: Socket, frame: bytes, channel: str) -> None:
        way = self._whose[socket]
        if way is Way.ADAPTER and not self._is_read(frame):
            self._empty.add(frame)
        if frame in self._empty:
            return
        for kind in Kind:
            if kind.of([channel]):
                self.frames[kind, way].append(frame)

    def have(self, kind: Kind, count: int) -> bool:
        return all(len(self.frames[kind, way]) >= count for way in (Way.CCXT, Way.ADAPTER))


async def capture(venue: str, count: int) -> Frames:
    """Return *count* different frames of each kind, as our adapter and as ccxt's own loops subscribe to them."""
    # The market is ahead of the one that the frames are replayed on, so that none of them is late there.
    async with simulator(venue, START_MS + _LATER_MS) as source, contextlib.AsyncExitStack() as stack:
        source.market.pause("ETHUSDT")
        venue_rows = await stack.enter_async_context(_adapter_on(venue, source))
        recorder = _Recorder(lambda frame: bool(venue_rows.parse(orjson.loads(frame))))
        recorder.name(list(source.subscriptions.sockets), Way.ADAPTER)
        await stack.enter_async_context(_ccxt_on(venue, source))
        recorder.name(list(source.subscriptions.sockets), Way.CCXT)
        send = Socket.send
        Socket.send = lambda socket, frame, channel: recorder.take(socket, frame, channel)  # type: ignore[method-assign]
        try:
            await _until(lambda: recorder.have(Kind.PRICE, count), lambda: source.advance(_MARKET_STEP_MS))
            await _until(lambda: recorder.have(Kind.ORDER, count), _Trader(source).trade)
        finally:
            Socket.send = send  # type: ignore[method-assign]
    frames = {what: some[:count] for what, some in recorder.frames.items()}
    return frames | {(kind, Way.BARE): frames[kind, Way.ADAPTER] for kind in Kind}


class _Trader:
    """Trades as a grid does: an order rests, is filled in part, then in full; buys and sells take turns."""

    def __init__(self, source: Simulator) -> None:
        self._source = source
        self._number = 0

    async def trade(self) -> None:
        source, self._number = self._source, self._number + 1
        side = Side.BUY if self._number % 2 else Side.SELL
        best, step = source.engine.best(SYMBOL), source.engine.symbol(SYMBOL).price_step
        source.engine.place(
            "sim-key",
            NewOrder(
                symbol=SYMBOL,
                side=side,
                order_type=OrderType.LIMIT,
                quantity=_LOT,
                price=best.bid + step if side is Side.BUY else best.ask - step,
                time_in_force=TimeInForce.GTC,
                client_order_id=f"bench{self._number:08}",
            ),
        )
        for _ in range(2):
            await source.advance(1)
            source.market.send_outside_order(SYMBOL, side.opposite, _LOT / 2)
        await source.advance(1)


@contextlib.asynccontextmanager
async def _adapter_on(venue: str, source: Simulator) -> AsyncIterator[Venue]:
    async with clients.adapter(venue, source.url) as exchange:
        stream = exchange.subscribe_price(SYMBOL)
        await _subscribed(source, 1)
        yield exchange.venue
        await stream.aclose()


@contextlib.asynccontextmanager
async def _ccxt_on(venue: str, source: Simulator) -> AsyncIterator[None]:
    client = clients.plain_ccxt(venue, source.url)
    try:
        await client.load_markets()
        symbol = clients.unified(client)
        watching = [
            asyncio.ensure_future(client.watch_bids_asks([symbol])),
            asyncio.ensure_future(client.watch_orders(symbol)),
        ]
        await _subscribed(source, 2, watching)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        yield
    finally:
        await client.close()


async def _subscribed(source: Simulator, clients_there: int, watching: Sequence[asyncio.Future[Any]] = ()) -> None:
    """Wait until so many clients listen to orders, and as many to prices; raise what one of *watching* ended with."""

    def there() -> bool:
        for task in watching:
            if task.done():
                task.result()
        carried = [+socket.channels for socket in source.subscriptions.sockets]
        return all(sum(map(kind.of, carried)) >= clients_there for kind in Kind)

    await _until(there, lambda: asyncio.sleep(0.01))


async def _until(enough: Callable[[], bool], more: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(_TIMEOUT_S * 4):
        while not enough():
            await more()
