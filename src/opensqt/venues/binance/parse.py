"""Reads rows and frames of Binance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec
from msgspec import field

from opensqt.model.account import Account, AccountNotice, MarginMode, NoticeKind, Position
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.venues.binance.causes import close_reason, close_text, fill_kind
from opensqt.venues.events import (
    AccountModeChange,
    BalanceChange,
    BalancePending,
    Event,
    FundingAnnounced,
    LeverageChange,
    StreamExpired,
)
from opensqt.venues.parsing import Row, candle_of_row, price_of, read_each
from opensqt.venues.rows import (
    RowError,
    RowKind,
    VenueMessage,
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
CREDITS = "BNFCR"
IS_FUNDING = "FUNDING_FEE"
"""Reason of an ACCOUNT_UPDATE, and type of an income."""
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


_ACCOUNT_EVENTS = frozenset({"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ACCOUNT_CONFIG_UPDATE", "MARGIN_CALL"})
_SIDE = {side.value: side for side in Side}
_POSITION_SIDE = {side.value: side for side in PositionSide}
ORDER = RowKind("order", "symbol", "orderId")
FILL = RowKind("fill", "symbol", "id")
POSITION = RowKind("position", "symbol", "positionSide")
_NOT_NEEDED = frozenset(
    {"TRADE_LITE", "STRATEGY_UPDATE", "GRID_UPDATE", "CONDITIONAL_ORDER_TRIGGER_REJECT", "ALGO_UPDATE"}
)
"""Documented events that need no action: other events say the same, or they are about what is not traded here."""
_STREAMED = RowKind("order", "s", "i"), RowKind("fill", "s", "t")
_STREAMED_POSITION = RowKind("position", "s", "ps")
_CALLED_POSITION = RowKind("balance", row_id="s")
_STREAMED_BALANCE = RowKind("balance", row_id="a")


class OrderRow(VenueRow, frozen=True, rename="camel"):
    """An order of a response."""

    symbol: str
    side: str
    orig_qty: Decimal
    client_order_id: str
    status: str
    order_id: int | str
    price: Decimal
    type: str
    reduce_only: bool
    position_side: str
    executed_qty: Decimal
    update_time: int
    avg_price: Decimal = Decimal(0)
    time_in_force: str = ""


def parse_order(raw: Any) -> Order:
    """Read an order of a response."""
    row = decode(raw, OrderRow)
    end = close_reason(lookup(_STATUS, row.status, "status"), row.status, row.time_in_force, None)
    return Order(
        symbol=row.symbol,
        side=lookup(_SIDE, row.side, "side"),
        quantity=row.orig_qty,
        client_order_id=row.client_order_id,
        status=end.status,
        order_id=str(row.order_id),
        price=row.price or None,
        order_type=_order_type(row.type, row.price),
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row.time_in_force, TimeInForce.GTC),
        reduce_only=row.reduce_only,
        position_side=lookup(_POSITION_SIDE, row.position_side, "positionSide"),
        filled_quantity=row.executed_qty,
        average_price=row.avg_price if row.executed_qty and row.avg_price else None,
        closed_by=end.closed_by,
        close_reason=end.close_reason,
        event_time_ms=row.update_time,
        received_ns=time.time_ns(),
    )


class StreamedOrderRow(VenueRow, frozen=True):
    """The order of an ORDER_TRADE_UPDATE."""

    symbol: str = field(name="s")
    side: str = field(name="S")
    quantity: Decimal = field(name="q")
    client_order_id: str = field(name="c")
    status: str = field(name="X")
    order_id: int | str = field(name="i")
    price: Decimal = field(name="p")
    type: str = field(name="o")
    reduce_only: bool = field(name="R")
    position_side: str = field(name="ps")
    filled: Decimal = field(name="z")
    average_price: Decimal = field(name="ap", default=Decimal(0))
    time_in_force: str = field(name="f", default="")
    expiry_reason: int | str = field(name="er", default="")


class StreamedTradeRow(VenueRow, frozen=True):
    """The trade of an ORDER_TRADE_UPDATE."""

    symbol: str = field(name="s")
    order_id: int | str = field(name="i")
    client_order_id: str = field(name="c")
    side: str = field(name="S")
    position_side: str = field(name="ps")
    trade_id: int | str = field(name="t")
    price: Decimal = field(name="L")
    quantity: Decimal = field(name="l")
    is_maker: bool = field(name="m")
    realized_pnl: Decimal = field(name="rp")
    time_ms: int = field(name="T")
    fee: Decimal = field(name="n")
    fee_asset: str = field(name="N")
    execution_type: str = field(name="x", default="")


class FrameTime(VenueRow, frozen=True):
    """The time of a frame."""

    time_ms: int = field(name="T")


class EventTime(VenueRow, frozen=True):
    """The time of an event that has no other."""

    time_ms: int = field(name="E")


def parse_streamed_order(raw: Any, frame: Row) -> Order:
    """Read the order of an ORDER_TRADE_UPDATE."""
    row = decode(raw, StreamedOrderRow)
    end = close_reason(lookup(_STATUS, row.status, "X"), row.status, row.time_in_force, str(row.expiry_reason))
    return Order(
        symbol=row.symbol,
        side=lookup(_SIDE, row.side, "S"),
        quantity=row.quantity,
        client_order_id=row.client_order_id,
        status=end.status,
        order_id=str(row.order_id),
        price=row.price or None,
        order_type=_order_type(row.type, row.price),
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row.time_in_force, TimeInForce.GTC),
        reduce_only=row.reduce_only,
        position_side=lookup(_POSITION_SIDE, row.position_side, "ps"),
        filled_quantity=row.filled,
        average_price=row.average_price if row.filled else None,
        reason=close_text(str(row.expiry_reason)),
        closed_by=end.closed_by,
        close_reason=end.close_reason,
        event_time_ms=decode(frame, FrameTime).time_ms,
        received_ns=time.time_ns(),
    )


def _has_fill(raw: Row) -> bool:
    return raw.get("l") not in ("0", 0) and (raw.get("x") in (None, "TRADE") or bool(raw.get("l")))


def lacks_fee(raw: Row) -> bool:
    """Return whether an ORDER_TRADE_UPDATE has a trade, and no fee or no asset of it.

    The venue leaves both out where there is no commission, and other programs saw them left out of trades that had one.
    The list of trades always has both.
    """
    return _has_fill(raw) and (raw.get("n") in (None, "") or raw.get("N") in (None, ""))


def parse_streamed_fill(raw: Any) -> Fill | None:
    """Read the trade of an ORDER_TRADE_UPDATE; None where it has none, or none with a fee."""
    if not _has_fill(raw) or lacks_fee(raw):
        return None
    row = decode(raw, StreamedTradeRow)
    if not row.quantity:
        return None
    return Fill(
        symbol=row.symbol,
        trade_id=str(row.trade_id),
        order_id=str(row.order_id),
        client_order_id=row.client_order_id,
        side=lookup(_SIDE, row.side, "S"),
        position_side=lookup(_POSITION_SIDE, row.position_side, "ps"),
        price=row.price,
        quantity=row.quantity,
        fee=row.fee,
        fee_asset=row.fee_asset,
        is_maker=row.is_maker,
        realized_pnl=row.realized_pnl,
        kind=fill_kind(row.client_order_id, row.execution_type),
        event_time_ms=row.time_ms,
        received_ns=time.time_ns(),
    )


def _order_type(text: str, price: Decimal) -> OrderType:
    """Read the type; an order of another type, placed elsewhere, is a limit order if it has a price."""
    if text in ("LIMIT", "MARKET"):
        return OrderType(text)
    return OrderType.LIMIT if price else OrderType.MARKET


class TradeRow(VenueRow, frozen=True, rename="camel"):
    """A trade of the account."""

    symbol: str
    id: int | str
    order_id: int | str
    side: str
    position_side: str
    price: Decimal
    qty: Decimal
    commission: Decimal
    commission_asset: str
    maker: bool
    realized_pnl: Decimal
    time: int


def parse_fill(raw: Any) -> Fill:
    """Read a trade of the account."""
    row = decode(raw, TradeRow)
    return Fill(
        symbol=row.symbol,
        trade_id=str(row.id),
        order_id=str(row.order_id),
        client_order_id="",
        side=lookup(_SIDE, row.side, "side"),
        position_side=lookup(_POSITION_SIDE, row.position_side, "positionSide"),
        price=row.price,
        quantity=row.qty,
        fee=row.commission,
        fee_asset=row.commission_asset,
        is_maker=row.maker,
        realized_pnl=row.realized_pnl,
        event_time_ms=row.time,
        received_ns=time.time_ns(),
    )


class PositionRow(VenueRow, frozen=True, rename="camel"):
    """A position of a response; the third version of it has no leverage."""

    symbol: str
    position_amt: Decimal
    entry_price: Decimal
    position_side: str
    mark_price: Decimal
    un_realized_profit: Decimal
    update_time: int
    liquidation_price: Decimal = Decimal(0)
    margin_type: str = ""
    isolated_margin: Decimal = Decimal(0)
    leverage: Decimal | None = None


def parse_position(raw: Any) -> Position:
    """Read a position of a response."""
    row = decode(raw, PositionRow)
    isolated = row.margin_type == "isolated" or row.isolated_margin > 0
    return Position(
        symbol=row.symbol,
        quantity=row.position_amt,
        entry_price=row.entry_price,
        position_side=lookup(_POSITION_SIDE, row.position_side, "positionSide"),
        mark_price=row.mark_price or None,
        unrealized_pnl=row.un_realized_profit,
        liquidation_price=row.liquidation_price or None,
        leverage=row.leverage,
        margin_mode=MarginMode.ISOLATED if isolated else MarginMode.CROSS,
        event_time_ms=row.update_time,
        received_ns=time.time_ns(),
    )


class TotalsRow(VenueRow, frozen=True, rename="camel"):
    """The sums over all assets, in US dollars. In single-asset mode they are those of USDT."""

    total_initial_margin: Decimal
    total_maint_margin: Decimal
    total_margin_balance: Decimal
    available_balance: Decimal


class AccountRow(VenueRow, frozen=True, rename="camel"):
    """The balance of an asset; the venue lists none that was never held."""

    wallet_balance: Decimal = Decimal(0)
    unrealized_profit: Decimal = Decimal(0)
    available_balance: Decimal = Decimal(0)
    initial_margin: Decimal = Decimal(0)
    maint_margin: Decimal = Decimal(0)
    update_time: int = 0


def settlement_asset(response: Any, *, multi_assets: bool) -> str:
    """Return the asset in which profit and fees are booked: that of the contracts, or credits.

    In the credits mode of the European Economic Area, which is a multi-assets mode, the account has credits (`BNFCR`),
    and profit, margin and fees of every contract are in them, one for one US dollar:
    https://www.binance.com/en/support/faq/detail/0e857c392a2d47cebde0af762d9255ae.
    """
    assets = objects(member(response, "assets"), "assets")
    return CREDITS if multi_assets and any(member(raw, "asset") == CREDITS for raw in assets) else ASSET


def parse_account(response: Any, *, multi_assets: bool = False) -> Account:
    """Read the balance.

    Args:
        response: As the venue sent it.
        multi_assets: Whether every asset of the account serves as margin. Margin and what is available are then the
            sums over all assets, in US dollars:
            https://developers.binance.com/docs/derivatives/usds-margined-futures/account/rest-api/Account-Information-V3.
    """
    asset = settlement_asset(response, multi_assets=multi_assets)
    assets = objects(member(response, "assets"), "assets")
    row = decode(next((raw for raw in assets if member(raw, "asset") == asset), {}), AccountRow)
    account = Account(
        asset=asset,
        wallet_balance=row.wallet_balance,
        unrealized_pnl=row.unrealized_profit,
        available_balance=row.available_balance,
        initial_margin=row.initial_margin,
        maintenance_margin=row.maint_margin,
        event_time_ms=row.update_time,
        received_ns=time.time_ns(),
    )
    if not multi_assets:
        return account
    totals = decode(response, TotalsRow)
    return replace(
        account,
        available_balance=totals.available_balance,
        initial_margin=totals.total_initial_margin,
        maintenance_margin=totals.total_maint_margin,
        total_margin_balance=totals.total_margin_balance,
    )


class PriceRow(VenueMessage, frozen=True, rename="camel"):
    """The best bid and ask of a response. An empty side has zeros."""

    bid_price: Decimal
    bid_qty: Decimal
    ask_price: Decimal
    ask_qty: Decimal
    time: int


def parse_price(raw: Any, symbol: str) -> Price | None:
    """Read the best bid and ask of a response; None while a side is empty."""
    row = decode_message(raw, PriceRow)
    return price_of(symbol, (row.bid_price, row.bid_qty), (row.ask_price, row.ask_qty), row.time)


class PriceFrame(VenueMessage, frozen=True):
    """A bookTicker. An empty side has zeros."""

    symbol: str = field(name="s")
    bid: Decimal = field(name="b")
    bid_quantity: Decimal = field(name="B")
    ask: Decimal = field(name="a")
    ask_quantity: Decimal = field(name="A")
    time_ms: int = field(name="T")


def parse_streamed_price(frame: PriceFrame) -> Price | None:
    """Read the best bid and ask of the stream; None while a side is empty."""
    bid, ask = (frame.bid, frame.bid_quantity), (frame.ask, frame.ask_quantity)
    return price_of(frame.symbol, bid, ask, frame.time_ms)


class CandleRow(msgspec.Struct, frozen=True, array_like=True):
    """A candle of a response, as a list."""

    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    close_time_ms: int
    quote_volume: Decimal


def parse_candle(raw: Any, symbol: str, interval: str) -> Candle:
    """Read a candle of a response as a closed one; the response does not show whether it is."""
    row = decode_message(raw, CandleRow)
    return candle_of_row(symbol, interval, row, closed=True)


class StreamedCandleRow(VenueMessage, frozen=True):
    """The candle of a kline."""

    symbol: str = field(name="s")
    interval: str = field(name="i")
    open_time_ms: int = field(name="t")
    open: Decimal = field(name="o")
    high: Decimal = field(name="h")
    low: Decimal = field(name="l")
    close: Decimal = field(name="c")
    volume: Decimal = field(name="v")
    quote_volume: Decimal = field(name="q")
    closed: bool = field(name="x")


class CandleFrame(VenueMessage, frozen=True):
    """A kline."""

    time_ms: int = field(name="E")
    candle: StreamedCandleRow = field(name="k")


def parse_streamed_candle(frame: CandleFrame) -> Candle:
    """Read a candle of the stream."""
    row = frame.candle
    interval = lookup(INTERVALS, row.interval, "i")
    return candle_of_row(row.symbol, interval, row, closed=row.closed, time_ms=frame.time_ms)


class StreamedBalanceRow(VenueRow, frozen=True):
    """A balance of an ACCOUNT_UPDATE."""

    asset: str = field(name="a")
    wallet_balance: Decimal = field(name="wb")


def parse_streamed_balance(raw: Any, frame: Row, asset: str = ASSET) -> BalanceChange | None:
    """Read a balance of an ACCOUNT_UPDATE; None for another asset."""
    row = decode(raw, StreamedBalanceRow)
    if row.asset != asset:
        return None
    time_ms = decode(frame, FrameTime).time_ms
    return BalanceChange(wallet_balance=row.wallet_balance, event_time_ms=time_ms, received_ns=time.time_ns())


class StreamedPositionRow(VenueRow, frozen=True):
    """A position of an ACCOUNT_UPDATE."""

    symbol: str = field(name="s")
    quantity: Decimal = field(name="pa")
    entry_price: Decimal = field(name="ep")
    position_side: str = field(name="ps")
    unrealized_pnl: Decimal = field(name="up")
    margin_type: str = field(name="mt", default="")


def parse_streamed_position(raw: Any, frame: Row) -> Position:
    """Read a position of an ACCOUNT_UPDATE."""
    row = decode(raw, StreamedPositionRow)
    return Position(
        symbol=row.symbol,
        quantity=row.quantity,
        entry_price=row.entry_price,
        position_side=lookup(_POSITION_SIDE, row.position_side, "ps"),
        unrealized_pnl=row.unrealized_pnl,
        margin_mode=MarginMode.ISOLATED if row.margin_type == "isolated" else MarginMode.CROSS,
        event_time_ms=decode(frame, FrameTime).time_ms,
        received_ns=time.time_ns(),
    )


class LeverageRow(VenueRow, frozen=True):
    """The leverage of a symbol after a change."""

    symbol: str = field(name="s")
    leverage: Decimal = field(name="l")


class AccountModeRow(VenueRow, frozen=True):
    """The mode of the account after a change."""

    is_multi_assets: bool = field(name="j")


class BinanceParser:
    """Reads the frames of one adapter; the field names are in the venue's WebSocket documents.

    Args:
        venue: The adapter, for its symbols and its position mode. It counts events that are not handled.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.asset = ASSET
        """Asset in which profit and fees are booked."""
        self.multi_assets = False
        """Whether every asset of the account serves as margin."""
        self.account_events = 0
        """Number of events of the account on the connection."""

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Return the events of a frame; see `Venue.parse`."""
        kind = text_of(frame, "e")
        if kind == "bookTicker":
            return self._price(decode_message(frame, PriceFrame))
        if kind == "kline":
            return self._candle(decode_message(frame, CandleFrame))
        if kind in _ACCOUNT_EVENTS:
            self.account_events += 1
        if kind == "ORDER_TRADE_UPDATE":
            return self._venue.read_updates(
                _STREAMED,
                [frame.get("o")],
                lambda raw: parse_streamed_order(raw, frame),
                parse_streamed_fill,
                lacks_fee,
            )
        if kind == "ACCOUNT_UPDATE":
            return self._account_update(frame, frame.get("a"))
        if kind == "listenKeyExpired":
            return (StreamExpired(),)
        if kind == "ACCOUNT_CONFIG_UPDATE":
            return self._account_config(frame.get("ac"), frame.get("ai"))
        if kind == "MARGIN_CALL":
            return self._venue.read_rows(_CALLED_POSITION, objects(frame.get("p"), "p"), _margin_call(frame))
        if not kind:
            if "id" in frame or "error" in frame:
                # The response to a request, which ccxt handles.
                return None
            raise RowError("e, id, error: expected one of them")
        if kind not in _NOT_NEEDED:
            self._venue.count_unknown(kind)
        return ()

    def _price(self, frame: PriceFrame) -> Iterable[Event]:
        self._venue.listed_rules(frame.symbol)
        price = parse_streamed_price(frame)
        return () if price is None else (price,)

    def _candle(self, frame: CandleFrame) -> Iterable[Event]:
        self._venue.listed_rules(frame.candle.symbol)
        return (parse_streamed_candle(frame),)

    def _account_config(self, leverage: Any, account: Any) -> Iterable[Event]:
        """Read what has changed: the leverage of a symbol, or the mode of the account.

        https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Event-Account-Configuration-Update-previous-Leverage-Update
        """
        if leverage is not None:
            changed = decode(leverage, LeverageRow)
            self._venue.listed_rules(changed.symbol)
            return (LeverageChange(symbol=changed.symbol, leverage=changed.leverage),)
        if account is not None:
            self.multi_assets = decode(account, AccountModeRow).is_multi_assets
            return (AccountModeChange("multi-assets mode" if self.multi_assets else "single-asset mode"),)
        raise RowError("ac, ai: expected one of them")

    def _account_update(self, frame: Row, update: Any) -> Iterable[Event]:
        venue = self._venue
        if member(update, "m") == IS_FUNDING:
            # Under cross margin the frame has no position: only a query returns the symbol.
            yield FundingAnnounced()
        if member(update, "B") is None and member(update, "P") is None:
            raise RowError("B, P: expected one of them")
        balances, positions = self._changed_rows("balance", update, "B"), self._changed_rows("position", update, "P")
        balances = list(balances)
        yield from venue.read_rows(
            _STREAMED_BALANCE, balances, lambda raw: parse_streamed_balance(raw, frame, self.asset)
        )
        if balances and self.multi_assets:
            # A balance of any asset changes what is available.
            yield BalancePending()
        for position in venue.read_rows(_STREAMED_POSITION, positions, lambda raw: parse_streamed_position(raw, frame)):
            # In hedge mode the venue sends an empty BOTH beside the two that exist.
            if (position.position_side is PositionSide.BOTH) is not venue.is_hedge:
                yield position

    def _changed_rows(self, kind: str, update: Row, field_name: str) -> Iterable[Any]:
        """Return the rows of one kind, which an update has if there are changed ones."""
        lists = [] if update.get(field_name) is None else [update[field_name]]
        found = read_each(self._venue.set_aside, kind, "", lists, lambda rows: objects(rows, field_name))
        return chain.from_iterable(found)


class CalledPositionRow(VenueRow, frozen=True):
    """A position of a MARGIN_CALL."""

    symbol: str = field(name="s")
    quantity: Decimal = field(name="pa")
    mark_price: Decimal = field(name="mp")
    unrealized_pnl: Decimal = field(name="up")
    maintenance_margin: Decimal = field(name="mm")


def _margin_call(frame: Row) -> Callable[[Any], AccountNotice]:
    """Return a reader of the positions of a MARGIN_CALL."""
    time_ms = decode(frame, EventTime).time_ms

    def read(raw: Any) -> AccountNotice:
        row = decode(raw, CalledPositionRow)
        text = (
            f"margin call: {row.quantity} at a mark of {row.mark_price}, open profit {row.unrealized_pnl},"
            f" maintenance margin {row.maintenance_margin}"
        )
        return AccountNotice(
            kind=NoticeKind.MARGIN_CALL,
            text=text,
            symbol=row.symbol,
            event_time_ms=time_ms,
            received_ns=time.time_ns(),
        )

    return read
