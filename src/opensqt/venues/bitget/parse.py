"""Reads rows and frames of Bitget."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec import field

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.market import Candle, Price
from opensqt.model.order import (
    ClosedBy,
    Fee,
    Fill,
    Order,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
)
from opensqt.venues.account.state import flat
from opensqt.venues.bitget.causes import close_reason, fill_kind, named_position_side
from opensqt.venues.events import BalanceChange, Event, FundingAnnounced
from opensqt.venues.parsing import BookRow, CandleRow, ChannelAcks, Row, best_of, candle_of_row, price_of, read_each
from opensqt.venues.rows import (
    RowError,
    RowKind,
    VenueRow,
    decode,
    decode_message,
    lookup,
    member,
    objects,
    text_of,
)
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


_SIDE = {side.value.lower(): side for side in Side}
_ORDER_TYPE = {kind.value.lower(): kind for kind in OrderType}
_IS_MAKER = {"M": True, "T": False, "maker": True, "taker": False}
_IS_ONE_WAY = {"one_way_mode": True, "hedge_mode": False}
MARGIN_MODE = {MarginMode.CROSS: "crossed", MarginMode.ISOLATED: "isolated"}
MARGIN_MODE_BY_TEXT = {"crossed": MarginMode.CROSS, "cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}
ORDER = RowKind("order", "symbol", "orderId")
FILL = RowKind("fill", "symbol", "tradeId")
POSITION = RowKind("position", "symbol", "holdSide")
_STREAMED = RowKind("order", "instId", "orderId"), RowKind("fill", "instId", "tradeId")
_STREAMED_POSITION = RowKind("position", "instId", "holdSide")
_AMOUNT = re.compile(r"(-?\d+(\.\d+)?)?")
_BALANCE = RowKind("balance", row_id="marginCoin")


class OrderRow(VenueRow, frozen=True, rename="camel"):
    """An order."""

    order_id: int | str
    side: str
    pos_side: str
    trade_side: str
    size: Decimal
    order_type: str
    force: str
    u_time: int
    c_time: int = 0
    client_oid: str = ""
    price: Decimal = Decimal(0)
    price_avg: Decimal = Decimal(0)
    reduce_only: str = ""
    cancel_reason: str = ""


class QueriedOrderRow(OrderRow, frozen=True, rename="camel", kw_only=True):
    """An order of a response; a query of a single order calls its status `state`."""

    base_volume: Decimal
    state: str = ""
    status: str = ""


class StreamedOrderRow(OrderRow, frozen=True, rename="camel", kw_only=True):
    """An order of the stream."""

    acc_base_volume: Decimal
    status: str


def parse_order(raw: Any, symbol: str) -> Order:
    """Read an order of a response."""
    row = decode(raw, QueriedOrderRow)
    return _order(row, symbol, row.state or row.status, row.base_volume)


def parse_streamed_order(raw: Any, symbol: str) -> Order:
    """Read an order of the stream."""
    row = decode(raw, StreamedOrderRow)
    return _order(row, symbol, row.status, row.acc_base_volume)


class StreamedFillRow(VenueRow, frozen=True, rename="camel"):
    """The fill of an order of the stream."""

    trade_id: int | str
    order_id: int | str
    side: str
    pos_side: str
    trade_side: str
    fill_price: Decimal
    base_volume: Decimal
    trade_scope: str
    fill_time: int
    fill_fee: Decimal
    client_oid: str = ""
    fill_fee_coin: str = ASSET
    pnl: Decimal = Decimal(0)
    order_source: str = ""


def _has_fill(raw: Row) -> bool:
    return bool(raw.get("tradeId")) or raw.get("baseVolume") not in (None, "", "0")


def lacks_fee(raw: Row) -> bool:
    """Return whether an order of the stream has a fill, and no fee or one of zero.

    A fee that is deducted in another coin, such as BGB, is no part of the amount in the margin coin: the list of trades
    names both: https://www.bitget.com/api-doc/contract/trade/Get-Order-Fills.
    """
    fee = raw.get("fillFee")
    return _has_fill(raw) and (fee in (None, "") or (isinstance(fee, str) and not fee.strip("-0.")))


def parse_streamed_fill(raw: Any, symbol: str) -> Fill | None:
    """Read the fill of an order of the stream; None where it has none, or none with a fee."""
    if not _has_fill(raw) or lacks_fee(raw):
        return None
    row = decode(raw, StreamedFillRow)
    if not row.base_volume:
        return None
    position_side = lookup(_POSITION_SIDE_BY_TEXT, row.pos_side, "posSide")
    return Fill(
        symbol=symbol,
        trade_id=str(row.trade_id),
        order_id=str(row.order_id),
        client_order_id=row.client_oid,
        side=_side(row.side, position_side, row.trade_side),
        position_side=position_side,
        price=row.fill_price,
        quantity=row.base_volume,
        fee=-row.fill_fee,
        fee_asset=row.fill_fee_coin,
        is_maker=lookup(_IS_MAKER, row.trade_scope, "tradeScope"),
        realized_pnl=row.pnl,
        kind=fill_kind(row.trade_side, row.order_source),
        event_time_ms=row.fill_time,
        received_ns=time.time_ns(),
    )


def _order(row: OrderRow, symbol: str, status: str, filled: Decimal) -> Order:
    position_side = lookup(_POSITION_SIDE_BY_TEXT, row.pos_side, "posSide")
    order_type = lookup(_ORDER_TYPE, row.order_type, "orderType")
    end = close_reason(
        lookup(_STATUS, status, "status"),
        row.cancel_reason,
        row.force.lower(),
        market=order_type is OrderType.MARKET,
        age_ms=row.u_time - row.c_time,
    )
    return Order(
        symbol=symbol,
        side=_side(row.side, position_side, row.trade_side),
        quantity=row.size,
        client_order_id=row.client_oid,
        status=end.status,
        order_id=str(row.order_id),
        order_type=order_type,
        price=(row.price or None) if order_type is OrderType.LIMIT else None,
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row.force.lower(), TimeInForce.GTC),
        reduce_only=row.reduce_only.lower() == "yes",
        position_side=position_side,
        filled_quantity=filled,
        average_price=row.price_avg if filled and row.price_avg else None,
        reason=row.cancel_reason if end.closed_by is not ClosedBy.OWNER else "",
        closed_by=end.closed_by,
        close_reason=end.close_reason,
        event_time_ms=row.u_time,
        received_ns=time.time_ns(),
    )


def _side(side: str, position_side: PositionSide, trade_side: str) -> Side:
    """Return the side that a row trades on; in hedge mode its `side` is that of the position."""
    if position_side is PositionSide.BOTH:
        return lookup(_SIDE, side.lower(), "side")
    opens = Side.BUY if position_side is PositionSide.LONG else Side.SELL
    return opens.opposite if "close" in trade_side else opens


class TradeRow(VenueRow, frozen=True, rename="camel"):
    """A trade of the account."""

    trade_id: int | str
    order_id: int | str
    side: str
    trade_side: str
    pos_mode: str
    price: Decimal
    base_volume: Decimal
    trade_scope: str
    c_time: int
    client_oid: str = ""
    profit: Decimal = Decimal(0)
    fee_detail: list[Any] = field(default_factory=list)


def closing_orders(rows: Iterable[Any]) -> set[str]:
    """Return the ids of the orders whose trades closed a position in hedge mode that they do not name."""
    return {
        str(raw.get("orderId"))
        for raw in rows
        if isinstance(raw, dict) and raw.get("posMode") == "hedge_mode" and raw.get("tradeSide") == "close"
    }


class FeeRow(VenueRow, frozen=True, rename="camel"):
    """The fee of a trade in one asset; where another coin paid it, that coin and the amount that was deducted of it."""

    fee_coin: str
    total_fee: Decimal = Decimal(0)
    total_deduction_fee: Decimal = Decimal(0)


def _fees(rows: list[Any]) -> tuple[Fee, ...]:
    """Read what was paid. The amounts of one row are the same one, written twice, so they do not add up."""
    found = [decode(raw, FeeRow) for raw in rows]
    return paid_fees([Fee(row.fee_coin, -(row.total_fee or row.total_deduction_fee)) for row in found])


def paid_fees(fees: Sequence[Fee]) -> tuple[Fee, ...]:
    """Return what was paid, by coin: at least one of them, and those of zero only where all of them are."""
    if not fees:
        raise RowError("feeDetail: expected a fee, found none")
    return tuple(fee for fee in fees if fee.amount) or tuple(fees[:1])


def parse_fill(raw: Any, symbol: str, position_side: PositionSide | None) -> Fill:
    """Read a trade of the account.

    Args:
        raw: As the venue sent it.
        symbol: Canonical name.
        position_side: That of its order where it is known: in hedge mode the row only has the order's `side`.
    """
    row = decode(raw, TradeRow)
    fees = _fees(row.fee_detail)
    if lookup(_IS_ONE_WAY, row.pos_mode, "posMode"):
        position_side = PositionSide.BOTH
    elif (named := named_position_side(row.trade_side)) is not None:
        position_side = named
    elif position_side is None:
        # In hedge mode the side is that of the position, whether the trade opens or closes it.
        buys = lookup(_SIDE, row.side.lower(), "side") is Side.BUY
        position_side = PositionSide.LONG if buys else PositionSide.SHORT
    return Fill(
        symbol=symbol,
        trade_id=str(row.trade_id),
        order_id=str(row.order_id),
        client_order_id=row.client_oid,
        side=_side(row.side, position_side, row.trade_side),
        position_side=position_side,
        price=row.price,
        quantity=row.base_volume,
        fee=fees[0].amount,
        fee_asset=fees[0].asset,
        other_fees=fees[1:],
        is_maker=lookup(_IS_MAKER, row.trade_scope, "tradeScope"),
        realized_pnl=row.profit,
        kind=fill_kind(row.trade_side),
        event_time_ms=row.c_time,
        received_ns=time.time_ns(),
    )


class PositionRow(VenueRow, frozen=True, rename="camel"):
    """A position of a response or of the stream: its size has no sign, and `holdSide` is the direction."""

    total: Decimal
    hold_side: str
    pos_mode: str
    margin_mode: str
    leverage: Decimal
    u_time: int
    open_price_avg: Decimal = Decimal(0)
    mark_price: Decimal = Decimal(0)
    unrealized_pl: Decimal = field(name="unrealizedPL", default=Decimal(0))
    liquidation_price: Decimal = Decimal(0)


def parse_position(raw: Any, symbol: str) -> Position:
    """Read a position of a response or of the stream."""
    row = decode(raw, PositionRow)
    hold_side = lookup(_POSITION_SIDE_BY_TEXT, row.hold_side, "holdSide")
    return Position(
        symbol=symbol,
        quantity=-row.total if hold_side is PositionSide.SHORT else row.total,
        entry_price=row.open_price_avg,
        position_side=PositionSide.BOTH if lookup(_IS_ONE_WAY, row.pos_mode, "posMode") else hold_side,
        mark_price=row.mark_price or None,
        unrealized_pnl=row.unrealized_pl,
        liquidation_price=row.liquidation_price if row.liquidation_price > 0 else None,
        leverage=row.leverage,
        margin_mode=lookup(MARGIN_MODE_BY_TEXT, row.margin_mode, "marginMode"),
        event_time_ms=row.u_time,
        received_ns=time.time_ns(),
    )


class AccountRow(VenueRow, frozen=True, rename="camel"):
    """The balance: equity is the wallet plus open profit. The response has no time of its own."""

    account_equity: Decimal = Decimal(0)
    unrealized_pl: Decimal = field(name="unrealizedPL", default=Decimal(0))
    crossed_max_available: Decimal = Decimal(0)
    crossed_risk_rate: Decimal = Decimal(0)


def parse_account(raw: Any) -> Account:
    """Read the balance."""
    row = decode(raw, AccountRow)
    equity, available = row.account_equity, row.crossed_max_available
    return Account(
        asset=ASSET,
        wallet_balance=equity - row.unrealized_pl,
        unrealized_pnl=row.unrealized_pl,
        available_balance=available,
        initial_margin=max(equity - available, Decimal(0)),
        maintenance_margin=row.crossed_risk_rate * equity,
        received_ns=time.time_ns(),
    )


class StreamedBalanceRow(VenueRow, frozen=True, rename="camel"):
    """The balance of the stream."""

    margin_coin: str
    equity: Decimal
    unrealized_pl: Decimal = field(name="unrealizedPL", default=Decimal(0))


class FrameTime(VenueRow, frozen=True):
    """The time of a frame."""

    ts: int


def parse_balance_change(raw: Any, frame: Row) -> BalanceChange | None:
    """Read the wallet balance of the stream; None for another asset."""
    row = decode(raw, StreamedBalanceRow)
    if row.margin_coin != ASSET:
        return None
    return BalanceChange(
        wallet_balance=row.equity - row.unrealized_pl,
        event_time_ms=decode(frame, FrameTime).ts,
        received_ns=time.time_ns(),
    )


class PriceRow(VenueRow, frozen=True, rename="camel"):
    """The best bid and ask of a ticker. An empty side has empty texts."""

    ts: int
    bid_pr: Decimal = Decimal(0)
    bid_sz: Decimal = Decimal(0)
    ask_pr: Decimal = Decimal(0)
    ask_sz: Decimal = Decimal(0)


def parse_price(raw: Any, symbol: str) -> Price | None:
    """Read the best bid and ask of a ticker; None while a side is empty."""
    row = decode(raw, PriceRow)
    return price_of(symbol, (row.bid_pr, row.bid_sz), (row.ask_pr, row.ask_sz), row.ts)


def parse_streamed_price(raw: Any, symbol: str) -> Price | None:
    """Read the best levels of a book of the stream; None while a side is empty."""
    row = decode_message(raw, BookRow)
    return price_of(symbol, best_of(row.bids), best_of(row.asks), row.ts)


def parse_candle(raw: Any, symbol: str, interval: str, *, closed: bool = True, time_ms: int | None = None) -> Candle:
    """Read a candle of a response or of the stream; neither shows whether it is closed."""
    return candle_of_row(symbol, interval, decode_message(raw, CandleRow), closed=closed, time_ms=time_ms)


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
        self._funding: dict[tuple[str, str], str] = {}
        """The funding of each open position so far, by the venue's symbol and side."""

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Return the events of a frame; see `Venue.parse`."""
        if event := text_of(frame, "event"):
            return self._on_event(event, frame)
        arg, rows = member(frame, "arg"), objects(frame.get("data"), "data")
        channel = text_of(arg, "channel")
        if channel == "books1":
            symbol = self._listed(arg)
            return read_each(
                self._venue.set_aside, "price", symbol, rows, lambda raw: parse_streamed_price(raw, symbol)
            )
        if channel == "orders":
            return self._venue.read_updates(
                _STREAMED,
                rows,
                self._order,
                lambda raw: parse_streamed_fill(raw, self._symbol_of(raw["instId"])),
                lacks_fee,
            )
        if channel == "positions":
            return self._positions(rows, decode(frame, FrameTime).ts)
        if channel == "account":
            return self._venue.read_rows(_BALANCE, rows, lambda raw: parse_balance_change(raw, frame))
        if channel in _INTERVAL_BY_CHANNEL:
            return self._candle(self._listed(arg), _INTERVAL_BY_CHANNEL[channel], rows, decode(frame, FrameTime).ts)
        if not channel:
            raise RowError("channel: expected a text, found none")
        self._venue.count_unknown(channel)
        return ()

    def _listed(self, arg: Row) -> str:
        """Return the canonical name of the symbol of a frame of the market."""
        self._venue.listed_rules(arg.get("instId"))
        return self._symbol_of(arg["instId"])

    def _on_event(self, event: str, frame: Row) -> Iterable[Event] | None:
        """Record an acknowledged channel of the account, and leave every other response to ccxt."""
        if event not in ("subscribe", "unsubscribe", "login", "error"):
            self._venue.count_unknown(event)
            return ()
        if event != "subscribe" or (channel := text_of(frame.get("arg"), "channel")) not in _PRIVATE_CHANNELS:
            return None
        return self.acks.on_ack(channel)

    def _order(self, raw: Row) -> Order:
        order = parse_streamed_order(raw, self._symbol_of(raw["instId"]))
        self._on_order(order)
        return order

    def _candle(self, symbol: str, interval: str, rows: list[Any], time_ms: int) -> Iterable[Event]:
        """Return the newest candle. No field marks the last update of an older one, so that one is queried."""
        candles = read_each(
            self._venue.set_aside,
            "candle",
            symbol,
            rows,
            lambda raw: parse_candle(raw, symbol, interval, closed=False, time_ms=time_ms),
        )
        return sorted(candles, key=lambda candle: candle.open_time_ms)[-1:]

    def _positions(self, rows: list[Row], time_ms: int) -> list[Event]:
        """Read all open positions; one that was among them and no longer is, is flat."""
        if time_ms < self._open_positions_ms:
            return []
        announced = [FundingAnnounced()] if self._note_funding(rows) else []
        venue = self._venue
        found = venue.read_rows(
            _STREAMED_POSITION, rows, lambda raw: parse_position(raw, self._symbol_of(raw["instId"]))
        )
        now = {(position.symbol, position.position_side) for position in found}
        # A row that can't be read must not pass for a closed position.
        hidden = {key for key in self._open_positions - now if venue.set_aside.hides("position", key[0])}
        gone = self._open_positions - now - hidden
        self._open_positions, self._open_positions_ms = now | hidden, time_ms
        return [*announced, *found, *(replace(flat(*key), event_time_ms=time_ms) for key in gone)]

    def _note_funding(self, rows: list[Any]) -> bool:
        """Keep the funding of the positions; return whether it has changed. No frame has a payment itself.

        https://www.bitget.com/api-doc/contract/websocket/private/Positions-Channel: `totalFee` is the sum since the
        position was opened, and empty before the first payment.
        """
        before = self._funding
        sums = [row for row in rows if isinstance(row, dict) and _AMOUNT.fullmatch(str(row.get("totalFee")))]
        self._funding = {(str(row.get("instId")), str(row.get("holdSide"))): row["totalFee"] for row in sums}
        return any(key in before and total != before[key] for key, total in self._funding.items())
