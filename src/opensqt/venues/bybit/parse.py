"""Reads rows and frames of Bybit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from opensqt.model.account import Account, Position
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderStatus, OrderType, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.venues.events import BalanceChange, Event, StreamReady
from opensqt.venues.parsing import Row, make_candle, make_price
from opensqt.venues.transport.errors import PARSE_ERRORS
from opensqt.venues.venue import Venue

ASSET = "USDT"
PRIVATE_TOPICS = ["order.linear", "execution.linear", "position.linear", "wallet"]
PRIVATE_ID = "private"
"""Id of the request that subscribes to them."""
SIDE = {Side.BUY: "Buy", Side.SELL: "Sell"}
TYPE = {OrderType.LIMIT: "Limit", OrderType.MARKET: "Market"}
TIME_IN_FORCE = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "PostOnly",
}
POSITION_SIDE = {PositionSide.BOTH: 0, PositionSide.LONG: 1, PositionSide.SHORT: 2}
INTERVALS = dict(zip(INTERVALS_MS, ["1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D"], strict=True))
_INTERVAL_BY_TEXT = {text: interval for interval, text in INTERVALS.items()}
_SIDE_BY_TEXT = {text: side for side, text in SIDE.items()}
_POSITION_SIDE_BY_INDEX = {index: side for side, index in POSITION_SIDE.items()}
_TIME_IN_FORCE_BY_TEXT = {text: force for force, text in TIME_IN_FORCE.items()} | {"RPI": TimeInForce.POST_ONLY}
_STATUS = {
    "Created": OrderStatus.OPEN,
    "New": OrderStatus.OPEN,
    "Untriggered": OrderStatus.OPEN,
    "Triggered": OrderStatus.OPEN,
    "Active": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELED,
    "PartiallyFilledCanceled": OrderStatus.CANCELED,
    "Deactivated": OrderStatus.CANCELED,
    "Rejected": OrderStatus.REJECTED,
}
_NO_REASON = ("", "EC_NoError", "EC_PerCancelRequest")
_BY_OWNER = ("", "UNKNOWN", "CancelByUser")
_TRADES = ("Trade", "AdlTrade", "BustTrade")
_Level = tuple[Decimal, Decimal]


def parse_order(row: Row) -> Order:
    """Read an order; responses and the stream have the same fields."""
    limit = row["orderType"] == "Limit"
    filled = Decimal(row["cumExecQty"] or "0")
    status, reason = _ending(row)
    return Order(
        symbol=row["symbol"],
        side=_SIDE_BY_TEXT[row["side"]],
        quantity=Decimal(row["qty"]),
        client_order_id=row["orderLinkId"],
        status=status,
        order_id=row["orderId"],
        price=(Decimal(row["price"] or "0") or None) if limit else None,
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row["timeInForce"], TimeInForce.GTC) if limit else TimeInForce.GTC,
        reduce_only=bool(row["reduceOnly"]),
        position_side=_POSITION_SIDE_BY_INDEX[int(row["positionIdx"])],
        filled_quantity=filled,
        average_price=Decimal(row["avgPrice"]) if filled and row.get("avgPrice") else None,
        reason=reason,
        event_time_ms=int(row["updatedTime"]),
        received_ns=time.time_ns(),
    )


def _ending(row: Row) -> tuple[OrderStatus, str]:
    """Read the status: an order that ended neither by a fill nor by its owner has expired, for the row's reason."""
    status = _STATUS[row["orderStatus"]]
    if status is not OrderStatus.CANCELED:
        return status, row.get("rejectReason", "") if status is OrderStatus.REJECTED else ""
    for field, harmless in (("rejectReason", _NO_REASON), ("cancelType", _BY_OWNER)):
        if row.get(field, "") not in harmless:
            return OrderStatus.EXPIRED, str(row[field])
    return status, ""


def is_trade(row: Row) -> bool:
    """Return whether an execution is a trade; the venue lists funding and settlements among them."""
    return row.get("execType") in _TRADES


def parse_fill(row: Row, *, hedge: bool, profit: str = "0") -> Fill:
    """Read a trade of the account; which position it changed follows from how much of it was closed."""
    side = _SIDE_BY_TEXT[row["side"]]
    closes = Decimal(row.get("closedSize") or "0") > 0
    moved = PositionSide.LONG if (side is Side.BUY) is not closes else PositionSide.SHORT
    return Fill(
        symbol=row["symbol"],
        trade_id=row["execId"],
        order_id=row["orderId"],
        client_order_id=row["orderLinkId"],
        side=side,
        position_side=moved if hedge else PositionSide.BOTH,
        price=Decimal(row["execPrice"]),
        quantity=Decimal(row["execQty"]),
        fee=Decimal(row["execFee"] or "0"),
        fee_asset=row.get("feeCurrency") or ASSET,
        is_maker=bool(row["isMaker"]),
        realized_pnl=Decimal(row.get("execPnl") or profit),
        event_time_ms=int(row["execTime"]),
        received_ns=time.time_ns(),
    )


def parse_position(row: Row) -> Position:
    """Read a position; the size has no sign, and the side of a flat position is empty."""
    size = Decimal(row["size"])
    # Queries call the entry avgPrice, the stream calls it entryPrice.
    entry = row["entryPrice"] if "entryPrice" in row else row["avgPrice"]
    return Position(
        symbol=row["symbol"],
        quantity=-size if row["side"] == "Sell" else size,
        entry_price=Decimal(entry or "0"),
        position_side=_POSITION_SIDE_BY_INDEX[int(row["positionIdx"])],
        mark_price=Decimal(row.get("markPrice") or "0") or None,
        unrealized_pnl=Decimal(row.get("unrealisedPnl") or "0"),
        liquidation_price=Decimal(row.get("liqPrice") or "0") or None,
        leverage=Decimal(row["leverage"]) if row.get("leverage") else None,
        event_time_ms=int(row["updatedTime"] or 0),
        received_ns=time.time_ns(),
    )


def parse_account(row: Row) -> Account:
    """Read the unified account: the asset's own amounts, and what is available of all collateral, in US dollars."""
    coin: Row = next((coin for coin in row["coin"] if coin["coin"] == ASSET), {})
    wallet = Decimal(coin.get("walletBalance") or "0")
    bound = Decimal(coin.get("totalPositionIM") or "0") + Decimal(coin.get("totalOrderIM") or "0")
    # With isolated margin the venue sends no total.
    available = row.get("totalAvailableBalance") or str(max(wallet - bound - Decimal(coin.get("locked") or "0"), 0))
    return Account(
        asset=ASSET,
        wallet_balance=wallet,
        unrealized_pnl=Decimal(coin.get("unrealisedPnl") or "0"),
        available_balance=Decimal(available),
        initial_margin=bound,
        maintenance_margin=Decimal(coin.get("totalPositionMM") or "0"),
        received_ns=time.time_ns(),
    )


def parse_balance_changes(frame: Row) -> list[BalanceChange]:
    """Read the balance of the margin asset out of a wallet frame."""
    return [
        BalanceChange(
            wallet_balance=Decimal(coin["walletBalance"]),
            event_time_ms=int(frame["creationTime"]),
            received_ns=time.time_ns(),
        )
        for row in frame["data"]
        for coin in row["coin"]
        if coin["coin"] == ASSET
    ]


def parse_candle(row: list[str], symbol: str, interval: str, *, closed: bool) -> Candle:
    """Read a candle of a response, which does not show whether it is closed."""
    return make_candle(symbol, interval, row, closed=closed)


def parse_streamed_candles(symbol: str, rows: Iterable[Row]) -> list[Candle]:
    """Read the candles of a frame."""
    return [
        Candle(
            symbol=symbol,
            interval=_INTERVAL_BY_TEXT[row["interval"]],
            open_time_ms=int(row["start"]),
            open=Decimal(row["open"]),
            high=Decimal(row["high"]),
            low=Decimal(row["low"]),
            close=Decimal(row["close"]),
            volume=Decimal(row["volume"]),
            quote_volume=Decimal(row["turnover"]),
            closed=bool(row["confirm"]),
            event_time_ms=int(row["timestamp"]),
            received_ns=time.time_ns(),
        )
        for row in rows
    ]


def parse_price(row: Row, symbol: str) -> Price:
    """Read the best bid and ask of a book."""
    return make_price(symbol, row["b"][0], row["a"][0], row.get("cts") or row["ts"])


class BestPrices:
    """The best bid and ask of a symbol, kept from snapshots and differences.

    A side that the other one has crossed is stale, because its difference was lost. No price is returned until that
    side is known again, at the latest by the snapshot that the venue sends after three seconds without a change.
    """

    def __init__(self) -> None:
        self._bid: _Level | None = None
        self._ask: _Level | None = None

    def apply(self, frame: Row) -> Price | None:
        """Apply a frame, and return the price if both sides are known."""
        data = frame["data"]
        if frame["type"] == "snapshot":
            self._bid = self._ask = None
        bids, asks = data["b"], data["a"]
        self._bid, self._ask = _best(self._bid, bids), _best(self._ask, asks)
        if self._bid is not None and self._ask is not None and self._bid[0] >= self._ask[0]:
            self._bid, self._ask = (
                (self._bid if bids and not asks else None),
                (self._ask if asks and not bids else None),
            )
        if self._bid is None or self._ask is None:
            return None
        return make_price(data["s"], self._bid, self._ask, frame.get("cts") or frame["ts"])


def _best(known: _Level | None, rows: list[list[str]]) -> _Level | None:
    """Return the best level after a difference: quantity zero removes it, any other replaces it."""
    for row in rows:
        price, quantity = Decimal(row[0]), Decimal(row[1])
        if quantity:
            known = (price, quantity)
        elif known is not None and known[0] == price:
            known = None
    return known


class BybitParser:
    """Reads the frames of one adapter; the field names are in the venue's WebSocket documents.

    Args:
        venue: The adapter, for its symbols and its position mode. It counts events that are not handled.
        on_order: Callback that receives each order of the stream.
    """

    def __init__(self, venue: Venue, on_order: Callable[[Order], object]) -> None:
        self._venue = venue
        self._on_order = on_order
        self._best_prices: dict[str, BestPrices] = {}

    def parse(self, frame: Row) -> Iterable[Event] | None:
        """Return the events of a frame; see `Venue.parse`."""
        topic, _, rest = str(frame.get("topic", "")).partition(".")
        if topic == "orderbook":
            price = self._best_prices.setdefault(frame["data"]["s"], BestPrices()).apply(frame)
            return () if price is None else (price,)
        if topic == "kline":
            return parse_streamed_candles(rest.partition(".")[2], frame["data"])
        if topic == "order":
            return self._each(frame["data"], self._order_update)
        if topic == "execution":
            return self._each((row for row in frame["data"] if is_trade(row)), self._fill)
        if topic == "position":
            return self._each(frame["data"], parse_position)
        if topic == "wallet":
            return parse_balance_changes(frame)
        if topic:
            self._venue.count_unknown(topic)
            return ()
        ready = frame.get("req_id") == PRIVATE_ID and frame.get("success") is True
        return (StreamReady(),) if ready else None

    def forget_price(self, symbol: str) -> None:
        """Drop the book of a symbol that is no longer subscribed."""
        self._best_prices.pop(symbol, None)

    def _order_update(self, row: Row) -> Event:
        order = parse_order(row)
        self._on_order(order)
        return OrderUpdate(order=order)

    def _fill(self, row: Row) -> Event:
        return parse_fill(row, hedge=self._venue.is_hedge)

    def _each(self, rows: Iterable[Row], read: Callable[[Row], Event]) -> Iterator[Event]:
        """Read the rows of a frame; a row that can't be read hides no other, and the frame is reported at the end."""
        failure: Exception | None = None
        for row in rows:
            try:
                if row["symbol"] in self._venue.rules:
                    yield read(row)
            except PARSE_ERRORS as error:
                failure = error
        if failure is not None:
            raise failure
