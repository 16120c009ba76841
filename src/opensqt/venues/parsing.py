"""Parts that the parsers of the five venues share: prices, candles, accepted orders, acknowledged channels."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Order, OrderRequest, OrderStatus
from opensqt.venues.events import StreamReady

Row = dict[str, Any]
"""An object of a venue's JSON: one order, one trade, the parameters of one request."""
Level = Sequence[Any]
"""One level of a book: its price and its quantity first, as text or as Decimal."""
_ONE = Decimal(1)


def make_price(symbol: str, bid: Level, ask: Level, time_ms: int | str, contract_size: Decimal = _ONE) -> Price:
    """Return the price of the best level of either side.

    Args:
        symbol: Canonical name.
        bid: Best bid.
        ask: Best ask.
        time_ms: The venue's time of it.
        contract_size: Base coins of one unit of the levels' quantities.
    """
    return Price(
        symbol=symbol,
        bid=Decimal(bid[0]),
        ask=Decimal(ask[0]),
        bid_quantity=Decimal(bid[1]) * contract_size,
        ask_quantity=Decimal(ask[1]) * contract_size,
        event_time_ms=int(time_ms),
        received_ns=time.time_ns(),
    )


def is_level(level: Level) -> bool:
    """Return whether a side of the book has this level: venues write an empty side as zeros or as empty texts."""
    return all(text not in (None, "") and Decimal(str(text)) > 0 for text in level[:2])


def make_candle(
    symbol: str,
    interval: str,
    row: Sequence[Any],
    *,
    closed: bool,
    volume: int = 5,
    quote_volume: int = 6,
    time_ms: int | None = None,
) -> Candle:
    """Return the candle of a row that begins with opening time, open, high, low and close.

    Args:
        symbol: Canonical name.
        interval: Canonical name.
        row: As the venue sent it.
        closed: Whether the candle is over.
        volume: Index of the volume in base coins.
        quote_volume: Index of the volume in quote coins.
        time_ms: The venue's time of this state; by default the end of a closed candle, the opening of another.
    """
    open_ms = int(row[0])
    return Candle(
        symbol=symbol,
        interval=interval,
        open_time_ms=open_ms,
        open=Decimal(row[1]),
        high=Decimal(row[2]),
        low=Decimal(row[3]),
        close=Decimal(row[4]),
        volume=Decimal(row[volume]),
        quote_volume=Decimal(row[quote_volume]),
        closed=closed,
        event_time_ms=time_ms or candle_time_ms(open_ms, interval, closed=closed),
        received_ns=time.time_ns(),
    )


def candle_time_ms(open_ms: int, interval: str, *, closed: bool) -> int:
    """Return the time of a candle whose row has none: its last millisecond once it is closed, its opening before."""
    return open_ms + INTERVALS_MS[interval] - 1 if closed else open_ms


def acknowledged_order(request: OrderRequest, order_id: str, event_time_ms: int) -> Order:
    """Return the order of a request that a venue accepted when its response holds nothing but the order's id."""
    return Order(
        symbol=request.symbol,
        side=request.side,
        quantity=request.quantity,
        client_order_id=request.client_order_id,
        status=OrderStatus.OPEN,
        order_id=order_id,
        order_type=request.order_type,
        price=request.price,
        time_in_force=request.time_in_force,
        reduce_only=request.reduce_only,
        position_side=request.position_side,
        event_time_ms=event_time_ms,
        received_ns=time.time_ns(),
    )


class ChannelAcks:
    """Waits until the venue has acknowledged every channel of the account stream.

    Args:
        channels: Names of the channels.
    """

    def __init__(self, channels: Iterable[str]) -> None:
        self._channels = frozenset(channels)
        self._missing = set(self._channels)

    def expect_all(self) -> None:
        """Expect every channel once more: a new connection was made."""
        self._missing = set(self._channels)

    def on_ack(self, channel: str) -> tuple[StreamReady, ...]:
        """Record one acknowledged channel, and return the event that the last one causes."""
        if channel not in self._missing:
            return ()
        self._missing.discard(channel)
        return () if self._missing else (StreamReady(),)
