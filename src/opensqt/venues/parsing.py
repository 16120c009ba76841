"""Parts that the parsers of the five venues share: prices, candles, accepted orders, acknowledged channels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeVar

import msgspec

from opensqt.model.market import INTERVALS_MS, Candle, MarkPrice, Price, PublicTrade
from opensqt.model.order import Order, OrderRequest, OrderStatus, Side
from opensqt.venues.events import StreamReady
from opensqt.venues.rows import RowError, VenueMessage
from opensqt.venues.set_aside import SetAside

Row = dict[str, Any]
"""An object of a venue's JSON: one order, one trade, the parameters of one request."""
PriceAndQuantity = tuple[Decimal, Decimal]
"""One level of a book."""
_ONE = Decimal(1)
_NO_LEVEL: PriceAndQuantity = (Decimal(0), Decimal(0))
T = TypeVar("T")


class BookLevel(msgspec.Struct, frozen=True, array_like=True):
    """One level of a book, as a list: its price and its quantity first."""

    price: Decimal
    quantity: Decimal


class BookRow(VenueMessage, frozen=True):
    """A book, its best levels first."""

    bids: list[BookLevel]
    asks: list[BookLevel]
    ts: int


class CandleRow(msgspec.Struct, frozen=True, array_like=True):
    """A candle, as a list; Bitget's and Bybit's begin with these."""

    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal


def best_of(levels: Sequence[BookLevel]) -> PriceAndQuantity:
    """Return the first level of a side; zeros where the side is empty."""
    return (levels[0].price, levels[0].quantity) if levels else _NO_LEVEL


def price_of(
    symbol: str, bid: PriceAndQuantity, ask: PriceAndQuantity, time_ms: int, contract_size: Decimal = _ONE
) -> Price | None:
    """Return the price of the best level of either side; None while a side is empty, which venues write as zeros.

    Args:
        symbol: Canonical name.
        bid: Best bid.
        ask: Best ask.
        time_ms: The venue's time of it.
        contract_size: Base coins of one unit of the levels' quantities.

    Raises:
        RowError: A price or a quantity is negative or not finite.
    """
    levels = (*bid, *ask)
    _check_amounts(levels)
    if not all(levels):
        return None
    return Price(
        symbol=symbol,
        bid=bid[0],
        ask=ask[0],
        bid_quantity=bid[1] * contract_size,
        ask_quantity=ask[1] * contract_size,
        event_time_ms=time_ms,
        received_ns=time.time_ns(),
    )


class CandleValues(Protocol):
    """What the row of a candle has at every venue."""

    @property
    def open_time_ms(self) -> int:
        """Its opening."""
        ...

    @property
    def open(self) -> Decimal:
        """Price of its first trade."""
        ...

    @property
    def high(self) -> Decimal:
        """Highest price."""
        ...

    @property
    def low(self) -> Decimal:
        """Lowest price."""
        ...

    @property
    def close(self) -> Decimal:
        """Price of its last trade."""
        ...

    @property
    def volume(self) -> Decimal:
        """Base coins, or contracts."""
        ...

    @property
    def quote_volume(self) -> Decimal:
        """Quote coins."""
        ...


def candle_of_row(
    symbol: str, interval: str, row: CandleValues, *, closed: bool, time_ms: int | None = None, unit: Decimal = _ONE
) -> Candle:
    """Return the candle of a row.

    Args:
        symbol: Canonical name.
        interval: Canonical name.
        row: Decoded.
        closed: Whether the candle is over.
        time_ms: The venue's time of this state; by default the end of a closed candle, the opening of another.
        unit: Base coins of one unit of the row's volume.

    Raises:
        RowError: A price or a volume is negative or not finite.
    """
    _check_amounts((row.open, row.high, row.low, row.close, row.volume, row.quote_volume))
    return Candle(
        symbol=symbol,
        interval=interval,
        open_time_ms=row.open_time_ms,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume * unit,
        quote_volume=row.quote_volume,
        closed=closed,
        event_time_ms=time_ms or candle_time_ms(row.open_time_ms, interval, closed=closed),
        received_ns=time.time_ns(),
    )


def book_levels(levels: Iterable[Sequence[Decimal]], contract_size: Decimal = _ONE) -> tuple[PriceAndQuantity, ...]:
    """Return levels of an order book in base coins.

    Args:
        levels: Price and quantity first; a quantity of zero removes the level.
        contract_size: Base coins of one unit of the quantities.

    Raises:
        RowError: A price is not above zero, a quantity is below it, or one of them is no finite number.
    """
    found = []
    for level in levels:
        if len(level) < 2:
            raise RowError(f"level {level}: expected a price and a quantity")
        price, quantity = level[0], level[1]
        if not (price.is_finite() and quantity.is_finite() and price > 0 and quantity >= 0):
            raise RowError(f"level {price} {quantity}: expected a price above zero and a quantity of at least zero")
        found.append((price, quantity if contract_size == 1 else quantity * contract_size))
    return tuple(found)


def public_trade(
    symbol: str, trade_id: object, price: Decimal, quantity: Decimal, side: Side, time_ms: int
) -> PublicTrade:
    """Return a trade of the market.

    Raises:
        RowError: The price or the quantity is not above zero.
    """
    if not (price > 0 and quantity > 0):
        raise RowError(f"trade {trade_id}: {quantity} at {price}: expected numbers above zero")
    return PublicTrade(
        symbol=symbol,
        trade_id=str(trade_id),
        price=price,
        quantity=quantity,
        side=side,
        event_time_ms=time_ms,
        received_ns=time.time_ns(),
    )


def mark_price_of(
    symbol: str,
    mark: Decimal,
    time_ms: int,
    *,
    index: Decimal | None = None,
    funding_rate: Decimal | None = None,
    next_funding_ms: int = 0,
) -> MarkPrice:
    """Return a mark price with the next funding.

    Raises:
        RowError: A number is not finite, or a price is not above zero.
    """
    if not all(value.is_finite() for value in (mark, index, funding_rate) if value is not None):
        raise RowError(f"mark price {mark}, index {index}, funding rate {funding_rate}: expected finite numbers")
    if mark <= 0:
        raise RowError(f"mark price {mark}: expected above zero")
    return MarkPrice(
        symbol=symbol,
        mark=mark,
        # Venues write zero where they have no index.
        index=index if index is not None and index > 0 else None,
        funding_rate=funding_rate,
        next_funding_ms=next_funding_ms,
        event_time_ms=time_ms,
        received_ns=time.time_ns(),
    )


def read_each(
    set_aside: SetAside, kind: str, symbol: str, rows: Iterable[Any], parse: Callable[[Any], T | None]
) -> list[T]:
    """Read rows of the market, each on its own: one that can't be read is set aside, and the others are returned.

    Args:
        set_aside: Receives the rows that can't be read.
        kind: `price`, `candle` or `trade`.
        symbol: Canonical name.
        rows: As the venue sent them.
        parse: Reads one row; returns None for one that has nothing to publish.
    """
    found = []
    for raw in rows:
        try:
            parsed = parse(raw)
        except RowError as error:
            set_aside.add(kind, symbol, "", error, raw)
        else:
            if parsed is not None:
                found.append(parsed)
    return found


def _check_amounts(values: Iterable[Decimal]) -> None:
    for value in values:
        if not value.is_finite() or value < 0:
            raise RowError(f"{value}: expected a number that is not negative")


def candle_time_ms(open_ms: int, interval: str, *, closed: bool) -> int:
    """Return the time of a candle whose row has none: its last millisecond once it is closed, its opening before."""
    return open_ms + INTERVALS_MS[interval] - 1 if closed else open_ms


def acknowledged_order(request: OrderRequest, order_id: Any, event_time_ms: int) -> Order:
    """Return the order of a request that a venue accepted when its response holds nothing but the order's id.

    Raises:
        RowError: The id is none.
    """
    if isinstance(order_id, bool) or not isinstance(order_id, str | int) or order_id == "":
        raise RowError(f"id of the order {str(order_id)[:60]!r}: expected a text or a number")
    return Order(
        symbol=request.symbol,
        side=request.side,
        quantity=request.quantity,
        client_order_id=request.client_order_id,
        status=OrderStatus.OPEN,
        order_id=str(order_id),
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
