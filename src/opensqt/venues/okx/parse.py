"""Reads rows and frames of OKX. Contracts become base coins, and base coins contracts, only here."""

from __future__ import annotations

import time
from collections.abc import Iterable
from decimal import Decimal

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderStatus, OrderType, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from opensqt.venues.account.state import sides
from opensqt.venues.events import BalanceChange, Event
from opensqt.venues.parsing import ChannelAcks, Row, make_candle, make_price
from opensqt.venues.venue import Venue

ASSET = "USDT"
PRIVATE_ARGS = [
    {"channel": "orders", "instType": "SWAP"},
    {"channel": "positions", "instType": "SWAP"},
    {"channel": "account"},
]
TIME_IN_FORCE = {
    TimeInForce.GTC: "limit",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "post_only",
}
"""The venue has no time in force: these are its order types of limit orders."""
_TIME_IN_FORCE_BY_TEXT = {text: force for force, text in TIME_IN_FORCE.items()} | {"optimal_limit_ioc": TimeInForce.IOC}
_STATUS = {
    "live": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "mmp_canceled": OrderStatus.CANCELED,
}
POSITION_SIDE = {PositionSide.BOTH: "net", PositionSide.LONG: "long", PositionSide.SHORT: "short"}
_POSITION_SIDE_BY_TEXT = {text: side for side, text in POSITION_SIDE.items()}
_CANCEL_REASONS = {
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
"""By cancelSource; the owner's own cancel has no reason."""
INTERVALS = {name: name.replace("h", "H") for name in INTERVALS_MS} | {"6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc"}
"""Without `utc` the longer ones would begin at Hong Kong's hours."""
_INTERVAL_BY_CHANNEL = {f"candle{bar}": interval for interval, bar in INTERVALS.items()}


def contracts(quantity: Decimal, rules: SymbolRules) -> str:
    """Return base coins as contracts."""
    return format((quantity / rules.contract_size).normalize(), "f")


def coins(text: str, rules: SymbolRules) -> Decimal:
    """Return contracts as base coins; an empty text is zero."""
    return Decimal(text or "0") * rules.contract_size


def parse_order(row: Row, rules: SymbolRules) -> Order:
    """Read an order of a response or of the orders channel."""
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
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row["ordType"], TimeInForce.GTC),
        reduce_only=str(row["reduceOnly"]).lower() == "true",
        position_side=_POSITION_SIDE_BY_TEXT[row["posSide"]],
        filled_quantity=filled,
        average_price=Decimal(row["avgPx"]) if filled and row["avgPx"] else None,
        reason=_CANCEL_REASONS.get(row.get("cancelSource", ""), ""),
        event_time_ms=int(row["uTime"]),
        received_ns=time.time_ns(),
    )


def parse_order_update(row: Row, rules: SymbolRules) -> OrderUpdate:
    """Read a row of the orders channel: the order, and its fill if it has one."""
    order = parse_order(row, rules)
    quantity = coins(row["fillSz"], rules)
    if not row["tradeId"] or not quantity:
        return OrderUpdate(order=order)
    fill = Fill(
        symbol=order.symbol,
        trade_id=row["tradeId"],
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        side=order.side,
        position_side=order.position_side,
        price=Decimal(row["fillPx"]),
        quantity=quantity,
        # The venue's amounts below zero were paid.
        fee=-Decimal(row.get("fillFee") or "0"),
        fee_asset=row.get("fillFeeCcy") or ASSET,
        is_maker=row.get("execType") == "M",
        realized_pnl=Decimal(row.get("fillPnl") or "0"),
        event_time_ms=int(row["fillTime"]),
        received_ns=order.received_ns,
    )
    return OrderUpdate(order=order, fill=fill)


def parse_fill(row: Row, rules: SymbolRules) -> Fill:
    """Read a trade of the account."""
    return Fill(
        symbol=rules.symbol,
        trade_id=row["tradeId"],
        order_id=row["ordId"],
        client_order_id=row["clOrdId"],
        side=Side(row["side"].upper()),
        position_side=_POSITION_SIDE_BY_TEXT[row["posSide"]],
        price=Decimal(row["fillPx"]),
        quantity=coins(row["fillSz"], rules),
        fee=-Decimal(row["fee"] or "0"),
        fee_asset=row["feeCcy"],
        is_maker=row["execType"] == "M",
        realized_pnl=Decimal(row.get("fillPnl") or "0"),
        event_time_ms=int(row["fillTime"] if row.get("fillTime") else row["ts"]),
        received_ns=time.time_ns(),
    )


def parse_position(row: Row, rules: SymbolRules) -> Position:
    """Read a position: signed in net mode; in long/short mode the side is the sign."""
    side = _POSITION_SIDE_BY_TEXT[row["posSide"]]
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


def parse_account(response: Row) -> Account:
    """Read the balance of the margin asset; a field that the account mode does not have is an empty text."""
    row: Row = next((detail for detail in response["details"] if detail["ccy"] == ASSET), {})

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


def parse_balance_changes(rows: list[Row]) -> list[BalanceChange]:
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


def parse_price(row: Row, rules: SymbolRules) -> Price | None:
    """Read the best levels of a book; None while a side is empty."""
    if not row["bids"] or not row["asks"]:
        return None
    return make_price(rules.symbol, row["bids"][0], row["asks"][0], row["ts"], rules.contract_size)


def parse_candle(row: list[str], rules: SymbolRules, interval: str) -> Candle:
    """Read a candle; the venue sends no other time of it than its opening."""
    return make_candle(rules.symbol, interval, row, closed=row[8] == "1", volume=6, quote_volume=7)


class OkxParser:
    """Reads the frames of one adapter: `{"arg": ..., "data": [...]}`, or an `event` that responds to a request.

    Args:
        venue: The adapter, for its instruments and its position mode. It counts events that are not handled.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.acks = ChannelAcks(arg["channel"] for arg in PRIVATE_ARGS)

    def parse(self, frame: Row) -> Iterable[Event] | None:
        """Return the events of a frame; see `Venue.parse`."""
        if "event" in frame:
            return self._on_event(frame)
        rules_by_id, arg, rows = self._venue.rules_by_id, frame["arg"], frame["data"]
        channel = arg["channel"]
        if channel == "bbo-tbt":
            prices = [parse_price(row, rules_by_id[arg["instId"]]) for row in rows]
            return [price for price in prices if price is not None]
        if channel.startswith("candle"):
            interval = _INTERVAL_BY_CHANNEL[channel]
            return [parse_candle(row, rules_by_id[arg["instId"]], interval) for row in rows]
        if channel == "orders":
            return [parse_order_update(row, rules_by_id[row["instId"]]) for row in self.known_rows(rows)]
        if channel == "positions":
            found = [parse_position(row, rules_by_id[row["instId"]]) for row in self.known_rows(rows)]
            return [position for position in found if position.position_side in sides(self._venue.position_mode)]
        if channel == "account":
            return parse_balance_changes(rows)
        self._venue.count_unknown(str(channel))
        return ()

    def known_rows(self, rows: Iterable[Row]) -> Iterable[Row]:
        """Return the rows of instruments whose rules are loaded."""
        return (row for row in rows if row["instId"] in self._venue.rules_by_id)

    def _on_event(self, frame: Row) -> Iterable[Event] | None:
        event = frame["event"]
        if event in ("login", "error"):
            return None
        if event == "subscribe":
            return self.acks.on_ack(frame.get("arg", {}).get("channel"))
        if event not in ("unsubscribe", "channel-conn-count"):
            self._venue.count_unknown(str(event))
        return ()
