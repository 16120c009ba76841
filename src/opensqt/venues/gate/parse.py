"""Reads rows and frames of Gate: signed contracts become sides and base coins, seconds become milliseconds."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.errors import PermissionDenied
from opensqt.model.market import Candle, Price
from opensqt.model.order import Fill, Order, OrderStatus, OrderType, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from opensqt.venues.events import BalanceChange, Event, FillsPending
from opensqt.venues.parsing import ChannelAcks, Row, candle_time_ms, make_price
from opensqt.venues.venue import Venue

ASSET = "USDT"
INTERVALS = {interval: interval for interval in ("1m", "5m", "15m", "30m", "1h", "4h", "1d")}
PREFIX = "t-"
"""Gate requires it in front of every client order id."""
TIME_IN_FORCE = {
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "poc",
}
_TIME_IN_FORCE_BY_TEXT = {text: force for force, text in TIME_IN_FORCE.items()}
POSITION_SIDE_BY_MODE = {
    "single": PositionSide.BOTH,
    "dual_long": PositionSide.LONG,
    "dual_short": PositionSide.SHORT,
}
_PRIVATE_CHANNELS = frozenset({"futures.orders", "futures.usertrades", "futures.positions", "futures.balances"})
_UNIFIED_ACCOUNT = 2
_TRADES_REMEMBERED = 10_000


def number(value: Any) -> Decimal:
    """Read a number that comes as text or as a JSON number; a missing one is zero."""
    return Decimal(str(value)) if value not in (None, "") else Decimal(0)


def milliseconds(seconds: Any) -> int:
    """Read a time in seconds."""
    return int(number(seconds) * 1000)


def client_order_id(text: Any) -> str:
    """Read a client order id; the venue's site and app write texts without the prefix, which are no client ids."""
    given = str(text or "")
    return given.removeprefix(PREFIX) if given.startswith(PREFIX) else ""


def parse_order(row: Row, rules: SymbolRules, *, hedge: bool) -> Order:
    """Read an order of a response or of the stream; the stream has times in milliseconds next to the seconds."""
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
        # The time in force of a market order shows only that the order does not rest.
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row["tif"], TimeInForce.GTC) if price else TimeInForce.GTC,
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
    time_ms = row.get("finish_time_ms") or row.get("create_time_ms")
    if time_ms:
        return int(time_ms)
    return milliseconds(row.get("finish_time") or row.get("update_time") or row["create_time"])


def _position_side(side: Side, *, reduces: bool, hedge: bool) -> PositionSide:
    """Return the position that an order belongs to: in dual mode its side and whether it reduces show it together."""
    if not hedge:
        return PositionSide.BOTH
    return PositionSide.LONG if (side is Side.BUY) is not reduces else PositionSide.SHORT


def parse_fill(row: Row, rules: SymbolRules, *, hedge: bool) -> Fill:
    """Read a trade; the stream does not show how much of it closed a position, the order does then."""
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


def parse_account(row: Row) -> Account:
    """Read the balance; cross and isolated positions have separate margins."""
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


def parse_position(row: Row, rules: SymbolRules) -> Position:
    """Read a position; a response has its time in whole seconds, too coarse to order by, so it is left out."""
    isolated = number(row["leverage"])
    liquidation = number(row.get("liq_price"))
    return Position(
        symbol=rules.symbol,
        quantity=number(row["size"]) * rules.contract_size,
        entry_price=number(row["entry_price"]),
        position_side=POSITION_SIDE_BY_MODE[row["mode"]],
        mark_price=number(row.get("mark_price")) or None,
        unrealized_pnl=number(row.get("unrealised_pnl")),
        liquidation_price=liquidation or None,
        leverage=isolated or number(row.get("cross_leverage_limit")) or None,
        margin_mode=MarginMode.ISOLATED if isolated else MarginMode.CROSS,
        event_time_ms=int(row.get("time_ms") or 0),
        received_ns=time.time_ns(),
    )


def parse_balance_change(row: Row) -> BalanceChange:
    """Read the balance after a change."""
    return BalanceChange(
        wallet_balance=number(row["balance"]),
        event_time_ms=int(row.get("time_ms") or milliseconds(row["time"])),
        received_ns=time.time_ns(),
    )


def parse_price(row: Row, rules: SymbolRules) -> Price:
    """Read the best bid and ask of a book."""
    bid, ask = row["bids"][0], row["asks"][0]
    return _price(rules, (bid["p"], bid["s"]), (ask["p"], ask["s"]), milliseconds(row["current"]))


def parse_streamed_price(row: Row, rules: SymbolRules) -> Price:
    """Read the best bid and ask of the stream."""
    return _price(rules, (row["b"], row["B"]), (row["a"], row["A"]), int(row["t"]))


def _price(rules: SymbolRules, bid: tuple[Any, Any], ask: tuple[Any, Any], time_ms: int) -> Price:
    best_bid, best_ask = (number(bid[0]), abs(number(bid[1]))), (number(ask[0]), abs(number(ask[1])))
    return make_price(rules.symbol, best_bid, best_ask, time_ms, rules.contract_size)


def parse_candle(row: Row, rules: SymbolRules, interval: str, *, closed: bool) -> Candle:
    """Read a candle; responses and some frames do not show whether it is closed."""
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
        event_time_ms=candle_time_ms(open_ms, interval, closed=closed),
        received_ns=time.time_ns(),
    )


def key_warnings(keys: Row, detail: Row) -> list[str]:
    """Return warnings of rights that a key should not have.

    Args:
        keys: Response of `main_keys`.
        detail: Response of the account's `detail`.

    Raises:
        PermissionDenied: The key may not trade futures.
    """
    rights = {row["name"]: row for row in keys.get("perms") or ()}
    if rights and rights.get("futures", {}).get("read_only", True):
        raise PermissionDenied("this key may not trade futures: give it that right, read and write")
    warnings = []
    if "wallet" in rights and not rights["wallet"].get("read_only"):
        warnings.append("this key may withdraw and move money out of the account: take the wallet right from it")
    if (detail.get("key") or {}).get("mode") == _UNIFIED_ACCOUNT:
        warnings.append("this is a unified account: it trades with more than the futures balance shown here")
    return warnings


def closing_trades(rows: Iterable[Row]) -> set[str]:
    """Return the ids of the trades that closed something."""
    return {str(row.get("trade_id") or row["id"]) for row in rows if number(row.get("close_size"))}


class HeldSides:
    """The net position of each symbol by the stream, which shows whether a trade can have closed something."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Decimal, int]] = {}
        self._trades: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, symbols: Iterable[str], positions: Iterable[Position]) -> None:
        """Apply queried positions to symbols that are not known yet; a symbol without a position is flat."""
        held = {position.symbol: position.quantity for position in positions}
        for symbol in symbols:
            if symbol not in self._held:
                self._held[symbol] = (held.get(symbol, Decimal(0)), 0)

    def apply_position(self, symbol: str, quantity: Decimal, time_ms: int) -> None:
        """Apply a position, unless a later trade is known."""
        known = self._held.get(symbol)
        if known is None or time_ms >= known[1]:
            self._held[symbol] = (quantity, time_ms)

    def apply_fill(self, fill: Fill) -> bool:
        """Apply a trade once, and return whether it certainly closed nothing; False for a repeated one."""
        known = self._held.get(fill.symbol)
        name = (fill.symbol, fill.trade_id)
        if known is None or name in self._trades:
            return False
        self._trades[name] = None
        if len(self._trades) > _TRADES_REMEMBERED:
            self._trades.popitem(last=False)
        held, time_ms = known
        self._held[fill.symbol] = (held + fill.side.sign * fill.quantity, max(time_ms, fill.event_time_ms))
        return held * fill.side.sign >= 0


class GateParser:
    """Reads the frames of one adapter; the field names are in the venue's WebSocket documents.

    The stream has no profit of a trade: one that may have closed something becomes `FillsPending`, and is queried.

    Args:
        venue: The adapter, for its contracts and its position mode. It counts events that are not handled.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.held_sides = HeldSides()
        self.acks = ChannelAcks(_PRIVATE_CHANNELS)

    def parse(self, frame: Row) -> Iterable[Event] | None:
        """Return the events of a frame; see `Venue.parse`."""
        channel, event = frame.get("channel"), frame.get("event")
        if event == "subscribe" and channel in _PRIVATE_CHANNELS and not frame.get("error"):
            return self.acks.on_ack(channel)
        if event != "update":
            return None
        contracts, hedge = self._venue.rules_by_id, self._venue.is_hedge
        if channel == "futures.book_ticker":
            row = frame["result"]
            return (parse_streamed_price(row, contracts[row["s"]]),) if row["s"] in contracts else ()
        if channel == "futures.candlesticks":
            return [candle for row in frame["result"] for candle in self._candle(row)]
        if channel == "futures.balances":
            return [parse_balance_change(row) for row in frame["result"] if _is_margin_asset(row)]
        if channel not in _PRIVATE_CHANNELS:
            # Future channels need no action, and are not an error.
            self._venue.count_unknown(str(channel))
            return ()
        rows = [row for row in frame["result"] if row["contract"] in contracts]
        if channel == "futures.orders":
            return [OrderUpdate(order=parse_order(row, self._rules(row), hedge=hedge)) for row in rows]
        if channel == "futures.usertrades":
            return [self._trade(row) for row in rows]
        return [event for row in rows if self.is_current_mode(row) for event in self._position(row)]

    def is_current_mode(self, row: Row) -> bool:
        """Return whether a position is of the mode that the account is in."""
        return (row["mode"] != "single") is self._venue.is_hedge

    def _rules(self, row: Row) -> SymbolRules:
        return self._venue.rules_by_id[row["contract"]]

    def _trade(self, row: Row) -> Event:
        hedge = self._venue.is_hedge
        fill = parse_fill(row, self._rules(row), hedge=hedge)
        if hedge or not self.held_sides.apply_fill(fill):
            return FillsPending(fill.symbol)
        return fill

    def _position(self, row: Row) -> Iterable[Event]:
        position = parse_position(row, self._rules(row))
        if not self._venue.is_hedge:
            self.held_sides.apply_position(position.symbol, position.quantity, position.event_time_ms)
        return (position,)

    def _candle(self, row: Row) -> list[Candle]:
        interval, _, name = row["n"].partition("_")
        rules = self._venue.rules_by_id.get(name)
        if rules is None or interval not in INTERVALS:
            return []
        # Some servers do not mark a closed candle; the next candle then leads to a query of it.
        return [parse_candle(row, rules, interval, closed=row.get("w") is True)]


def _is_margin_asset(row: Row) -> bool:
    return str(row.get("currency", ASSET)).upper() == ASSET
