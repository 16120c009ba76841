"""Reads rows and frames of Bitget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.market import Candle, Price
from opensqt.model.order import (
    Fill,
    Order,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PositionSide,
    Side,
    TimeInForce,
)
from opensqt.venues.account.state import flat
from opensqt.venues.events import BalanceChange, Event
from opensqt.venues.parsing import ChannelAcks, Row, make_candle, make_price
from opensqt.venues.venue import Venue

ASSET = "USDT"
INTERVALS = {
    "1m": "1m",
    "5m": "5m",
    "15m": "15m",
    "30m": "30m",
    "1h": "1H",
    "4h": "4H",
    "6h": "6Hutc",
    "12h": "12Hutc",
    "1d": "1Dutc",
}
"""The intervals that requests and streams both have; without the suffix the long ones begin at UTC+8."""
_INTERVAL_BY_CHANNEL = {f"candle{text}": interval for interval, text in INTERVALS.items()}
TIME_IN_FORCE = {
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "post_only",
}
_TIME_IN_FORCE_BY_TEXT = {text: force for force, text in TIME_IN_FORCE.items()}
_STATUS = {
    "init": OrderStatus.OPEN,
    "new": OrderStatus.OPEN,
    "live": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "cancelled": OrderStatus.CANCELED,
}
_POSITION_SIDE_BY_TEXT = {"net": PositionSide.BOTH, "long": PositionSide.LONG, "short": PositionSide.SHORT}
_PRIVATE_CHANNELS = {"orders": "instId", "positions": "instId", "account": "coin"}
"""The account's channels, and the field whose value `default` subscribes to all of each."""
PRIVATE_ARGS = [
    {"instType": "USDT-FUTURES", "channel": channel, field: "default"} for channel, field in _PRIVATE_CHANNELS.items()
]


def parse_order(row: Row, symbol: str) -> Order:
    """Read an order of a response; a query of a single order calls its status `state`."""
    return _order(row, symbol, row.get("state") or row["status"], row["baseVolume"])


def parse_order_update(row: Row, symbol: str) -> OrderUpdate:
    """Read an order of the stream, and its fill if it has one."""
    order = _order(row, symbol, row["status"], row["accBaseVolume"])
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
    position_side = _POSITION_SIDE_BY_TEXT[row["posSide"]]
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
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row["force"].lower(), TimeInForce.GTC),
        reduce_only=(row.get("reduceOnly") or "").lower() == "yes",
        position_side=position_side,
        filled_quantity=filled_quantity,
        average_price=average if filled_quantity and average else None,
        reason=row.get("cancelReason") or "" if canceled else "",
        event_time_ms=int(row["uTime"]),
        received_ns=time.time_ns(),
    )


def _side(side: str, position_side: PositionSide, trade_side: str) -> Side:
    """Return the side that a row trades on; in hedge mode its `side` is that of the position."""
    if position_side is PositionSide.BOTH:
        return Side(side.upper())
    opens = Side.BUY if position_side is PositionSide.LONG else Side.SELL
    return opens.opposite if "close" in trade_side else opens


def parse_fill(row: Row, symbol: str, position_side: PositionSide | None) -> Fill:
    """Read a trade of the account.

    Args:
        row: As the venue sent it.
        symbol: Canonical name.
        position_side: That of its order where it is known: in hedge mode the row only has the order's `side`.
    """
    fee: Row = row["feeDetail"][0] if row.get("feeDetail") else {}
    if row["posMode"] == "one_way_mode":
        position_side = PositionSide.BOTH
    elif position_side is None:
        position_side = PositionSide.LONG if row["side"].lower() == "buy" else PositionSide.SHORT
    return Fill(
        symbol=symbol,
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


def parse_position(row: Row, symbol: str) -> Position:
    """Read a position of a response or of the stream: its size has no sign, and `holdSide` is the direction."""
    quantity = Decimal(row["total"])
    liquidation = _decimal(row.get("liquidationPrice"))
    hold_side = _POSITION_SIDE_BY_TEXT[row["holdSide"]]
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


def parse_account(row: Row) -> Account:
    """Read the balance; equity is the wallet plus open profit. The response has no time of its own."""
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


def parse_balance_change(row: Row, event_time_ms: int) -> BalanceChange:
    """Read the wallet balance of the stream."""
    return BalanceChange(
        wallet_balance=Decimal(row["equity"]) - _decimal(row.get("unrealizedPL")),
        event_time_ms=event_time_ms,
        received_ns=time.time_ns(),
    )


def parse_price(row: Row, symbol: str) -> Price:
    """Read the best bid and ask of a ticker."""
    return make_price(symbol, (row["bidPr"], row["bidSz"]), (row["askPr"], row["askSz"]), row["ts"])


def parse_candle(
    row: list[str], symbol: str, interval: str, *, closed: bool = False, time_ms: int | None = None
) -> Candle:
    """Read a candle of a response or of the stream; neither shows whether it is closed."""
    return make_candle(symbol, interval, row, closed=closed, time_ms=time_ms)


def _decimal(text: str | None) -> Decimal:
    """Read a number that the venue leaves empty where there is none."""
    return Decimal(text or "0")


class BitgetParser:
    """Reads the frames of one adapter.

    Args:
        venue: The adapter. It sets rows aside that can't be read, and counts events that are not handled.
        symbol_of: Returns the canonical name of a symbol, or an empty text for one that is not traded here.
        on_order: Callback that receives each order of the stream.
    """

    def __init__(self, venue: Venue, symbol_of: Callable[[str], str], on_order: Callable[[Order], object]) -> None:
        self._venue = venue
        self._symbol_of = symbol_of
        self._on_order = on_order
        self.acks = ChannelAcks(_PRIVATE_CHANNELS)
        self._open_positions: set[tuple[str, PositionSide]] = set()
        self._open_positions_ms = 0

    def parse(self, frame: Row) -> Iterable[Event] | None:
        """Return the events of a frame; see `Venue.parse`."""
        if "data" not in frame:
            return self._on_ack(frame)
        channel, rows = frame["arg"]["channel"], frame["data"]
        if channel == "books1":
            return self._price(frame["arg"]["instId"], rows[0])
        if channel == "orders":
            return self._venue.parse_rows([row for row in rows if self._symbol_of(row["instId"])], self._order_update)
        if channel == "positions":
            return self._positions(rows, int(frame["ts"]))
        if channel == "account":
            return [parse_balance_change(row, int(frame["ts"])) for row in rows if row["marginCoin"] == ASSET]
        if channel in _INTERVAL_BY_CHANNEL:
            return self._candle(frame["arg"]["instId"], _INTERVAL_BY_CHANNEL[channel], rows, int(frame["ts"]))
        self._venue.count_unknown(str(channel))
        return ()

    def _on_ack(self, frame: Row) -> Iterable[Event] | None:
        """Record an acknowledged channel of the account; ccxt handles every other response."""
        channel = (frame.get("arg") or {}).get("channel")
        if frame.get("event") != "subscribe" or channel not in _PRIVATE_CHANNELS:
            return None
        return self.acks.on_ack(channel)

    def _price(self, name: str, row: Row) -> Iterable[Event]:
        symbol = self._symbol_of(name)
        if not symbol or not row["bids"] or not row["asks"]:
            return ()
        return (make_price(symbol, row["bids"][0], row["asks"][0], row["ts"]),)

    def _order_update(self, row: Row) -> OrderUpdate:
        update = parse_order_update(row, self._symbol_of(row["instId"]))
        self._on_order(update.order)
        return update

    def _candle(self, name: str, interval: str, rows: list[list[str]], time_ms: int) -> Iterable[Event]:
        """Return the newest candle. No field marks the last update of an older one, so that one is queried."""
        symbol = self._symbol_of(name)
        if not symbol or not rows:
            return ()
        newest = max(rows, key=lambda row: int(row[0]))
        return (parse_candle(newest, symbol, interval, time_ms=time_ms),)

    def _positions(self, rows: list[Row], time_ms: int) -> list[Position]:
        """Read all open positions; one that was among them and no longer is, is flat."""
        if time_ms < self._open_positions_ms:
            return []
        found = []
        for row in rows:
            symbol = self._symbol_of(row["instId"])
            # A row that can't be read must not pass for a closed position: it fails, and the whole frame is set aside.
            if symbol:
                found.append(parse_position(row, symbol))
        now = {(position.symbol, position.position_side) for position in found}
        gone = self._open_positions - now
        self._open_positions, self._open_positions_ms = now, time_ms
        return found + [replace(flat(*key), event_time_ms=time_ms) for key in gone]
