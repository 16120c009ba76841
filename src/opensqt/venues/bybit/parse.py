"""Bybit's rows and frames, in our vocabulary."""

from __future__ import annotations

import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opensqt.model.account import Account, Position
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.venues.venue import BalanceChange

Row = dict[str, Any]
ASSET = "USDT"
SIDE = {Side.BUY: "Buy", Side.SELL: "Sell"}
TYPE = {OrderType.LIMIT: "Limit", OrderType.MARKET: "Market"}
TIME_IN_FORCE = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "PostOnly",
}
POSITION_INDEX = {PositionSide.BOTH: 0, PositionSide.LONG: 1, PositionSide.SHORT: 2}
INTERVAL = dict(zip(INTERVALS_MS, ["1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D"], strict=True))
_INTERVALS = {theirs: ours for ours, theirs in INTERVAL.items()}
_SIDES = {text: side for side, text in SIDE.items()}
_POSITION_SIDES = {index: side for side, index in POSITION_INDEX.items()}
_TIMES_IN_FORCE = {text: force for force, text in TIME_IN_FORCE.items()} | {"RPI": TimeInForce.POST_ONLY}
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


def order(row: Row) -> Order:
    """Read an order as queries and the stream tell it alike."""
    limit = row["orderType"] == "Limit"
    filled = Decimal(row["cumExecQty"] or "0")
    status, reason = _ending(row)
    return Order(
        symbol=row["symbol"],
        side=_SIDES[row["side"]],
        quantity=Decimal(row["qty"]),
        client_order_id=row["orderLinkId"],
        status=status,
        order_id=row["orderId"],
        price=(Decimal(row["price"] or "0") or None) if limit else None,
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        time_in_force=_TIMES_IN_FORCE.get(row["timeInForce"], TimeInForce.GTC) if limit else TimeInForce.GTC,
        reduce_only=bool(row["reduceOnly"]),
        position_side=_POSITION_SIDES[int(row["positionIdx"])],
        filled_quantity=filled,
        average_price=Decimal(row["avgPrice"]) if filled and row.get("avgPrice") else None,
        reason=reason,
        event_time_ms=int(row["updatedTime"]),
        received_ns=time.time_ns(),
    )


def _ending(row: Row) -> tuple[OrderStatus, str]:
    """Read the status; what ended neither by a fill nor by its owner has expired, for the reason told."""
    status = _STATUS[row["orderStatus"]]
    if status is not OrderStatus.CANCELED:
        return status, row.get("rejectReason", "") if status is OrderStatus.REJECTED else ""
    for field, harmless in (("rejectReason", _NO_REASON), ("cancelType", _BY_OWNER)):
        if row.get(field, "") not in harmless:
            return OrderStatus.EXPIRED, str(row[field])
    return status, ""


def is_trade(row: Row) -> bool:
    """Whether an execution is a trade; the venue lists funding and settlements among them."""
    return row.get("execType") in _TRADES


def fill(row: Row, *, one_way: bool, profit: str = "0") -> Fill:
    """Read one of our trades; which position it moved follows from how much of it was closed."""
    side = _SIDES[row["side"]]
    closes = Decimal(row.get("closedSize") or "0") > 0
    moved = PositionSide.LONG if (side is Side.BUY) is not closes else PositionSide.SHORT
    return Fill(
        symbol=row["symbol"],
        trade_id=row["execId"],
        order_id=row["orderId"],
        client_order_id=row["orderLinkId"],
        side=side,
        position_side=PositionSide.BOTH if one_way else moved,
        price=Decimal(row["execPrice"]),
        quantity=Decimal(row["execQty"]),
        fee=Decimal(row["execFee"] or "0"),
        fee_asset=row.get("feeCurrency") or ASSET,
        is_maker=bool(row["isMaker"]),
        realized_pnl=Decimal(row.get("execPnl") or profit),
        event_time_ms=int(row["execTime"]),
        received_ns=time.time_ns(),
    )


def position(row: Row) -> Position:
    """Read a position; the size has no sign, and the side is empty where there is none."""
    size = Decimal(row["size"])
    # Queries call the entry avgPrice, the stream calls it entryPrice.
    entry = row["entryPrice"] if "entryPrice" in row else row["avgPrice"]
    return Position(
        symbol=row["symbol"],
        quantity=-size if row["side"] == "Sell" else size,
        entry_price=Decimal(entry or "0"),
        position_side=_POSITION_SIDES[int(row["positionIdx"])],
        mark_price=Decimal(row.get("markPrice") or "0") or None,
        unrealized_pnl=Decimal(row.get("unrealisedPnl") or "0"),
        liquidation_price=Decimal(row.get("liqPrice") or "0") or None,
        leverage=Decimal(row["leverage"]) if row.get("leverage") else None,
        event_time_ms=int(row["updatedTime"] or 0),
        received_ns=time.time_ns(),
    )


def account(row: Row) -> Account:
    """Read the unified account: the asset's own amounts, and what is available of all collateral, in US dollars."""
    coin: Row = next((coin for coin in row["coin"] if coin["coin"] == ASSET), {})
    wallet = Decimal(coin.get("walletBalance") or "0")
    bound = Decimal(coin.get("totalPositionIM") or "0") + Decimal(coin.get("totalOrderIM") or "0")
    # With isolated margin the venue tells no total.
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


def balances(frame: Row) -> list[BalanceChange]:
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


def candle(symbol: str, interval: str, row: list[str], *, closed: bool) -> Candle:
    """Read a candle that a request answered; a query does not tell whether it is closed."""
    open_ms = int(row[0])
    return Candle(
        symbol=symbol,
        interval=interval,
        open_time_ms=open_ms,
        open=Decimal(row[1]),
        high=Decimal(row[2]),
        low=Decimal(row[3]),
        close=Decimal(row[4]),
        volume=Decimal(row[5]),
        quote_volume=Decimal(row[6]),
        closed=closed,
        event_time_ms=open_ms + INTERVALS_MS[interval] - 1 if closed else open_ms,
        received_ns=time.time_ns(),
    )


def streamed_candles(symbol: str, rows: Iterable[Row]) -> list[Candle]:
    """Read the candles of a frame."""
    return [
        Candle(
            symbol=symbol,
            interval=_INTERVALS[row["interval"]],
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


class Touch:
    """The best bid and ask of a symbol, kept from snapshots and differences.

    A side that another one has crossed is out of date, as its difference was lost: it is not told until it is known
    again, at the latest by the snapshot that the venue sends when three seconds passed without a change.
    """

    def __init__(self) -> None:
        self._bid: tuple[Decimal, Decimal] | None = None
        self._ask: tuple[Decimal, Decimal] | None = None

    def take(self, frame: Row) -> Price | None:
        """Take in a frame, and answer the price if both sides are known."""
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
        return price(data["s"], self._bid, self._ask, frame.get("cts") or frame["ts"])


def price(symbol: str, bid: tuple[Decimal, Decimal], ask: tuple[Decimal, Decimal], time_ms: int) -> Price:
    """Make a price of its parts."""
    return Price(
        symbol=symbol,
        bid=bid[0],
        ask=ask[0],
        bid_quantity=bid[1],
        ask_quantity=ask[1],
        event_time_ms=int(time_ms),
        received_ns=time.time_ns(),
    )


def level(row: list[str]) -> tuple[Decimal, Decimal]:
    """Read a level of a book."""
    return Decimal(row[0]), Decimal(row[1])


def _best(known: tuple[Decimal, Decimal] | None, rows: list[list[str]]) -> tuple[Decimal, Decimal] | None:
    """The one level after a difference: quantity zero takes it away, any other is the new one."""
    for row in rows:
        told = level(row)
        if told[1]:
            known = told
        elif known is not None and known[0] == told[0]:
            known = None
    return known
