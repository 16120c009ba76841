"""Gate's rows and frames, in our vocabulary: signed contracts become sides and base coins, seconds milliseconds."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.errors import OrderNotFound, PermissionDenied
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderRef, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from opensqt.venues.venue import BalanceChange

Row = dict[str, Any]
ASSET = "USDT"
PREFIX = "t-"
"""What Gate wants before every client id."""
TIF = {
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "poc",
}
_CLIENT_ID = re.compile(r"[0-9A-Za-z_.-]{1,28}")
_UNIFIED_ACCOUNT = 2
_TIF = {text: force for force, text in TIF.items()}
SIDES = {"single": PositionSide.BOTH, "dual_long": PositionSide.LONG, "dual_short": PositionSide.SHORT}


def number(value: Any) -> Decimal:
    """Read a number that comes as text or as a JSON number; nothing at all is zero."""
    return Decimal(str(value)) if value not in (None, "") else Decimal(0)


def milliseconds(seconds: Any) -> int:
    """Read a time in seconds."""
    return int(number(seconds) * 1000)


def client_order_id(text: Any) -> str:
    """Read the user's own id; what the venue's site or app wrote there is none of ours."""
    given = str(text or "")
    return given.removeprefix(PREFIX) if given.startswith(PREFIX) else ""


def order(row: Row, rules: SymbolRules, *, hedge: bool) -> Order:
    """Read an order, from a request or from the stream; the stream tells times in milliseconds beside the seconds."""
    size, left = number(row["size"]), number(row["left"])
    side = Side.BUY if size > 0 else Side.SELL
    filled = abs(size - left) * rules.contract_size
    price, average = number(row["price"]), number(row["fill_price"])
    reduces = bool(row["is_reduce_only"])
    return Order(
        symbol=rules.symbol,
        side=side,
        quantity=abs(size) * rules.contract_size,
        client_order_id=client_order_id(row["text"]),
        status=_status(row, filled),
        order_id=str(row["id"]),
        price=price or None,
        order_type=OrderType.LIMIT if price else OrderType.MARKET,
        # A market order's force says only that it does not rest.
        time_in_force=_TIF.get(row["tif"], TimeInForce.GTC) if price else TimeInForce.GTC,
        reduce_only=reduces,
        position_side=_position_side(side, reduces=reduces, hedge=hedge),
        filled_quantity=filled,
        average_price=average if filled and average else None,
        reason="" if row["status"] == "open" else _reason(row),
        event_time_ms=_order_time_ms(row),
        received_ns=time.time_ns(),
    )


def _status(row: Row, filled: Decimal) -> OrderStatus:
    if row["status"] == "open":
        return OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.OPEN
    if not number(row["left"]):
        return OrderStatus.FILLED
    return OrderStatus.CANCELED if row.get("finish_as") == "cancelled" else OrderStatus.EXPIRED


def _reason(row: Row) -> str:
    how = str(row.get("finish_as", ""))
    return "" if how in ("filled", "cancelled", "ioc") else f"finished as {how}"


def _order_time_ms(row: Row) -> int:
    told = row.get("finish_time_ms") or row.get("create_time_ms")
    if told:
        return int(told)
    return milliseconds(row.get("finish_time") or row.get("update_time") or row["create_time"])


def _position_side(side: Side, *, reduces: bool, hedge: bool) -> PositionSide:
    """In dual mode the side and whether it reduces say together which position is meant."""
    if not hedge:
        return PositionSide.BOTH
    return PositionSide.LONG if (side is Side.BUY) is not reduces else PositionSide.SHORT


def fill(row: Row, rules: SymbolRules, *, hedge: bool) -> Fill:
    """Read one of our trades. The stream does not say how much of it closed a position; the order does then."""
    size = number(row["size"])
    side = Side.BUY if size > 0 else Side.SELL
    return Fill(
        symbol=rules.symbol,
        trade_id=str(row.get("trade_id") or row["id"]),
        order_id=str(row["order_id"]),
        client_order_id=client_order_id(row["text"]),
        side=side,
        position_side=_position_side(side, reduces=bool(number(row.get("close_size"))), hedge=hedge),
        price=number(row["price"]),
        quantity=abs(size) * rules.contract_size,
        fee=number(row["fee"]),
        fee_asset=ASSET,
        is_maker=row["role"] == "maker",
        event_time_ms=int(row.get("create_time_ms") or milliseconds(row["create_time"])),
        received_ns=time.time_ns(),
    )


def account(row: Row) -> Account:
    """Read the balance. Cross and isolated positions have their margins apart."""
    cross = "cross_initial_margin" in row
    held = ("cross_initial_margin", "cross_order_margin", "isolated_position_margin")
    margins = held if cross else ("position_margin", "order_margin")
    return Account(
        asset=ASSET,
        wallet_balance=number(row["total"]),
        unrealized_pnl=number(row["unrealised_pnl"]),
        available_balance=number(row["available"]),
        initial_margin=sum((number(row.get(name)) for name in margins), Decimal(0)),
        maintenance_margin=number(row.get("cross_maintenance_margin" if cross else "maintenance_margin")),
        received_ns=time.time_ns(),
    )


def position(row: Row, rules: SymbolRules) -> Position:
    """Read a position. A request tells its time in whole seconds, which orders nothing: none is better."""
    isolated = number(row["leverage"])
    liquidation = number(row.get("liq_price"))
    return Position(
        symbol=rules.symbol,
        quantity=number(row["size"]) * rules.contract_size,
        entry_price=number(row["entry_price"]),
        position_side=SIDES[row["mode"]],
        mark_price=number(row.get("mark_price")) or None,
        unrealized_pnl=number(row.get("unrealised_pnl")),
        liquidation_price=liquidation or None,
        leverage=isolated or number(row.get("cross_leverage_limit")) or None,
        margin_mode=MarginMode.ISOLATED if isolated else MarginMode.CROSS,
        event_time_ms=int(row.get("time_ms") or 0),
        received_ns=time.time_ns(),
    )


def balance(row: Row) -> BalanceChange:
    """Read what a change left of the balance."""
    return BalanceChange(
        wallet_balance=number(row["balance"]),
        event_time_ms=int(row.get("time_ms") or milliseconds(row["time"])),
        received_ns=time.time_ns(),
    )


def price(row: Row, rules: SymbolRules) -> Price:
    """Read the best bid and ask of the stream."""
    return _price(rules, (row["b"], row["B"]), (row["a"], row["A"]), int(row["t"]))


def book_price(row: Row, rules: SymbolRules) -> Price:
    """Read the best bid and ask out of a book."""
    bid, ask = row["bids"][0], row["asks"][0]
    return _price(rules, (bid["p"], bid["s"]), (ask["p"], ask["s"]), milliseconds(row["current"]))


def _price(rules: SymbolRules, bid: tuple[Any, Any], ask: tuple[Any, Any], time_ms: int) -> Price:
    return Price(
        symbol=rules.symbol,
        bid=number(bid[0]),
        ask=number(ask[0]),
        bid_quantity=abs(number(bid[1])) * rules.contract_size,
        ask_quantity=abs(number(ask[1])) * rules.contract_size,
        event_time_ms=time_ms,
        received_ns=time.time_ns(),
    )


def candle(row: Row, rules: SymbolRules, interval: str, *, closed: bool) -> Candle:
    """Read a candle; neither requests nor every frame say whether it is closed."""
    open_ms = milliseconds(row["t"])
    return Candle(
        symbol=rules.symbol,
        interval=interval,
        open_time_ms=open_ms,
        open=number(row["o"]),
        high=number(row["h"]),
        low=number(row["l"]),
        close=number(row["c"]),
        volume=number(row["v"]) * rules.contract_size,
        quote_volume=number(row.get("sum")),
        closed=closed,
        event_time_ms=open_ms + INTERVALS_MS[interval] - 1 if closed else open_ms,
        received_ns=time.time_ns(),
    )


def key_warnings(keys: Row, detail: Row) -> list[str]:
    """Tell what a key may do and should not, out of `main_keys` and `detail` of the account.

    Raises:
        PermissionDenied: It may not trade futures.
    """
    rights = {row["name"]: row for row in keys.get("perms") or ()}
    if rights and rights.get("futures", {}).get("read_only", True):
        raise PermissionDenied("this key may not trade futures: give it that right, read and write")
    warnings = []
    if "wallet" in rights and not rights["wallet"].get("read_only"):
        warnings.append("this key may withdraw and move money out of the account: take the wallet right from it")
    if (detail.get("key") or {}).get("mode") == _UNIFIED_ACCOUNT:
        warnings.append("this is a unified account: the futures balance told here is not all it trades with")
    return warnings


def closing(rows: Iterable[Row]) -> set[str]:
    """Answer the ids of the trades that closed something."""
    return {str(row.get("trade_id") or row["id"]) for row in rows if number(row.get("close_size"))}


def named(ref: OrderRef) -> Row:
    """Name an order in a path: whatever could not be an id there would be another path."""
    if ref.client_order_id and _CLIENT_ID.fullmatch(ref.client_order_id):
        return {"order_id": PREFIX + ref.client_order_id}
    if not ref.client_order_id and ref.order_id.isascii() and ref.order_id.isdecimal():
        return {"order_id": ref.order_id}
    raise OrderNotFound("no order can have this id on gate", symbol=ref.symbol)
