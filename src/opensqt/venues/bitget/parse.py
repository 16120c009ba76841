"""Bitget's rows and frames, in our vocabulary."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import (
    Fill,
    Order,
    OrderRef,
    OrderRequest,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PositionSide,
    Side,
    TimeInForce,
)
from opensqt.venues.venue import BalanceChange

Row = dict[str, Any]
Symbol = Callable[[str], str]
"""Answers our name of what the venue calls a symbol."""
ASSET = "USDT"
TIME_IN_FORCE = {
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "post_only",
}
_TIME_IN_FORCE = {text: tif for tif, text in TIME_IN_FORCE.items()}
_STATUS = {
    "init": OrderStatus.OPEN,
    "new": OrderStatus.OPEN,
    "live": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "cancelled": OrderStatus.CANCELED,
}
_POSITION_SIDE = {"net": PositionSide.BOTH, "long": PositionSide.LONG, "short": PositionSide.SHORT}


def ids(ref: OrderRef) -> Row:
    """Name an order; ours wins where both ids are given, while the venue would take its own."""
    return {"clientOid": ref.client_order_id} if ref.client_order_id else {"orderId": ref.order_id}


def sides(request: OrderRequest) -> Row:
    """Say which way an order trades: in hedge mode `side` names the position, and `tradeSide` what is done to it."""
    if request.position_side is PositionSide.BOTH:
        more = {"reduceOnly": "YES"} if request.reduce_only else {}
        return {"side": request.side.value.lower(), **more}
    opens = Side.BUY if request.position_side is PositionSide.LONG else Side.SELL
    return {"side": opens.value.lower(), "tradeSide": "open" if request.side is opens else "close"}


def order(row: Row, symbol: Symbol) -> Order:
    """Read an order that a request answered; the one of a single order calls its status `state`."""
    return _order(row, symbol(row["symbol"]), row.get("state") or row["status"], row["baseVolume"])


def order_update(row: Row, symbol: Symbol) -> OrderUpdate:
    """Read an order of the stream, and its fill if it has one."""
    order = _order(row, symbol(row["instId"]), row["status"], row["accBaseVolume"])
    quantity = _decimal(row.get("baseVolume"))
    if not row.get("tradeId") or not quantity:
        return OrderUpdate(order=order)
    fill = Fill(
        symbol=order.symbol,
        trade_id=str(row["tradeId"]),
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        side=order.side,
        position_side=order.position_side,
        price=Decimal(row["fillPrice"]),
        quantity=quantity,
        fee=-_decimal(row.get("fillFee")),
        fee_asset=row.get("fillFeeCoin") or ASSET,
        is_maker=row["tradeScope"].lower().startswith("m"),
        realized_pnl=_decimal(row.get("pnl")),
        event_time_ms=int(row["fillTime"]),
        received_ns=order.received_ns,
    )
    return OrderUpdate(order=order, fill=fill)


def _order(row: Row, symbol: str, status: str, filled: str) -> Order:
    position_side = _POSITION_SIDE[row["posSide"]]
    filled_quantity = _decimal(filled)
    average = _decimal(row.get("priceAvg"))
    canceled = _STATUS[status] is OrderStatus.CANCELED
    return Order(
        symbol=symbol,
        side=_side(row["side"], position_side, row["tradeSide"]),
        quantity=Decimal(row["size"]),
        client_order_id=row.get("clientOid") or "",
        status=_STATUS[status],
        order_id=str(row["orderId"]),
        order_type=OrderType(row["orderType"].upper()),
        price=_decimal(row.get("price")) or None if row["orderType"] == "limit" else None,
        time_in_force=_TIME_IN_FORCE.get(row["force"].lower(), TimeInForce.GTC),
        reduce_only=(row.get("reduceOnly") or "").lower() == "yes",
        position_side=position_side,
        filled_quantity=filled_quantity,
        average_price=average if filled_quantity and average else None,
        reason=row.get("cancelReason") or "" if canceled else "",
        event_time_ms=int(row["uTime"]),
        received_ns=time.time_ns(),
    )


def _side(side: str, position_side: PositionSide, trade_side: str) -> Side:
    """Tell which way a row trades; in hedge mode its `side` is that of the position, and so says nothing."""
    if position_side is PositionSide.BOTH:
        return Side(side.upper())
    opens = Side.BUY if position_side is PositionSide.LONG else Side.SELL
    return opens.opposite if "close" in trade_side else opens


def fill(row: Row, symbol: Symbol, position_side: PositionSide | None) -> Fill:
    """Read one of our trades.

    Args:
        row: As it came.
        symbol: Translates its symbol.
        position_side: That of its order where it is known: in hedge mode the row only tells the order's `side`.
    """
    fee: Row = row["feeDetail"][0] if row.get("feeDetail") else {}
    if row["posMode"] == "one_way_mode":
        position_side = PositionSide.BOTH
    elif position_side is None:
        position_side = PositionSide.LONG if row["side"].lower() == "buy" else PositionSide.SHORT
    return Fill(
        symbol=symbol(row["symbol"]),
        trade_id=str(row["tradeId"]),
        order_id=str(row["orderId"]),
        client_order_id=row.get("clientOid") or "",
        side=_side(row["side"], position_side, row["tradeSide"]),
        position_side=position_side,
        price=Decimal(row["price"]),
        quantity=Decimal(row["baseVolume"]),
        fee=-_decimal(fee.get("totalFee")),
        fee_asset=fee.get("feeCoin") or ASSET,
        is_maker=row["tradeScope"] == "maker",
        realized_pnl=_decimal(row.get("profit")),
        event_time_ms=int(row["cTime"]),
        received_ns=time.time_ns(),
    )


def position(row: Row, symbol: str) -> Position:
    """Read a position, of a request or of the stream: its size has no sign, the direction stands beside it."""
    quantity = Decimal(row["total"])
    liquidation = _decimal(row.get("liquidationPrice"))
    hold_side = _POSITION_SIDE[row["holdSide"]]
    return Position(
        symbol=symbol,
        quantity=-quantity if hold_side is PositionSide.SHORT else quantity,
        entry_price=_decimal(row.get("openPriceAvg")),
        position_side=PositionSide.BOTH if row["posMode"] == "one_way_mode" else hold_side,
        mark_price=_decimal(row.get("markPrice")) or None,
        unrealized_pnl=_decimal(row.get("unrealizedPL")),
        liquidation_price=liquidation if liquidation > 0 else None,
        leverage=Decimal(str(row["leverage"])),
        margin_mode=MarginMode.ISOLATED if row["marginMode"] == "isolated" else MarginMode.CROSS,
        event_time_ms=int(row["uTime"]),
        received_ns=time.time_ns(),
    )


def account(row: Row) -> Account:
    """Read the balance; equity is the wallet and open profit together. The answer has no time of its own."""
    equity, profit = _decimal(row.get("accountEquity")), _decimal(row.get("unrealizedPL"))
    available = _decimal(row.get("crossedMaxAvailable"))
    return Account(
        asset=ASSET,
        wallet_balance=equity - profit,
        unrealized_pnl=profit,
        available_balance=available,
        initial_margin=max(equity - available, Decimal(0)),
        maintenance_margin=_decimal(row.get("crossedRiskRate")) * equity,
        received_ns=time.time_ns(),
    )


def balance_change(row: Row, event_time_ms: int) -> BalanceChange:
    """Read the wallet balance of the stream."""
    return BalanceChange(
        wallet_balance=Decimal(row["equity"]) - _decimal(row.get("unrealizedPL")),
        event_time_ms=event_time_ms,
        received_ns=time.time_ns(),
    )


def price(symbol: str, bid: list[str], ask: list[str], time_ms: str) -> Price:
    """Make a price of the best level of either side: price and quantity."""
    return Price(
        symbol=symbol,
        bid=Decimal(bid[0]),
        ask=Decimal(ask[0]),
        bid_quantity=Decimal(bid[1]),
        ask_quantity=Decimal(ask[1]),
        event_time_ms=int(time_ms),
        received_ns=time.time_ns(),
    )


def candle(symbol: str, interval: str, row: list[str], *, closed: bool = False, time_ms: int | None = None) -> Candle:
    """Read a candle, of a request or of the stream; neither tells whether it is closed.

    Args:
        symbol: Ours.
        interval: Ours.
        row: As it came.
        closed: What is known of that.
        time_ms: When it was so; by default when it was over, or else when it began.
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
        volume=Decimal(row[5]),
        quote_volume=Decimal(row[6]),
        closed=closed,
        event_time_ms=time_ms or (open_ms + INTERVALS_MS[interval] - 1 if closed else open_ms),
        received_ns=time.time_ns(),
    )


def _decimal(text: str | None) -> Decimal:
    """Read a number that the venue leaves empty where there is none."""
    return Decimal(text or "0")
