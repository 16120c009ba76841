"""Reads OKX's rows, and turns contracts into base coins: here and nowhere else."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import (
    Fill,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PositionSide,
    Side,
    TimeInForce,
)
from opensqt.model.venue import SymbolRules
from opensqt.venues.venue import BalanceChange

Row = dict[str, Any]
ASSET = "USDT"
KINDS = {
    TimeInForce.GTC: "limit",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "post_only",
}
_TIME_IN_FORCE = {text: force for force, text in KINDS.items()} | {"optimal_limit_ioc": TimeInForce.IOC}
_STATUS = {
    "live": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "mmp_canceled": OrderStatus.CANCELED,
}
POSITION_SIDES = {PositionSide.BOTH: "net", PositionSide.LONG: "long", PositionSide.SHORT: "short"}
_SIDES = {text: side for side, text in POSITION_SIDES.items()}
_WHY_CANCELED = {
    "0": "the venue canceled it",
    "2": "reduce-only: the position has too little margin",
    "3": "the account is near liquidation",
    "6": "the position was deleveraged",
    "9": "funding left too little balance",
    "13": "fill or kill: it could not be filled whole",
    "14": "immediate or cancel: the rest found nothing",
    "15": "its price is beyond the venue's limit",
    "17": "the position that it was to close is closed",
    "20": "the cancel-all timer ran out",
    "22": "reduce-only: a better order closes the position",
    "23": "reduce-only: a better order closes the position",
    "31": "post-only: it would have taken",
    "32": "it would have traded with an order of the same account",
}
"""By cancelSource; the owner's own cancel needs no words."""
BARS = {name: name.replace("h", "H") for name in INTERVALS_MS} | {"6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc"}
"""Interval to OKX's name; without `utc` the longer ones would begin at Hong Kong's hours."""
INTERVALS = {bar: name for name, bar in BARS.items()}


def contracts(quantity: Decimal, rules: SymbolRules) -> str:
    """Write base coins as contracts."""
    return format((quantity / rules.contract_size).normalize(), "f")


def coins(text: str, rules: SymbolRules) -> Decimal:
    """Read contracts as base coins; an empty text is none."""
    return Decimal(text or "0") * rules.contract_size


def order_params(request: OrderRequest, rules: SymbolRules, inst_id: str) -> Row:
    """Write an order as it is sent."""
    params = {
        "instId": inst_id,
        "tdMode": MarginMode.CROSS.value.lower(),
        "side": request.side.value.lower(),
        "posSide": POSITION_SIDES[request.position_side],
        "ordType": "market",
        "sz": contracts(request.quantity, rules),
        "clOrdId": request.client_order_id,
    }
    if request.order_type is OrderType.LIMIT and request.price is not None:
        params |= {"ordType": KINDS[request.time_in_force], "px": format(request.price, "f")}
    if request.reduce_only and request.position_side is PositionSide.BOTH:
        # In long/short mode the position side says it.
        params["reduceOnly"] = "true"
    return params


def order(row: Row, rules: SymbolRules) -> Order:
    """Read an order that a request or the orders channel told."""
    filled = coins(row["accFillSz"], rules)
    market = row["ordType"] in ("market", "optimal_limit_ioc")
    return Order(
        symbol=rules.symbol,
        side=Side(row["side"].upper()),
        quantity=coins(row["sz"], rules),
        client_order_id=row["clOrdId"],
        status=_STATUS[row["state"]],
        order_id=row["ordId"],
        price=None if market or not row["px"] else Decimal(row["px"]),
        order_type=OrderType.MARKET if market else OrderType.LIMIT,
        time_in_force=_TIME_IN_FORCE.get(row["ordType"], TimeInForce.GTC),
        reduce_only=str(row["reduceOnly"]).lower() == "true",
        position_side=_SIDES[row["posSide"]],
        filled_quantity=filled,
        average_price=Decimal(row["avgPx"]) if filled and row["avgPx"] else None,
        reason=_WHY_CANCELED.get(row.get("cancelSource", ""), ""),
        event_time_ms=int(row["uTime"]),
        received_ns=time.time_ns(),
    )


def order_update(row: Row, rules: SymbolRules) -> OrderUpdate:
    """Read a row of the orders channel: the order, and the fill that moved it, if one did."""
    read = order(row, rules)
    quantity = coins(row["fillSz"], rules)
    if not row["tradeId"] or not quantity:
        return OrderUpdate(order=read)
    fill = Fill(
        symbol=read.symbol,
        trade_id=row["tradeId"],
        order_id=read.order_id,
        client_order_id=read.client_order_id,
        side=read.side,
        position_side=read.position_side,
        price=Decimal(row["fillPx"]),
        quantity=quantity,
        # What the venue counts below zero was paid.
        fee=-Decimal(row.get("fillFee") or "0"),
        fee_asset=row.get("fillFeeCcy") or ASSET,
        is_maker=row.get("execType") == "M",
        realized_pnl=Decimal(row.get("fillPnl") or "0"),
        event_time_ms=int(row["fillTime"]),
        received_ns=read.received_ns,
    )
    return OrderUpdate(order=read, fill=fill)


def fill(row: Row, rules: SymbolRules) -> Fill:
    """Read one of our trades."""
    return Fill(
        symbol=rules.symbol,
        trade_id=row["tradeId"],
        order_id=row["ordId"],
        client_order_id=row["clOrdId"],
        side=Side(row["side"].upper()),
        position_side=_SIDES[row["posSide"]],
        price=Decimal(row["fillPx"]),
        quantity=coins(row["fillSz"], rules),
        fee=-Decimal(row["fee"] or "0"),
        fee_asset=row["feeCcy"],
        is_maker=row["execType"] == "M",
        realized_pnl=Decimal(row.get("fillPnl") or "0"),
        event_time_ms=int(row["fillTime"] if row.get("fillTime") else row["ts"]),
        received_ns=time.time_ns(),
    )


def position(row: Row, rules: SymbolRules) -> Position:
    """Read a position: signed in net mode; in long/short mode the side is the sign."""
    side = _SIDES[row["posSide"]]
    quantity = coins(row["pos"], rules)
    return Position(
        symbol=rules.symbol,
        quantity=-abs(quantity) if side is PositionSide.SHORT else quantity,
        entry_price=Decimal(row["avgPx"] or "0") if quantity else Decimal(0),
        position_side=side,
        mark_price=Decimal(row["markPx"]) if row.get("markPx") else None,
        unrealized_pnl=Decimal(row["upl"] or "0"),
        liquidation_price=Decimal(row["liqPx"]) if row.get("liqPx") else None,
        leverage=Decimal(row["lever"]) if row.get("lever") else None,
        margin_mode=MarginMode.ISOLATED if row["mgnMode"] == "isolated" else MarginMode.CROSS,
        event_time_ms=int(row["uTime"]),
        received_ns=time.time_ns(),
    )


def account(answer: Row) -> Account:
    """Read the balance of the margin asset; what an account mode does not tell is an empty text."""
    row: Row = next((detail for detail in answer["details"] if detail["ccy"] == ASSET), {})

    def number(*names: str) -> Decimal:
        return Decimal(next((row[name] for name in names if row.get(name)), "0"))

    return Account(
        asset=ASSET,
        wallet_balance=number("cashBal"),
        unrealized_pnl=number("upl"),
        available_balance=number("availEq", "availBal"),
        initial_margin=number("imr", "frozenBal"),
        maintenance_margin=number("mmr"),
        event_time_ms=int(row.get("uTime") or 0),
        received_ns=time.time_ns(),
    )


def balance_changes(rows: list[Row]) -> list[BalanceChange]:
    """Read the account channel."""
    return [
        BalanceChange(
            wallet_balance=Decimal(detail["cashBal"]),
            event_time_ms=int(detail["uTime"]),
            received_ns=time.time_ns(),
        )
        for row in rows
        for detail in row["details"]
        if detail["ccy"] == ASSET
    ]


def price(row: Row, rules: SymbolRules) -> Price | None:
    """Read the best levels of a book; None while a side is empty."""
    if not row["bids"] or not row["asks"]:
        return None
    bid, ask = row["bids"][0], row["asks"][0]
    return Price(
        symbol=rules.symbol,
        bid=Decimal(bid[0]),
        ask=Decimal(ask[0]),
        bid_quantity=coins(bid[1], rules),
        ask_quantity=coins(ask[1], rules),
        event_time_ms=int(row["ts"]),
        received_ns=time.time_ns(),
    )


def candle(row: list[str], rules: SymbolRules, interval: str) -> Candle:
    """Read a candle; the venue tells no other time of it than its opening."""
    opened_ms, closed = int(row[0]), row[8] == "1"
    return Candle(
        symbol=rules.symbol,
        interval=interval,
        open_time_ms=opened_ms,
        open=Decimal(row[1]),
        high=Decimal(row[2]),
        low=Decimal(row[3]),
        close=Decimal(row[4]),
        volume=Decimal(row[6]),
        quote_volume=Decimal(row[7]),
        closed=closed,
        event_time_ms=opened_ms + INTERVALS_MS[interval] - 1 if closed else opened_ms,
        received_ns=time.time_ns(),
    )
