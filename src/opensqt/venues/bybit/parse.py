"""Reads rows and frames of Bybit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from msgspec import field

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderStatus, OrderType, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.venues.events import BalanceChange, Event, StreamReady
from opensqt.venues.parsing import Row, make_candle, make_price
from opensqt.venues.rows import RowError, RowKind, VenueRow, decimal, decode, lookup, member, objects
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
_TRADES = {name: name for name in ("Trade", "AdlTrade", "BustTrade")}
_NOT_TRADES = ("Funding", "Settle", "SessionSettlePnL", "Delivery", "BlockTrade", "MovePosition", "FutureSpread")
_Level = tuple[Decimal, Decimal]


ORDER = RowKind("order", "symbol", "orderId")
FILL = RowKind("fill", "symbol", "execId")
POSITION = RowKind("position", "symbol", "positionIdx")
_BALANCE = RowKind("balance", row_id="coin")
MARGIN_MODE = {
    "REGULAR_MARGIN": MarginMode.CROSS,
    "PORTFOLIO_MARGIN": MarginMode.CROSS,
    "ISOLATED_MARGIN": MarginMode.ISOLATED,
}
"""By marginMode of the account: https://bybit-exchange.github.io/docs/v5/account/account-info."""
_IS_LIMIT = {"Limit": True, "Market": False}
_POSITION_SIGN = {"Buy": 1, "Sell": -1, "None": 1, "": 1}


class OrderRow(VenueRow, frozen=True, rename="camel"):
    """An order; responses and the stream have the same fields."""

    symbol: str
    order_id: str
    side: str
    order_type: str
    qty: Decimal
    order_status: str
    position_idx: int
    updated_time: int
    reduce_only: bool
    order_link_id: str = ""
    price: Decimal = Decimal(0)
    cum_exec_qty: Decimal = Decimal(0)
    avg_price: Decimal | None = None
    time_in_force: str = ""
    reject_reason: str = ""
    cancel_type: str = ""


def parse_order(raw: Any) -> Order:
    """Read an order of a response or of the stream."""
    row = decode(raw, OrderRow)
    limit = lookup(_IS_LIMIT, row.order_type, "orderType")
    filled = row.cum_exec_qty
    status, reason = _ending(row)
    return Order(
        symbol=row.symbol,
        side=lookup(_SIDE_BY_TEXT, row.side, "side"),
        quantity=row.qty,
        client_order_id=row.order_link_id,
        status=status,
        order_id=row.order_id,
        price=(row.price or None) if limit else None,
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row.time_in_force, TimeInForce.GTC) if limit else TimeInForce.GTC,
        reduce_only=row.reduce_only,
        position_side=lookup(_POSITION_SIDE_BY_INDEX, row.position_idx, "positionIdx"),
        filled_quantity=filled,
        average_price=row.avg_price if filled else None,
        reason=reason,
        event_time_ms=row.updated_time,
        received_ns=time.time_ns(),
    )


def _ending(row: OrderRow) -> tuple[OrderStatus, str]:
    """Read the status: an order that ended neither by a fill nor by its owner has expired, for the row's reason."""
    status = lookup(_STATUS, row.order_status, "orderStatus")
    if status is not OrderStatus.CANCELED:
        return status, row.reject_reason if status is OrderStatus.REJECTED else ""
    for reason, harmless in ((row.reject_reason, _NO_REASON), (row.cancel_type, _BY_OWNER)):
        if reason not in harmless:
            return OrderStatus.EXPIRED, reason
    return status, ""


def is_trade(row: Any) -> bool:
    """Return whether an execution is a trade; the venue lists funding and settlements among them.

    One of a type that is not known counts as a trade, so that `parse_fill` refuses it.
    """
    return not isinstance(row, dict) or row.get("execType") not in _NOT_TRADES


class TradeRow(VenueRow, frozen=True, rename="camel"):
    """An execution of the account."""

    symbol: str
    exec_id: str
    order_id: str
    side: str
    exec_price: Decimal
    exec_qty: Decimal
    exec_time: int
    is_maker: bool
    exec_type: str
    order_link_id: str = ""
    closed_size: Decimal = Decimal(0)
    exec_fee: Decimal = Decimal(0)
    fee_currency: str = ASSET
    exec_pnl: Decimal | None = None


def parse_fill(raw: Any, *, hedge: bool, profit: str = "0") -> Fill:
    """Read a trade of the account; which position it changed follows from how much of it was closed."""
    row = decode(raw, TradeRow)
    lookup(_TRADES, row.exec_type, "execType")
    side = lookup(_SIDE_BY_TEXT, row.side, "side")
    moved = PositionSide.LONG if (side is Side.BUY) is not (row.closed_size > 0) else PositionSide.SHORT
    return Fill(
        symbol=row.symbol,
        trade_id=row.exec_id,
        order_id=row.order_id,
        client_order_id=row.order_link_id,
        side=side,
        position_side=moved if hedge else PositionSide.BOTH,
        price=row.exec_price,
        quantity=row.exec_qty,
        fee=row.exec_fee,
        fee_asset=row.fee_currency,
        is_maker=row.is_maker,
        realized_pnl=decimal(profit, "cashFlow") if row.exec_pnl is None else row.exec_pnl,
        event_time_ms=row.exec_time,
        received_ns=time.time_ns(),
    )


class PositionRow(VenueRow, frozen=True, rename="camel"):
    """A position: queries call the entry avgPrice, the stream calls it entryPrice."""

    symbol: str
    size: Decimal
    position_idx: int
    side: str = ""
    entry_price: Decimal | None = None
    avg_price: Decimal = Decimal(0)
    mark_price: Decimal = Decimal(0)
    unrealised_pnl: Decimal = Decimal(0)
    liq_price: Decimal = Decimal(0)
    leverage: Decimal | None = None
    updated_time: int = 0


def parse_position(raw: Any, margin_mode: MarginMode = MarginMode.CROSS) -> Position:
    """Read a position; the size has no sign, and the side of a flat position is empty.

    Args:
        raw: As the venue sent it.
        margin_mode: That of the account: no row of a position shows it.
    """
    row = decode(raw, PositionRow)
    if row.size and not row.side:
        raise RowError("side: expected Buy or Sell, found none")
    return Position(
        symbol=row.symbol,
        quantity=lookup(_POSITION_SIGN, row.side, "side") * row.size,
        entry_price=row.avg_price if row.entry_price is None else row.entry_price,
        position_side=lookup(_POSITION_SIDE_BY_INDEX, row.position_idx, "positionIdx"),
        mark_price=row.mark_price or None,
        unrealized_pnl=row.unrealised_pnl,
        liquidation_price=row.liq_price or None,
        leverage=row.leverage,
        margin_mode=margin_mode,
        event_time_ms=row.updated_time,
        received_ns=time.time_ns(),
    )


class CoinRow(VenueRow, frozen=True, rename="camel"):
    """One coin of a wallet."""

    wallet_balance: Decimal = Decimal(0)
    unrealised_pnl: Decimal = Decimal(0)
    locked: Decimal = Decimal(0)
    total_position_im: Decimal = field(name="totalPositionIM", default=Decimal(0))
    total_order_im: Decimal = field(name="totalOrderIM", default=Decimal(0))
    total_position_mm: Decimal = field(name="totalPositionMM", default=Decimal(0))


class WalletRow(VenueRow, frozen=True, rename="camel"):
    """The wallet: what is available of all collateral, in US dollars. With isolated margin the venue sends no total."""

    total_available_balance: Decimal | None = None


def parse_account(raw: Any) -> Account:
    """Read the unified account: the asset's own amounts, and what is available of all collateral."""
    coins = objects(member(raw, "coin"), "coin")
    coin = decode(next((each for each in coins if member(each, "coin") == ASSET), {}), CoinRow)
    bound = coin.total_position_im + coin.total_order_im
    unbound = coin.wallet_balance - bound - coin.locked
    available = decode(raw, WalletRow).total_available_balance
    return Account(
        asset=ASSET,
        wallet_balance=coin.wallet_balance,
        unrealized_pnl=coin.unrealised_pnl,
        available_balance=max(unbound, Decimal(0)) if available is None else available,
        initial_margin=bound,
        maintenance_margin=coin.total_position_mm,
        received_ns=time.time_ns(),
    )


class StreamedCoinRow(VenueRow, frozen=True, rename="camel"):
    """One coin of a wallet frame."""

    coin: str
    wallet_balance: Decimal


class FrameTime(VenueRow, frozen=True, rename="camel"):
    """The time of a frame."""

    creation_time: int


def parse_balance_change(raw: Any, frame: Row) -> BalanceChange | None:
    """Read a coin of a wallet frame; None for another coin."""
    if member(raw, "coin") not in (None, ASSET):
        return None
    row = decode(raw, StreamedCoinRow)
    time_ms = decode(frame, FrameTime).creation_time
    return BalanceChange(wallet_balance=row.wallet_balance, event_time_ms=time_ms, received_ns=time.time_ns())


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


def parse_price(row: Row, symbol: str) -> Price | None:
    """Read the best bid and ask of a book; None while a side is empty."""
    if not row["b"] or not row["a"]:
        return None
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
        margin_mode: Returns the margin mode of the account.
    """

    def __init__(
        self, venue: Venue, on_order: Callable[[Order], object], margin_mode: Callable[[], MarginMode]
    ) -> None:
        self._venue = venue
        self._margin_mode = margin_mode
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
        venue = self._venue
        if topic == "order":
            return venue.read_rows(ORDER, objects(frame.get("data"), "data"), self._order_update)
        if topic == "execution":
            return venue.read_rows(FILL, objects(frame.get("data"), "data"), self._fill)
        if topic == "position":
            return venue.read_rows(POSITION, objects(frame.get("data"), "data"), self.position)
        if topic == "wallet":
            wallets = objects(frame.get("data"), "data")
            coins = [coin for row in wallets for coin in objects(member(row, "coin"), "coin")]
            return venue.read_rows(_BALANCE, coins, lambda raw: parse_balance_change(raw, frame))
        if topic:
            self._venue.count_unknown(topic)
            return ()
        ready = frame.get("req_id") == PRIVATE_ID and frame.get("success") is True
        return (StreamReady(),) if ready else None

    def position(self, raw: Row) -> Position:
        """Read a position."""
        return parse_position(raw, self._margin_mode())

    def forget_price(self, symbol: str) -> None:
        """Drop the book of a symbol that is no longer subscribed."""
        self._best_prices.pop(symbol, None)

    def _order_update(self, row: Row) -> Event:
        order = parse_order(row)
        self._on_order(order)
        return OrderUpdate(order=order)

    def _fill(self, row: Row) -> Event | None:
        return parse_fill(row, hedge=self._venue.is_hedge) if is_trade(row) else None
