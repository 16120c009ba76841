"""Reads rows and frames of Binance."""

from __future__ import annotations

import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderStatus, OrderType, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.venues.events import BalanceChange, Event, LeverageChange, StreamExpired
from opensqt.venues.parsing import Row, make_candle, make_price
from opensqt.venues.venue import Venue

ASSET = "USDT"
INTERVALS = {interval: interval for interval in INTERVALS_MS}
TIME_IN_FORCE = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "GTX",
}
_TIME_IN_FORCE_BY_TEXT = {text: force for force, text in TIME_IN_FORCE.items()} | {"RPI": TimeInForce.POST_ONLY}
_STATUS = {
    "NEW": OrderStatus.OPEN,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
}


def parse_order(row: Row) -> Order:
    """Read an order of a response."""
    filled = Decimal(row["executedQty"])
    average = Decimal(row.get("avgPrice") or "0")
    return Order(
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=Decimal(row["origQty"]),
        client_order_id=row["clientOrderId"],
        status=_STATUS[row["status"]],
        order_id=str(row["orderId"]),
        price=Decimal(row["price"]) or None,
        order_type=_order_type(row["type"], row["price"]),
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row["timeInForce"], TimeInForce.GTC),
        reduce_only=bool(row["reduceOnly"]),
        position_side=PositionSide(row["positionSide"]),
        filled_quantity=filled,
        average_price=average if filled and average else None,
        event_time_ms=int(row["updateTime"]),
        received_ns=time.time_ns(),
    )


def parse_order_update(row: Row, event_time_ms: int) -> OrderUpdate:
    """Read the order of an ORDER_TRADE_UPDATE, and its fill if it has one."""
    received_ns = time.time_ns()
    filled = Decimal(row["z"])
    order = Order(
        symbol=row["s"],
        side=Side(row["S"]),
        quantity=Decimal(row["q"]),
        client_order_id=row["c"],
        status=_STATUS[row["X"]],
        order_id=str(row["i"]),
        price=Decimal(row["p"]) or None,
        order_type=_order_type(row["o"], row["p"]),
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row["f"], TimeInForce.GTC),
        reduce_only=bool(row["R"]),
        position_side=PositionSide(row["ps"]),
        filled_quantity=filled,
        average_price=Decimal(row["ap"]) if filled else None,
        event_time_ms=int(event_time_ms),
        received_ns=received_ns,
    )
    quantity = Decimal(row["l"])
    if not quantity:
        return OrderUpdate(order=order)
    fill = Fill(
        symbol=order.symbol,
        trade_id=str(row["t"]),
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        side=order.side,
        position_side=order.position_side,
        price=Decimal(row["L"]),
        quantity=quantity,
        fee=Decimal(row.get("n") or "0"),
        fee_asset=row.get("N") or ASSET,
        is_maker=bool(row["m"]),
        realized_pnl=Decimal(row["rp"]),
        event_time_ms=int(row["T"]),
        received_ns=received_ns,
    )
    return OrderUpdate(order=order, fill=fill)


def _order_type(text: str, price: str) -> OrderType:
    """Read the type; an order of another type, placed elsewhere, is a limit order if it has a price."""
    if text in ("LIMIT", "MARKET"):
        return OrderType(text)
    return OrderType.LIMIT if Decimal(price) else OrderType.MARKET


def parse_fill(row: Row) -> Fill:
    """Read a trade of the account."""
    return Fill(
        symbol=row["symbol"],
        trade_id=str(row["id"]),
        order_id=str(row["orderId"]),
        client_order_id="",
        side=Side(row["side"]),
        position_side=PositionSide(row["positionSide"]),
        price=Decimal(row["price"]),
        quantity=Decimal(row["qty"]),
        fee=Decimal(row["commission"]),
        fee_asset=row["commissionAsset"],
        is_maker=bool(row["maker"]),
        realized_pnl=Decimal(row["realizedPnl"]),
        event_time_ms=int(row["time"]),
        received_ns=time.time_ns(),
    )


def parse_position(row: Row) -> Position:
    """Read a position of a response; the third version of it has no leverage."""
    liquidation = Decimal(row.get("liquidationPrice") or "0")
    isolated = row.get("marginType") == "isolated" or Decimal(row.get("isolatedMargin") or "0") > 0
    return Position(
        symbol=row["symbol"],
        quantity=Decimal(row["positionAmt"]),
        entry_price=Decimal(row["entryPrice"]),
        position_side=PositionSide(row["positionSide"]),
        mark_price=Decimal(row["markPrice"]) or None,
        unrealized_pnl=Decimal(row["unRealizedProfit"]),
        liquidation_price=liquidation or None,
        leverage=Decimal(row["leverage"]) if "leverage" in row else None,
        margin_mode=MarginMode.ISOLATED if isolated else MarginMode.CROSS,
        event_time_ms=int(row["updateTime"]),
        received_ns=time.time_ns(),
    )


def parse_account(response: Row) -> Account:
    """Read the balance of the margin asset."""
    row: Row = next((row for row in response["assets"] if row["asset"] == ASSET), {})
    return Account(
        asset=ASSET,
        wallet_balance=Decimal(row.get("walletBalance", "0")),
        unrealized_pnl=Decimal(row.get("unrealizedProfit", "0")),
        available_balance=Decimal(row.get("availableBalance", "0")),
        initial_margin=Decimal(row.get("initialMargin", "0")),
        maintenance_margin=Decimal(row.get("maintMargin", "0")),
        event_time_ms=int(row.get("updateTime", 0)),
        received_ns=time.time_ns(),
    )


def parse_price(row: Row, symbol: str) -> Price:
    """Read the best bid and ask of a response."""
    return make_price(symbol, (row["bidPrice"], row["bidQty"]), (row["askPrice"], row["askQty"]), row["time"])


def parse_streamed_price(frame: Row) -> Price:
    """Read the best bid and ask of the stream."""
    return make_price(frame["s"], (frame["b"], frame["B"]), (frame["a"], frame["A"]), frame["T"])


def parse_candle(row: list[Any], symbol: str, interval: str, *, closed: bool) -> Candle:
    """Read a candle of a response, which does not show whether it is closed."""
    return make_candle(symbol, interval, row, closed=closed, quote_volume=7)


def parse_streamed_candle(frame: Row) -> Candle:
    """Read a candle of the stream."""
    row = frame["k"]
    return Candle(
        symbol=row["s"],
        interval=row["i"],
        open_time_ms=int(row["t"]),
        open=Decimal(row["o"]),
        high=Decimal(row["h"]),
        low=Decimal(row["l"]),
        close=Decimal(row["c"]),
        volume=Decimal(row["v"]),
        quote_volume=Decimal(row["q"]),
        closed=bool(row["x"]),
        event_time_ms=int(frame["E"]),
        received_ns=time.time_ns(),
    )


def parse_account_update(frame: Row) -> list[BalanceChange | Position]:
    """Read the balances and positions of an ACCOUNT_UPDATE."""
    received_ns, event_time_ms = time.time_ns(), int(frame["T"])
    balances: list[BalanceChange | Position] = [
        BalanceChange(wallet_balance=Decimal(row["wb"]), event_time_ms=event_time_ms, received_ns=received_ns)
        for row in frame["a"].get("B", ())
        if row["a"] == ASSET
    ]
    return balances + [
        Position(
            symbol=row["s"],
            quantity=Decimal(row["pa"]),
            entry_price=Decimal(row["ep"]),
            position_side=PositionSide(row["ps"]),
            unrealized_pnl=Decimal(row["up"]),
            margin_mode=MarginMode.ISOLATED if row["mt"] == "isolated" else MarginMode.CROSS,
            event_time_ms=event_time_ms,
            received_ns=received_ns,
        )
        for row in frame["a"].get("P", ())
    ]


class BinanceParser:
    """Reads the frames of one adapter; the field names are in the venue's WebSocket documents.

    Args:
        venue: The adapter, for its symbols and its position mode. It counts events that are not handled.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def parse(self, frame: Row) -> Iterable[Event] | None:
        """Return the events of a frame; see `Venue.parse`."""
        kind = frame.get("e")
        if kind == "bookTicker":
            return (parse_streamed_price(frame),)
        if kind == "kline":
            return (parse_streamed_candle(frame),)
        if kind == "ORDER_TRADE_UPDATE":
            row = frame["o"]
            return (parse_order_update(row, frame["T"]),) if row["s"] in self._venue.rules else ()
        if kind == "ACCOUNT_UPDATE":
            # In hedge mode the venue sends an empty BOTH beside the two that exist.
            return [event for event in parse_account_update(frame) if self._is_current_mode(event)]
        if kind == "listenKeyExpired":
            return (StreamExpired(),)
        if kind == "ACCOUNT_CONFIG_UPDATE":
            change = frame.get("ac")
            return (LeverageChange(symbol=change["s"], leverage=Decimal(change["l"])),) if change else ()
        if kind is None and ("id" in frame or "result" in frame or "error" in frame):
            return None
        # MARGIN_CALL, TRADE_LITE and future kinds of events need no action, and are not an error.
        self._venue.count_unknown(str(kind))
        return ()

    def _is_current_mode(self, event: BalanceChange | Position) -> bool:
        if isinstance(event, BalanceChange):
            return True
        venue = self._venue
        return event.symbol in venue.rules and (event.position_side is PositionSide.BOTH) is not venue.is_hedge
